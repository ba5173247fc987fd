package middleware

import (
	"context"
	"net/http"
	"net/netip"
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
	// refused is why the user was not resolved.
	refused error

	method, path, id, agent, traceparent string
	remote                               string // an address, with or without a port
	// steps counts the handlers still to come that may change the action.
	steps int
}

type requestKey struct{}

// Value implements [context.Context].
func (r *request) Value(key any) any {
	if key == (requestKey{}) {
		return r
	}
	return r.Scope.Value(key)
}

// step notes that one of the handlers that may change the action has done so.
// Behind the last of them the work begins.
func (r *request) step(c *gin.Context) {
	if r.steps--; r.steps <= 0 {
		r.begin(c)
	}
}

// begin records the action if that is due before its work, and reports whether
// that may begin; if not, the answer is written.
func (r *request) begin(c *gin.Context) bool {
	trace := r.Trace()
	trace.Release()
	if err := trace.Open(); err != nil {
		r.cfg.failed(c, err)
		return false
	}
	return true
}

var (
	_ trail.Source       = (*request)(nil)
	_ trail.Spanner      = (*request)(nil)
	_ trail.LateReporter = (*request)(nil)
)

// Actor implements [trail.Source]: the user authenticated by gin.BasicAuth, also
// if that runs after the middleware. The trace asks only until it ends, while
// gin's context is still the request's.
func (r *request) Actor() (trail.Actor, bool) {
	if r.cfg.user != nil {
		return trail.Actor{}, false // resolved before, and final
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

// ReportLate implements [trail.LateReporter]. The answer has long been sent.
func (r *request) ReportLate(err error) {
	failures.Add(1)
	if r.cfg.onError != nil {
		r.cfg.onError(context.WithoutCancel(r), err)
	}
}

// look copies what is recorded of the request. It runs on the request's own
// goroutine, because handlers may replace the request in gin's context while
// other goroutines write.
func (r *request) look() {
	h := r.c.Request.Header
	r.method, r.path = r.c.Request.Method, r.c.FullPath()
	r.id, r.agent, r.traceparent = h.Get("X-Request-Id"), h.Get("User-Agent"), h.Get("Traceparent")
	if r.remote = r.c.Request.RemoteAddr; proxied(h) {
		r.remote = r.c.ClientIP()
	}
}

// proxied reports whether a header may give the client's address, by gin's own
// rules: any header not known to mean something else. Without one it is the
// connection's address, which costs nothing to know.
func proxied(h http.Header) bool {
	for name := range h {
		switch name {
		case "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Cache-Control", "Connection",
			"Content-Encoding", "Content-Length", "Content-Type", "Cookie", "Dnt", "If-Match", "If-None-Match",
			"Origin", "Pragma", "Priority", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site",
			"Sec-Fetch-User", "Te", "Traceparent", "Tracestate", "Upgrade-Insecure-Requests", "User-Agent",
			"X-Request-Id", "X-Requested-With", Header:
		default:
			return true
		}
	}
	return false
}

// Details implements [trail.Source].
func (r *request) Details() trail.Details {
	d := trail.Details{
		RequestID: r.id, Method: r.method, Route: r.path, IP: address(r.remote), UserAgent: r.agent,
	}
	d.W3CTraceID, d.W3CSpanID = traceparent(r.traceparent)
	return d
}

// address returns the address of a client, given with or without its port, in
// the form that gin uses; empty if it is not an address.
func address(remote string) string {
	if addr, err := netip.ParseAddrPort(remote); err == nil {
		remote = addr.Addr().String()
	}
	addr, err := netip.ParseAddr(remote)
	if err != nil || addr.Zone() != "" {
		return ""
	}
	return addr.Unmap().String()
}

// Span implements [trail.Spanner].
func (r *request) Span(ctx context.Context) (traceID, spanID string) {
	if r.cfg.span != nil {
		if traceID, spanID = r.cfg.span(ctx); strings.Trim(traceID, "0") != "" {
			return traceID, spanID
		}
	}
	return traceparent(r.traceparent)
}

// traceparent returns the trace id and the parent id of a W3C traceparent
// header, both empty if it is not valid (W3C Trace Context, 3.2.2).
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
