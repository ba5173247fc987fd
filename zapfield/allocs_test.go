//go:build !race

// The race detector allocates on its own account, and makes sync.Pool forget.

package zapfield_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/zapfield"
)

// A stamp adds no allocation to the line, whose fields are one. Over cores that
// may keep fields it adds one.
func TestAllocations(t *testing.T) {
	ctx, _ := start(t, t.Context())
	none := context.Background()
	other, _ := start(t, t.Context())
	newJSON := func() zapcore.Core { return jsonCore(zapcore.AddSync(io.Discard), zap.InfoLevel) }
	sampled := func() zapcore.Core {
		return zapcore.NewSamplerWithOptions(newJSON(), time.Hour, 1<<30, 1)
	}
	plain := zap.New(newJSON())
	wrapped := zapfield.Wrap(zap.New(newJSON()))
	plainConsole := zap.New(zapcore.NewCore(
		zapcore.NewConsoleEncoder(encoding()), zapcore.AddSync(io.Discard), zap.InfoLevel))
	console := zapfield.Wrap(plainConsole)
	sampler := zapfield.Wrap(zap.New(sampled()))
	stamped, lazy := zapfield.Logger(ctx, wrapped), wrapped.WithLazy(zapfield.Context(ctx))
	general := zapfield.Wrap(zap.New(newJSON(), zap.IncreaseLevel(zap.InfoLevel)))
	sugar := wrapped.Sugar()
	plainSugar := plain.Sugar()
	slogged := slog.New(zapfield.WrapSlog(slog.NewJSONHandler(io.Discard, nil)))
	grouped := slogged.WithGroup("g").With("a", 1)

	for _, test := range []struct {
		name string
		want float64
		run  func()
	}{
		{"plain", 1, func() { plain.Info("m", zap.String("s", "t"), zap.Int("n", 42)) }},
		{"plain, silent Context", 1, func() { plain.Info("m", zap.String("s", "t"), zapfield.Context(ctx)) }},
		{"wrapped, no Context", 1, func() { wrapped.Info("m", zap.String("s", "t"), zap.Int("n", 42)) }},
		{"wrapped, no fields", 0, func() { wrapped.Info("m") }},
		{"wrapped, no trace", 1, func() { wrapped.Info("m", zap.Int("n", 42), zapfield.Context(none)) }},
		{"wrapped, disabled", 1, func() { wrapped.Debug("m", zap.Int("n", 42), zapfield.Context(ctx)) }},
		{"wrapped, stamped", 1, func() {
			wrapped.Info("m", zap.String("s", "t"), zap.Int("n", 42), zapfield.Context(ctx))
		}},
		{"plain console", 4, func() {
			plainConsole.Info("m", zap.String("s", "t"), zap.Int("n", 42), zapfield.Context(ctx))
		}},
		{"console, stamped", 4, func() {
			console.Info("m", zap.String("s", "t"), zap.Int("n", 42), zapfield.Context(ctx))
		}},
		{"stamped logger", 1, func() { stamped.Info("m", zap.String("s", "t"), zap.Int("n", 42)) }},
		{"stamped logger, no fields", 0, func() { stamped.Info("m") }},
		{"stamped logger, line of another trace", 1, func() { stamped.Info("m", zapfield.Context(other)) }},
		{"lazily stamped logger", 1, func() { lazy.Info("m", zap.Int("n", 42)) }},
		{"sampler, no Context", 1, func() { sampler.Info("m", zap.String("s", "t"), zap.Int("n", 42)) }},
		{"sampler, stamped", 1, func() {
			sampler.Info("m", zap.String("s", "t"), zap.Int("n", 42), zapfield.Context(ctx))
		}},
		{"another core, no Context", 1, func() { general.Info("m", zap.String("s", "t"), zap.Int("n", 42)) }},
		{"another core, stamped", 2, func() {
			general.Info("m", zap.String("s", "t"), zap.Int("n", 42), zapfield.Context(ctx))
		}},
		{"plain sugar", 2, func() { plainSugar.Infow("m", zap.Skip(), "s", "t") }},
		{"sugar, stamped", 2, func() { sugar.Infow("m", zapfield.Context(ctx), "s", "t") }},
		{"Context", 0, func() { sink = zapfield.Context(ctx) }},
		{"Logger", 3, func() { sinkLogger = zapfield.Logger(ctx, wrapped) }},
		{"Logger without a trace", 0, func() { sinkLogger = zapfield.Logger(none, wrapped) }},
		{"slog", 0, func() { slogged.LogAttrs(none, slog.LevelInfo, "m", slog.Int("n", 42)) }},
		{"slog, stamped", 0, func() { slogged.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("n", 42)) }},
		{"slog, stamped in a group", 0, func() { grouped.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("n", 42)) }},
	} {
		if got := testing.AllocsPerRun(200, test.run); got != test.want {
			t.Errorf("%s: %v allocations, want %v", test.name, got, test.want)
		}
	}
}

var (
	sink       zap.Field
	sinkLogger *zap.Logger
)
