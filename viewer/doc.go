// Package viewer shows the trail: web pages for people and JSON for programs,
// over a [store.Store], in one [http.Handler] that is mounted where the
// application likes:
//
//	pages, err := viewer.New(st, viewer.Options{Authorize: mayAudit})
//	mux.Handle("/audit/", http.StripPrefix("/audit", pages))                   // net/http
//	router.Any("/audit/*path", gin.WrapH(http.StripPrefix("/audit", pages)))   // gin
//
// The pages:
//
//	/                    all entries, newest first: filtered, sorted, paged
//	/traces/{id}         one action: what was done, field by field, and how, line by line
//	/traces/{id}/follow  its lines as they come, for the page
//	/entries/{id}        leads to the entry in the page of its trace
//	/find?id={id}        the same, for a form
//
// The JSON, which takes the same parameters and has the names of the tables'
// columns:
//
//	/api/entries      a page of entries, with the cursors of its neighbours
//	/api/traces/{id}  one action with its entries and log lines
//	/api/events       the events that occur
//
// Parameters of / and /api/entries are event (may be repeated), model,
// entity_id, user_id, tenant_id, outcome, trace_id, from and to (half-open; RFC
// 3339, or a date and time in [Options.Location]), sort (time, user, event,
// model, entity), order (asc, desc; default desc), limit (1 to 500) and cursor.
// An empty parameter is none; one that is unknown or makes no sense answers
// 400 and says which. The page of a trace shows a hundred changes: those behind
// as many as skip says, or those around the one whose id is entry.
//
// While an action goes on, the page of its trace shows the last lines of its
// log and those that come, as they come. With follow=0 it does not; with
// follow=1 it does also in a browser without scripts, where it loads itself
// again every two seconds, and it shows the last lines first also when the
// action has ended. The lines come as server-sent events, which hold rows of
// the page as the server renders them. A stream goes on behind the line where
// it was cut off, is asked for anew every ten minutes, and ends when its
// [http.Server] begins to shut down. Whatever stands between must pass on what
// is flushed.
//
// The package promises:
//
//   - Nothing is shown to a request that [Options.Authorize] did not let pass.
//   - It reads only. GET and HEAD are the methods; every state of a page is its
//     URL, and links are relative, so that any prefix will do.
//   - What the trail holds is data, whoever wrote it: it is escaped by
//     html/template for its place, of terminal output nothing but colours is
//     taken over, characters that would hide or turn text are spelled out, and a
//     Content-Security-Policy forbids everything but the style sheet. Only the
//     page that follows an action may run a script besides: the one that comes
//     with it, which puts in what the server has escaped.
//   - Every page is complete without scripts.
//   - Values are shown as they are stored, numbers digit by digit.
//   - Pages need nothing from elsewhere: templates, style sheet and script are
//     in the binary.
package viewer
