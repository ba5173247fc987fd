package zapfield_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/zapfield"
)

// A field that has the name of a stamp and is none does not take its line away
// from its trace, neither in what is written nor in what a sink keeps.
func TestOtherFieldsOfThatName(t *testing.T) {
	const fixed = "customer-ords-2026-acme-000000000042"
	a, idA := start(t, t.Context())
	other := zap.String(zapfield.Key, fixed)
	const stampA, also, n = `"trace_id":"A"`, `"trace_id":"` + fixed + `"`, `"n":1`
	for _, c := range []struct {
		why, want string
		kept      string // the fields in the sink
		log       func(*zap.Logger)
	}{
		{"in a line with a context", stampA + "," + also + "," + n, "{" + also + "," + n + "}", func(l *zap.Logger) {
			l.Info("m", zapfield.Context(a), other, zap.Int("n", 1))
		}},
		{"in a line of a stamped logger", stampA + "," + also + "," + n, "{" + also + "," + n + "}", func(l *zap.Logger) {
			zapfield.Logger(a, l).Info("m", other, zap.Int("n", 1))
		}},
		{"of a stamped logger", also + "," + stampA + "," + n, "{" + also + "," + n + "}", func(l *zap.Logger) {
			zapfield.Logger(a, l).With(other).Info("m", zap.Int("n", 1))
		}},
		{"of a logger, before its stamp", also + "," + n + "," + stampA, "{" + also + "," + n + "}", func(l *zap.Logger) {
			l.With(other).Info("m", zap.Int("n", 1), zapfield.Context(a))
		}},
		{"without a trace", also + "," + n, "", func(l *zap.Logger) { l.Info("m", other, zap.Int("n", 1)) }},
		{"the nil UUID", stampA + `,"trace_id":"00000000-0000-0000-0000-000000000000"`, `{"trace_id":"00000000-0000-0000-0000-000000000000"}`, func(l *zap.Logger) {
			l.Info("m", zapfield.Context(a), zap.String(zapfield.Key, "00000000-0000-0000-0000-000000000000"))
		}},
	} {
		t.Run(c.why, func(t *testing.T) { checkStamps(t, c.log, c.want, c.kept, map[string]string{idA: "A"}) })
	}
}

// The id of another trace in a namespace that a line opens, such as what another
// service has answered, does not take the line away from its trace.
func TestStampsInNamespaces(t *testing.T) {
	a, idA := start(t, t.Context())
	b, idB := start(t, t.Context())
	in, other := zap.Namespace("in"), zap.String(zapfield.Key, idB)
	const stampA, inB = `"trace_id":"A"`, `"in":{"trace_id":"B"}`
	for _, c := range []struct {
		why, want, kept string
		log             func(*zap.Logger)
	}{
		{"of a line with a context", stampA + "," + inB, "{" + inB + "}", func(l *zap.Logger) { l.Info("m", zapfield.Context(a), in, other) }},
		{"ahead of the context", stampA + "," + inB, "{" + inB + "}", func(l *zap.Logger) { l.Info("m", in, other, zapfield.Context(a)) }},
		{"between two contexts", stampA + "," + inB, "{" + inB + "}", func(l *zap.Logger) { l.Info("m", zapfield.Context(b), in, other, zapfield.Context(a)) }},
		{"of a stamped logger's line", stampA + "," + inB, "{" + inB + "}", func(l *zap.Logger) { zapfield.Logger(a, l).Info("m", in, other) }},
		{"of With", inB[:len(inB)-1] + "," + stampA + "}", "{" + inB + "}", func(l *zap.Logger) { zapfield.Logger(a, l).With(in, other).Info("m") }},
		{"without a trace", inB, "", func(l *zap.Logger) { l.Info("m", in, other) }},
	} {
		t.Run(c.why, func(t *testing.T) { checkStamps(t, c.log, c.want, c.kept, map[string]string{idA: "A", idB: "B"}) })
	}
}

// checkStamps logs a line through each of our two ways and through a sink, and
// compares its fields, in which ids have names.
func checkStamps(t *testing.T, log func(*zap.Logger), want, wantKept string, names map[string]string) {
	t.Helper()
	named := func(text string) string {
		return stampRE.ReplaceAllStringFunc(text, func(s string) string {
			if name, ok := names[stampRE.FindStringSubmatch(s)[1]]; ok {
				return `"` + zapfield.Key + `":"` + name + `"`
			}
			return s
		})
	}
	config := zapcore.EncoderConfig{MessageKey: "msg"}
	for way, around := range map[string]func(zapcore.Core) zapcore.Core{
		"transient": func(c zapcore.Core) zapcore.Core { return c },
		"general":   func(c zapcore.Core) zapcore.Core { return naive{c} },
	} {
		out, w := new(buffer), &kept{}
		s, err := zapfield.NewSink(w)
		if err != nil {
			t.Fatal(err)
		}
		core := zapcore.NewTee(zapcore.NewCore(zapcore.NewJSONEncoder(config), out, zap.DebugLevel), s.Core(zap.DebugLevel))
		log(zapfield.Wrap(zap.New(around(core))))
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"msg":"m",`+want+"}\n", named(out.String())); diff != "" {
			t.Errorf("%s: line (-want +got):\n%s", way, diff)
		}
		var got string
		for _, l := range w.all() {
			got += names[l.TraceID.String()] + named(string(l.Fields))
		}
		if wantKept != "" {
			wantKept := "A" + wantKept
			if diff := cmp.Diff(wantKept, got); diff != "" {
				t.Errorf("%s: kept (-want +got):\n%s", way, diff)
			}
		} else if got != "" {
			t.Errorf("%s: kept %s", way, got)
		}
	}
}
