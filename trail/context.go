package trail

import (
	"context"

	"github.com/google/uuid"
)

type (
	traceKey struct{}
	skipKey  struct{}
)

// ContextKey is the key of a trace for contexts keyed only by strings, such as
// gin.Context: the value is anything with a method Trace() *Trace, such as a
// [Scope].
const ContextKey = "github.com/infrakitchen/audit/trail"

// Scope is a context that carries a trace: the context and the trace in one
// allocation. Code that opens traces for others (a middleware, a job runner)
// embeds it in its own per-action state; everybody else calls [Start].
// A Scope is used once and must not be copied.
type Scope struct {
	context.Context
	trace Trace
}

// Value implements [context.Context].
func (s *Scope) Value(key any) any {
	if key == (traceKey{}) {
		return &s.trace
	}
	return s.Context.Value(key)
}

// Trace returns the trace that the scope carries.
func (s *Scope) Trace() *Trace { return &s.trace }

// FromContext returns the trace that ctx carries, and whether there is one.
func FromContext(ctx context.Context) (*Trace, bool) {
	if ctx == nil {
		return nil, false
	}
	t, ok := ctx.Value(traceKey{}).(*Trace)
	if !ok {
		holder, ok := ctx.Value(ContextKey).(interface{ Trace() *Trace })
		if !ok {
			return nil, false
		}
		t = holder.Trace()
	}
	return t, true
}

// TraceID returns the id of the trace that ctx carries, and whether there is
// one. It is the id of the own entry of the current action.
func TraceID(ctx context.Context) (uuid.UUID, bool) {
	if t, ok := FromContext(ctx); ok {
		return t.id, true
	}
	return uuid.Nil, false
}

// Skip returns a context under which writes are not audited. The trace, if
// there is one, stays: lines are stamped as before.
func Skip(ctx context.Context) context.Context {
	return context.WithValue(ctx, skipKey{}, true)
}

// Skipped reports whether ctx was made by [Skip], or from one that was.
func Skipped(ctx context.Context) bool {
	skipped, _ := ctx.Value(skipKey{}).(bool)
	return skipped
}
