package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// sample is what one variant needed for one operation.
type sample struct {
	wall, client, server []time.Duration

	// Counted over several operations, after the measured ones: means per operation.
	trips, sent, allocations, wal, left float64
}

// quantile returns the duration below which the share q of them lies.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	sorted := slices.Clone(d)
	slices.Sort(sorted)
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func median(d []time.Duration) time.Duration { return quantile(d, 0.5) }

// quiet is the first quartile: the least disturbed quarter of the operations.
func quiet(d []time.Duration) time.Duration { return quantile(d, 0.25) }

// cpu is the processor time of an operation on both sides, which does not depend
// on other load.
func (s *sample) cpu() time.Duration { return median(s.client) + median(s.server) }

// effort says how often an operation is measured.
type effort struct {
	single, several, many int // of one row, of several, of thousands
	warm, counted         int
	// patience ends the rounds of an operation that takes too long.
	patience time.Duration
}

func (e effort) of(o operation) (warm, rounds, counted int) {
	switch {
	case o.many:
		return 1, e.many, 1
	case o.name == "mixed" || o.name == "replace":
		return e.warm, e.several, e.counted
	default:
		return e.warm, e.single, e.counted
	}
}

// least is how many rounds are done even if they take longer than is planned.
const least = 3

// interleave measures one operation of each variant in turn, again and again,
// so that other load on the machine affects all of them equally. Each round
// begins with another variant.
func interleave(ctx context.Context, variants []*variant, o operation, e effort) (map[*variant]*sample, error) {
	warm, rounds, counted := e.of(o)
	taking := make([]*variant, 0, len(variants))
	samples := map[*variant]*sample{}
	for _, v := range variants {
		if v.only == "" || v.only == o.name {
			taking = append(taking, v)
			samples[v] = &sample{}
		}
	}
	if o.name == "delete 10000" {
		warm = 0 // each batch is there once
	}
	for n := range warm {
		for _, v := range taking {
			if o.many && v.slow {
				continue
			}
			if err := o.prepare(v, n)(ctx); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", o.name, v.name, err)
			}
		}
	}
	begin, n := time.Now(), 0
	for ; n < rounds && (n < least || time.Since(begin) < e.patience); n++ {
		for i := range taking {
			v := taking[(n+i)%len(taking)]
			if o.many && v.slow {
				continue // once is enough, when it is counted
			}
			if err := samples[v].measure(ctx, v, o, warm+n); err != nil {
				return nil, fmt.Errorf("%s, %s: %w", o.name, v.name, err)
			}
		}
	}
	for _, v := range taking {
		if err := samples[v].count(ctx, v, o, warm+n, counted); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", o.name, v.name, err)
		}
	}
	return samples, nil
}

func (s *sample) measure(ctx context.Context, v *variant, o operation, n int) error {
	do := o.prepare(v, n)
	server, known := serverCPU(v.pids)
	client := clientCPU()
	start := time.Now()
	if err := do(ctx); err != nil {
		return err
	}
	s.wall = append(s.wall, time.Since(start))
	s.client = append(s.client, clientCPU()-client)
	if after, ok := serverCPU(v.pids); ok && known {
		s.server = append(s.server, after-server)
	}
	return nil
}

// count counts what is exact. The operations are those of measure.
func (s *sample) count(ctx context.Context, v *variant, o operation, first, times int) error {
	work := make([]func(context.Context) error, times)
	for i := range work {
		work[i] = o.prepare(v, first+i)
		if len(s.wall) == 0 {
			work[i] = func(ctx context.Context) error { return s.measure(ctx, v, o, first+i) }
		}
	}
	entries, err := v.entries(ctx)
	if err != nil {
		return err
	}
	wal, err := v.walPosition(ctx)
	if err != nil {
		return err
	}
	var writes, sent int64
	if v.wire != nil {
		writes, sent = v.wire.writes.Load(), v.wire.bytes.Load()
	}
	objects := mallocs()
	for _, do := range work {
		if err := do(ctx); err != nil {
			return err
		}
	}
	n := float64(times)
	s.allocations = float64(mallocs()-objects) / n
	if v.wire != nil {
		s.trips = float64(v.wire.writes.Load()-writes) / n
		s.sent = float64(v.wire.bytes.Load()-sent) / n
	}
	after, err := v.walPosition(ctx)
	if err != nil {
		return err
	}
	s.wal = float64(after-wal) / n
	now, err := v.entries(ctx)
	if err != nil {
		return err
	}
	s.left = float64(now-entries) / n
	return nil
}

// walPosition returns how many bytes the server has put into its log.
func (v *variant) walPosition(ctx context.Context) (n int64, err error) {
	if v.wire == nil {
		return 0, nil
	}
	err = v.conn.QueryRowContext(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&n)
	return n, err
}
