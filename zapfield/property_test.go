package zapfield_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/zapfield"
)

// pair is a logger that is wrapped, its plain twin, and the trace that the
// former is stamped with.
type pair struct {
	wrapped, plain *zap.Logger
	trace          string
}

// derivations are what one does to a logger, drawn at random.
var derivations = map[string]func(*rapid.T, pair, traces) pair{
	"With": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger { return l.With(zap.Int("with", 1)) })
	},
	"Named": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger { return l.Named("part") })
	},
	"Namespace": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger { return l.With(zap.Namespace("in")) })
	},
	"Sugar": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger { return l.Sugar().With("sugar", true).Desugar() })
	},
	"naive core": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger {
			return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return naive{c} }))
		})
	},
	"hook and level": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger {
			return l.WithOptions(zap.IncreaseLevel(zap.InfoLevel),
				zap.Hooks(func(zapcore.Entry) error { return nil }))
		})
	},
	"sampler": func(_ *rapid.T, p pair, _ traces) pair {
		return both(p, func(l *zap.Logger) *zap.Logger {
			return l.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
				return zapcore.NewSamplerWithOptions(c, time.Hour, 3, 2)
			}))
		})
	},
	"Wrap": func(_ *rapid.T, p pair, _ traces) pair {
		p.wrapped = zapfield.Wrap(p.wrapped)
		return p
	},
	"With Context": func(r *rapid.T, p pair, ts traces) pair {
		ctx, trace := ts.draw(r)
		p = p.stamped(trace)
		return both(p, func(l *zap.Logger) *zap.Logger { return l.With(zap.Bool("b", true), zapfield.Context(ctx)) })
	},
	"WithLazy Context": func(r *rapid.T, p pair, ts traces) pair {
		ctx, trace := ts.draw(r)
		p = p.stamped(trace)
		return both(p, func(l *zap.Logger) *zap.Logger { return l.WithLazy(zapfield.Context(ctx), zap.Int("lazy", 1)) })
	},
	"Logger": func(r *rapid.T, p pair, ts traces) pair {
		ctx, trace := ts.draw(r)
		p = p.stamped(trace)
		p.wrapped = zapfield.Logger(ctx, p.wrapped)
		return p
	},
}

func (p pair) stamped(trace string) pair {
	if trace != "" {
		p.trace = trace
	}
	return p
}

func both(p pair, f func(*zap.Logger) *zap.Logger) pair {
	p.wrapped, p.plain = f(p.wrapped), f(p.plain)
	return p
}

// traces are contexts by their trace ids, one of which is empty.
type traces []struct {
	ctx context.Context
	id  string
}

func (ts traces) draw(r *rapid.T) (context.Context, string) {
	t := ts[rapid.IntRange(0, len(ts)-1).Draw(r, "trace")]
	return t.ctx, t.id
}

// Whatever is done to a logger that was wrapped, and to those derived from it,
// a line carries one trace_id or none: that of the line's own last context with
// a trace, else of the logger's. All else is as the plain twin writes it.
func TestAnySequence(t *testing.T) {
	ts := make(traces, 4)
	ts[0].ctx = context.Background()
	for i := 1; i < len(ts); i++ {
		ts[i].ctx, ts[i].id = start(t, t.Context())
	}
	rapid.Check(t, func(r *rapid.T) {
		wrappedOut, plainOut := new(buffer), new(buffer)
		encoder := rapid.SampledFrom([]string{"json", "other"}).Draw(r, "encoder")
		build := func(out zapcore.WriteSyncer) *zap.Logger {
			core := zapcore.NewCore(encoders[encoder](), out, zap.DebugLevel)
			return zap.New(core, zap.WithClock(still{}))
		}
		pairs := []pair{{wrapped: zapfield.Wrap(build(wrappedOut)), plain: build(plainOut)}}
		var want []string

		draw := func(r *rapid.T) pair {
			return pairs[rapid.IntRange(0, len(pairs)-1).Draw(r, "logger")]
		}
		actions := map[string]func(*rapid.T){
			"line": func(r *rapid.T) {
				p := draw(r)
				trace := p.trace
				fields := []zap.Field{zap.Int("line", len(want))}
				for range rapid.IntRange(0, 3).Draw(r, "fields") {
					switch rapid.IntRange(0, 3).Draw(r, "field") {
					case 0:
						fields = append(fields, zap.Namespace("ns"))
					case 1:
						fields = append(fields, zap.String("s", "t"))
					default:
						ctx, id := ts.draw(r)
						fields = append(fields, zapfield.Context(ctx))
						if id != "" {
							trace = id
						}
					}
				}
				before := len(plainOut.lines())
				p.plain.Info("m", fields...)
				p.wrapped.Info("m", fields...)
				if len(plainOut.lines()) > before { // no sampler dropped it
					want = append(want, trace)
				}
			},
		}
		for name, derive := range derivations {
			actions[name] = func(r *rapid.T) { pairs = append(pairs, derive(r, draw(r), ts)) }
		}
		r.Repeat(actions)

		plain, wrapped := plainOut.lines(), wrappedOut.lines()
		if len(plain) != len(wrapped) {
			r.Fatalf("%d lines, %d without Wrap", len(wrapped), len(plain))
		}
		for i, line := range wrapped {
			if got := unstamp(line); got != plain[i] {
				r.Errorf("without its stamp the line\n%s is not\n%s", line, plain[i])
			}
			ids := stamps(line)
			if len(ids) > 1 || len(ids) == 0 && want[i] != "" || len(ids) == 1 && ids[0] != want[i] {
				r.Errorf("stamps are %v, want %q, on the line\n%s", ids, want[i], line)
			}
		}
	})
}
