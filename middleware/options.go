package middleware

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/trail"
)

type config struct {
	user     func(*gin.Context) (trail.Actor, error)
	tenant   func(*gin.Context) string
	recorder trail.Recorder
	events   map[trail.Event]trail.Moment
	onError  func(context.Context, error)
	trusted  func(*gin.Context) bool
	span     func(context.Context) (traceID, spanID string)
}

// Option changes how requests become actions. Options are applied in order; the
// last of its kind wins.
type Option interface{ apply(*config) }

type optionFunc func(*config)

func (f optionFunc) apply(c *config) { f(c) }

// WithUser sets how the user is resolved. It runs for every request that a route
// serves, before its handler; an error is answered with 401 instead, and an
// action is recorded as denied. The resolver may set response headers, and may
// write the answer itself. The default is the user authenticated by
// gin.BasicAuth, else anonymous. See also [UserFromClaims] and [UserFromProxy].
func WithUser(resolve func(*gin.Context) (trail.Actor, error)) Option {
	return optionFunc(func(c *config) { c.user = resolve })
}

// WithTenant sets how the tenant of a request is resolved, empty for none. It
// runs right after the user is resolved, before the handlers that follow. The
// default is none.
func WithTenant(resolve func(*gin.Context) string) Option {
	return optionFunc(func(c *config) { c.tenant = resolve })
}

// WithRecorder sets where actions are stored. The default is what
// trail.Default() returns when the request arrives.
func WithRecorder(r trail.Recorder) Option {
	return optionFunc(func(c *config) { c.recorder = r })
}

// WithEvent registers event as a verb that routes may end in, and when actions
// with it are recorded. It may also change the moment of a known event.
func WithEvent(event trail.Event, moment trail.Moment) Option {
	return optionFunc(func(c *config) {
		if c.events == nil {
			c.events = make(map[trail.Event]trail.Moment)
		}
		c.events[event] = moment
	})
}

// WithErrorHandler sets a function called whenever an action could not be
// recorded, on the request's goroutine. The error is in gin's c.Errors as well,
// and the answer is 503 unless one has begun; [Failures] counts them.
func WithErrorHandler(handle func(context.Context, error)) Option {
	return optionFunc(func(c *config) { c.onError = handle })
}

// WithSpan sets a function that returns the ids of the W3C trace and span that a
// context belongs to, which stamped lines carry besides the action's own trace
// id: 32 and 16 digits of lower-case hex, or empty. With OpenTelemetry it is
//
//	func(ctx context.Context) (string, string) {
//		s := trace.SpanContextFromContext(ctx)
//		return s.TraceID().String(), s.SpanID().String()
//	}
//
// If it returns none, and by default, they are those of the request's
// traceparent header.
func WithSpan(span func(ctx context.Context) (traceID, spanID string)) Option {
	return optionFunc(func(c *config) { c.span = span })
}

// WithTrustedTrace takes the trace id in the header X-Trace-Id of a request for
// its parent, if trust says so, for a service behind a gateway that makes ids:
// the action's entry has it as parent_trace_id. The action has an id of its own,
// for the gateway may send a request twice, or to several services. The id must
// be a UUID of version 7; anything else is ignored, and so are ids of requests
// that are not trusted. By default none are.
func WithTrustedTrace(trust func(*gin.Context) bool) Option {
	return optionFunc(func(c *config) { c.trusted = trust })
}
