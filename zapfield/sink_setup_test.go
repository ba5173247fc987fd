package zapfield_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// kept is a writer that keeps lines in memory, and fails and waits as it is
// told.
type kept struct {
	mu    sync.Mutex
	lines []trail.Line
	ids   map[uuid.UUID]bool
	sizes []int // of the batches
	fails func(ctx context.Context, lines []trail.Line) error
}

var _ trail.LineWriter = (*kept)(nil)

func (k *kept) WriteLines(ctx context.Context, lines []trail.Line) error {
	k.mu.Lock()
	fails := k.fails
	k.mu.Unlock()
	if fails != nil {
		if err := fails(ctx, lines); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ids == nil {
		k.ids = map[uuid.UUID]bool{}
	}
	k.sizes = append(k.sizes, len(lines))
	for _, l := range lines {
		if !k.ids[l.ID] {
			k.ids[l.ID] = true
			k.lines = append(k.lines, l)
		}
	}
	return nil
}

func (k *kept) fail(f func(ctx context.Context, lines []trail.Line) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fails = f
}

func (k *kept) all() []trail.Line {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]trail.Line(nil), k.lines...)
}

func (k *kept) messages() []string {
	var list []string
	for _, l := range k.all() {
		list = append(list, l.Message)
	}
	return list
}

// newSink returns a sink over w, closed at the end of the test, and a wrapped
// logger over it alone.
func newSink(tb testing.TB, w trail.LineWriter, opts ...zapfield.SinkOption) (*zapfield.Sink, *zap.Logger) {
	tb.Helper()
	s, err := zapfield.NewSink(w, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // tests that want the rest have synced
		_ = s.Close(ctx)
	})
	return s, zapfield.Wrap(zap.New(s.Core(zapcore.DebugLevel)))
}

func mustSync(tb testing.TB, s *zapfield.Sink) {
	tb.Helper()
	if err := s.Sync(); err != nil {
		tb.Fatal(err)
	}
}
