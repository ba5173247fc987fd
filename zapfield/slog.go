package zapfield

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/infrakitchen/audit/trail"
)

// WrapSlog returns a handler that stamps the records it passes on to h: one
// logged with the context of a trace (slog.InfoContext and similar) gets the
// attribute trace_id, outside all groups, and with it the ids described at
// [Context]. A record without a trace is passed on unchanged. A handler that is
// wrapped already is returned as it is.
//
// An attribute trace_id added by With, if it has the form of a UUID, is the
// stamp of the records whose own context has no trace.
func WrapSlog(h slog.Handler) slog.Handler {
	if _, ok := h.(*handler); ok {
		return h
	}
	return &handler{inner: h}
}

// handler stamps records. While no group is open the stamp is an attribute of
// the record. In a group that attribute would be in the group, so the handler
// before the first group gets it, and all steps since are repeated on it.
type handler struct {
	inner slog.Handler // with everything but the stamp
	trace string       // of With, or empty

	outer slog.Handler // inner before its first group; nil while none is open
	since []step       // the steps from outer to inner

	// latest saves consecutive records of one trace the repetition.
	latest atomic.Pointer[stampedHandler]
}

// step is a WithGroup, or a WithAttrs if the group is empty.
type step struct {
	group string
	attrs []slog.Attr
}

type stampedHandler struct {
	trace   string
	within  span
	handler slog.Handler
}

var _ slog.Handler = (*handler)(nil)

// Enabled implements [slog.Handler].
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle implements [slog.Handler].
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	trace, within := h.trace, span{}
	if t, ok := trail.FromContext(ctx); ok {
		trace = t.String()
		within.traceID, within.spanID = t.Span(ctx)
	}
	if trace == "" {
		return h.inner.Handle(ctx, r)
	}
	if h.outer != nil {
		return h.stamped(trace, within).Handle(ctx, r)
	}
	r = stampRecord(r, trace)
	if within != (span{}) {
		r = r.Clone()
		r.AddAttrs(within.attrs()...)
	}
	return h.inner.Handle(ctx, r)
}

// attrs returns the ids as slog attributes.
func (s span) attrs() []slog.Attr {
	if s == (span{}) {
		return nil
	}
	return []slog.Attr{slog.String(spanTraceKey, s.traceID), slog.String(spanKey, s.spanID)}
}

// stamped returns the handler for the records of a trace while a group is open.
func (h *handler) stamped(trace string, within span) slog.Handler {
	if l := h.latest.Load(); l != nil && l.trace == trace && l.within == within {
		return l.handler
	}
	to := h.outer.WithAttrs(append([]slog.Attr{slog.String(Key, trace)}, within.attrs()...))
	for _, s := range h.since {
		if s.group != "" {
			to = to.WithGroup(s.group)
		} else {
			to = to.WithAttrs(append([]slog.Attr(nil), s.attrs...)) // theirs to keep
		}
	}
	h.latest.Store(&stampedHandler{trace: trace, within: within, handler: to})
	return to
}

// stampRecord returns r with one stamp, the given one. The caller's record, which
// may share memory with others, is not changed.
func stampRecord(r slog.Record, trace string) slog.Record {
	stamps, other := 0, false
	r.Attrs(func(a slog.Attr) bool {
		if own, inline := stampIn(a); own != "" {
			stamps++
			other = other || inline || own != trace
		}
		return true
	})
	switch {
	case stamps == 0:
		r = r.Clone()
	case stamps == 1 && !other:
		return r
	default:
		bare := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		r.Attrs(func(a slog.Attr) bool {
			bare.AddAttrs(withoutStamp(a)...)
			return true
		})
		r = bare
	}
	r.AddAttrs(slog.String(Key, trace))
	return r
}

// stampIn returns the last stamp that an attribute is, or holds if it is a group
// without a name, whose attributes appear in its place.
func stampIn(a slog.Attr) (trace string, inline bool) {
	switch a.Key {
	case Key:
		if v := a.Value.Resolve(); v.Kind() == slog.KindString && isID(v.String()) {
			trace = v.String()
		}
	case "":
		if v := a.Value.Resolve(); v.Kind() == slog.KindGroup {
			for _, member := range v.Group() {
				if own, _ := stampIn(member); own != "" {
					trace, inline = own, true
				}
			}
		}
	}
	return trace, inline
}

// withoutStamp returns what is left of an attribute without the stamps in it.
func withoutStamp(a slog.Attr) []slog.Attr {
	trace, inline := stampIn(a)
	if trace == "" {
		return []slog.Attr{a}
	}
	var rest []slog.Attr
	if inline {
		for _, member := range a.Value.Resolve().Group() {
			rest = append(rest, withoutStamp(member)...)
		}
	}
	return rest
}

// WithAttrs implements [slog.Handler].
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	next := &handler{trace: h.trace, outer: h.outer}
	if h.outer != nil {
		next.since = append(h.since[:len(h.since):len(h.since)], step{attrs: append([]slog.Attr(nil), attrs...)})
		next.inner = h.inner.WithAttrs(attrs)
		return next
	}
	rest := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if trace, _ := stampIn(a); trace != "" {
			next.trace = trace
		}
		rest = append(rest, withoutStamp(a)...)
	}
	next.inner = h.inner.WithAttrs(rest)
	return next
}

// WithGroup implements [slog.Handler].
func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := &handler{inner: h.inner.WithGroup(name), trace: h.trace, outer: h.outer}
	if h.outer == nil {
		next.outer = h.inner
	}
	next.since = append(h.since[:len(h.since):len(h.since)], step{group: name})
	return next
}
