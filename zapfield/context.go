package zapfield

import (
	"context"

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
// The trace is looked up at once, ctx is not kept. The field prints nothing
// where ctx carries no trace, where ctx is nil, and where the logger is not a
// wrapped one (see [Wrap]). It may be used by several goroutines and for any
// number of lines.
func Context(ctx context.Context) zap.Field {
	if t, ok := trail.FromContext(ctx); ok {
		return zap.Field{Key: Key, Type: zapcore.SkipType, String: t.String()}
	}
	return zap.Skip()
}

// looksLikeID reports whether text has the form of a UUID.
func looksLikeID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
}
