package trail

import (
	"context"
	"strings"
)

// Spanner is an optional interface of a [Source] that knows the action's W3C
// trace, for example OpenTelemetry's. It is asked for each stamped line, from
// any goroutine and also after the trace has ended, and must not block.
type Spanner interface {
	// Span returns the ids of the trace and the span that ctx, a context of
	// the action, belongs to: 32 and 16 digits of lower-case hex, both empty
	// if there is none.
	Span(ctx context.Context) (traceID, spanID string)
}

// Span returns the ids of the W3C trace and span that ctx, which carries t,
// belongs to, both empty if none is known or an id is not valid. It takes no
// lock.
func (t *Trace) Span(ctx context.Context) (traceID, spanID string) {
	if t.spans == nil {
		return "", ""
	}
	traceID, spanID = t.spans.Span(ctx)
	if !hexID(traceID, 32) || !hexID(spanID, 16) {
		return "", ""
	}
	return traceID, spanID
}

// hexID reports whether id has that many hex digits, not all zero.
func hexID(id string, digits int) bool {
	return len(id) == digits && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(id, "0") != ""
}
