// Package zapfield puts the trace id of the current action, see package trail,
// on log lines: those of zap, of GORM's logger and of log/slog. An entry of the
// audit trail then leads to what the program did meanwhile, and a line to its
// entry.
//
//	logger = zapfield.Wrap(logger)                            // once, where the logger is built
//	logger.Info("provisioning", zapfield.Context(ctx))        // one line
//	log := zapfield.Logger(ctx, logger)                       // or all lines of an action
//	db, err := gorm.Open(d, &gorm.Config{Logger: zapfield.GORM(logger)})
//	slog.SetDefault(slog.New(zapfield.WrapSlog(handler)))
//
// With a [Sink], which also stores the lines of actions, the order matters: a
// store keeps the logger that its database has when it is made, and that one must
// not write into the sink.
//
//	db, err := gorm.Open(d, &gorm.Config{Logger: zapfield.GORM(zap.New(console))})
//	st, err := store.New(db)                                  // logs to the console
//	sink, err := zapfield.NewSink(st)
//	logger := zapfield.Wrap(zap.New(zapcore.NewTee(console, sink.Core(zap.InfoLevel))))
//	db.Logger = zapfield.GORM(logger)                         // the application's statements
//
// The package promises:
//
//   - A line that is given the context of a trace, by [Context] or [Logger],
//     carries its trace_id through whatever derives from a wrapped logger: With,
//     WithLazy, Named, Sugar, options, sampling, tees, hooks.
//   - A line carries one trace_id, never another line's: if there are several
//     contexts, the line's own wins over its logger's, and the later over the
//     earlier. A context without a trace changes nothing.
//   - A stamped line also carries the ids of the W3C trace and span of its
//     context, if the trace knows them; OpenTelemetry is not required.
//   - A line without a trace is written byte for byte as by the unwrapped
//     logger, without additional allocations.
//   - The fields that a caller passes are never changed, so that a slice of them
//     may be kept and shared between goroutines.
//   - No context is retained, and nothing is started except the worker of a
//     [Sink], which stores stamped lines next to the trail.
//
// How it works: the field that [Context] returns holds the id but is switched
// off, by the type zapcore.SkipType, which every core skips. The core that
// [Wrap] puts around the logger's switches it on, in a copy of the line's
// fields, when the line is written. That is why the field is harmless with an
// unwrapped logger.
//
// Position: trace_id takes the place of the field in the line, or comes first if
// it is the logger's. It is never put into a namespace that the line itself
// opens with zap.Namespace, but it is in one that the logger opened with With,
// as all fields of such a logger's lines are. With slog it is outside all
// groups.
//
// A string field named trace_id whose value has the form of a UUID is treated as
// a stamp, whoever wrote it, with the same precedence as [Context]. Other values
// under that name are ordinary fields, and so is one in a namespace that was
// opened by the same line, or by the same call of With.
package zapfield
