package viewer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// changed records an action that changed so many resources, the first of them in
// its own entry, and returns its entries.
func (r *recorded) changed(n int) []trail.Entry {
	r.Helper()
	id := at(0)
	entries := []trail.Entry{own(id, ann, trail.Update, "resource", "0")}
	for i := 1; i < n; i++ {
		e := own(at(i), ann, trail.Update, "resource", fmt.Sprint(i))
		e.TraceID = id
		entries = append(entries, e)
	}
	r.record(entries...)
	return entries
}

// A trace may hold a bulk change: its page shows a part, and every entry is
// reached by its own address.
func TestTraceOfManyChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		entries := r.changed(1203)
		id := entries[0].ID
		h := r.handler()

		part := func(p *answer, first int) {
			t.Helper()
			got := p.texts("h3")
			if len(got) != 100 {
				t.Fatalf("%d changes on a page", len(got))
			}
			for i, h3 := range got {
				if want := fmt.Sprintf("update resource %d", first+i); h3 != want {
					t.Fatalf("change %d is %q", first+i, h3)
				}
			}
		}
		p := page(t, h, "/traces/"+id.String())
		part(p, 0)
		p = page(t, h, p.link("More changes →"))
		part(p, 100)
		for _, n := range all(p.one("nav", "aria-label=Changes"), is("a")) {
			if !strings.HasSuffix(attr(n, "href"), "#what") {
				t.Errorf("%s is not where the changes are", attr(n, "href"))
			}
		}
		if got := p.link("← Earlier changes"); got != "/traces/"+id.String()+"?before=101" {
			t.Errorf("earlier changes are at %s", got)
		}
		for first := 200; first < 1200; first += 100 {
			p = page(t, h, p.link("More changes →"))
			part(p, first)
		}
		p = page(t, h, p.link("More changes →"))
		if got := p.texts("h3"); len(got) != 3 || p.has("More changes →") {
			t.Errorf("the last page has %d changes", len(got))
		}
		for first := 1100; first >= 0; first -= 100 {
			p = page(t, h, p.link("← Earlier changes"))
			part(p, first)
		}
		if p.has("← Earlier changes") {
			t.Error("there is something ahead of the first page")
		}
		part(page(t, h, p.link("More changes →")), 100)

		for _, n := range []int{1, 99, 100, 1100} {
			a := ask(t, h, http.MethodGet, "/entries/"+entries[n].ID.String())
			a.must(http.StatusSeeOther)
			to := a.Header().Get("Location")
			if !strings.HasSuffix(to, "#entry-"+entries[n].ID.String()) {
				t.Errorf("change %d is at %s, without an anchor", n, to)
			}
			p := page(t, h, a.follow(to))
			if got := text(all(p.one("article", "id=entry-"+entries[n].ID.String()), is("h3"))[0]); got != fmt.Sprintf("update resource %d", n) {
				t.Errorf("in the place of change %d is %q", n, got)
			}
			part(p, n)
			if got := text(all(page(t, h, p.link("← Earlier changes")).doc, is("h3"))[0]); got != fmt.Sprintf("update resource %d", max(n-100, 0)) {
				t.Errorf("ahead of change %d the page begins with %q", n, got)
			}
		}
		if page(t, h, "/traces/"+id.String()+"?entry="+id.String()).has("← Earlier changes") {
			t.Error("there is something ahead of the first change")
		}
		a := ask(t, h, http.MethodGet, "/traces/"+id.String()+"?after=99999")
		a.must(http.StatusOK)
		other := own(at(2000), bob, trail.Create, "resource", "x")
		r.record(other)
		for query, status := range map[string]int{
			"after=-1": http.StatusBadRequest, "after=x": http.StatusBadRequest, "before=x": http.StatusBadRequest,
			"before=1": http.StatusOK, "before=0": http.StatusOK, "after=1&before=3": http.StatusBadRequest, "entry=7": http.StatusBadRequest,
			"entry=" + other.ID.String(): http.StatusNotFound, "entry=" + at(3000).String(): http.StatusNotFound,
		} {
			ask(t, h, http.MethodGet, "/traces/"+id.String()+"?"+query).must(status)
		}
	})
}

// The page of a trace reads the changes that it shows, and the one that tells
// that there are more. What is further on, and cannot be read here, is not.
func TestTraceReadsWhatItShows(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := r.changed(101)[0].ID
	if err := r.db.Exec(`INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, model, entity_id, outcome)
SELECT 'no uuid', trace_id, created_at, user_id, user_name, user_kind, event, model, entity_id, outcome
FROM audit_logs WHERE id = ?`, id.String()).Error; err != nil {
		t.Fatal(err)
	}
	h := r.handler()
	for _, query := range []string{"", "?after=0", "?before=101", "?entry=" + id.String()} {
		if n := len(page(t, h, "/traces/"+id.String()+query).texts("h3")); n != 100 {
			t.Errorf("%q: %d changes", query, n)
		}
	}
}
