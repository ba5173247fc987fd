package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// samples is how often the memory is looked at.
const samples = 20

// soak writes for a while and watches the size of the process. It fails if the
// heap has grown from the first tenth to the end, or the goroutines have from one
// half to the other.
func (b *bench) soak(ctx context.Context, length time.Duration) (err error) {
	var kinds []kind
	for _, k := range postgresKinds() {
		if k.name == nameAction {
			kinds = append(kinds, k)
		}
	}
	variants, err := postgresVariants(ctx, b.url, "soak", kinds, sizes{Bulk: 1000, Batch: 100})
	defer func() { err = errors.Join(err, closeAll(variants)) }()
	if err != nil {
		return err
	}
	v := variants[0]
	v.connections(4)
	var work []operation
	for _, o := range operations() {
		if !o.many && o.name != "delete" { // the one within mixed deletes what it has made
			work = append(work, o)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var done atomic.Int64
	errs := make(chan error, 4)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := work[n%len(work)].prepare(v, n)(ctx); err != nil {
					if ctx.Err() == nil {
						errs <- err
						cancel()
					}
					return
				}
				done.Add(1)
			}
		})
	}
	b.report.printf("## Memory of a process that writes for %v\n\n|after|operations|heap KiB|resident KiB|goroutines|\n|---:|---:|---:|---:|---:|\n", length)
	var first, last uint64
	// The fewest goroutines of each half: a statement that is running has some of
	// its own, one that is left behind stays.
	fewest := [2]int{math.MaxInt, math.MaxInt}
	tick := time.NewTicker(length / samples)
	defer tick.Stop()
	start := time.Now()
	for i := range samples - 1 {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		rss, err := resident()
		if err != nil {
			return err
		}
		goroutines := runtime.NumGoroutine()
		half := &fewest[i*2/samples]
		*half = min(*half, goroutines)
		if last = m.HeapAlloc; i == samples/10 {
			first = last
		}
		b.progress("%d operations, heap %d KiB", done.Load(), last>>10)
		b.report.printf("|%v|%d|%d|%d|%d|\n", time.Since(start).Round(time.Second), done.Load(), last>>10, rss>>10, goroutines)
	}
	group.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	b.report.printf("\n")
	const tolerance = 1 << 20
	if last > first+first/5+tolerance || fewest[1] > fewest[0] {
		return fmt.Errorf("the process has grown: heap %d to %d KiB, goroutines %d to %d", first>>10, last>>10, fewest[0], fewest[1])
	}
	return nil
}
