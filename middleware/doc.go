// Package middleware turns gin requests into actions: it resolves who asks and
// for what, opens a trace that the request's context carries, and ends it with
// the outcome shown by the response.
//
// What a request does is derived from its route, by convention or by an
// annotation ([As]):
//
//	POST   /things             create thing
//	PUT    /things/:id         update thing :id      (PATCH and POST as well)
//	DELETE /things/:id         delete thing :id
//	POST   /things/:id/approve approve thing :id     (PUT and PATCH as well)
//
// where approve stands for any known event: one of trail.Events, or one that the
// application added with [WithEvent]. Any other word there is a collection of its
// own: POST /things/:id/refund creates a refund unless refund is known. Of nested
// collections the last is the model: PUT /orders/:id/items/:item updates an item.
// It is in the singular and in snake case: sourceCodes and source-codes are
// source_code. Any other method that may change something is its own event: PURGE
// /things/:id is purge. Read-only requests are ignored unless their route is
// annotated, and so are requests that no route serves.
//
// The id in a route is recorded as it is, unless the name of its parameter is that
// of a secret (see trail.Sensitive): then a digest of it is, as of a secret key.
//
// How it ended is read from the status of the response:
//
//	401, 403                   denied
//	other 4xx, 5xx, a panic    failure
//	202                        pending, see below
//	anything else              success
//
// The text of the error is that of the last of gin's c.Errors, with secrets
// masked; of a resolver that refused, its error; of a panic, only "panic".
//
// Every action leaves exactly one entry, whose id is the trace id in the
// response header X-Trace-Id, whatever the handler does: also if it refuses,
// fails or panics, or if the client has left. What is recorded before the work
// (see trail.Event.Moment) is durable before the handler runs; if it cannot be
// written, the answer is 503 and the handler does not run. The user must be
// known by then, so authentication must run before this middleware or in
// [WithUser]. If gin.BasicAuth runs after it, such an action is written at its
// annotation, else before its first write, at the latest when it ends. What a
// resolver writes, and whatever writes before an annotation, does not count: the
// rows have entries of their own.
//
// A middleware inside another one does not audit, but its resolvers of the user
// and the tenant decide. So a group of routes may authenticate in another way.
//
// Register gin's recovery before this middleware: a panic that a recovery inside
// has turned into an answer is taken for that answer, and for a success if one
// had begun. A handler that leaves an error in c.Errors and no answer has failed.
//
// If a transaction in which the action changed rows is still open when the handler
// returns, as with one transaction for each request, the answer does not wait for
// it: see trail.Trace.End. Call trail.Wait when the process shuts down. On SQLite
// do not hold a transaction that writes around the middleware: of one in which the
// action changed nothing nobody can know, and an action that is recorded before
// its work would wait for it in vain.
//
// The address that is recorded is gin's ClientIP. Out of the box gin believes
// what any client sends as X-Forwarded-For: call SetTrustedProxies on the engine,
// with nil if there is no proxy.
//
// A handler that answers 202 Accepted says, by RFC 9110, that the work
// continues: the trace then stays open, and whoever does the work ends it with
// trail.Trace.End. Until then an action that was recorded before its work is
// shown as pending; one that was recorded with its change has that outcome.
package middleware
