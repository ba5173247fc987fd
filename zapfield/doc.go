// Package zapfield puts the trace id of the action that is going on, see
// package trail, on log lines: on those of zap, of GORM's logger and of
// log/slog. From an entry of the audit trail one then finds what the program
// did meanwhile, and from a line the entry.
//
//	logger = zapfield.Wrap(logger)                            // once, where the logger is built
//	logger.Info("provisioning", zapfield.Context(ctx))        // one line
//	log := zapfield.Logger(ctx, logger)                       // or all lines of an action
//	db, err := gorm.Open(d, &gorm.Config{Logger: zapfield.GORM(logger)})
//	slog.SetDefault(slog.New(zapfield.WrapSlog(handler)))
//
// What it promises:
//
//   - A line that is given the context of a trace, by [Context] or [Logger],
//     carries its trace_id through whatever derives from a wrapped logger: With,
//     WithLazy, Named, Sugar, options, sampling, tees, hooks.
//   - A line carries one trace_id, and no other line's: where several contexts
//     meet, the line's own wins over its logger's, and the later over the
//     earlier. A context without a trace changes nothing.
//   - A line that is stamped also bears the ids of the W3C trace and span that
//     its context is in, if the trace knows them; no OpenTelemetry is needed.
//   - A line without a trace is written byte for byte as it would be by the
//     logger that was wrapped, and costs no allocation more.
//   - The fields that a caller hands over are never changed, so that a slice of
//     them may be kept and shared between goroutines.
//   - Nothing is kept of a context, and nothing is started but the worker of a
//     [Sink], which keeps stamped lines beside the trail.
//
// How it works: the field that [Context] returns holds the id but is switched
// off, by the type zapcore.SkipType, which every core passes over. The core that
// [Wrap] puts around the logger's switches it on, in a copy of the line's
// fields, when the line is written. That is why the field is harmless with a
// logger that nobody wrapped.
//
// Where it stands: trace_id takes the place of the field in the line, or the
// first place where the logger brings it. It is never put into a namespace that
// the line itself opens with zap.Namespace, but it is in one that the logger
// opened with With, as all fields of such a logger's lines are. With slog it
// stands outside all groups.
//
// A string field of the name trace_id whose value has the form of a UUID is
// taken for a stamp, whoever wrote it, and has its turn as [Context] has. Other
// values under that name are ordinary fields.
package zapfield
