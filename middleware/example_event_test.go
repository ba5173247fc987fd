package middleware_test

import (
	"context"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// A word at the end of a route is a verb only if it is a known event. Others are
// registered: refund, whose entry is written with its change, and ship, which is
// work outside the database and is recorded before it begins.
func ExampleWithEvent() {
	router := gin.New()
	router.Use(middleware.New(
		middleware.WithEvent("refund", trail.WithChange),
		middleware.WithEvent("ship", trail.Ahead),
		middleware.WithRecorder(printer{}),
	))
	done := func(c *gin.Context) { c.Status(http.StatusOK) }
	router.POST("/orders/:id/refund", done)
	router.POST("/orders/:id/ship", done)
	router.POST("/orders/:id/wrap", done) // not registered: it is read as a new thing of the kind "wrap"
	router.POST("/orders/:id/items", done)

	for _, path := range []string{"/orders/7/refund", "/orders/7/ship", "/orders/7/wrap", "/orders/7/items"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, http.NoBody)
		router.ServeHTTP(httptest.NewRecorder(), r)
	}
	// Output:
	// anonymous refund order 7 - success
	// anonymous ship order 7 - pending
	//   ended as success 200
	// anonymous create wrap  - success
	// anonymous create item  - success
}
