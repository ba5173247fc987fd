package trail_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// textual is a context that knows nothing but text as keys, as gin's.
type textual struct {
	context.Context
	values map[string]any
}

func (c textual) Value(key any) any {
	if name, ok := key.(string); ok {
		return c.values[name]
	}
	return nil
}

func TestFromContext(t *testing.T) {
	recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	type key struct{}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for _, c := range []struct {
		reason string
		ctx    context.Context
		found  bool
	}{
		{"the context itself", ctx, true},
		{"one with a value", context.WithValue(ctx, key{}, 1), true},
		{"one that is cancelled", cancelled, true},
		{"one detached from its cancellation", context.WithoutCancel(cancelled), true},
		{"one under which nothing is audited", trail.Skip(ctx), true},
		{"one that knows text as keys, with a holder", textual{t.Context(), map[string]any{trail.ContextKey: ctx}}, true},
		{"the same with something else", textual{t.Context(), map[string]any{trail.ContextKey: 42}}, false},
		{"the same with nothing", textual{t.Context(), nil}, false},
		{"another", t.Context(), false},
		{"none", nil, false},
	} {
		found, ok := trail.FromContext(c.ctx)
		id, has := trail.TraceID(c.ctx)
		if ok != c.found || has != c.found {
			t.Errorf("%s: a trace %t, an id %t, want %t", c.reason, ok, has, c.found)
			continue
		}
		want, wantID := (*trail.Trace)(nil), uuid.Nil
		if c.found {
			want, wantID = trace, trace.ID()
		}
		if found != want || id != wantID {
			t.Errorf("%s: got the trace %s", c.reason, id)
		}
	}
}

func TestSkip(t *testing.T) {
	recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	if trail.Skipped(ctx) || trail.Skipped(t.Context()) {
		t.Error("nobody said that it is skipped")
	}
	skipped := trail.Skip(ctx)
	if !trail.Skipped(skipped) || !trail.Skipped(context.WithoutCancel(skipped)) {
		t.Error("what was skipped is not")
	}
	if found, _ := trail.FromContext(skipped); found != trace {
		t.Error("the trace is gone")
	}
	// An action that begins under it is a trace of its own, still skipped.
	inner, _ := start(t, skipped, trail.Action{Actor: una, Event: "tidy"})
	if !trail.Skipped(inner) {
		t.Error("an inner action ends what was skipped")
	}
}

func TestDefault(t *testing.T) {
	trail.SetDefault(nil)
	defer trail.SetDefault(nil)
	one, other := &memory{}, &memory{}
	if trail.Default() != nil {
		t.Error("there is a default that nobody set")
	}
	if trail.SetDefaultIfUnset(nil) || trail.Default() != nil {
		t.Error("nil was set")
	}
	if !trail.SetDefaultIfUnset(one) || trail.Default() != trail.Recorder(one) {
		t.Error("the first was not set")
	}
	if trail.SetDefaultIfUnset(other) || trail.Default() != trail.Recorder(one) {
		t.Error("the second took the place of the first")
	}
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	trail.SetDefault(other)
	if trail.Default() != trail.Recorder(other) {
		t.Error("the other was not set")
	}
	// What has begun keeps the recorder that it began with.
	if err := trace.End(nil); err != nil || len(one.entries) != 1 || len(other.entries) != 0 {
		t.Errorf("%v, %d entries in the first, %d in the other", err, len(one.entries), len(other.entries))
	}
	trail.SetDefault(nil)
	if trail.Default() != nil {
		t.Error("the default was not taken away")
	}
}
