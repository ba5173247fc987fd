package zapfield

import (
	"context"
	"sync/atomic"

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
// The trace is looked up at once, ctx is not kept. The field prints nothing
// where ctx carries no trace, where ctx is nil, and where the logger is not a
// wrapped one (see [Wrap]). It may be used by several goroutines and for any
// number of lines.
func Context(ctx context.Context) zap.Field {
	if id, ok := trail.TraceID(ctx); ok {
		return zap.Field{Key: Key, Type: zapcore.SkipType, String: textOf(id)}
	}
	return zap.Skip()
}

// texts remembers the text of the ids that were asked for lately, by the last
// byte of the id, so that only the first line of a trace pays for it. It is a
// memory of a pure function: what is lost or overwritten is made again.
var texts [256]atomic.Pointer[idText]

type idText struct {
	id   uuid.UUID
	text string
}

func textOf(id uuid.UUID) string {
	slot := &texts[id[len(id)-1]]
	if t := slot.Load(); t != nil && t.id == id {
		return t.text
	}
	t := &idText{id: id, text: id.String()}
	slot.Store(t)
	return t.text
}

// looksLikeID reports whether text has the form of a UUID.
func looksLikeID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
}
