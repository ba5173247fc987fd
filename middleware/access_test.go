package middleware_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// Each request is logged once, with its trace, on either side of the
// middleware.
func TestAccessLog(t *testing.T) {
	for _, behind := range []bool{false, true} {
		var got []middleware.Access
		var traces []uuid.UUID
		log := middleware.AccessLog(func(ctx context.Context, a middleware.Access) {
			if a.Duration < 0 {
				t.Errorf("it took %v", a.Duration)
			}
			id, _ := trail.TraceID(ctx)
			got, traces = append(got, a), append(traces, id)
		})
		r := gin.New()
		r.Use(func(c *gin.Context) {
			defer func() { _ = recover() }()
			c.Next()
		})
		audit := middleware.New(middleware.WithRecorder(newMemory()))
		if behind {
			r.Use(audit, log)
		} else {
			r.Use(log, audit)
		}
		r.POST("/things", func(c *gin.Context) { c.String(http.StatusCreated, "made") })
		r.GET("/things/:id", ok)
		r.DELETE("/things/:id", func(*gin.Context) { panic("oh") })
		r.PUT("/things/:id", func(c *gin.Context) { c.AbortWithStatus(http.StatusForbidden) })

		var want []uuid.UUID
		for _, request := range [][2]string{
			{"POST", "/things?token=x"}, {"GET", "/things/a%2Fb"}, {"DELETE", "/things/7"}, {"PUT", "/things/7"}, {"GET", "/nothing"},
		} {
			w := send(t, r, request[0], request[1])
			id, _ := uuid.Parse(w.Header().Get(middleware.Header)) // none where nothing is audited
			want = append(want, id)
		}
		if diff := cmp.Diff([]middleware.Access{
			{Method: "POST", Route: "/things", Path: "/things", Status: 201, Size: 4, ClientIP: "192.0.2.1"},
			{Method: "GET", Route: "", Path: "/things/a%2Fb", Status: 404, Size: 0, ClientIP: "192.0.2.1"},
			{Method: "DELETE", Route: "/things/:id", Path: "/things/7", Status: 500, ClientIP: "192.0.2.1", Panicked: true},
			{Method: "PUT", Route: "/things/:id", Path: "/things/7", Status: 403, ClientIP: "192.0.2.1"},
			{Method: "GET", Route: "", Path: "/nothing", Status: 404, ClientIP: "192.0.2.1"},
		}, got, cmpopts.IgnoreFields(middleware.Access{}, "Duration")); diff != "" {
			t.Errorf("behind %v (-want +got):\n%s", behind, diff)
		}
		if diff := cmp.Diff(want, traces); diff != "" {
			t.Errorf("behind %v: traces (-want +got):\n%s", behind, diff)
		}
		if want[0] == uuid.Nil || want[2] == uuid.Nil || want[1] != uuid.Nil {
			t.Errorf("traces %v", want)
		}
	}
}
