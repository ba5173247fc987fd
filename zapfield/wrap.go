package zapfield

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Wrap returns a logger that writes like l, to the same destinations, and stamps
// the lines that carry [Context] with the field trace_id. A nil l means
// zap.NewNop(); a logger that is wrapped already is returned as it is.
//
// Wrap the whole logger, where it is built, and hand out the result:
//
//	logger := zapfield.Wrap(zap.Must(zap.NewProduction()))
//	zap.ReplaceGlobals(logger)
//
// If only one branch of a tee is wrapped, the others may be stamped too.
//
// Loggers derived from l before are not changed, and a [Context] that was passed
// to With of a logger before it was wrapped stays silent.
func Wrap(l *zap.Logger) *zap.Logger {
	if l == nil {
		l = zap.NewNop()
	}
	c := l.Core()
	if wrapped(c) {
		return l
	}
	return l.WithOptions(zap.WrapCore(func(zapcore.Core) zapcore.Core { return around(c) }))
}

// Logger returns l, wrapped, with the trace of ctx on every line, for code that
// logs many lines in one action or takes a logger and no context. A line's own
// [Context], and a later Logger with another ctx, win over it. Without a trace
// in ctx it returns Wrap(l).
//
// With a wrapped logger over zap's own encoders, also inside samplers, hooks and
// tees, it costs three small allocations and no encoding; elsewhere it costs as
// much as With.
func Logger(ctx context.Context, l *zap.Logger) *zap.Logger {
	l = Wrap(l)
	if f := Context(ctx); f.Key == Key {
		return l.With(f)
	}
	return l
}
