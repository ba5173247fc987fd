package zapfield_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/infrakitchen/audit/zapfield"
)

func TestWrapReturnsAWrappedLoggerAsItIs(t *testing.T) {
	l, _ := jsonLogger()
	once := zapfield.Wrap(l)
	if twice := zapfield.Wrap(once); twice != once {
		t.Error("Wrap made another logger of a wrapped one")
	}
	if got := zapfield.Logger(context.Background(), once); got != once {
		t.Error("Logger made another logger where there was no trace")
	}
}

// A nil logger is one that discards, here as in zap.New.
func TestNilLogger(t *testing.T) {
	ctx, _ := start(t, t.Context())
	zapfield.Wrap(nil).Info("to nowhere", zapfield.Context(ctx))
	zapfield.Logger(ctx, nil).With(zap.Int("n", 1)).Info("to nowhere")
}

func TestContextIsSilentWithoutWrap(t *testing.T) {
	l, out := jsonLogger(zap.WithClock(still{}))
	ctx, _ := start(t, t.Context())
	l.With(zapfield.Context(ctx)).Info("m", zapfield.Context(ctx))
	want := `{"level":"info","ts":"2026-05-17T12:00:00Z","msg":"m"}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

// The stamp on a line is an ordinary string field, in the place of Context, so
// that tests of users find it as they find any field.
func TestObserver(t *testing.T) {
	inner, logs := observer.New(zap.InfoLevel)
	l := zapfield.Wrap(zap.New(inner))
	a, idA := start(t, t.Context())
	b, idB := start(t, t.Context())

	l.Info("own", zap.Int("x", 1), zapfield.Context(a), zap.Int("y", 2))
	zapfield.Logger(b, l).Info("logger's", zap.Int("x", 1))
	l.Info("none", zap.Int("x", 1))

	stamp := func(id string) zap.Field { return zap.String(zapfield.Key, id) }
	own := logs.FilterMessage("own").All()[0]
	want := []zap.Field{zap.Int("x", 1), stamp(idA), zap.Int("y", 2)}
	if diff := cmp.Diff(want, own.Context); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if got := logs.FilterField(stamp(idB)).All(); len(got) != 1 || got[0].Message != "logger's" {
		t.Errorf("the lines of trace %s are %v", idB, got)
	}
	none := logs.FilterMessage("none").All()[0]
	if diff := cmp.Diff([]zap.Field{zap.Int("x", 1)}, none.Context); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func TestGlobals(t *testing.T) {
	l, out := jsonLogger()
	defer zap.ReplaceGlobals(zapfield.Wrap(l))()
	ctx, id := start(t, t.Context())
	zap.L().Info("m", zapfield.Context(ctx))
	zap.S().Infow("m", zapfield.Context(ctx))
	for _, line := range out.lines() {
		if diff := cmp.Diff([]string{id}, stamps(line)); diff != "" {
			t.Errorf("stamps (-want +got):\n%s%s", diff, line)
		}
	}
	if n := len(out.lines()); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

// What With has put before the stamp, and a namespace, stay where they are.
func TestPlaces(t *testing.T) {
	ctx, id := start(t, t.Context())
	stamp := `"trace_id":"` + id + `"`
	for _, test := range []struct {
		name, want string
		log        func(*zap.Logger)
	}{
		{"in the place of the field", `"a":1,` + stamp + `,"b":2`, func(l *zap.Logger) {
			l.Info("m", zap.Int("a", 1), zapfield.Context(ctx), zap.Int("b", 2))
		}},
		{"of a logger: ahead of the line's fields", `"w":0,` + stamp + `,"a":1`, func(l *zap.Logger) {
			zapfield.Logger(ctx, l).With(zap.Int("w", 0)).Info("m", zap.Int("a", 1))
		}},
		{"outside the line's namespace", stamp + `,"a":1,"ns":{"b":2}`, func(l *zap.Logger) {
			l.Info("m", zap.Int("a", 1), zap.Namespace("ns"), zap.Int("b", 2), zapfield.Context(ctx))
		}},
		{"ahead of the line's namespace, in its place", `"a":1,` + stamp + `,"ns":{"b":2}`, func(l *zap.Logger) {
			l.Info("m", zap.Int("a", 1), zapfield.Context(ctx), zap.Namespace("ns"), zap.Int("b", 2))
		}},
		{"inside a namespace that the logger opened", `"ns":{` + stamp + `,"b":2}`, func(l *zap.Logger) {
			zapfield.Logger(ctx, l).With(zap.Namespace("ns")).Info("m", zap.Int("b", 2))
		}},
		{"by hand, untouched", `"a":1,` + stamp + `,"b":2`, func(l *zap.Logger) {
			l.Info("m", zap.Int("a", 1), zap.String(zapfield.Key, id), zap.Int("b", 2))
		}},
		{"by hand with With, as Context", `"w":0,` + stamp + `,"a":1`, func(l *zap.Logger) {
			l.With(zap.String(zapfield.Key, id), zap.Int("w", 0)).Info("m", zap.Int("a", 1))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, out := jsonLogger(zap.WithClock(still{}))
			test.log(zapfield.Wrap(l))
			want := `{"level":"info","ts":"2026-05-17T12:00:00Z","msg":"m",` + test.want + "}\n"
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// moody is a context whose values change, as those of a pooled one do.
type moody struct {
	context.Context
	now context.Context
}

func (m *moody) Value(key any) any { return m.now.Value(key) }

// The trace is that of the moment of the call, however late the line is written.
func TestContextIsReadAtOnce(t *testing.T) {
	a, idA := start(t, t.Context())
	b, _ := start(t, t.Context())
	ctx := &moody{Context: t.Context(), now: a}
	l, out := jsonLogger()
	l = zapfield.Wrap(l).WithLazy(zapfield.Context(ctx))
	ctx.now = b
	l.Info("m")
	if diff := cmp.Diff([]string{idA}, stamps(out.String())); diff != "" {
		t.Errorf("stamps (-want +got):\n%s", diff)
	}
}

func TestLevelsAreThoseOfTheLogger(t *testing.T) {
	for _, sh := range shapes {
		for level := zap.DebugLevel; level <= zap.FatalLevel; level++ {
			l := sh.build(jsonCore(new(buffer), zap.DebugLevel), new(buffer))
			w := zapfield.Wrap(l)
			if w.Level() != l.Level() {
				t.Errorf("%s: Level is %v, without Wrap %v", sh.name, w.Level(), l.Level())
			}
			if got, want := w.Core().Enabled(level), l.Core().Enabled(level); got != want {
				t.Errorf("%s: Enabled(%v) is %v, without Wrap %v", sh.name, level, got, want)
			}
			got, want := w.Check(level, "m") != nil, l.Check(level, "m") != nil
			if got != want {
				t.Errorf("%s: Check(%v) lets through: %v, without Wrap %v", sh.name, level, got, want)
			}
		}
	}
}

// told is a core whose level is what it says, not what it lets through.
type told struct{ zapcore.Core }

func (told) Level() zapcore.Level { return zap.DPanicLevel }

func TestLevelIsAskedFor(t *testing.T) {
	l := zapfield.Wrap(zap.New(told{jsonCore(new(buffer), zap.DebugLevel)}))
	if l.Level() != zap.DPanicLevel {
		t.Errorf("Level is %v, want %v", l.Level(), zap.DPanicLevel)
	}
}

// The logger that was wrapped works as before, silent ones of With included.
func TestWrapLeavesTheLoggerAlone(t *testing.T) {
	ctx, id := start(t, t.Context())
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			out := new(buffer)
			l := sh.build(jsonCore(out, zap.DebugLevel), new(buffer))
			w := zapfield.Logger(ctx, l)
			l.Error("m", zapfield.Context(ctx))
			w.Error("n", zapfield.Context(ctx))
			var got [][]string
			for _, line := range out.lines() {
				if line[0] == '{' { // no hook's
					got = append(got, stamps(line))
				}
			}
			if diff := cmp.Diff([][]string{nil, {id}}, got); diff != "" {
				t.Errorf("stamps, of the plain line and of the other (-want +got):\n%s", diff)
			}
		})
	}
}

// A sampler counts the lines of the wrapped logger together with those of the
// one it was made of, as it does for all that derive from one.
func TestSamplersShareTheirCounters(t *testing.T) {
	out := new(buffer)
	core := zapcore.NewSamplerWithOptions(jsonCore(out, zap.InfoLevel), time.Hour, 2, 0)
	l := zap.New(core, zap.WithClock(still{}))
	w := zapfield.Wrap(l)
	for range 3 {
		l.Info("m")
		w.Info("m")
	}
	if n := len(out.lines()); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

// A line that the sampler drops must not be let through for the stamp's sake.
func TestCheckOfADroppedLine(t *testing.T) {
	ctx, _ := start(t, t.Context())
	core := zapcore.NewSamplerWithOptions(jsonCore(new(buffer), zap.InfoLevel), time.Hour, 1, 0)
	l := zapfield.Logger(ctx, zap.New(core, zap.WithClock(still{})))
	if l.Check(zap.InfoLevel, "m") == nil {
		t.Error("the first line is dropped")
	}
	if l.Check(zap.InfoLevel, "m") != nil {
		t.Error("the second line is let through")
	}
}

type broken struct{ buffer }

var errBroken = errors.New("no space left")

func (*broken) Write([]byte) (int, error) { return 0, errBroken }
func (*broken) Sync() error               { return errBroken }

// What goes wrong in writing is reported where the logger reports it, once.
func TestErrors(t *testing.T) {
	ctx, _ := start(t, t.Context())
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			report := func(wrap bool) string {
				reported := new(buffer)
				l := sh.build(jsonCore(new(broken), zap.DebugLevel), new(buffer)).
					WithOptions(zap.ErrorOutput(reported), zap.WithClock(still{}))
				if wrap {
					l = zapfield.Logger(ctx, l)
				}
				l.Error("m", zap.Int("n", 1), zapfield.Context(ctx))
				if err := l.Sync(); !errors.Is(err, errBroken) {
					t.Errorf("Sync returns %v, want %v", err, errBroken)
				}
				return reported.String()
			}
			plain := report(false)
			if !strings.Contains(plain, errBroken.Error()) {
				t.Fatalf("the plain logger reports %q", plain)
			}
			if diff := cmp.Diff(plain, report(true)); diff != "" {
				t.Errorf("report (-plain +wrapped):\n%s", diff)
			}
		})
	}
}
