package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) Record(context.Context, ...trail.Entry) error { return nil }
func (nowhere) Finish(context.Context, trail.Outcome) error  { return nil }

// sink is a response writer that costs nothing.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

func engine(handlers ...gin.HandlerFunc) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(handlers...)
	r.PUT("/things/:id", func(c *gin.Context) {
		// The row that changed was the action's own, and is durable.
		if t, ok := trail.FromContext(c.Request.Context()); ok {
			claim, err := t.Claim(trail.Work{Model: "thing"})
			if err != nil {
				panic(err)
			}
			claim.Settle(true, true)
		}
		c.Status(http.StatusNoContent)
	})
	return r
}

func serve(r *gin.Engine) func() {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPut, "/things/1", nil)
	w := &sink{header: make(http.Header)}
	return func() {
		clear(w.header)
		r.ServeHTTP(w, req)
	}
}

// TestAllocations holds what a request costs beyond gin's own: the copy of the
// request that carries the context, the context with its trace, the id as
// text, and gin's map of keys.
func TestAllocations(t *testing.T) {
	bare := testing.AllocsPerRun(500, serve(engine()))
	audited := testing.AllocsPerRun(500, serve(engine(middleware.New(middleware.WithRecorder(nowhere{})))))
	if added := audited - bare; added > 4 {
		t.Errorf("a request allocates %v times more than gin's own %v, at most 4 are allowed", added, bare)
	}
}

func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name     string
		handlers []gin.HandlerFunc
	}{
		{"bare", nil},
		{"audited", []gin.HandlerFunc{middleware.New(middleware.WithRecorder(nowhere{}))}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := serve(engine(c.handlers...))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
