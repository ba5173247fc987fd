//go:build unix

package gormhook_test

import (
	"syscall"
	"testing"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// BenchmarkStatement is what a statement takes on the side of Go, with and
// without the capture: cpu-ns/op is the processor time of this process alone,
// ns/op has the server's in it. For benchstat:
//
//	go run ./internal/withpostgres go test -run '^$' -bench Statement -count 10 ./gormhook
func BenchmarkStatement(b *testing.B) {
	for _, c := range []struct {
		name   string
		plugin *gormhook.Plugin
		action bool
	}{
		{"capture=none", nil, false},
		{"capture=audited", &gormhook.Plugin{}, false},
		{"capture=action", &gormhook.Plugin{}, true},
		{"capture=kept", &gormhook.Plugin{KeepTransaction: true}, false},
		{"capture=portable", &gormhook.Plugin{Portable: true}, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := newCostDatabase(b, c.plugin)
			for _, o := range costOperations() {
				if o.name == "delete" {
					continue // it has as many rows as it was prepared for
				}
				b.Run("op="+o.name, func(b *testing.B) {
					do := o.prepare(b, d, 1)
					for range costWarm {
						if err := do(d.db.WithContext(b.Context())); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportAllocs()
					start := processorTime(b)
					for b.Loop() {
						ctx := b.Context()
						if c.action {
							ctx = costAction(b, d, trail.Update)
						}
						if err := do(d.db.WithContext(ctx)); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(processorTime(b)-start)/float64(b.N), "cpu-ns/op")
				})
			}
		})
	}
}

// processorTime returns what this process has used, in nanoseconds.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
