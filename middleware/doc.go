// Package middleware makes actions of gin's requests: it resolves who asks and
// what for, opens a trace that the request's context carries, and ends it with
// the outcome that the response tells.
//
// What a request does is read from its route, by convention or by an
// annotation ([As]):
//
//	POST   /things             create thing
//	PUT    /things/:id         update thing :id      (PATCH as well)
//	DELETE /things/:id         delete thing :id
//	POST   /things/:id/approve approve thing :id     (PUT and PATCH as well)
//
// where the last is any event that is known: one of trail.Events, or one that
// the application added by [WithEvent]. Requests that only read are passed by,
// unless their route is annotated, and so are requests that no route serves.
//
// Every action leaves exactly one entry whose id is the trace id that the
// response bears in its header X-Trace-Id, whatever the handler does: also
// where it refuses, fails, panics, or the client has left. What is written
// ahead of work (see trail.Event.Moment) is durable before the handler runs;
// where it cannot be written, the answer is 503 and the handler does not run.
// For that the user must be known by then: authentication stands ahead of the
// middleware, or in [WithUser]. Where gin.BasicAuth stands behind it, such an
// action is written at its annotation, else ahead of its first write, at the
// latest when it ends.
//
// A handler that answers 202 Accepted says, by RFC 9110, that the work goes
// on: the trace is then left open, for whoever does the work to end it with
// trail.Trace.End. Until then an action that was written ahead is seen as
// pending; one that was written with its change says what the change says.
package middleware
