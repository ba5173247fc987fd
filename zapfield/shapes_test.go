package zapfield_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/zapfield"
)

// shape is a way to build a logger over a core. Second is a place for what a
// shape writes besides.
type shape struct {
	name, why string
	build     func(core zapcore.Core, second zapcore.WriteSyncer) *zap.Logger
}

func option(opts ...zap.Option) func(zapcore.Core, zapcore.WriteSyncer) *zap.Logger {
	return func(core zapcore.Core, _ zapcore.WriteSyncer) *zap.Logger { return zap.New(core, opts...) }
}

var shapes = []shape{
	{"plain", "the shortest way through", option()},
	{"with", "fields ahead of the stamp", option(zap.Fields(zap.String("service", "s"), zap.Int("shard", 7)))},
	{"caller", "the code that logs must stay the caller", option(zap.AddCaller(), zap.AddStacktrace(zap.ErrorLevel))},
	{"level", "a core that wraps and defers in Check", option(zap.IncreaseLevel(zap.InfoLevel))},
	{
		"lazy", "a core that does not exist until the first line",
		func(core zapcore.Core, _ zapcore.WriteSyncer) *zap.Logger {
			return zap.New(core).WithLazy(zap.Int("lazy", 1))
		},
	},
	{
		"sampler", "a core that counts what it is asked",
		func(core zapcore.Core, _ zapcore.WriteSyncer) *zap.Logger {
			return zap.New(zapcore.NewSamplerWithOptions(core, time.Hour, 2, 2))
		},
	},
	{
		"tee", "branches with levels of their own, which only Check knows",
		func(core zapcore.Core, second zapcore.WriteSyncer) *zap.Logger {
			return zap.New(zapcore.NewTee(core, jsonCore(second, zap.WarnLevel)))
		},
	},
	{
		"hooks", "a core whose Write does not write",
		func(core zapcore.Core, second zapcore.WriteSyncer) *zap.Logger {
			return zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
				_, err := fmt.Fprintln(second, e.Level, e.Message)
				return err
			}))
		},
	},
	{
		"naive", "a core by somebody else that hands over in Write, past Check",
		func(core zapcore.Core, _ zapcore.WriteSyncer) *zap.Logger { return zap.New(naive{core}) },
	},
	{
		"everything", "all at once",
		func(core zapcore.Core, second zapcore.WriteSyncer) *zap.Logger {
			core = zapcore.NewTee(naive{core}, jsonCore(second, zap.ErrorLevel))
			core = zapcore.NewSamplerWithOptions(core, time.Hour, 2, 2)
			return zap.New(core, zap.AddCaller(), zap.IncreaseLevel(zap.InfoLevel),
				zap.Hooks(func(zapcore.Entry) error { return nil })).WithLazy(zap.Int("lazy", 1))
		},
	},
}

// naive is a core as many write it.
type naive struct{ zapcore.Core }

func (n naive) With(fields []zapcore.Field) zapcore.Core { return naive{n.Core.With(fields)} }

func (n naive) Check(ent zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if n.Enabled(ent.Level) {
		return ce.AddCore(ent, n)
	}
	return ce
}

// encoders are those that are known to zapfield, and one that is not.
var encoders = map[string]func() zapcore.Encoder{
	"json":    func() zapcore.Encoder { return zapcore.NewJSONEncoder(encoding()) },
	"console": func() zapcore.Encoder { return zapcore.NewConsoleEncoder(encoding()) },
	"other":   func() zapcore.Encoder { return otherEncoder{zapcore.NewJSONEncoder(encoding())} },
}

type otherEncoder struct{ zapcore.Encoder }

func (e otherEncoder) Clone() zapcore.Encoder { return otherEncoder{e.Encoder.Clone()} }

// script logs lines that name, by their number, what they are to be stamped
// with. It is run on a wrapped logger and on one that is not, for which
// stampAll leaves the logger as it is.
type script struct {
	a, b, none context.Context
	stampAll   func(context.Context, *zap.Logger) *zap.Logger
}

type scripted struct {
	why  string
	want string // "a", "b" or nothing
	run  func(s script, l *zap.Logger, msg string)
}

var lines = []scripted{
	{"no context, no stamp", "", func(_ script, l *zap.Logger, msg string) {
		l.Info(msg, zap.String("k", "v"))
	}},
	{"no fields at all", "", func(_ script, l *zap.Logger, msg string) { l.Info(msg) }},
	{"a field of the line", "a", func(s script, l *zap.Logger, msg string) {
		l.Info(msg, zap.String("k", "v"), zapfield.Context(s.a), zap.Int("n", 1))
	}},
	{"the only field", "a", func(s script, l *zap.Logger, msg string) {
		l.Warn(msg, zapfield.Context(s.a), zap.Bool("b", true))
	}},
	{"a context without a trace", "", func(s script, l *zap.Logger, msg string) {
		l.Info(msg, zapfield.Context(s.none), zap.Int("n", 1))
	}},
	{"no context where one should be", "", func(_ script, l *zap.Logger, msg string) {
		l.Info(msg, zapfield.Context(nil), zap.Int("n", 1)) //nolint:staticcheck // must not hurt
	}},
	{"a field of With", "a", func(s script, l *zap.Logger, msg string) {
		l.With(zap.Int("w", 1), zapfield.Context(s.a)).Error(msg, zap.Int("n", 1))
	}},
	{"a field of WithLazy", "a", func(s script, l *zap.Logger, msg string) {
		l.WithLazy(zapfield.Context(s.a), zap.Int("w", 1)).Info(msg, zap.Int("n", 1))
	}},
	{"a stamped logger", "a", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Info(msg, zap.Int("n", 1))
	}},
	{"a stamped logger whose context has no trace", "", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.none, l).Info(msg, zap.Int("n", 1))
	}},
	{"a stamped logger keeps its stamp through what derives from it", "a", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Named("sub").With(zap.Int("w", 1)).WithLazy(zap.Int("x", 2)).
			WithOptions(zap.IncreaseLevel(zap.InfoLevel)).Error(msg, zap.Int("n", 1))
	}},
	{"the line wins over its logger", "b", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Info(msg, zap.Int("n", 1), zapfield.Context(s.b))
	}},
	{"the line wins over a logger that was stamped lazily", "b", func(s script, l *zap.Logger, msg string) {
		l.WithLazy(zapfield.Context(s.a)).Info(msg, zap.Int("n", 1), zapfield.Context(s.b))
	}},
	{"a context without a trace wins over nothing", "a", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Info(msg, zap.Int("n", 1), zapfield.Context(s.none))
	}},
	{"the later stamp of a logger wins", "b", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.b, s.stampAll(s.a, l)).Info(msg, zap.Int("n", 1))
	}},
	{"the later stamp wins with a core between them", "b", func(s script, l *zap.Logger, msg string) {
		l = s.stampAll(s.a, l).WithOptions(zap.IncreaseLevel(zap.InfoLevel), zap.WrapCore(
			func(c zapcore.Core) zapcore.Core { return naive{c} }))
		s.stampAll(s.b, l).Error(msg, zap.Int("n", 1))
	}},
	{"the last of the line wins", "b", func(s script, l *zap.Logger, msg string) {
		l.Info(msg, zapfield.Context(s.a), zap.Int("n", 1), zapfield.Context(s.b))
	}},
	{"the same twice is one", "a", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Info(msg, zapfield.Context(s.a), zap.Int("n", 1), zapfield.Context(s.a))
	}},
	{"sugar", "a", func(s script, l *zap.Logger, msg string) {
		l.Sugar().Infow(msg, "k", "v", zapfield.Context(s.a), "n", 1)
	}},
	{"sugar With", "a", func(s script, l *zap.Logger, msg string) {
		l.Sugar().With(zapfield.Context(s.a), "w", 1).Errorw(msg, "n", 1)
	}},
	{"sugar of a stamped logger", "a", func(s script, l *zap.Logger, msg string) {
		s.stampAll(s.a, l).Sugar().Info(msg)
	}},
	{"Check and Write", "a", func(s script, l *zap.Logger, msg string) {
		if ce := l.Check(zap.InfoLevel, msg); ce != nil {
			ce.Write(zap.Int("n", 1), zapfield.Context(s.a))
		}
	}},
	{"a line's own namespace does not swallow it", "a", func(s script, l *zap.Logger, msg string) {
		l.Info(msg, zap.Int("n", 1), zap.Namespace("http"), zap.Int("status", 200), zapfield.Context(s.a))
	}},
	{"an open namespace holds it, as all else", "a", func(s script, l *zap.Logger, msg string) {
		l.With(zap.Namespace("http")).Info(msg, zap.Int("status", 200), zapfield.Context(s.a))
	}},
	{"disabled", "a", func(s script, l *zap.Logger, msg string) {
		l.Debug(msg, zapfield.Context(s.a), zap.Int("n", 1))
	}},
	{"another's trace id in another's form is another field", "", func(_ script, l *zap.Logger, msg string) {
		l.With(zap.String(zapfield.Key, "0af7651916cd43dd8448eb211c80319c")).
			Info(msg, zap.Int(zapfield.Key, 7), zap.String(zapfield.Key, ""))
	}},
	{"Panic", "a", func(s script, l *zap.Logger, msg string) {
		defer func() { _ = recover() }()
		l.Panic(msg, zapfield.Context(s.a), zap.Int("n", 1))
	}},
	{"Fatal", "a", func(s script, l *zap.Logger, msg string) {
		defer func() { _ = recover() }()
		l.WithOptions(zap.WithFatalHook(zapcore.WriteThenPanic)).Fatal(msg, zapfield.Context(s.a), zap.Int("n", 1))
	}},
}

// run runs all lines, often enough for a sampler to drop some.
func (s script) run(l *zap.Logger) {
	for range 5 {
		for i, line := range lines {
			line.run(s, l, fmt.Sprintf("line-%02d", i))
		}
	}
}

var numberRE = regexp.MustCompile(`line-(\d\d)`)

// Each shape of logger, wrapped outside, inside and on both sides of what gives
// it its shape, writes the lines that the plain one writes, and the stamps that
// the script wants besides.
func TestShapes(t *testing.T) {
	bare := func(_ context.Context, l *zap.Logger) *zap.Logger { return l }
	wrapCore := func(c zapcore.Core) zapcore.Core { return zapfield.Wrap(zap.New(c)).Core() }

	for _, sh := range shapes {
		for encoder, newEncoder := range encoders {
			plainOut, plainSecond := new(buffer), new(buffer)
			core := func(out zapcore.WriteSyncer) zapcore.Core {
				return zapcore.NewCore(newEncoder(), out, zap.DebugLevel)
			}
			a, idA := start(t, t.Context())
			b, idB := start(t, a)
			ids := map[string][]string{"": nil, "a": {idA}, "b": {idB}}
			s := script{a: a, b: b, none: context.Background(), stampAll: bare}

			type wrapped struct {
				name        string
				out, second *buffer
				logger      *zap.Logger
			}
			places := []*wrapped{{name: "outside"}, {name: "inside"}, {name: "both"}, {name: "twice"}}
			for i, p := range places {
				p.out, p.second = new(buffer), new(buffer)
				c := core(p.out)
				if i == 1 || i == 2 {
					c = wrapCore(c)
				}
				p.logger = sh.build(c, p.second)
				if i != 1 {
					p.logger = zapfield.Wrap(p.logger)
				}
				if i == 3 {
					p.logger = zapfield.Wrap(p.logger)
				}
			}
			loggers := []*zap.Logger{sh.build(core(plainOut), plainSecond)}
			scripts := []script{s}
			for _, p := range places {
				loggers = append(loggers, p.logger)
				s.stampAll = zapfield.Logger
				scripts = append(scripts, s)
			}
			for i, l := range loggers { // one line of code, or the stacks would differ
				scripts[i].run(l.WithOptions(zap.WithClock(still{})))
			}

			for _, p := range places {
				t.Run(sh.name+"/"+encoder+"/"+p.name, func(t *testing.T) {
					compare(t, sh.why, plainOut.lines(), p.out.lines(), ids, true)
					// A branch beside the wrapped core is not under its care, and
					// what a hook writes has no fields.
					compare(t, sh.why, plainSecond.lines(), p.second.lines(), ids,
						p.name != "inside" && sh.name != "hooks")
				})
			}
		}
	}
}

func compare(t *testing.T, why string, plain, wrapped []string, ids map[string][]string, stamped bool) {
	t.Helper()
	if len(plain) != len(wrapped) {
		t.Fatalf("%s: %d lines, %d without Wrap", why, len(wrapped), len(plain))
	}
	for i, line := range wrapped {
		if got := unstamp(line); got != plain[i] {
			t.Errorf("%s: without its stamp the line\n%s is not\n%s", why, line, plain[i])
		}
		m := numberRE.FindStringSubmatch(line)
		if m == nil || !stamped { // m: a line of a stack
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids[lines[n].want], stamps(line)); diff != "" {
			t.Errorf("%s (%s): stamps (-want +got):\n%s%s", lines[n].why, why, diff, line)
		}
	}
}
