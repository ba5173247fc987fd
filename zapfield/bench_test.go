package zapfield_test

import (
	"io"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/zapfield"
)

// design is one way to write a line of two fields, with or without a trace id.
type design struct {
	name string
	line func()
}

// designs are compared to the first of them.
func designs(b *testing.B, core zapcore.Core) []design {
	ctx, id := start(b, b.Context())
	plain := zap.New(core)
	wrapped := zapfield.Wrap(zap.New(core))
	stamped := zapfield.Logger(ctx, wrapped)
	return []design{
		{"plain", func() { plain.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3)) }},
		{"unstamped", func() { wrapped.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3)) }},
		{"stamped", func() {
			wrapped.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3), zapfield.Context(ctx))
		}},
		{"logger", func() { stamped.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3)) }},
		{"byhand", func() {
			plain.Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3), zap.String(zapfield.Key, id))
		}},
		{"with", func() {
			plain.With(zap.String(zapfield.Key, id)).
				Info("provisioning", zap.String("zone", "eu-1"), zap.Int("attempt", 3))
		}},
	}
}

func benchCores() map[string]zapcore.Core {
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.AddSync(io.Discard), zap.InfoLevel)
	return map[string]zapcore.Core{
		"json":    core,
		"sampler": zapcore.NewSamplerWithOptions(core, time.Hour, 1<<40, 1),
	}
}

// BenchmarkLine gives the time and the allocations of each design.
func BenchmarkLine(b *testing.B) {
	for name, core := range benchCores() {
		for _, d := range designs(b, core) {
			b.Run(name+"/"+d.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					d.line()
				}
			})
			b.Run(name+"/"+d.name+"/parallel", func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						d.line()
					}
				})
			})
		}
	}
}

// BenchmarkRatio gives the time of each design as a ratio to a plain line. The
// designs take turns, a few lines at a time, so that what else the machine does
// falls on all alike; a ratio is that of the lower quartiles.
func BenchmarkRatio(b *testing.B) {
	const lines = 50
	for name, core := range benchCores() {
		b.Run(name, func(b *testing.B) {
			ds := designs(b, core)
			times := make([][]float64, len(ds))
			for b.Loop() {
				for i, d := range ds {
					begin := time.Now()
					for range lines {
						d.line()
					}
					times[i] = append(times[i], float64(time.Since(begin))/lines)
				}
			}
			base := quartile(times[0])
			for i, d := range ds[1:] {
				b.ReportMetric(quartile(times[i+1])/base, d.name+"/plain")
			}
			b.ReportMetric(base, "ns/plain-line")
			b.ReportMetric(0, "ns/op") // of a turn of all, which says nothing
		})
	}
}

func quartile(times []float64) float64 {
	slices.Sort(times)
	return times[len(times)/4]
}
