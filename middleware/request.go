package middleware

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/trail"
)

// request is one request as an action: its context, its trace and what is only
// known later, in one allocation.
type request struct {
	trail.Scope
	c      *gin.Context
	cfg    *config
	header [1]string
}

var _ trail.Source = (*request)(nil)

// Actor implements [trail.Source]: the user whom gin.BasicAuth let in, also
// where it stands behind the middleware. The trace asks only until it ends,
// while gin's context is still the request's.
func (r *request) Actor() (trail.Actor, bool) {
	if r.cfg.user != nil {
		return trail.Actor{}, false // resolved ahead, for good
	}
	return basicAuthUser(r.c)
}

func basicAuthUser(c *gin.Context) (trail.Actor, bool) {
	v, ok := c.Get(gin.AuthUserKey)
	if !ok {
		return trail.Actor{}, false
	}
	name, ok := v.(string)
	if !ok || name == "" {
		return trail.Actor{}, false
	}
	return trail.Actor{ID: name, Name: name, Kind: trail.KindUser}, true
}

// Details implements [trail.Source].
func (r *request) Details() trail.Details {
	d := trail.Details{
		RequestID: r.c.Request.Header.Get("X-Request-Id"),
		Method:    r.c.Request.Method,
		Route:     r.c.FullPath(),
		IP:        r.c.ClientIP(),
		UserAgent: r.c.Request.Header.Get("User-Agent"),
	}
	d.W3CTraceID, d.W3CSpanID = traceparent(r.c.Request.Header.Get("Traceparent"))
	return d
}

// traceparent returns the trace id and the parent id of a W3C traceparent
// header, both empty where it is not a valid one (W3C Trace Context, 3.2.2).
func traceparent(h string) (traceID, spanID string) {
	const zero = "00000000000000000000000000000000"
	if len(h) < 55 || h[2] != '-' || h[35] != '-' || h[52] != '-' || h[:2] == "ff" ||
		len(h) > 55 && (h[:2] == "00" || h[55] != '-') {
		return "", ""
	}
	version, trace, span, flags := h[:2], h[3:35], h[36:52], h[53:55]
	for _, part := range []string{version, trace, span, flags} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return "", ""
		}
	}
	if trace == zero || span == zero[:16] {
		return "", ""
	}
	return trace, span
}
