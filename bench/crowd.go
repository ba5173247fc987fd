package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// crowdConnections is the size of each variant's pool while many goroutines
// write.
const crowdConnections = 8

// perRound is the total number of operations of the goroutines in a round.
const perRound = 64

// crowd measures many goroutines at once: each round of a variant is a short
// block, and the variants take turns. It returns the time of a block per
// operation.
func crowd(ctx context.Context, variants []*variant, o operation, goroutines, rounds int) (map[*variant][]time.Duration, error) {
	times := map[*variant][]time.Duration{}
	for n := -1; n < rounds; n++ { // the first one makes the connections
		for i := range variants {
			v := variants[(n+1+i)%len(variants)]
			d, err := block(ctx, v, o, goroutines)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, %d goroutines: %w", o.name, v.name, goroutines, err)
			}
			if n >= 0 {
				times[v] = append(times[v], d/perRound)
			}
		}
	}
	return times, nil
}

// block does perRound operations on goroutines and returns how long that took.
func block(ctx context.Context, v *variant, o operation, goroutines int) (time.Duration, error) {
	work := make([][]func(context.Context) error, goroutines)
	for i := range perRound {
		work[i%goroutines] = append(work[i%goroutines], o.prepare(v, i))
	}
	errs := make(chan error, goroutines)
	var group sync.WaitGroup
	start := time.Now()
	for _, mine := range work {
		group.Go(func() {
			for _, do := range mine {
				if err := do(ctx); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	d := time.Since(start)
	select {
	case err := <-errs:
		return 0, err
	default:
		return d, nil
	}
}
