package middleware

import (
	"errors"
	"net/http"
	"reflect"
	"runtime"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// Header is the response header with the trace id of an audited request.
const Header = "X-Trace-Id"

// New returns the middleware. Register it before the routes it audits, before
// or after authentication. If authentication runs after it, refusals are
// recorded too.
func New(opts ...Option) gin.HandlerFunc {
	cfg := &config{}
	for _, o := range opts {
		o.apply(cfg)
	}
	known := &routes{}
	handler := func(c *gin.Context) {
		if c.FullPath() == "" {
			return // no route serves it: there is no action
		}
		if _, nested := current(c); nested {
			return // registered twice, the outer one audits
		}
		rt := known.of(c, cfg.events)
		switch {
		case rt.audited:
			cfg.audit(c, rt)
		case cfg.user != nil:
			if _, err := cfg.user(c); err != nil {
				_ = c.Error(err)
				unauthorized(c)
			}
		}
	}
	known.middleware = runtime.FuncForPC(reflect.ValueOf(handler).Pointer()).Name()
	return handler
}

// audit turns the request into an action and runs the handlers after it.
func (cfg *config) audit(c *gin.Context, rt *route) {
	r := &request{c: c, cfg: cfg, annotations: rt.annotations}
	r.look()
	action := trail.Action{
		Actor: trail.Anonymous(), Event: rt.event, Model: rt.model, Moment: rt.moment,
	}
	if rt.param != "" {
		action.EntityID = c.Param(rt.param)
	}
	outer := c.Request
	o := trail.Options{
		Recorder: cfg.recorder, Source: r, Parent: cfg.trustedID(c),
		// What a resolver or authentication writes is not the action's work.
		Late: true, Held: cfg.user != nil || rt.annotations > 0,
	}
	if err := r.Start(outer.Context(), action, o); err != nil {
		cfg.failed(c, err)
		return
	}
	trace := r.Trace()
	r.header[0] = trace.String()
	c.Writer.Header()[Header] = r.header[:]
	c.Set(trail.ContextKey, r)
	c.Request = outer.WithContext(r)

	// The request keeps its context: code that was given gin's context instead
	// may still read it from other goroutines.
	returned := false
	defer func() { cfg.end(r, returned) }()
	if cfg.enter(r, rt) {
		c.Next()
	}
	returned = true
}

// enter resolves who asks and records the action if that is due before its
// work. It reports whether the handler may run; if not, the answer is written.
// The record waits for the annotation of the route, and for gin.BasicAuth if
// that runs after the middleware: see trail.Options.
func (cfg *config) enter(r *request, rt *route) bool {
	c, trace := r.c, r.Trace()
	known := true
	if cfg.user != nil {
		actor, err := cfg.user(c)
		cfg.assign(r)
		if err != nil {
			r.refused = err
			_ = c.Error(err)
			unauthorized(c)
			return false
		}
		if actor == (trail.Actor{}) {
			actor = trail.Anonymous()
		}
		if err := trace.Identify(actor); err != nil {
			cfg.failed(c, err)
			return false
		}
	} else if rt.basicAuth {
		_, known = basicAuthUser(c)
	}
	if cfg.user == nil {
		cfg.assign(r)
	}
	if !known || rt.annotations > 0 {
		return true
	}
	trace.Release()
	if err := trace.Open(); err != nil {
		cfg.failed(c, err)
		return false
	}
	return true
}

// assign tells the trace whose tenant's the action is. The resolver may have
// found that out along with the user.
func (cfg *config) assign(r *request) {
	if cfg.tenant == nil {
		return
	}
	if err := r.Trace().SetTenant(cfg.tenant(r.c)); err != nil {
		cfg.failed(r.c, err)
	}
}

// end ends the trace as the response says. A handler that did not return has
// panicked; the panic continues by itself.
func (cfg *config) end(r *request, returned bool) {
	c := r.c
	o := trail.Outcome{Status: c.Writer.Status()}
	switch {
	case !returned:
		o.Result, o.Error = trail.Failure, "panic"
		if !c.Writer.Written() {
			o.Status = http.StatusInternalServerError
		}
	case r.refused != nil:
		o.Result, o.Error = trail.Denied, r.refused.Error()
	default:
		o.Result = result(o.Status)
		if o.Result != trail.Success && len(c.Errors) > 0 {
			o.Error = c.Errors.Last().Error()
		}
	}
	if err := r.Trace().Finish(o); err != nil && !errors.Is(err, trail.ErrEnded) {
		cfg.failed(c, err)
	}
}

func result(status int) trail.Result {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return trail.Denied
	case status >= http.StatusBadRequest:
		return trail.Failure
	case status == http.StatusAccepted:
		return trail.Pending
	default:
		return trail.Success
	}
}

// failed reports that the action could not be recorded.
func (cfg *config) failed(c *gin.Context, err error) {
	failures.Add(1)
	_ = c.Error(err)
	if cfg.onError != nil {
		cfg.onError(c.Request.Context(), err)
	}
	if !c.Writer.Written() {
		c.AbortWithStatusJSON(http.StatusServiceUnavailable, gin.H{"error": "the action cannot be recorded"})
	} else {
		c.Abort()
	}
}

func unauthorized(c *gin.Context) {
	if !c.Writer.Written() {
		c.AbortWithStatusJSON(http.StatusUnauthorized, gin.H{"error": "unauthorized"})
	}
	c.Abort()
}

// trustedID returns the trace id that a trusted gateway sent along, if any.
func (cfg *config) trustedID(c *gin.Context) uuid.UUID {
	if cfg.trusted == nil || !cfg.trusted(c) {
		return uuid.Nil
	}
	id, err := uuid.Parse(c.GetHeader(Header))
	if err != nil || !trail.Plausible(id) {
		return uuid.Nil
	}
	return id
}

// current returns the request that the middleware turned into an action.
func current(c *gin.Context) (*request, bool) {
	v, ok := c.Get(trail.ContextKey)
	if !ok {
		return nil, false
	}
	r, ok := v.(*request)
	return r, ok
}
