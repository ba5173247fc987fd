package middleware_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	goleak.VerifyTestMain(m)
}

// memory is a recorder that keeps everything in memory, and fails on demand.
type memory struct {
	mu       sync.Mutex
	entries  map[uuid.UUID]trail.Entry
	outcomes map[uuid.UUID]trail.Outcome
	failing  map[string]error // by method
	recorded int              // calls of Record
}

var _ trail.Recorder = (*memory)(nil)

var errDown = errors.New("the recorder is down")

func newMemory() *memory {
	return &memory{
		entries: map[uuid.UUID]trail.Entry{}, outcomes: map[uuid.UUID]trail.Outcome{}, failing: map[string]error{},
	}
}

func (m *memory) Record(ctx context.Context, entries ...trail.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recorded++
	if err := errors.Join(ctx.Err(), m.failing["Record"]); err != nil {
		return err
	}
	for _, e := range entries {
		if _, kept := m.entries[e.ID]; !kept {
			m.entries[e.ID] = e
		}
	}
	return nil
}

func (m *memory) Finish(ctx context.Context, o trail.Outcome) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.failing["Finish"]); err != nil {
		return err
	}
	if _, kept := m.outcomes[o.TraceID]; !kept {
		m.outcomes[o.TraceID] = o
	}
	return nil
}

func (m *memory) fail(method string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing[method] = err
}

// result is how the action has ended by now.
func (m *memory) result(id uuid.UUID) trail.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o, ok := m.outcomes[id]; ok {
		return o.Result
	}
	return m.entries[id].Outcome
}

// one returns the only entry that was kept.
func (m *memory) one(t *testing.T) trail.Entry {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) != 1 {
		t.Fatalf("%d entries are kept, want 1: %+v", len(m.entries), m.entries)
	}
	for _, e := range m.entries {
		if e.ID != e.TraceID {
			t.Fatalf("the entry %s is not the own of its trace %s", e.ID, e.TraceID)
		}
		return e
	}
	panic("unreachable")
}

func (m *memory) none(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.entries) != 0 {
		t.Errorf("%d entries are kept, want none: %+v", len(m.entries), m.entries)
	}
}

// ok is a handler that does nothing and answers 204.
func ok(c *gin.Context) { c.Status(http.StatusNoContent) }

// status is a handler that answers with a status.
func status(code int) gin.HandlerFunc { return func(c *gin.Context) { c.Status(code) } }

// router returns a router that recovers and audits into m, with handlers before
// and after it.
func router(m *memory, opts ...middleware.Option) *gin.Engine {
	r := gin.New()
	r.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	r.Use(middleware.New(append([]middleware.Option{middleware.WithRecorder(m)}, opts...)...))
	return r
}

// send sends a request whose parts are changed by edit.
func send(t testing.TB, h http.Handler, method, path string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for _, f := range edit {
		f(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func traceID(t testing.TB, w *httptest.ResponseRecorder) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(w.Header().Get(middleware.Header))
	if err != nil {
		t.Fatalf("%s: %v", middleware.Header, err)
	}
	return id
}
