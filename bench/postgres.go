package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// postgresPart measures the operations on PostgreSQL: one after another, with
// a network, and with many goroutines.
func (b *bench) postgresPart(ctx context.Context) (err error) {
	b.progress("PostgreSQL: making the tables")
	variants, err := postgresVariants(ctx, b.url, "bench", postgresKinds(), b.sizes)
	defer func() { err = errors.Join(err, closeAll(variants)) }()
	if err != nil {
		return err
	}
	b.report.printf("## PostgreSQL, one client\n\nRatios are relative to %s. CPU times are medians per operation.\n\n", nameBase)
	b.report.printf("|variant| |\n|---|---|\n")
	for _, v := range variants {
		b.report.printf("|%s|%s|\n", v.name, v.what)
	}
	b.report.printf("\n")
	for _, o := range b.chosen() {
		if o.many {
			continue
		}
		if err := b.one(ctx, variants, o); err != nil {
			return err
		}
	}
	some := make([]*variant, 0, len(variants))
	for _, v := range variants {
		if v.crowd {
			some = append(some, v)
		}
	}
	if err := b.network(ctx, some); err != nil {
		return err
	}
	if err := b.crowds(ctx, some); err != nil {
		return err
	}
	b.report.printf("## PostgreSQL, many rows in one statement\n\n")
	for _, o := range b.chosen() {
		if !o.many {
			continue
		}
		if err := b.one(ctx, variants, o); err != nil {
			return err
		}
	}
	return nil
}

// one measures one operation and leaves the tables as they should be for the
// next.
func (b *bench) one(ctx context.Context, variants []*variant, o operation) error {
	b.progress("%s", o.name)
	samples, err := interleave(ctx, variants, o, b.effort)
	if err != nil {
		return err
	}
	b.report.table(o, variants, samples)
	b.judge(variants, o, samples)
	for _, v := range variants {
		if err := v.vacuum(ctx); err != nil {
			return err
		}
	}
	return nil
}

// judge holds what was measured against the bounds.
func (b *bench) judge(variants []*variant, o operation, samples map[*variant]*sample) {
	base := samples[named(variants, nameBase)]
	audited, acting := samples[named(variants, nameAudited)], samples[named(variants, nameAction)]
	engine, limits := "SQLite ", o.sqlite
	var least float64
	if variants[0].wire != nil {
		engine, limits = "PostgreSQL ", o.postgres
		against := base
		if o.name == "delete 10000" {
			against = samples[named(variants, nameCopied)]
			engine = "PostgreSQL, against the INSERT of the same images: "
		}
		if limits.acceptance > 0 {
			least = ratio(median(samples[named(variants, nameLimit)].wall), median(against.wall))
			b.report.add(check{
				what: engine + o.name, bound: limits, limit: least, decimal: 2,
				values: [2]float64{ratio(median(audited.wall), median(against.wall)), ratio(median(acting.wall), median(against.wall))},
				cpu:    [2]float64{ratio(audited.cpu(), against.cpu()), ratio(acting.cpu(), against.cpu())},
			})
		}
		if limits.acceptance == 0 || o.name == "mixed" {
			return
		}
		b.report.add(check{
			what: "round trips added, " + o.name, bound: bound{0, -2}, decimal: 0,
			values: [2]float64{audited.trips - base.trips, acting.trips - base.trips},
		})
		allowed := bound{20, 12}
		if o.many {
			allowed = bound{40, 30}
		}
		b.report.add(check{
			what: "allocations added, " + o.name, bound: allowed, decimal: 0,
			values: [2]float64{audited.allocations - base.allocations, acting.allocations - base.allocations},
		})
		return
	}
	if limits.acceptance > 0 {
		if ready := named(variants, nameReady); samples[ready] != nil {
			least = ratio(median(samples[ready].wall), median(base.wall))
		}
		b.report.add(check{
			what: engine + o.name, bound: limits, limit: least, decimal: 2,
			values: [2]float64{ratio(median(audited.wall), median(base.wall)), ratio(median(acting.wall), median(base.wall))},
			cpu:    [2]float64{ratio(audited.cpu(), base.cpu()), ratio(acting.cpu(), base.cpu())},
		})
	}
}

// network measures single rows with a delay of each write of the client.
func (b *bench) network(ctx context.Context, variants []*variant) error {
	if b.delay == 0 {
		return nil
	}
	var lines []string
	var times []map[*variant][]time.Duration
	for _, v := range variants {
		v.wire.delay.Store(int64(b.delay))
		defer v.wire.delay.Store(0)
	}
	for _, o := range b.chosen() {
		if o.many || o.name == "replace" {
			continue
		}
		b.progress("%s, each write delayed by %v", o.name, b.delay)
		e := effort{single: b.effort.single / 4, several: b.effort.several / 4, warm: 1, counted: 1, patience: b.effort.patience}
		samples, err := interleave(ctx, variants, o, e)
		if err != nil {
			return err
		}
		walls := map[*variant][]time.Duration{}
		for v, s := range samples {
			walls[v] = s.wall
		}
		lines, times = append(lines, o.name), append(times, walls)
		if o.network.acceptance > 0 {
			to := func(name string) float64 {
				return ratio(median(walls[named(variants, name)]), median(walls[variants[0]]))
			}
			b.report.add(check{
				what: "over a network, " + o.name, bound: o.network, limit: to(nameLimit), decimal: 2,
				values: [2]float64{to(nameAudited), to(nameAction)},
			})
		}
	}
	b.report.ratios(fmt.Sprintf("Over a network: each client write is delayed by a sleep of %v", b.delay), variants, lines, times)
	return nil
}

// crowds measures single rows written by many goroutines.
func (b *bench) crowds(ctx context.Context, variants []*variant) (err error) {
	if b.rounds == 0 {
		return nil
	}
	for _, v := range variants {
		v.connections(crowdConnections)
	}
	defer func() {
		for _, v := range variants {
			v.connections(1)
			err = errors.Join(err, v.backends(ctx)) // it may be another one now
		}
	}()
	for _, goroutines := range []int{8, 32} {
		var lines []string
		var times []map[*variant][]time.Duration
		for _, o := range b.chosen() {
			if o.many || o.name == "replace" {
				continue
			}
			b.progress("%s, %d goroutines", o.name, goroutines)
			t, err := crowd(ctx, variants, o, goroutines, b.rounds)
			if err != nil {
				return err
			}
			lines, times = append(lines, o.name), append(times, t)
		}
		b.report.ratios(fmt.Sprintf("%d goroutines on %d connections: time per operation", goroutines, crowdConnections),
			variants, lines, times)
	}
	return nil
}
