package trail_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/infrakitchen/audit/trail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a recorder that keeps all in memory, in the order in which it came.
// It fails, and waits, on demand.
type memory struct {
	mu       sync.Mutex
	entries  []trail.Entry
	outcomes []trail.Outcome
	calls    []string
	fails    map[string]error              // by method
	before   func(context.Context, string) // what is done first, by method
	contexts map[string]context.Context    // of the last call, by method
}

var _ trail.Recorder = (*memory)(nil)

var errDown = errors.New("the recorder is down")

func (m *memory) enter(ctx context.Context, method string) error {
	if m.before != nil {
		m.before(ctx, method)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, method)
	if m.contexts == nil {
		m.contexts = map[string]context.Context{}
	}
	m.contexts[method] = ctx
	return errors.Join(ctx.Err(), m.fails[method])
}

func (m *memory) Record(ctx context.Context, entries ...trail.Entry) error {
	if err := m.enter(ctx, "Record"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range entries {
		if !m.has(e.ID) {
			m.entries = append(m.entries, e)
		}
	}
	return nil
}

func (m *memory) Finish(ctx context.Context, o trail.Outcome) error {
	if err := m.enter(ctx, "Finish"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, kept := range m.outcomes {
		if kept.TraceID == o.TraceID {
			return nil
		}
	}
	m.outcomes = append(m.outcomes, o)
	return nil
}

func (m *memory) fail(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails == nil {
		m.fails = map[string]error{}
	}
	m.fails[method] = err
}

func (m *memory) has(id uuid.UUID) bool {
	for i := range m.entries {
		if m.entries[i].ID == id {
			return true
		}
	}
	return false
}

// recorded reports whether an entry has come.
func (m *memory) recorded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries) > 0
}

// result is how the action has ended by now; empty where nothing is known.
func (m *memory) result(id uuid.UUID) trail.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, o := range m.outcomes {
		if o.TraceID == id {
			return o.Result
		}
	}
	for i := range m.entries {
		if m.entries[i].ID == id {
			return m.entries[i].Outcome
		}
	}
	return ""
}

// recording makes m the default recorder for the time of the test.
func recording(t testing.TB) *memory {
	t.Helper()
	m := &memory{}
	trail.SetDefault(m)
	t.Cleanup(func() { trail.SetDefault(nil) })
	return m
}

var una = trail.Actor{ID: "una", Name: "Una", Kind: trail.KindUser}

// start begins an action that must begin.
func start(t testing.TB, ctx context.Context, a trail.Action) (context.Context, *trail.Trace) {
	t.Helper()
	ctx, trace, err := trail.Start(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	return ctx, trace
}
