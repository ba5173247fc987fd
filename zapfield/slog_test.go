package zapfield_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/zapfield"
)

// under is a handler that puts the context of a trace under every record, as
// slogtest has none.
type under struct {
	slog.Handler
	ctx context.Context
}

func (u under) Handle(_ context.Context, r slog.Record) error { return u.Handler.Handle(u.ctx, r) }

func (u under) WithAttrs(attrs []slog.Attr) slog.Handler {
	return under{u.Handler.WithAttrs(attrs), u.ctx}
}

func (u under) WithGroup(name string) slog.Handler { return under{u.Handler.WithGroup(name), u.ctx} }

// The handler conforms to what log/slog wants of one, stamping or not, and the
// stamp is at the top level whatever groups are open.
func TestSlogConforms(t *testing.T) {
	ctx, id := start(t, t.Context())
	for name, wrap := range map[string]func(slog.Handler) slog.Handler{
		"unstamped": zapfield.WrapSlog,
		"stamped":   func(h slog.Handler) slog.Handler { return under{zapfield.WrapSlog(h), ctx} },
		"stamped in two layers": func(h slog.Handler) slog.Handler {
			return under{zapfield.WrapSlog(under{zapfield.WrapSlog(h), ctx}), ctx}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out *buffer
			slogtest.Run(t, func(*testing.T) slog.Handler {
				out = new(buffer)
				return wrap(slog.NewJSONHandler(out, nil))
			}, func(t *testing.T) map[string]any {
				line := map[string]any{}
				if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
					t.Fatal(err)
				}
				var want any
				wantStamps := []string(nil)
				if name != "unstamped" {
					want, wantStamps = id, []string{id}
				}
				if line[zapfield.Key] != want {
					t.Errorf("trace_id at the top is %v, want %v", line[zapfield.Key], want)
				}
				if diff := cmp.Diff(wantStamps, stamps(out.String())); diff != "" {
					t.Errorf("stamps (-want +got):\n%s", diff)
				}
				return line
			})
		})
	}
}

func TestSlogStamps(t *testing.T) {
	none := context.Background()
	a, idA := start(t, none)
	b, idB := start(t, none)
	by := func(id string) slog.Attr { return slog.String(zapfield.Key, id) }
	stamp := func(id string) string { return `"trace_id":"` + id + `"` }
	for _, test := range []struct {
		name, want string
		log        func(*slog.Logger)
	}{
		{"no trace", `"k":1`, func(l *slog.Logger) { l.InfoContext(none, "m", "k", 1) }},
		{"a trace", `"k":1,` + stamp(idA), func(l *slog.Logger) { l.InfoContext(a, "m", "k", 1) }},
		{"nil context", `"k":1`, func(l *slog.Logger) {
			l.InfoContext(nil, "m", "k", 1) //nolint:staticcheck // must not hurt
		}},
		{"more attributes than a record has room for", `"1":1,"2":2,"3":3,"4":4,"5":5,"6":6,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", "1", 1, "2", 2, "3", 3, "4", 4, "5", 5, "6", 6)
		}},
		{"groups", `"w":0,` + stamp(idA) + `,"g":{"x":1,"h":{"k":1}}`, func(l *slog.Logger) {
			l.With("w", 0).WithGroup("g").With("x", 1).WithGroup("h").InfoContext(a, "m", "k", 1)
		}},
		{"groups, no trace", `"w":0,"g":{"x":1,"h":{"k":1}}`, func(l *slog.Logger) {
			l.With("w", 0).WithGroup("g").With("x", 1).WithGroup("h").InfoContext(none, "m", "k", 1)
		}},
		{"a group of the record", `"g":{"k":1},` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", slog.Group("g", "k", 1))
		}},
		{"by With", `"w":0,"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.With("w", 0, by(idA)).InfoContext(none, "m", "k", 1)
		}},
		{"by With, then in a group", stamp(idA) + `,"g":{"k":1}`, func(l *slog.Logger) {
			l.With(by(idA)).WithGroup("g").InfoContext(none, "m", "k", 1)
		}},
		{"the context wins over With", `"k":1,` + stamp(idB), func(l *slog.Logger) {
			l.With(by(idA)).InfoContext(b, "m", "k", 1)
		}},
		{"the context wins over the record", `"k":1,` + stamp(idB), func(l *slog.Logger) {
			l.InfoContext(b, "m", by(idA), slog.Int("k", 1))
		}},
		{"the same twice is one", stamp(idA) + `,"k":1`, func(l *slog.Logger) {
			l.InfoContext(a, "m", by(idA), slog.Int("k", 1))
		}},
		{"another form is another attribute", `"trace_id":"0af7651916cd43dd","k":1`, func(l *slog.Logger) {
			l.With(zapfield.Key, "0af7651916cd43dd").InfoContext(none, "m", "k", 1)
		}},
		{"another text as long, not even with a trace", `"trace_id":"customer-ords-2026-acme-000000000042","k":1`, func(l *slog.Logger) {
			l.With(zapfield.Key, "customer-ords-2026-acme-000000000042").InfoContext(none, "m", "k", 1)
		}},
		{"another text as long is kept beside a trace", `"trace_id":"customer-ords-2026-acme-000000000042","k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", zapfield.Key, "customer-ords-2026-acme-000000000042", "k", 1)
		}},
		{"no id is no stamp", `"trace_id":"00000000-0000-0000-0000-000000000000","k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", zapfield.Key, "00000000-0000-0000-0000-000000000000", "k", 1)
		}},
		{"in a group without a name", `"x":1,"y":2,"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", slog.Group("", slog.Int("x", 1), slog.Group("", by(idB), slog.Int("y", 2))), slog.Int("k", 1))
		}},
		{"the same in a group without a name", `"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", slog.Group("", by(idA)), slog.Int("k", 1))
		}},
		{"in a group without a name, by With", `"x":1,"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.With(slog.Group("", slog.Int("x", 1), by(idA))).InfoContext(none, "m", "k", 1)
		}},
		{"in a group without a name, by With, and a trace", `"x":1,"k":1,` + stamp(idB), func(l *slog.Logger) {
			l.With(slog.Group("", slog.Int("x", 1), by(idA))).InfoContext(b, "m", "k", 1)
		}},
		{"said when it is asked for", `"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", zapfield.Key, asked{slog.StringValue(idB)}, "k", 1)
		}},
		{"a group without a name, when it is asked for", `"x":1,"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", "", asked{slog.GroupValue(by(idB), slog.Int("x", 1))}, "k", 1)
		}},
		{"in a group with a name it is an attribute", `"g":{` + stamp(idB) + `},` + stamp(idA), func(l *slog.Logger) {
			l.InfoContext(a, "m", slog.Group("g", by(idB)))
		}},
		{"an empty group and no attributes", `"k":1,` + stamp(idA), func(l *slog.Logger) {
			l.WithGroup("").With().InfoContext(a, "m", "k", 1)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := new(buffer)
			test.log(slog.New(zapfield.WrapSlog(slog.NewJSONHandler(out, &slog.HandlerOptions{
				ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
					if len(groups) == 0 && a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			}))))
			want := `{"level":"INFO","msg":"m",` + test.want + "}\n"
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

// asked is a value that slog asks for.
type asked struct{ v slog.Value }

func (a asked) LogValue() slog.Value { return a.v }

// Copies of a record share what is in it: the stamp must not get into them.
func TestSlogLeavesTheRecordAlone(t *testing.T) {
	ctx, id := start(t, t.Context())
	r := slog.NewRecord(time.Time{}, slog.LevelInfo, "m", 0)
	for i := range 10 { // one at a time, which leaves room after the last
		r.AddAttrs(slog.Int("n", i))
	}
	out := new(buffer)
	h := zapfield.WrapSlog(slog.NewJSONHandler(out, nil))
	for range 2 {
		if err := h.Handle(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for _, line := range out.lines() {
		got = append(got, stamps(line))
	}
	if diff := cmp.Diff([][]string{{id}, {id}, nil}, got); diff != "" {
		t.Errorf("stamps (-want +got):\n%s", diff)
	}
	if strings.Contains(out.String(), "BUG") { // as slog says it
		t.Errorf("the record was written into:\n%s", out)
	}
	if r.NumAttrs() != 10 {
		t.Errorf("the record has %d attributes, want 10", r.NumAttrs())
	}
}

// Goroutines in traces of their own share a logger with an open group, whose
// handler for the latest trace they share too.
func TestSlogShared(t *testing.T) {
	const goroutines, each = 8, 50
	out := new(buffer)
	l := slog.New(zapfield.WrapSlog(slog.NewJSONHandler(out, nil))).With("w", 0).WithGroup("g").With("x", 1)
	var wg sync.WaitGroup
	for range goroutines {
		ctx, id := start(t, t.Context())
		wg.Go(func() {
			for range each {
				l.InfoContext(ctx, id, "k", 1)
			}
		})
	}
	wg.Wait()
	for _, line := range out.lines() {
		if ids := stamps(line); len(ids) != 1 || !strings.Contains(line, `"msg":"`+ids[0]+`"`) {
			t.Errorf("stamps are %v on the line\n%s", ids, line)
		}
	}
	if n := len(out.lines()); n != goroutines*each {
		t.Errorf("%d lines, want %d", n, goroutines*each)
	}
}

// Loggers that were made of one do not see each other's attributes.
func TestSlogSiblings(t *testing.T) {
	ctx, _ := start(t, t.Context())
	out := new(buffer)
	l := slog.New(zapfield.WrapSlog(slog.NewJSONHandler(out, nil)))
	for range 6 {
		l = l.WithGroup("g").With("x", 1)
		first, second := l.With("sibling", "first"), l.With("sibling", "second")
		third, fourth := l.WithGroup("third"), l.WithGroup("fourth")
		first.InfoContext(ctx, "first")
		second.InfoContext(ctx, "second")
		third.InfoContext(ctx, "third", "k", 1)
		fourth.InfoContext(ctx, "fourth", "k", 1)
	}
	for _, line := range out.lines() {
		var head struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line, `"sibling":"`+head.Msg+`"`) && !strings.Contains(line, `"`+head.Msg+`":{"k":1}`) {
			t.Errorf("not what %s was given: %s", head.Msg, line)
		}
	}
	if n := len(out.lines()); n != 24 {
		t.Errorf("%d lines, want 24", n)
	}
}

func TestWrapSlogReturnsAWrappedHandlerAsItIs(t *testing.T) {
	h := zapfield.WrapSlog(slog.NewJSONHandler(new(buffer), nil))
	if zapfield.WrapSlog(h) != h {
		t.Error("WrapSlog made another handler of a wrapped one")
	}
}
