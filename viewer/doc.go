// Package viewer shows the trail: web pages for people and JSON for programs,
// over a [store.Store], in one [http.Handler] that can be mounted anywhere:
//
//	pages, err := viewer.New(st, viewer.Options{Authorize: mayAudit})
//	mux.Handle("/audit/", http.StripPrefix("/audit", pages))                   // net/http
//	router.Any("/audit/*path", gin.WrapH(http.StripPrefix("/audit", pages)))   // gin
//
// [Options.Authorize] gets the request as net/http has it, without what gin's
// middleware has put into gin's context. Where that decides, authorize in a gin
// handler in front of the pages. Whoever may see them sees the whole trail: there
// is no limit to a tenant.
//
// The pages:
//
//	/                    all entries, newest first: filtered, sorted, paged
//	/traces/{id}         one action: what was done, field by field, and how, line by line
//	/traces/{id}/follow  its lines as they arrive, for the page
//	/entries/{id}        redirects to the entry on the page of its trace
//	/find?id={id}        the same, for a form
//
// The JSON, with the names of the tables' columns:
//
//	/api/entries            a page of entries, with the cursors of its neighbours
//	/api/entries/{id}       one entry
//	/api/traces/{id}        one action with its first entries and log lines
//	/api/traces/{id}/lines  a page of its log lines
//	/api/events             the events that occur
//
// Parameters of / and /api/entries are event (may be repeated), model,
// entity_id, user_id, tenant_id, outcome, trace_id, from and to (half-open; RFC
// 3339, or a date and time in [Options.Location]), sort (time, user, event,
// model, entity), order (asc, desc; default desc), limit (1 to 500) and cursor.
// The form of / also sends from_exact and to_exact: the times it was filled in
// with, where its fields show less of them.
// Those of /api/traces/{id}/lines are limit, order (default asc) and cursor. An
// empty parameter counts as absent; an unknown or invalid one is answered with
// 400 and named, wherever it is given, as are parameters that cannot be parsed or
// exceed 40 KiB. The page of a trace shows a hundred changes: the first, those
// after or before the seq given by after or before, or those from the one on
// whose id is entry. Its parameter lines is the cursor of a page of log lines.
//
// While an action is in progress, the page of its trace shows the last lines of
// its log, and new ones as they arrive. With follow=0 it does not; with follow=1
// it also does in a browser without scripts, where it reloads every two seconds,
// and it shows the end of the log even when the action has ended. Lines arrive
// as server-sent events containing rendered rows. A broken stream resumes after
// the last line. Streams are renewed every ten minutes, and end when their
// [http.Server] begins to shut down. Proxies must not buffer them.
//
// A list that takes longer than [QueryTimeout] to read is answered with 503, and
// at most [MaxQueries] filtered ones are read at once.
//
// The package promises:
//
//   - Nothing of the trail is shown to a request that [Options.Authorize] did not
//     accept. Only the package's style sheet, script and icon are for everybody.
//   - It only reads. GET and HEAD are the methods; every state of a page is in
//     its URL, and links are relative, so that any prefix works.
//   - What the trail holds is data, whoever wrote it: it is escaped by
//     html/template for its place, of terminal output only colours are kept,
//     control and direction-changing characters are escaped, and a
//     Content-Security-Policy forbids everything but the package's own style
//     sheet, images and forms. Only the page that follows an action may also run
//     a script: the package's own, which inserts what the server has escaped.
//   - Every page is complete without scripts.
//   - Values are shown as they are stored, numbers digit by digit.
//   - The size of a page is bounded, whatever the trail holds: of long values the
//     beginning is shown, and the page says so and links to the JSON.
//   - Pages need no external resources: templates, style sheet and script are
//     in the binary.
package viewer
