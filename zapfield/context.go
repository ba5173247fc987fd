package zapfield

import (
	"context"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
)

// Key is the name of the field that holds the trace id: a string, the UUID in
// its usual form in lower case.
const Key = "trace_id"

// Context returns a field that stamps a line with the trace of ctx. It is
// meant for the fields of a line, for With and for WithLazy:
//
//	logger.Info("provisioning", zapfield.Context(ctx), zap.String("zone", zone))
//
// If the trace knows a W3C trace and span of ctx (see trail.Trace.Span), such as
// those of a traceparent header or of OpenTelemetry, the line carries their ids
// as well, as w3c_trace_id and w3c_span_id after its stamp.
//
// The trace is looked up at once, ctx is not kept. The field prints nothing if
// ctx carries no trace, if ctx is nil, or if the logger is not wrapped (see
// [Wrap]). It may be used by several goroutines and for any number of lines.
func Context(ctx context.Context) zap.Field {
	if t, ok := trail.FromContext(ctx); ok {
		f := zap.Field{Key: Key, Type: zapcore.SkipType, String: t.String()}
		if traceID, spanID := t.Span(ctx); traceID != "" {
			f.Interface = &span{traceID, spanID}
		}
		return f
	}
	return zap.Skip()
}

// span is the ids of a W3C trace and a span in it.
type span struct{ traceID, spanID string }

// Names of the fields that hold a span, as in the entry of an action.
const (
	spanTraceKey = "w3c_trace_id"
	spanKey      = "w3c_span_id"
)

var _ zapcore.ObjectMarshaler = (*span)(nil)

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (s *span) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString(spanTraceKey, s.traceID)
	enc.AddString(spanKey, s.spanID)
	return nil
}

// isID reports whether text is the id of a trace: a UUID in its usual form, in
// any case, and not the nil UUID.
func isID(text string) bool {
	return len(text) == len(noID) && text != noID && uuid.Validate(text) == nil
}

var noID = uuid.Nil.String()
