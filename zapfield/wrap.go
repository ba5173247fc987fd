package zapfield

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Wrap returns a logger that writes as l does, to the same places, and stamps
// the lines that carry [Context] with the field trace_id. A nil l is taken for
// zap.NewNop(); a logger that was wrapped before is returned as it is.
//
// Wrap the whole logger, where it is built, and hand out the result:
//
//	logger := zapfield.Wrap(zap.Must(zap.NewProduction()))
//	zap.ReplaceGlobals(logger)
//
// Where only one branch of a tee is wrapped, the others may get the stamps too.
//
// Loggers that were derived from l before are not changed, and a [Context]
// that was given to With of a logger before it was wrapped stays silent.
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
// With a wrapped logger over zap's own encoders, also behind samplers, hooks and
// tees, it costs three small allocations and no encoding; elsewhere it costs what
// With does.
func Logger(ctx context.Context, l *zap.Logger) *zap.Logger {
	l = Wrap(l)
	if f := Context(ctx); f.Key == Key {
		return l.With(f)
	}
	return l
}
