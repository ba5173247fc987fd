package middleware

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// Access is one request as an access log has it.
type Access struct {
	Method   string
	Route    string // the template, /things/:id; empty where no route served it
	Path     string // as it was asked for, escaped, without the query
	Status   int
	Size     int // of the response's body in bytes
	Duration time.Duration
	ClientIP string // by the rules that gin was given
	// Panicked tells that the handler did not return. The panic goes on.
	Panicked bool
}

// AccessLog returns a handler that calls log once for each request, when it has
// been served, on the request's goroutine. The context carries the trace of the
// request, if it is an action, wherever the handler stands: ahead of [New] or
// behind it. A panic is seen as such where gin's recovery stands ahead of it, and
// as the answer that recovery gave where it stands behind.
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
