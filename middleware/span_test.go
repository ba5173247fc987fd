package middleware_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// The span of a request is the one of its traceparent, unless the application
// knows better; what is not valid is none.
func TestSpan(t *testing.T) {
	const trace, span, own = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
	parent := "00-" + trace + "-" + span + "-01"
	says := func(traceID, spanID string) []middleware.Option {
		return []middleware.Option{middleware.WithSpan(func(context.Context) (string, string) { return traceID, spanID })}
	}
	for _, c := range []struct {
		why, header, trace, span string
		opts                     []middleware.Option
	}{
		{"none", "", "", "", nil},
		{"of the header", parent, trace, span, nil},
		{"of a header that is not valid", parent[1:], "", "", nil},
		{"of the application", parent, trace, own, says(trace, own)},
		{"of the application alone", "", trace, own, says(trace, own)},
		{"the application knows of none", parent, trace, span, says("", "")},
		{"the application's is OpenTelemetry's invalid one", parent, trace, span, says(strings.Repeat("0", 32), strings.Repeat("0", 16))},
		{"the application's is no id", parent, "", "", says("x", "y")},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := router(newMemory(), c.opts...)
			r.PUT("/things/:id", func(g *gin.Context) {
				ctx := g.Request.Context()
				act, found := trail.FromContext(ctx)
				if !found {
					t.Fatal("no trace")
				}
				if traceID, spanID := act.Span(ctx); traceID != c.trace || spanID != c.span {
					t.Errorf("got %q and %q, want %q and %q", traceID, spanID, c.trace, c.span)
				}
				ok(g)
			})
			send(t, r, http.MethodPut, "/things/1", header("Traceparent", c.header))
		})
	}
}
