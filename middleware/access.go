package middleware

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Access describes one request for an access log.
type Access struct {
	Method   string
	Route    string // the template, /things/:id; empty if no route served it
	Path     string // as requested, escaped, without the query
	Status   int
	Size     int // of the response body in bytes
	Duration time.Duration
	ClientIP string // by gin's own rules
	// Panicked reports that the handler did not return. The panic continues.
	Panicked bool
}

// AccessLog returns a handler that calls log once for each request, when it has
// been served, on the request's goroutine. The context carries the trace of the
// request, if it is an action, whether the handler runs before or after [New]. A
// panic is reported as such if gin's recovery runs outside this handler,
// otherwise as recovery's response.
func AccessLog(log func(ctx context.Context, a Access)) gin.HandlerFunc {
	return func(c *gin.Context) {
		began := time.Now()
		request, route, ip := c.Request, c.FullPath(), c.ClientIP()
		returned := false
		defer func() {
			a := Access{
				Method: request.Method, Route: route, Path: request.URL.EscapedPath(), Status: c.Writer.Status(),
				Size: max(c.Writer.Size(), 0), Duration: time.Since(began), ClientIP: ip, Panicked: !returned,
			}
			if a.Panicked && !c.Writer.Written() {
				a.Status = http.StatusInternalServerError
			}
			ctx := c.Request.Context()
			if r, ok := current(c); ok {
				ctx = r
			}
			log(ctx, a)
		}()
		c.Next()
		returned = true
	}
}
