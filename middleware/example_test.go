package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// printer prints what a store would save.
type printer struct{}

func (printer) Record(_ context.Context, entries ...trail.Entry) error {
	for _, e := range entries {
		fmt.Println(e.Actor.Name, e.Event, e.Model, e.EntityID, "-", e.Outcome)
	}
	return nil
}

func (printer) Finish(_ context.Context, o trail.Outcome) error {
	fmt.Println("  ended as", o.Result, o.Status)
	return nil
}

// The verb and the entity are derived from the route. Work that happens outside
// the database is recorded before it begins; an action that changed no row, when
// it has ended.
func Example() {
	router := gin.New()
	router.Use(
		gin.BasicAuth(gin.Accounts{"ada": "lovelace"}),
		middleware.New(middleware.WithRecorder(printer{})),
	)
	router.GET("/ovens/:id", func(c *gin.Context) { c.Status(http.StatusOK) })
	router.POST("/ovens/:id/approve", func(c *gin.Context) { c.Status(http.StatusForbidden) })
	router.POST("/ovens/:id/execute", func(c *gin.Context) { c.Status(http.StatusInternalServerError) })
	router.POST("/ovens/:id/light", middleware.As("ignite"), func(c *gin.Context) { c.Status(http.StatusOK) })

	for _, request := range []struct{ method, path string }{
		{http.MethodGet, "/ovens/7"},
		{http.MethodPost, "/ovens/7/approve"},
		{http.MethodPost, "/ovens/7/execute"},
		{http.MethodPost, "/ovens/7/light"},
	} {
		r := httptest.NewRequestWithContext(context.Background(), request.method, request.path, http.NoBody)
		r.SetBasicAuth("ada", "lovelace")
		router.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// ada approve oven 7 - denied
	//   ended as denied 403
	// ada execute oven 7 - pending
	//   ended as failure 500
	// ada ignite oven 7 - success
}
