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
		if r, nested := around(c); nested {
			cfg.join(r, c)
			return
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
	known.middleware = nameOf(handler)
	return handler
}

// nameOf returns a handler's name, as gin.Context.HandlerNames has it.
func nameOf(h gin.HandlerFunc) string { return runtime.FuncForPC(reflect.ValueOf(h).Pointer()).Name() }

// join is what a middleware does in a request that another one audits, outside of
// it: it knows better who acts, if it has a resolver.
func (cfg *config) join(r *request, c *gin.Context) {
	if cfg != r.cfg && cfg.user != nil && !cfg.resolve(r, c) {
		return
	}
	r.step(c)
}

// audit turns the request into an action and runs the handlers after it.
func (cfg *config) audit(c *gin.Context, rt *route) {
	r := &request{c: c, cfg: cfg, steps: rt.steps}
	r.look()
	action := trail.Action{
		Actor: trail.Anonymous(), Event: rt.event, Model: rt.model, Moment: rt.moment,
	}
	if rt.param != "" {
		action.EntityID = rt.entity(c)
	}
	outer := c.Request
	o := trail.Options{
		Recorder: cfg.recorder, Source: r, Parent: cfg.trustedID(c),
		// What a resolver or authentication writes is not the action's work.
		Late: true, Held: cfg.user != nil || rt.steps > 0,
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
// The record waits for the handlers that may still change the action, and for
// gin.BasicAuth if that runs after the middleware: see trail.Options.
func (cfg *config) enter(r *request, rt *route) bool {
	known := true
	switch {
	case cfg.user != nil:
		if !cfg.resolve(r, r.c) {
			return false
		}
	case rt.basicAuth:
		_, known = basicAuthUser(r.c)
		fallthrough
	default:
		cfg.assign(r, r.c)
	}
	if !known || rt.steps > 0 {
		return true
	}
	return r.begin(r.c)
}

// resolve asks who acts, and for whom. It reports whether the handler may run;
// if not, the answer is written.
func (cfg *config) resolve(r *request, c *gin.Context) bool {
	actor, err := cfg.user(c)
	cfg.assign(r, c)
	if err != nil {
		r.refused = err
		_ = c.Error(err)
		unauthorized(c)
		return false
	}
	if actor == (trail.Actor{}) {
		actor = trail.Anonymous()
	}
	// A middleware inside may come too late, after a write of a handler in between.
	if err := r.Trace().Identify(actor); err != nil && (cfg == r.cfg || !errors.Is(err, trail.ErrRecorded)) {
		cfg.failed(c, err)
		return false
	}
	return true
}

// assign tells the trace whose tenant's the action is. The resolver may have
// found that out along with the user.
func (cfg *config) assign(r *request, c *gin.Context) {
	if cfg.tenant == nil {
		return
	}
	if err := r.Trace().SetTenant(cfg.tenant(c)); err != nil && (cfg == r.cfg || !errors.Is(err, trail.ErrRecorded)) {
		cfg.failed(c, err)
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
		if o.Status == http.StatusOK && len(c.Errors) > 0 && !c.Writer.Written() {
			// Somebody outside answers for a handler that left an error and no
			// answer, or nobody can: gin's recovery does so if the client has left.
			o.Result = trail.Failure
		}
		if o.Result != trail.Success && len(c.Errors) > 0 {
			o.Error = c.Errors.Last().Error()
		}
	}
	switch err := r.Trace().Finish(o); {
	case err == nil, errors.Is(err, trail.ErrEnded):
	case errors.Is(err, trail.ErrUnconfirmed):
		cfg.report(c, err) // what the handler says was done most likely is
	default:
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

// report counts an action that could not be recorded.
func (cfg *config) report(c *gin.Context, err error) {
	failures.Add(1)
	_ = c.Error(err)
	if cfg.onError != nil {
		cfg.onError(c.Request.Context(), err)
	}
}

// failed reports that the action could not be recorded, and answers so.
func (cfg *config) failed(c *gin.Context, err error) {
	cfg.report(c, err)
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

// around returns the request that a middleware runs in, also behind
// gin.Engine.HandleContext, which clears what gin's context holds.
func around(c *gin.Context) (*request, bool) {
	if r, ok := current(c); ok {
		return r, true
	}
	r, ok := c.Request.Context().Value(requestKey{}).(*request)
	if !ok || r.c != c {
		return nil, false
	}
	c.Set(trail.ContextKey, r)
	return r, true
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
