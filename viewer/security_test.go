package viewer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

func TestNewRefuses(t *testing.T) {
	st, err := store.New(testdb.OpenSQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	anybody := func(*http.Request) error { return nil }
	for _, c := range []struct {
		names   string
		store   *store.Store
		options viewer.Options
	}{
		{"store", nil, viewer.Options{Authorize: anybody}},
		{"viewer: Options.Authorize is required", st, viewer.Options{}},
		{"Options.PageSize", st, viewer.Options{Authorize: anybody, PageSize: -1}},
		{"Options.PageSize", st, viewer.Options{Authorize: anybody, PageSize: store.MaxLimit + 1}},
		{"Options.MaxFollowers", st, viewer.Options{Authorize: anybody, MaxFollowers: -1}},
	} {
		h, err := viewer.New(c.store, c.options)
		if err == nil || h != nil || !strings.Contains(err.Error(), c.names) {
			t.Errorf("handler %v, error %v, want one that names %s", h, err, c.names)
		}
	}
}

// addresses are one of each kind, of pages and of JSON.
func addresses(id fmt.Stringer) []string {
	return []string{
		"/", "/?event=create", "/traces/" + id.String(), "/entries/" + id.String(), "/find?id=" + id.String(),
		"/static/style.css", "/static/follow.js", "/static/icon.svg", "/nothing", "/traces/x/follow", "/?limit=x",
		"/api/entries", "/api/traces/" + id.String(), "/api/events", "/api/nothing", "/api/entries?limit=x",
	}
}

func TestHeaders(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	closed := newTrail(t, testdb.OpenSQLite(t))
	refused := viewer.ErrForbidden
	for name, h := range map[string]http.Handler{
		"allowed": r.handler(),
		"refused": r.handler(func(o *viewer.Options) { o.Authorize = func(*http.Request) error { return refused } }),
		"failing": closed.handler(func(o *viewer.Options) { o.OnError = func(*http.Request, error) {} }),
	} {
		if name == "failing" {
			if conn, err := closed.db.DB(); err != nil || conn.Close() != nil {
				t.Fatal(err)
			}
		}
		for _, address := range addresses(ids[0]) {
			for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
				a := ask(t, h, method, address)
				want := map[string]string{
					"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; " +
						"form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
					"X-Content-Type-Options":       "nosniff",
					"X-Frame-Options":              "DENY",
					"Referrer-Policy":              "no-referrer",
					"Cross-Origin-Resource-Policy": "same-origin",
					"Cache-Control":                "no-store",
				}
				got := map[string]string{}
				for k := range want {
					got[k] = strings.Join(a.Header().Values(k), "|")
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Errorf("%s: %s %s: %d: -want +got:\n%s", name, method, address, a.Code, d)
				}
			}
		}
	}
}

func TestAuthorizeIsAskedFirst(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	for _, c := range []struct {
		name      string
		err       error
		status    int
		challenge string
		reported  bool
	}{
		{"not allowed", viewer.ErrForbidden, http.StatusForbidden, "", false},
		{"not allowed, wrapped", fmt.Errorf("role viewer is missing: <secret>: %w", viewer.ErrForbidden), http.StatusForbidden, "", false},
		{"nobody", viewer.ErrUnauthenticated, http.StatusUnauthorized, `Basic realm="audit"`, false},
		{"nobody, wrapped", fmt.Errorf("session: %w", viewer.ErrUnauthenticated), http.StatusUnauthorized, `Basic realm="audit"`, false},
		{"it cannot be told", errors.New("no answer from <secret>"), http.StatusForbidden, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked, reported := 0, 0
			h := r.handler(func(o *viewer.Options) {
				o.OnError = func(_ *http.Request, err error) {
					if reported++; !errors.Is(err, c.err) {
						t.Errorf("reported: %v", err)
					}
				}
				o.Challenge = `Basic realm="audit"`
				o.Authorize = func(*http.Request) error { asked++; return c.err }
			})
			for _, address := range append(addresses(ids[0]), "") {
				if strings.HasPrefix(address, "/static/") { // for everybody
					ask(t, h, http.MethodGet, address).must(http.StatusOK)
					ask(t, h, http.MethodPost, address).must(c.status)
					asked, reported = 0, 0
					continue
				}
				before := asked
				a := ask(t, h, http.MethodGet, "/"+strings.TrimPrefix(address, "/"))
				a.must(c.status)
				if got := a.Header().Get("WWW-Authenticate"); got != c.challenge {
					t.Errorf("%s: challenge %q", address, got)
				}
				for _, leak := range []string{"secret", "u-ann", "resource", "approve", "<form class=\"filters\""} {
					if strings.Contains(a.Body.String(), leak) {
						t.Errorf("%s: %q is shown to somebody who was refused", address, leak)
					}
				}
				if asked != before+1 {
					t.Errorf("%s: asked %d times", address, asked-before)
				}
				if c.reported && reported != asked || !c.reported && reported != 0 {
					t.Errorf("%s: reported %d times, asked %d times", address, reported, asked)
				}
			}
			ask(t, h, http.MethodDelete, "/").must(c.status)
		})
	}

	h := r.handler(func(o *viewer.Options) {
		o.Authorize = func(*http.Request) error { return viewer.ErrUnauthenticated }
	})
	a := ask(t, h, http.MethodGet, "/api/events")
	a.must(http.StatusUnauthorized)
	if got := a.Header().Values("WWW-Authenticate"); got != nil {
		t.Errorf("a challenge nobody asked for: %q", got)
	}
}

func TestAuthorizeSeesTheRequest(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := r.handler(func(o *viewer.Options) {
		o.Authorize = func(q *http.Request) error {
			if q.Header.Get("X-Role") != "auditor" {
				return viewer.ErrForbidden
			}
			return nil
		}
	})
	ask(t, h, http.MethodGet, "/").must(http.StatusForbidden)
	ask(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.Header.Set("X-Role", "auditor")
		h.ServeHTTP(w, q)
	}), http.MethodGet, "/").must(http.StatusOK)
}

func TestMethods(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	for _, address := range addresses(ids[0]) {
		get, head := ask(t, h, http.MethodGet, address), ask(t, h, http.MethodHead, address)
		if head.Code != get.Code || head.Body.Len() != 0 {
			t.Errorf("HEAD %s: status %d and %d bytes, GET answers %d", address, head.Code, head.Body.Len(), get.Code)
		}
		for _, name := range []string{"Content-Type", "Content-Length", "Location"} {
			if head.Header().Get(name) != get.Header().Get(name) {
				t.Errorf("HEAD %s: %s %q, GET %q", address, name, head.Header().Get(name), get.Header().Get(name))
			}
		}
		if n := get.Header().Get("Content-Length"); n != "" && n != fmt.Sprint(get.Body.Len()) {
			t.Errorf("GET %s: %s bytes announced, %d sent", address, n, get.Body.Len())
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			a := ask(t, h, method, address)
			a.must(http.StatusMethodNotAllowed)
			if got := a.Header().Get("Allow"); got != "GET, HEAD" {
				t.Errorf("%s %s: Allow %q", method, address, got)
			}
		}
	}
}

// An internal error is reported, and not shown.
func TestFailures(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, ids := library(t, db)
		var reported []string
		h := r.handler(func(o *viewer.Options) {
			o.OnError = func(q *http.Request, err error) {
				if err == nil {
					t.Error("an error that is nil")
				}
				reported = append(reported, q.URL.Path)
			}
		})
		for _, table := range []string{"execution_logs", "audit_outcomes", "audit_logs"} {
			if err := db.Exec("DROP TABLE " + table).Error; err != nil {
				t.Fatal(err)
			}
		}
		var want []string
		for _, address := range []string{"/", "/traces/" + ids[0].String(), "/traces/" + ids[0].String() + "/follow", "/entries/" + ids[0].String()} {
			a := ask(t, h, http.MethodGet, address)
			a.must(http.StatusInternalServerError)
			if got := text(a.one("main")); strings.Contains(got, "audit_logs") || strings.Contains(got, "SQL") ||
				!strings.Contains(got, "could not be read") {
				t.Errorf("%s says %q", address, got)
			}
			want = append(want, address)
		}
		for _, address := range []string{"/api/entries", "/api/traces/" + ids[0].String()} {
			a := ask(t, h, http.MethodGet, address)
			a.must(http.StatusInternalServerError)
			var e map[string]string
			a.json(&e)
			if len(e) != 1 || !strings.Contains(e["error"], "could not be read") {
				t.Errorf("%s says %q", address, e)
			}
			want = append(want, address)
		}
		if d := cmp.Diff(want, reported); d != "" {
			t.Errorf("reported, -want +got:\n%s", d)
		}
	})
}

func TestFailuresAreLoggedByDefault(t *testing.T) {
	st, err := store.New(testdb.OpenSQLite(t)) // which was not migrated
	if err != nil {
		t.Fatal(err)
	}
	h, err := viewer.New(st, viewer.Options{Authorize: func(*http.Request) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	ask(t, h, http.MethodGet, "/api/entries").must(http.StatusInternalServerError)
	if got := out.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, "path=/api/entries") ||
		!strings.Contains(got, "store.Migrate") {
		t.Errorf("logged: %s", got)
	}
}

// A request that nobody waits for any more is not a failure to report.
func TestCancelledRequest(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		h := r.handler() // fails the test where an error is reported
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("status %d", w.Code)
		}
	})
}

// hostile is text that tries every way out of its place in a page.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover='alert(1)' x='`,
	`javascript:alert(1)`,
	`</title></textarea></select></table><svg onload=alert(1)>`,
	`{{.Root}}&lt;b&gt;&#x3c;`,
	"a\x1b]0;x\x07\u202egnp.exe\u2066\b",
	`?x=1#&event=create/../..//evil.example/`,
	`//evil.example/`,
	"\\\\evil.example\\",
	"line\r\nSet-Cookie: a=b",
	`😀 é 中`,
}

func TestHostileText(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		for i, h := range hostile {
			quoted, err := json.Marshal(h)
			if err != nil {
				t.Fatal(err)
			}
			object := func(key string) json.RawMessage {
				return json.RawMessage(`{` + string(quoted) + `:` + string(quoted) + `,"` + key + `":` + string(quoted) + `}`)
			}
			id := at(i * 10)
			e := own(id, trail.Actor{ID: h, Name: h + "'s", Kind: trail.ActorKind(h), OnBehalfOf: h}, trail.Event(h), h, h)
			e.EntityName, e.Tenant, e.Outcome = h, h, trail.Pending
			e.Before, e.After, e.Context = object("b"), object("a"), object("reason")
			r.record(e)
			r.finish(trail.Outcome{
				TraceID: id, FinishedAt: epoch.Add(time.Hour), Result: trail.Failure, Status: 500, Error: h,
			})
			r.line(id, time.Second, h, h, string(object("f")))
		}
		h := r.handler(func(o *viewer.Options) { o.Title = hostile[0] })

		list := page(t, h, "/")
		clean(t, list)
		var traces []string
		for _, n := range all(list.doc, is("td", "class=when")) {
			traces = append(traces, list.follow(attr(all(n, is("a"))[0], "href")))
		}
		if len(traces) != len(hostile) {
			t.Fatalf("%d entries", len(traces))
		}
		for _, to := range traces {
			clean(t, page(t, h, to))
		}
		// Links that filter by hostile text find the entry that they were
		// made of, and the form gives the text back as it is.
		for _, label := range []string{"User", "Event", "Entity id", "Model"} {
			for i, n := range all(list.doc, is("td", "data-label="+label)) {
				to := list.follow(attr(all(n, is("a"))[0], "href"))
				p := page(t, h, to)
				clean(t, p)
				if ids := p.column("Audit log id"); !slices.Equal(ids, []string{list.column("Audit log id")[i]}) {
					t.Errorf("%s leads to %q", to, ids)
				}
			}
		}
		for _, e := range hostile {
			clean(t, page(t, h, "/?"+queryOf("event", e, "model", e, "entity_id", e, "user_id", e, "tenant_id", e)))
		}
		for _, e := range hostile {
			for _, at := range []string{"/?", "/api/entries?"} {
				a := ask(t, h, http.MethodGet, at+queryOf("sort", e))
				a.must(http.StatusBadRequest)
				if a.doc != nil {
					clean(t, a)
				}
			}
			clean(t, ask(t, h, http.MethodGet, "/traces/"+pathOf(e)))
			clean(t, ask(t, h, http.MethodGet, "/find?"+queryOf("id", e)))
		}
	})
}

// clean fails where a page holds anything that could run, load or send what the
// templates did not mean to.
func clean(t *testing.T, a *answer) {
	t.Helper()
	known := strings.Fields("html head body meta title link a header form label input button main div h1 h2 h3 p " +
		"select option details summary ul li span strong table caption thead tbody tr th td time code nav section " +
		"article dl dt dd pre script noscript")
	for n := range a.doc.Descendants() {
		switch n.Type {
		case html.ElementNode:
			if !contains(known, n.Data) {
				t.Errorf("%s: <%s>", a.address, n.Data)
			}
			for _, x := range n.Attr {
				switch {
				case n.Data == "script" && (x.Key == "defer" || x.Key == "src" && strings.HasPrefix(x.Val, "../static/follow.js?")):
				case strings.HasPrefix(x.Key, "on"), x.Key == "style", x.Key == "src", x.Key == "srcdoc":
					t.Errorf("%s: <%s %s=%q>", a.address, n.Data, x.Key, x.Val)
				case x.Key == "href" || x.Key == "action":
					// Relative, and not above the mount point.
					to := a.follow(x.Val)
					if strings.Contains(x.Val, "//") || strings.Contains(x.Val, ":") || strings.Contains(x.Val, `\`) ||
						strings.HasPrefix(x.Val, "/") || strings.Contains(to, "evil.example/") && !strings.Contains(to, "?") {
						t.Errorf("%s: %s=%q", a.address, x.Key, x.Val)
					}
				}
			}
		case html.TextNode:
			if n.Parent.Data == "script" {
				t.Errorf("%s: a script: %q", a.address, n.Data)
			}
			if strings.ContainsAny(n.Data, "\x00\x1b\a\r\u202e\u2066") {
				t.Errorf("%s: hidden characters in %q", a.address, n.Data)
			}
		case html.CommentNode:
			t.Errorf("%s: a comment: %q", a.address, n.Data)
		}
	}
	if n := len(all(a.doc, is("h1"))); n != 1 {
		t.Errorf("%s: %d headings", a.address, n)
	}
}

func TestNotesOfBrokenImages(t *testing.T) {
	// The store writes no such thing; SQLite would let somebody else do so.
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	err := r.db.Exec(`INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, model,
entity_id, "before", "after", outcome, context)
VALUES (?, ?, '2026-11-23T06:48:00.123456Z', 'u', 'u', 'user', 'update', 'm', '1', '{"a":', '<b>x', 'success', '[1')`,
		id.String(), id.String()).Error
	if err != nil {
		t.Fatal(err)
	}
	r.line(id, 0, "info", "m", `{"a"`)
	h := r.handler()
	p := page(t, h, "/traces/"+id.String())
	clean(t, p)
	if got := p.texts("pre", "class=v"); !slices.Equal(got, []string{`{"a": <b>x`}) {
		t.Errorf("images %q", got)
	}
	if got := p.facts()["Context"]; got != "[1" {
		t.Errorf("context %q", got)
	}
	if got := p.texts("span", "class=pair"); !slices.Equal(got, []string{`{"a"`}) {
		t.Errorf("fields %q", got)
	}
	var out struct {
		Entries []struct{ Before, After, Context string }
		Lines   []struct{ Fields string }
	}
	ask(t, h, http.MethodGet, "/api/traces/"+id.String()).json(&out)
	if e := out.Entries[0]; e.Before != `{"a":` || e.After != "<b>x" || e.Context != "[1" || out.Lines[0].Fields != `{"a"` {
		t.Errorf("JSON %+v", out)
	}
}

// The page that refuses has its style, and no link to what would refuse as well;
// one of a failure offers to try again.
func TestErrorPages(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	for _, c := range []struct {
		name   string
		err    error
		status int
		links  []string
	}{
		{"nobody", viewer.ErrUnauthenticated, http.StatusUnauthorized, nil},
		{"not allowed", viewer.ErrForbidden, http.StatusForbidden, nil},
		{"no such page", nil, http.StatusNotFound, []string{"Audit log", "Go to all actions"}},
		{"a failure", nil, http.StatusInternalServerError, []string{"Audit log", "Try again", "Go to all actions"}},
	} {
		h := r.handler(func(o *viewer.Options) {
			o.Authorize = func(*http.Request) error { return c.err }
			o.OnError = func(*http.Request, error) {}
		})
		address := "/nothing"
		if c.status == http.StatusInternalServerError {
			address = "/traces/" + ids[0].String()
			if conn, err := r.db.DB(); err != nil || conn.Close() != nil {
				t.Fatal(err)
			}
		}
		a := ask(t, h, http.MethodGet, address)
		a.must(c.status)
		var links []string
		for _, label := range a.texts("a", "href") {
			if label != "Skip to the content" {
				links = append(links, label)
			}
		}
		if d := cmp.Diff(c.links, links); d != "" || len(all(a.doc, is("form"))) != 0 && c.links == nil {
			t.Errorf("%s: links, -want +got:\n%s", c.name, d)
		}
		if contains(links, "Try again") && a.link("Try again") != address {
			t.Errorf("%s: it is tried again at %s", c.name, a.link("Try again"))
		}
		ask(t, h, http.MethodGet, a.follow(attr(a.one("link", "rel=stylesheet"), "href"))).must(http.StatusOK)
	}
}
