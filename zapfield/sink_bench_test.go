package zapfield_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// openStore returns a store over a fresh PostgreSQL database.
func openStore(tb testing.TB) *store.Store {
	tb.Helper()
	db := testdb.OpenPostgres(tb)
	if err := store.Migrate(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

// BenchmarkSink gives the lines that two producers get into PostgreSQL in a
// second, and how many times as many that is as with one INSERT for each.
func BenchmarkSink(b *testing.B) {
	const lines, single = 200_000, 1000
	st := openStore(b)
	ctx, _ := start(b, b.Context())
	rate := func(n int, f func()) float64 {
		begin := time.Now()
		f()
		return float64(n) / time.Since(begin).Seconds()
	}
	var sunk, inserted float64
	rounds := 0
	for b.Loop() {
		rounds++
		sink, err := zapfield.NewSink(st)
		if err != nil {
			b.Fatal(err)
		}
		logger := zapfield.Logger(ctx, zap.New(sink.Core(zapcore.InfoLevel)))
		sunk += rate(lines, func() {
			var producers sync.WaitGroup
			for range 2 {
				producers.Go(func() {
					for i := range lines / 2 {
						logger.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", i))
					}
				})
			}
			producers.Wait()
			if err := sink.Close(context.Background()); err != nil {
				b.Fatal(err)
			}
		})
		if n := sink.Stats().Written; n != lines {
			b.Fatalf("%d lines were written, %d expected", n, lines)
		}
		each := &kept{}
		one, err := zapfield.NewSink(each)
		if err != nil {
			b.Fatal(err)
		}
		logger = zapfield.Logger(ctx, zap.New(one.Core(zapcore.InfoLevel)))
		for i := range single {
			logger.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", i))
		}
		if err := one.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		inserted += rate(single, func() {
			for _, l := range each.all() {
				if err := st.WriteLines(context.Background(), []trail.Line{l}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.ReportMetric(sunk/float64(rounds), "lines/s")
	b.ReportMetric(inserted/float64(rounds), "single-lines/s")
	b.ReportMetric(sunk/inserted, "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkSinkLine gives what a line costs who logs it.
func BenchmarkSinkLine(b *testing.B) {
	ctx, _ := start(b, b.Context())
	_, logger := newSink(b, &kept{fails: func(context.Context, []trail.Line) error { return nil }}, zapfield.WithOverflow(zapfield.DropNewest))
	stamped := zapfield.Logger(ctx, logger)
	b.ReportAllocs()
	for b.Loop() {
		stamped.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3))
	}
}
