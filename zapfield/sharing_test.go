package zapfield_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	zapbuffer "go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/zapfield"
)

// Goroutines with traces of their own share one logger: each line has the id
// that its message names.
func TestSharedLogger(t *testing.T) {
	for _, sh := range shapes {
		if sh.name == "sampler" || sh.name == "everything" { // they drop lines
			continue
		}
		t.Run(sh.name, func(t *testing.T) {
			const goroutines, each = 8, 50
			out := new(buffer)
			shared := zapfield.Wrap(sh.build(jsonCore(out, zap.InfoLevel), new(buffer)))
			var wg sync.WaitGroup
			for range goroutines {
				ctx, id := start(t, t.Context())
				wg.Go(func() {
					own := zapfield.Logger(ctx, shared)
					for i := range each {
						if i%2 == 0 {
							shared.Info(id, zap.Int("i", i), zapfield.Context(ctx))
						} else {
							own.Info(id, zap.Int("i", i))
						}
					}
				})
			}
			wg.Wait()
			for _, line := range out.lines() {
				ids := stamps(line)
				if len(ids) != 1 || !strings.Contains(line, `"msg":"`+ids[0]+`"`) {
					t.Errorf("stamps are %v on the line\n%s", ids, line)
				}
			}
			if n := len(out.lines()); n != goroutines*each {
				t.Errorf("%d lines, want %d", n, goroutines*each)
			}
		})
	}
}

// One slice of fields, with room to spare, is used by many goroutines in many
// traces: nobody may write into it. The race detector watches.
func TestSharedFields(t *testing.T) {
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			a, idA := start(t, t.Context())
			out := new(buffer)
			l := zapfield.Wrap(sh.build(jsonCore(out, zap.InfoLevel), new(buffer)))
			silent := make([]zap.Field, 0, 16)
			silent = append(silent, zap.Int("x", 1), zap.Namespace("ns"), zap.String("y", "2"))
			stamped := append(make([]zap.Field, 0, 16), silent...)
			stamped = append(stamped, zapfield.Context(a))
			twice := append(make([]zap.Field, 0, 16), zap.String(zapfield.Key, idA))
			twice = append(twice, stamped...)
			shared := [][]zap.Field{silent, stamped, twice}
			before := fmt.Sprint(silent[:16], stamped[:16], twice[:16])

			var wg sync.WaitGroup
			for range 8 {
				b, idB := start(t, t.Context())
				wg.Go(func() {
					own := zapfield.Logger(b, l)
					for range 20 {
						for i, fields := range shared {
							want := idA
							if i == 0 {
								want = idB
							}
							own.Info(want, fields...)
							own.With(fields...).Info(want)
						}
						l.Info("nobody", silent...)
					}
				})
			}
			wg.Wait()

			if after := fmt.Sprint(silent[:16], stamped[:16], twice[:16]); after != before {
				t.Errorf("the fields have changed:\n%s\nto\n%s", before, after)
			}
			for _, line := range out.lines() {
				ids := stamps(line)
				if strings.Contains(line, `"msg":"nobody"`) {
					if len(ids) != 0 {
						t.Errorf("stamped though nobody asked: %s", line)
					}
				} else if len(ids) != 1 || !strings.Contains(line, `"msg":"`+ids[0]+`"`) {
					t.Errorf("stamps are %v on the line\n%s", ids, line)
				}
			}
			if len(out.lines()) == 0 {
				t.Error("no lines")
			}
		})
	}
}

// keeper is a core that keeps the fields it was given, to write them later, as
// a core with a queue does.
type keeper struct {
	zapcore.LevelEnabler
	kept *[][]zapcore.Field
}

func (k keeper) With([]zapcore.Field) zapcore.Core { return k }
func (k keeper) Sync() error                       { return nil }

func (k keeper) Check(ent zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(ent, k)
}

func (k keeper) Write(_ zapcore.Entry, fields []zapcore.Field) error {
	*k.kept = append(*k.kept, fields)
	return nil
}

// keeping is an encoder that does so.
type keeping struct {
	zapcore.Encoder
	kept *[][]zapcore.Field
}

func (k keeping) Clone() zapcore.Encoder { return k }

func (k keeping) EncodeEntry(ent zapcore.Entry, fields []zapcore.Field) (*zapbuffer.Buffer, error) {
	*k.kept = append(*k.kept, fields)
	return k.Encoder.EncodeEntry(ent, fields)
}

// A core may keep what it is given to write: no later line may change it.
func TestKeptFields(t *testing.T) {
	for name, newCore := range map[string]func(*[][]zapcore.Field) zapcore.Core{
		"core": func(kept *[][]zapcore.Field) zapcore.Core { return keeper{zap.InfoLevel, kept} },
		"core behind zap's own": func(kept *[][]zapcore.Field) zapcore.Core {
			return zapcore.NewTee(jsonCore(new(buffer), zap.InfoLevel), keeper{zap.InfoLevel, kept})
		},
		"encoder": func(kept *[][]zapcore.Field) zapcore.Core {
			return zapcore.NewCore(
				keeping{zapcore.NewJSONEncoder(encoding()), kept}, new(buffer), zap.InfoLevel)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var kept [][]zapcore.Field
			l := zapfield.Wrap(zap.New(newCore(&kept)))
			var want [][]zapcore.Field
			for i := range 20 {
				ctx, id := start(t, t.Context())
				l.Info("m", zap.Int("i", i), zapfield.Context(ctx))
				zapfield.Logger(ctx, l).Info("m", zap.Int("j", i))
				want = append(want,
					[]zapcore.Field{zap.Int("i", i), zap.String(zapfield.Key, id)},
					[]zapcore.Field{zap.String(zapfield.Key, id), zap.Int("j", i)})
			}
			if diff := cmp.Diff(want, kept); diff != "" {
				t.Errorf("kept fields (-want +got):\n%s", diff)
			}
		})
	}
}

// A field may log while it is written, through the same logger.
func TestLineWithinALine(t *testing.T) {
	l, out := jsonLogger()
	l = zapfield.Wrap(l)
	a, idA := start(t, t.Context())
	b, idB := start(t, t.Context())
	l.Info("outer", zap.Int("n", 1), zap.Inline(zapcore.ObjectMarshalerFunc(func(enc zapcore.ObjectEncoder) error {
		l.Info("inner", zap.String("k", "v"), zapfield.Context(b))
		enc.AddString("told", "inside")
		return nil
	})), zapfield.Context(a), zap.Int("m", 2))

	got := map[string][]string{}
	for _, line := range out.lines() {
		var head struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		got[head.Msg] = stamps(line)
	}
	want := map[string][]string{"inner": {idB}, "outer": {idA}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stamps by message (-want +got):\n%s%s", diff, out)
	}
	if !strings.Contains(out.String(), `"n":1,"told":"inside","trace_id":"`+idA+`","m":2`) {
		t.Errorf("the outer line has lost fields:\n%s", out)
	}
}

// What was logged is not kept alive by the memory that lines are made in.
func TestNothingIsKept(t *testing.T) {
	ctx, _ := start(t, t.Context())
	l, _ := jsonLogger()
	l = zapfield.Wrap(l)
	logged := logged(l, zapfield.Context(ctx))
	runtime.GC()
	if logged.Value() != nil {
		t.Error("the value of a field outlives its line")
	}
}

// logged logs a large value and returns a weak pointer to it.
//
//go:noinline
func logged(l *zap.Logger, stamp zap.Field) weak.Pointer[bulk] {
	value := new(bulk)
	l.Info("m", stamp, zap.Stringer("bulk", value))
	return weak.Make(value)
}

type bulk [1 << 16]byte

func (*bulk) String() string { return "bulk" }
