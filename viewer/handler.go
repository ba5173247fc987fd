package viewer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/store"
)

// handler answers all requests. Its only state is that of the followers, and how
// many lists are read.
type handler struct {
	store     *store.Store
	options   Options
	pace      pace
	followers chan struct{} // holds one for each
	queries   chan struct{} // and one for each filtered list that is read
	queryFor  time.Duration // for no longer than this
	servers   servers
}

var _ http.Handler = (*handler)(nil)

// policy lets a page have its own style sheet, images and forms, and nothing
// else from anywhere.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// livePolicy is that of a page that follows, with our script and its requests.
const livePolicy = policy + "; script-src 'self'; connect-src 'self'"

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")

	q := &request{handler: h, w: w, Request: r}
	q.path, q.root = place(r)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if name, ok := strings.CutPrefix(q.path, "static/"); ok && reads && assets[name].content != nil {
		// They hold nothing of the trail, and the page that refuses needs them.
		q.asset(name)
		return
	}
	if err := h.options.Authorize(r); err != nil {
		q.refuse(err)
		return
	}
	if !reads {
		header.Set("Allow", "GET, HEAD")
		q.fail(http.StatusMethodNotAllowed, "The audit log can be read, not written to.")
		return
	}
	if err := q.route(); err != nil { //nolint:contextcheck // what all followers share outlives each of them
		q.failed(err) //nolint:contextcheck // it is the context of the request
	}
}

// request is a request being answered.
type request struct {
	*http.Request
	handler *handler
	w       http.ResponseWriter
	path    string // below the mount point, without a leading slash
	root    string // the relative path back there: "./", "../", ...
	values  url.Values
}

// place returns where a request is below the mount point, and the path back.
func place(r *http.Request) (below, root string) {
	below = strings.TrimPrefix(r.URL.Path, "/")
	depth := strings.Count(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if depth == 0 {
		return below, "./"
	}
	return below, strings.Repeat("../", depth)
}

// maxQuery bounds what is read of the parameters, in bytes: more than any cursor
// has that is not of an entity whose id has thousands of characters.
const maxQuery = 40 << 10

// parse reads the parameters. What cannot be read is refused: without a filter
// that was asked for, a page would show too much.
func (q *request) parse() (err error) {
	if n := len(q.URL.RawQuery); n > maxQuery {
		return badRequest("The parameters have %d bytes; at most %d are read.", n, maxQuery)
	}
	if q.values, err = url.ParseQuery(q.URL.RawQuery); err != nil {
		return badRequest("The parameters cannot be read: %.120q. Characters other than letters and digits must be escaped.", err.Error())
	}
	return nil
}

func (q *request) route() error {
	if err := q.parse(); err != nil {
		return err
	}
	if q.URL.Path == "" && q.atPrefix() {
		return nil
	}
	answer, names := q.target()
	if err := q.check(names); err != nil {
		return err
	}
	return answer()
}

// target returns what answers a request, and the parameters that it has.
func (q *request) target() (answer func() error, names []string) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(q.path, "api/"), "/")
	trace, follow := strings.CutSuffix(id, "/follow")
	linesOf, lines := strings.CutSuffix(id, "/lines")
	api := strings.HasPrefix(q.path, "api/")
	switch {
	case q.path == "":
		return q.list, append(params[:len(params):len(params)], exactOf[paramFrom], exactOf[paramTo])
	case q.path == "find":
		return func() error { return q.find(q.values.Get("id")) }, []string{"id"}
	case !api && kind == "entries" && id != "":
		return func() error { return q.find(id) }, nil
	case !api && kind == "traces" && follow:
		return func() error { return q.follow(trace) }, []string{paramAfterLine, paramSeen}
	case !api && kind == "traces" && id != "":
		return func() error { return q.trace(id) }, []string{paramAfter, paramBefore, paramEntry, paramLines, paramFollow}
	case q.path == "api/entries":
		return q.apiEntries, params
	case q.path == "api/events":
		return q.apiEvents, nil
	case strings.HasPrefix(q.path, "api/entries/"):
		return func() error { return q.apiEntry(id) }, nil
	case strings.HasPrefix(q.path, "api/traces/") && lines:
		return func() error { return q.apiLines(linesOf) }, []string{paramLimit, paramOrder, paramCursor}
	case strings.HasPrefix(q.path, "api/traces/"):
		return func() error { return q.apiTrace(id) }, nil
	default:
		return func() error { return errNoPage }, slices.Collect(maps.Keys(q.values)) // whatever they are
	}
}

// check refuses parameters that do not exist, that are given twice, and what no
// column holds and PostgreSQL does not accept.
func (q *request) check(names []string) error {
	for name, all := range q.values {
		switch {
		case len(names) == 0:
			return badRequest("There is no parameter %.60q, and no other one here.", name)
		case !slices.Contains(names, name):
			return badRequest("There is no parameter %.60q. The parameters are %s.", name, strings.Join(names, ", "))
		case len(all) > 1 && name != paramEvent:
			return q.badParam(name, "is given %d times, but only one is allowed.", len(all))
		}
		for _, v := range all {
			if !utf8.ValidString(v) || strings.Contains(v, "\x00") {
				return q.badParam(name, "is %.60q, which is not valid text.", v)
			}
		}
	}
	return nil
}

// atPrefix redirects a request for the mount point without its slash, where
// relative links would break, to the one with a slash.
func (q *request) atPrefix() bool {
	asked, err := url.ParseRequestURI(q.RequestURI)
	if err != nil || asked.Path == "" || strings.HasSuffix(asked.Path, "/") {
		return false
	}
	to := "./" + path.Base(asked.EscapedPath()) + "/"
	if asked.RawQuery != "" {
		to += "?" + asked.RawQuery
	}
	q.redirect(to)
	return true
}

// redirect redirects to a relative address. (http.Redirect would make it absolute
// from the path that is left when the prefix has been stripped.)
func (q *request) redirect(to string) {
	q.w.Header().Set("Location", to)
	q.w.WriteHeader(http.StatusSeeOther)
}

// problem is an error whose text is for the client.
type problem struct {
	status int
	text   string
	param  string // the parameter that is to blame, if it is one
}

func (p *problem) Error() string { return p.text }

func badRequest(format string, args ...any) error {
	return &problem{status: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

// badParam names a parameter, in the list by the name of its field, ahead of what
// is wrong with it.
func (q *request) badParam(name, format string, args ...any) error {
	return &problem{status: http.StatusBadRequest, text: q.named(name) + " " + fmt.Sprintf(format, args...), param: name}
}

// named is how the reader knows a parameter.
func (q *request) named(param string) string {
	if label := labels[param]; q.path == "" && label != "" {
		return label
	}
	return param
}

var (
	errNoPage  = &problem{status: http.StatusNotFound, text: "Page not found."}
	errNoTrace = &problem{status: http.StatusNotFound, text: "There is no entry with this id in the trail."}
)

// parseID reads an id from an address or as pasted into a form.
func parseID(text string) (uuid.UUID, error) {
	text = strings.TrimSpace(text)
	id, err := uuid.Parse(text)
	if err != nil || len(text) != 36 {
		return uuid.Nil, badRequest("%.60q is not a valid id: it must be 36 characters like 01890a5d-ac96-774b-bcce-b302099a8057.", text)
	}
	return id, nil
}

// refuse answers a request that was not authorized. If the reason is not that it
// may not be, but that something failed, somebody must know.
func (q *request) refuse(err error) {
	if !errors.Is(err, ErrUnauthenticated) {
		if !errors.Is(err, ErrForbidden) && q.Context().Err() == nil {
			q.handler.options.OnError(q.Request, fmt.Errorf("viewer: Options.Authorize: %w", err))
		}
		q.fail(http.StatusForbidden, "You may not see the audit log.")
		return
	}
	if c := q.handler.options.Challenge; c != "" {
		q.w.Header().Set("WWW-Authenticate", c)
	}
	q.fail(http.StatusUnauthorized, "Sign in to see the audit log.")
}

// failed answers with the error of a request. An error that the reader can do
// nothing about is reported and not shown.
func (q *request) failed(err error) {
	var p *problem
	switch {
	case errors.As(err, &p) && q.path == "":
		q.listFailed(p)
	case errors.As(err, &p):
		q.fail(p.status, p.text)
	case errors.Is(err, store.ErrNotFound):
		q.fail(errNoTrace.status, errNoTrace.text)
	case q.Context().Err() != nil:
		// Nobody is waiting any more; the status is for the server's logs.
		q.fail(http.StatusServiceUnavailable, "The request was cancelled.")
	default:
		q.handler.options.OnError(q.Request, err)
		q.fail(http.StatusInternalServerError, "The audit log could not be read. The cause was reported to its operators.")
	}
}

// fail answers with an error, as JSON or as a page.
func (q *request) fail(status int, text string) {
	if strings.HasPrefix(q.path, "api/") {
		q.json(status, map[string]string{"error": text})
		return
	}
	view := errorView{page: q.page(http.StatusText(status)), Status: status, Text: text, Again: status >= 500}
	view.Refused = status == http.StatusUnauthorized || status == http.StatusForbidden
	if err := q.html(status, "error.html", view); err != nil {
		q.handler.options.OnError(q.Request, err)
		http.Error(q.w, text, status)
	}
}

// send answers with a complete body, so that a failure never leaves half a page.
func (q *request) send(status int, kind string, body *bytes.Buffer) {
	q.w.Header().Set("Content-Type", kind)
	q.w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	q.w.WriteHeader(status)
	if q.Method != http.MethodHead {
		_, _ = body.WriteTo(q.w) // on error the client has gone
	}
}
