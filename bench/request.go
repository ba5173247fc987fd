package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// forgetful stores nothing: the database is not measured.
type forgetful struct{}

var _ trail.Recorder = forgetful{}

func (forgetful) Record(context.Context, ...trail.Entry) error { return nil }
func (forgetful) Finish(context.Context, trail.Outcome) error  { return nil }

// silent is a response that goes nowhere.
type silent struct{ header http.Header }

var _ http.ResponseWriter = silent{}

func (s silent) Header() http.Header         { return s.header }
func (s silent) Write(b []byte) (int, error) { return len(b), nil }
func (s silent) WriteHeader(int)             {}

// requestPart measures what a request and a log line cost without a database.
func (b *bench) requestPart(ctx context.Context) error {
	b.progress("requests and log lines")
	if err := b.requests(ctx); err != nil {
		return err
	}
	return b.lines(ctx)
}

func (b *bench) requests(ctx context.Context) error {
	gin.SetMode(gin.ReleaseMode)
	b.report.printf("## A gin request\n\n|request|allocations|added|\n|---|---:|---:|\n")
	var added [2]float64
	for i, method := range []string{http.MethodGet, http.MethodPut} {
		var counts [2]float64
		for j, with := range []bool{false, true} {
			n, err := allocationsOf(ctx, method, with)
			if err != nil {
				return err
			}
			counts[j] = n
		}
		added[i] = counts[1] - counts[0]
		b.report.printf("|%s|%.0f|%.0f|\n", method, counts[1], added[i])
	}
	b.report.printf("\n")
	b.report.add(check{what: "allocations added to a gin request that is an action", bound: bound{4, 3}, values: [2]float64{added[1], absent}})
	return nil
}

// allocationsOf counts the allocations of a request whose handler does what
// gormhook does to the trace when a row changes.
func allocationsOf(ctx context.Context, method string, with bool) (float64, error) {
	engine := gin.New()
	if with {
		engine.Use(audit.Middleware(audit.WithRecorder(forgetful{}))) //nolint:contextcheck // each request has its own
	}
	engine.Handle(method, "/orders/:id", func(c *gin.Context) {
		if t, ok := trail.FromContext(c.Request.Context()); ok {
			if claim, err := t.Claim(trail.Work{Model: "order"}); err == nil {
				claim.Settle(true, true)
			}
		}
		c.Status(http.StatusNoContent)
	})
	request, err := http.NewRequestWithContext(ctx, method, "/orders/42", http.NoBody)
	if err != nil {
		return 0, err
	}
	w := silent{header: http.Header{}}
	return testing.AllocsPerRun(1000, func() { engine.ServeHTTP(w, request) }), nil
}

// lines measures a log line of two fields, written as JSON to nowhere.
func (b *bench) lines(ctx context.Context) error {
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(io.Discard), zapcore.InfoLevel)
	bare := zap.New(core)
	wrapped := zapfield.Wrap(bare)
	scope := new(trail.Scope)
	action := trail.Action{Event: trail.Update, Model: "order"}
	if err := scope.Start(ctx, action, trail.Options{Recorder: forgetful{}}); err != nil {
		return err
	}
	ways := []struct {
		name string
		line func()
		bound
	}{
		{"bare", func() { bare.Info("done", zap.String("zone", "north"), zap.Int("n", 7)) }, bound{}},
		{"wrapped, unstamped", func() { wrapped.Info("done", zap.String("zone", "north"), zap.Int("n", 7)) }, bound{1.1, 1}},
		{"wrapped, stamped", func() { wrapped.Info("done", zapfield.Context(scope), zap.String("zone", "north"), zap.Int("n", 7)) }, bound{1.4, 1.2}}, //nolint:contextcheck // it is the context
	}
	const rounds, block = 300, 1000
	times := make([][]time.Duration, len(ways))
	for n := range rounds {
		for i := range ways {
			k := (n + i) % len(ways)
			start := time.Now()
			for range block {
				ways[k].line()
			}
			times[k] = append(times[k], time.Since(start)/block)
		}
	}
	b.report.printf("## A zap line\n\n|line|ratio|quiet quartile|ns|allocations|\n|---|---:|---:|---:|---:|\n")
	for i, w := range ways {
		r := ratio(median(times[i]), median(times[0]))
		b.report.printf("|%s|%.2f|%.2f|%d|%.0f|\n", w.name, r, ratio(quiet(times[i]), quiet(times[0])),
			median(times[i]).Nanoseconds(), testing.AllocsPerRun(block, w.line))
		if w.acceptance > 0 {
			b.report.add(check{what: fmt.Sprint("zap line, ", w.name), bound: w.bound, values: [2]float64{r, absent}, decimal: 2})
		}
	}
	b.report.printf("\n")
	return nil
}
