package viewer_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/net/html"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

// epoch is when the trails of the tests begin, noon is what the pages take for
// now.
var (
	epoch = time.Date(2026, 11, 23, 6, 48, 0, 123456000, time.UTC)
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
)

var (
	ann = trail.Actor{ID: "u-ann", Name: "Ann Bee", Kind: trail.KindUser}
	bob = trail.Actor{ID: "u-bob", Name: "Bob", Kind: trail.KindUser}
	job = trail.Actor{ID: "sweeper", Name: "sweeper", Kind: trail.KindSystem}
)

// recorded is a trail that a test writes.
type recorded struct {
	*testing.T
	db    *gorm.DB
	store *store.Store
	lines int64
}

func newTrail(t *testing.T, db *gorm.DB) *recorded {
	t.Helper()
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	return &recorded{T: t, db: db, store: st}
}

// at returns an id that was made some seconds after epoch.
func at(seconds int) uuid.UUID { return trail.NewID(epoch.Add(time.Duration(seconds) * time.Second)) }

// own returns the entry of an action.
func own(id uuid.UUID, by trail.Actor, event trail.Event, model, entity string) trail.Entry {
	return trail.Entry{
		ID: id, TraceID: id, CreatedAt: trail.Time(id), Actor: by, Event: event, Model: model, EntityID: entity,
		Outcome: trail.Success,
	}
}

func (r *recorded) record(entries ...trail.Entry) {
	r.Helper()
	if err := r.store.Record(r.Context(), entries...); err != nil {
		r.Fatal(err)
	}
}

func (r *recorded) finish(o trail.Outcome) {
	r.Helper()
	if err := r.store.Finish(r.Context(), o); err != nil {
		r.Fatal(err)
	}
}

// line writes a log line of a trace; fields may be empty.
func (r *recorded) line(trace uuid.UUID, after time.Duration, level, message, fields string) {
	r.Helper()
	r.lines++
	moment := trail.Time(trace).Add(after)
	var object any
	if fields != "" {
		object = fields
	}
	created := any(moment)
	if r.db.Name() == "sqlite" {
		created = moment.Format("2006-01-02T15:04:05.000000Z")
	}
	err := r.db.Exec(
		`INSERT INTO execution_logs (id, trace_id, created_at, level, logger, message, fields, caller, seq)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		trail.NewID(moment).String(), trace.String(), created, level, "jobs", message, object, "jobs/run.go:42", r.lines,
	).Error
	if err != nil {
		r.Fatal(err)
	}
}

// handler returns the pages over the trail, that anybody may see.
func (r *recorded) handler(change ...func(*viewer.Options)) http.Handler {
	r.Helper()
	o := viewer.Options{
		Authorize: func(*http.Request) error { return nil },
		OnError:   func(q *http.Request, err error) { r.Errorf("%s: %v", q.URL, err) },
		Now:       func() time.Time { return noon },
	}
	for _, c := range change {
		c(&o)
	}
	h, err := viewer.New(r.store, o)
	if err != nil {
		r.Fatal(err)
	}
	return h
}

// answer is what a request got.
type answer struct {
	*testing.T
	*httptest.ResponseRecorder
	address string
	doc     *html.Node
}

// ask sends a request and reads the page, if it got one.
func ask(t *testing.T, h http.Handler, method, address string) *answer {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, address, nil))
	a := &answer{T: t, ResponseRecorder: w, address: address}
	if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		// As a browser without scripts.
		doc, err := html.ParseWithOptions(strings.NewReader(w.Body.String()), html.ParseOptionEnableScripting(false))
		if err != nil {
			t.Fatal(err)
		}
		a.doc = doc
	}
	return a
}

// page gets a page that must be there.
func page(t *testing.T, h http.Handler, address string) *answer {
	t.Helper()
	a := ask(t, h, http.MethodGet, address)
	a.must(http.StatusOK)
	if a.doc == nil {
		t.Fatalf("%s: no page: %s", address, a.Header().Get("Content-Type"))
	}
	return a
}

func (a *answer) must(status int) {
	a.Helper()
	if a.Code != status {
		a.Fatalf("%s: status %d, want %d: %s", a.address, a.Code, status, a.Body)
	}
}

// json decodes a JSON answer with the numbers as they stand there.
func (a *answer) json(into any) {
	a.Helper()
	if kind := a.Header().Get("Content-Type"); kind != "application/json" {
		a.Fatalf("%s: %s: %s", a.address, kind, a.Body)
	}
	d := json.NewDecoder(strings.NewReader(a.Body.String()))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		a.Fatalf("%s: %v: %s", a.address, err, a.Body)
	}
}

// follow returns where a relative address of the page leads.
func (a *answer) follow(to string) string {
	a.Helper()
	base, err := url.Parse(a.address)
	if err != nil {
		a.Fatal(err)
	}
	next, err := base.Parse(to)
	if err != nil {
		a.Fatal(err)
	}
	return next.RequestURI()
}

// is selects elements: by name, and by attributes given as "class=event" (one
// of the classes), "href" (it has one) or "id=main".
func is(name string, attributes ...string) func(*html.Node) bool {
	return func(n *html.Node) bool {
		if n.Type != html.ElementNode || name != "" && n.Data != name {
			return false
		}
		for _, want := range attributes {
			key, value, some := strings.Cut(want, "=")
			got, ok := lookup(n, key)
			switch {
			case !ok:
				return false
			case key == "class" && !contains(strings.Fields(got), value):
				return false
			case key != "class" && some && got != value:
				return false
			}
		}
		return true
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func lookup(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, key string) string {
	v, _ := lookup(n, key)
	return v
}

// all returns the elements of a tree that match, in their order.
func all(n *html.Node, match func(*html.Node) bool) []*html.Node {
	var found []*html.Node
	for d := range n.Descendants() {
		if match(d) {
			found = append(found, d)
		}
	}
	return found
}

// one returns the only element of the page that matches.
func (a *answer) one(name string, attributes ...string) *html.Node {
	a.Helper()
	found := all(a.doc, is(name, attributes...))
	if len(found) != 1 {
		a.Fatalf("%s: %d elements <%s> %q, want one, in:\n%s", a.address, len(found), name, attributes, a.Body)
	}
	return found[0]
}

// texts returns the texts of the elements of the page that match.
func (a *answer) texts(name string, attributes ...string) []string {
	var out []string
	for _, n := range all(a.doc, is(name, attributes...)) {
		out = append(out, text(n))
	}
	return out
}

// text is what a reader sees of an element: words with single spaces.
func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		} else if d.Type == html.ElementNode && (d.Data == "td" || d.Data == "th" || d.Data == "dd" || d.Data == "div") {
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// column returns the texts of one column of the list.
func (a *answer) column(label string) []string {
	return a.texts("td", "data-label="+label)
}

// link returns where the link with a text leads.
func (a *answer) link(label string) string {
	a.Helper()
	for _, n := range all(a.doc, is("a", "href")) {
		if text(n) == label {
			return a.follow(attr(n, "href"))
		}
	}
	a.Fatalf("%s: no link %q", a.address, label)
	return ""
}

// has reports whether the page has a link with a text.
func (a *answer) has(label string) bool { return contains(a.texts("a", "href"), label) }

// queryOf returns parameters as they stand in an address.
func queryOf(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

// pathOf returns text as one segment of an address.
func pathOf(s string) string { return url.PathEscape(s) }
