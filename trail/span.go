package trail

import (
	"context"
	"strings"
)

// Spanner is what a [Source] may be besides: one that knows the W3C trace, for
// example of OpenTelemetry, that an action is part of. It is asked for each
// line that is stamped, by any goroutine and also after the trace has ended,
// and must not block.
type Spanner interface {
	// Span returns the ids of the trace and the span that ctx, a context of
	// the action, belongs to: 32 and 16 digits of lower-case hex, both empty
	// where there is none.
	Span(ctx context.Context) (traceID, spanID string)
}

// Span returns the ids of the W3C trace and span that ctx, which carries t,
// belongs to, both empty where nothing is known of one or an id is not valid.
// It takes no lock.
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

// hexID reports whether id is of so many digits, which are not all zero.
func hexID(id string, digits int) bool {
	return len(id) == digits && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(id, "0") != ""
}
