package zapfield_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

func TestMain(m *testing.M) {
	if os.Getenv(sinkURL) != "" {
		if err := logLines(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	trail.SetDefault(&memory{})
	goleak.VerifyTestMain(m)
}

// Set for a process that logs lines until it is ended, see logLines.
const (
	sinkURL   = "ZAPFIELD_TEST_SINK_URL"
	sinkTrace = "ZAPFIELD_TEST_SINK_TRACE"
)

// memory is a recorder for traces that no test reads back.
type memory struct {
	mu      sync.Mutex
	entries []trail.Entry
}

var _ trail.Recorder = (*memory)(nil)

func (m *memory) Record(_ context.Context, entries ...trail.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = append(m.entries, entries...)
	return nil
}

func (m *memory) Finish(context.Context, trail.Outcome) error { return nil }

// start begins an action and returns its context and its id as text.
func start(tb testing.TB, parent context.Context) (context.Context, string) {
	tb.Helper()
	ctx, trace, err := trail.Start(parent, trail.Action{Event: trail.Update, Model: "resource", EntityID: "42"})
	if err != nil {
		tb.Fatal(err)
	}
	return ctx, trace.ID().String()
}

// buffer collects what is logged, line by line, from any goroutine.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) Sync() error { return nil }

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *buffer) lines() []string {
	text := strings.TrimSuffix(b.String(), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// encoding is zap's for production, with lines that end in a newline only.
func encoding() zapcore.EncoderConfig {
	c := zap.NewProductionEncoderConfig()
	c.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	return c
}

func jsonCore(out zapcore.WriteSyncer, level zapcore.LevelEnabler) zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(encoding()), out, level)
}

// jsonLogger returns a logger that writes JSON lines into the buffer.
func jsonLogger(opts ...zap.Option) (*zap.Logger, *buffer) {
	out := new(buffer)
	return zap.New(jsonCore(out, zap.DebugLevel), opts...), out
}

// still is a clock that stands, so that two runs write the same.
type still struct{}

var _ zapcore.Clock = still{}

func (still) Now() time.Time { return time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC) }

func (still) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

const id36 = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

var (
	stampRE   = regexp.MustCompile(`"` + zapfield.Key + `": ?"(` + id36 + `)"`)
	unstampRE = regexp.MustCompile(`, ?"` + zapfield.Key + `": ?"` + id36 + `"|"` + zapfield.Key + `": ?"` + id36 + `"(?:, ?)?`)
)

// stamps returns the trace ids on a line.
func stamps(line string) []string {
	var ids []string
	for _, m := range stampRE.FindAllStringSubmatch(line, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// unstamp returns the line as it would be without its stamps: a line for the
// console has no braces where it has no fields.
func unstamp(line string) string {
	return strings.TrimSuffix(unstampRE.ReplaceAllString(line, ""), "\t{}")
}
