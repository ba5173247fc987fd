// Package audit is the entry point of an audit trail for services built on gin,
// GORM and zap: what a main function and its routes need. Three lines wire it:
//
//	router.Use(audit.Middleware())          // who did it, and what they called it
//	db.Use(gormhook.Plugin{})               // every row that changed, in the same transaction
//	logger = zapfield.Wrap(logger)          // the trace id on every execution log line
//
// Every request that changes something then leaves entries in the table
// audit_logs, in the transaction of the change, and the log lines that are given
// its context (see package zapfield) carry the id of its entry. Package store
// creates the tables and reads them, package viewer shows them, package trail has
// the types for jobs and tools. The tables and their meaning are documented in
// package store.
package audit

import (
	"context"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// Actor is who does something; see [trail.Actor].
type Actor = trail.Actor

// Event is the verb of an action; see [trail.Event].
type Event = trail.Event

// The events known to the library.
const (
	Create   = trail.Create
	Update   = trail.Update
	Delete   = trail.Delete
	Execute  = trail.Execute
	Approve  = trail.Approve
	Reject   = trail.Reject
	Destroy  = trail.Destroy
	Recreate = trail.Recreate
	Retry    = trail.Retry
	Sync     = trail.Sync
	Enable   = trail.Enable
	Disable  = trail.Disable
	Dryrun   = trail.Dryrun
	Restore  = trail.Restore
)

// Option changes what [Middleware] does.
type Option = middleware.Option

// Middleware turns every request that may change something into an action with
// a trace. The route says what it does, the status of the response how it ended:
// 401 and 403 as denied, other 4xx and 5xx as a failure, 202 as pending. See
// package middleware for the conventions and promises.
func Middleware(opts ...Option) gin.HandlerFunc { return middleware.New(opts...) }

// As annotates a route with its event and model, overriding the convention.
// Place it before the handler that does the work. It panics if event is empty or
// more than one model is given; see [middleware.As].
func As(event Event, model ...string) gin.HandlerFunc { return middleware.As(event, model...) }

// WithUser sets how the user is resolved. An error is answered with 401, also on
// reads; an action is recorded as denied. The default is the user of
// gin.BasicAuth, else anonymous. [middleware.UserFromClaims] resolves it from the
// claims of a token, [middleware.UserFromProxy] from the headers of a proxy.
func WithUser(resolve func(*gin.Context) (Actor, error)) Option { return middleware.WithUser(resolve) }

// WithTenant sets how the tenant of a request is resolved. The default is none.
func WithTenant(resolve func(*gin.Context) string) Option { return middleware.WithTenant(resolve) }

// WithRecorder sets where actions are stored, usually a *store.Store. The default
// is trail.Default(), the first database that gormhook.Plugin was used on and that
// is open: set it if there are several. Rows are recorded in the database they are
// in, and so is the rest of an action whose own entry is one of them.
func WithRecorder(r trail.Recorder) Option { return middleware.WithRecorder(r) }

// WithEvent registers an application-defined event, which routes may then end
// in, and when its actions are recorded: WithEvent("refund", trail.WithChange) for
// POST /orders/:id/refund.
func WithEvent(event Event, moment trail.Moment) Option { return middleware.WithEvent(event, moment) }

// WithErrorHandler sets a function called whenever an action could not be
// recorded.
func WithErrorHandler(handle func(context.Context, error)) Option {
	return middleware.WithErrorHandler(handle)
}

// WithSpan sets a function that returns the ids of the W3C trace and span that
// stamped log lines carry besides the action's own; see [middleware.WithSpan].
func WithSpan(span func(ctx context.Context) (traceID, spanID string)) Option {
	return middleware.WithSpan(span)
}

// WithTrustedTrace takes the header X-Trace-Id of requests that trust vouches for
// as the action's parent. By default incoming ids are ignored.
func WithTrustedTrace(trust func(*gin.Context) bool) Option {
	return middleware.WithTrustedTrace(trust)
}
