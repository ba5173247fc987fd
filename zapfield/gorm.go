package zapfield

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	gormlogger "gorm.io/gorm/logger"
	"gorm.io/gorm/utils"

	"github.com/infrakitchen/audit/trail"
)

// DefaultSlowThreshold is how long a statement may take before [GORM] warns of
// it, unless [SlowThreshold] sets another time.
const DefaultSlowThreshold = 200 * time.Millisecond

// GORM returns a logger for gorm.Config.Logger that writes through l, wrapped
// (see [Wrap]), and stamps each line with the trace of the context that the
// statement was run with (db.WithContext).
//
// A failed statement is an error line, a slow one a warning, any other an info
// line, which is written only after LogMode(Info), as set by db.Debug(); the
// initial level is Warn. A line has the fields sql, elapsed, rows if the number
// is known, error if there is one, and threshold if the statement was slow. If l
// adds callers, the caller is the code that called GORM.
//
// Parameter values are not logged, see [ShowValues], and what looks like a
// secret in the text of a statement, an error or a message is masked, see
// [trail.MaskText].
func GORM(l *zap.Logger, opts ...GORMOption) gormlogger.Interface {
	l = Wrap(l)
	g := &gormLogger{
		log: l, said: l.WithOptions(zap.AddCallerSkip(2)),
		level: gormlogger.Warn, slow: DefaultSlowThreshold,
	}
	for _, o := range opts {
		o.apply(g)
	}
	return g
}

// GORMOption changes what [GORM] logs.
type GORMOption interface{ apply(*gormLogger) }

type gormOption func(*gormLogger)

func (o gormOption) apply(g *gormLogger) { o(g) }

// SlowThreshold sets how long a statement may take before it is logged as slow.
// With zero or less none is slow. The default is [DefaultSlowThreshold].
func SlowThreshold(d time.Duration) GORMOption {
	return gormOption(func(g *gormLogger) { g.slow = d })
}

// IgnoreRecordNotFound keeps a First, Last or Take that finds nothing from
// being logged as a failure. By default it is logged, as GORM's own logger does.
func IgnoreRecordNotFound() GORMOption {
	return gormOption(func(g *gormLogger) { g.ignoreNotFound = true })
}

// ShowValues logs statements with the values of their parameters, secrets
// included: a value in a statement has no name by which it could be masked. It
// is for development.
func ShowValues() GORMOption {
	return gormOption(func(g *gormLogger) { g.values = true })
}

type gormLogger struct {
	log            *zap.Logger
	said           *zap.Logger // log, for GORM's own messages: two calls further in
	level          gormlogger.LogLevel
	slow           time.Duration
	ignoreNotFound bool
	values         bool
}

var _ gormlogger.Interface = (*gormLogger)(nil)

// LogMode implements [gormlogger.Interface].
func (g *gormLogger) LogMode(level gormlogger.LogLevel) gormlogger.Interface {
	other := *g
	other.level = level
	return &other
}

// Info implements [gormlogger.Interface].
func (g *gormLogger) Info(ctx context.Context, format string, data ...any) {
	g.say(ctx, gormlogger.Info, zapcore.InfoLevel, format, data)
}

// Warn implements [gormlogger.Interface].
func (g *gormLogger) Warn(ctx context.Context, format string, data ...any) {
	g.say(ctx, gormlogger.Warn, zapcore.WarnLevel, format, data)
}

// Error implements [gormlogger.Interface].
func (g *gormLogger) Error(ctx context.Context, format string, data ...any) {
	g.say(ctx, gormlogger.Error, zapcore.ErrorLevel, format, data)
}

func (g *gormLogger) say(
	ctx context.Context, at gormlogger.LogLevel, level zapcore.Level, format string, data []any,
) {
	if g.level < at || !g.said.Core().Enabled(level) {
		return
	}
	text := format
	if len(data) > 0 {
		text = fmt.Sprintf(format, data...)
	}
	g.said.Log(level, trail.MaskText(strings.TrimSpace(text)), Context(ctx))
}

// Trace implements [gormlogger.Interface]: GORM calls it after each statement.
func (g *gormLogger) Trace(
	ctx context.Context, begin time.Time, statement func() (sql string, rows int64), err error,
) {
	elapsed := time.Since(begin)
	failed := err != nil && !(g.ignoreNotFound && errors.Is(err, gormlogger.ErrRecordNotFound))
	slow := g.slow > 0 && elapsed > g.slow

	var ce *zapcore.CheckedEntry
	switch {
	case failed && g.level >= gormlogger.Error:
		ce = g.log.Check(zapcore.ErrorLevel, "query failed")
	case slow && g.level >= gormlogger.Warn:
		ce = g.log.Check(zapcore.WarnLevel, "slow query")
	case g.level >= gormlogger.Info:
		ce = g.log.Check(zapcore.InfoLevel, "query")
	}
	if ce == nil {
		return
	}
	if ce.Caller.Defined { // it is GORM itself
		frame := utils.CallerFrame()
		ce.Caller = zapcore.EntryCaller{
			Defined: frame.PC != 0, PC: frame.PC, File: frame.File, Line: frame.Line, Function: frame.Function,
		}
	}
	sql, rows := statement()
	if !g.values {
		sql = markedPlaceholder.ReplaceAllString(sql, "$1")
	}
	fields := make([]zap.Field, 0, 6)
	fields = append(fields, Context(ctx),
		zap.String("sql", trail.MaskText(sql)), zap.Duration("elapsed", elapsed))
	if rows >= 0 {
		fields = append(fields, zap.Int64("rows", rows))
	}
	if failed {
		fields = append(fields, zap.String("error", trail.MaskText(err.Error())))
	}
	if slow {
		fields = append(fields, zap.Duration("threshold", g.slow))
	}
	ce.Write(fields...)
}

// markedPlaceholder is a placeholder of PostgreSQL's as GORM marks it, to put a
// value in its place, and leaves it if there is none.
var markedPlaceholder = regexp.MustCompile(`(\$[0-9]+)\$`)

// ParamsFilter makes GORM leave the values out of the statement that it passes
// to Trace. It implements gorm.ParamsFilter.
func (g *gormLogger) ParamsFilter(
	_ context.Context, sql string, params ...any,
) (string, []any) {
	if g.values {
		return sql, params
	}
	return sql, nil
}
