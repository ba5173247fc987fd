package zapfield_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

const w3cTrace = "0af7651916cd43dd8448eb211c80319c"

type spanKey struct{}

// spans is a source that finds the span in the context, as OpenTelemetry does.
type spans struct{}

var _ trail.Spanner = spans{}

func (spans) Actor() (trail.Actor, bool) { return trail.Actor{}, false }
func (spans) Details() trail.Details     { return trail.Details{} }

func (spans) Span(ctx context.Context) (traceID, spanID string) {
	spanID, _ = ctx.Value(spanKey{}).(string)
	return w3cTrace, spanID
}

// spanned begins an action in a span.
func spanned(t *testing.T, parent context.Context, spanID string) context.Context {
	t.Helper()
	s := new(trail.Scope)
	err := s.Start(context.WithValue(parent, spanKey{}, spanID), trail.Action{Event: trail.Update}, trail.Options{Source: spans{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const one, other, third = "b7ad6b7169203331", "b7ad6b7169203332", "b7ad6b7169203333"

// A stamped line carries the span of the same context, whatever it is logged
// with; others carry none.
func TestSpans(t *testing.T) {
	ctx := spanned(t, t.Context(), one)
	within := context.WithValue(ctx, spanKey{}, other) // the same trace
	job, _ := start(t, context.WithValue(ctx, spanKey{}, third))
	invalid := context.WithValue(ctx, spanKey{}, "B7AD")
	none, _ := start(t, t.Context())

	want := []string{"field " + one, "within " + other, "job " + third, "invalid", "none", "logger " + one, "nobody's", "with " + one, "named " + other, "space " + one}
	script := func(l *zap.Logger) {
		for _, c := range []struct {
			name string
			ctx  context.Context
		}{{"field", ctx}, {"within", within}, {"job", job}, {"invalid", invalid}, {"none", none}} {
			l.Info(c.name, zap.Int("n", 1), zapfield.Context(c.ctx), zap.Int("m", 2))
		}
		zapfield.Logger(ctx, l).Info("logger")
		l.Info("nobody's")
		l.With(zap.Int("n", 1), zapfield.Context(ctx)).Info("with")
		zapfield.Logger(ctx, l).Named("x").Info("named", zapfield.Context(within))
		l.Info("space", zap.Namespace("n"), zap.Int("n", 1), zapfield.Context(ctx))
	}
	for name, build := range map[string]func(zapcore.Core) *zap.Logger{
		"plain": func(c zapcore.Core) *zap.Logger { return zap.New(c) },
		"hooked": func(c zapcore.Core) *zap.Logger {
			return zap.New(c, zap.Hooks(func(zapcore.Entry) error { return nil }))
		},
		"unknown": func(c zapcore.Core) *zap.Logger { return zap.New(struct{ zapcore.Core }{c}) },
	} {
		t.Run(name, func(t *testing.T) {
			out := new(buffer)
			script(zapfield.Wrap(build(jsonCore(out, zap.DebugLevel))))
			var got []string
			for _, line := range out.lines() {
				got = append(got, spanTold(line))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("kept", func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		script(zapfield.Wrap(zap.New(core)))
		var got []string
		for _, l := range logs.All() {
			text := l.Message
			if id, ok := l.ContextMap()["w3c_span_id"]; ok {
				text += " " + fmt.Sprint(id)
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("sink", func(t *testing.T) {
		w := &kept{}
		s, l := newSink(t, w)
		script(l)
		mustSync(t, s)
		var got []string
		for _, l := range w.all() {
			got = append(got, spanTold(`"msg":"`+l.Message+`"`+string(l.Fields)))
		}
		if diff := cmp.Diff(append(want[:6:6], want[7:]...), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("slog", func(t *testing.T) {
		out := new(buffer)
		l := slog.New(zapfield.WrapSlog(slog.NewJSONHandler(out, nil)))
		l.InfoContext(ctx, "field")
		l.InfoContext(within, "within")
		l.InfoContext(none, "none")
		g := l.With("a", 1).WithGroup("g")
		for _, c := range []context.Context{ctx, within, within, none} {
			g.InfoContext(c, "group", "b", 2)
		}
		var got []string
		for _, line := range out.lines() {
			got = append(got, spanTold(line))
			if group := strings.Index(line, `"g":{`); group >= 0 && strings.Contains(line[group:], "w3c") {
				t.Errorf("in the group: %s", line)
			}
		}
		want := []string{"field " + one, "within " + other, "none", "group " + one, "group " + other, "group " + other, "group"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("not wrapped", func(t *testing.T) {
		out := new(buffer)
		zap.New(jsonCore(out, zap.DebugLevel)).Info("field", zapfield.Context(ctx))
		if line := out.lines()[0]; strings.Contains(line, "w3c") {
			t.Errorf("got %s", line)
		}
	})
}

var toldOf = regexp.MustCompile(`"msg":"([^"]*)".*?(?:"w3c_trace_id":"` + w3cTrace + `","w3c_span_id":"([^"]*)".*)?$`)

// spanTold returns the message of a line and the span that it carries once.
func spanTold(line string) string {
	if strings.Count(line, "w3c_span_id") > 1 {
		return "twice: " + line
	}
	m := toldOf.FindStringSubmatch(line)
	return strings.TrimSpace(m[1] + " " + m[2])
}
