package viewer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

func TestListShowsEntries(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		approve, template, sweep := at(0), at(1), at(2)
		first := own(approve, ann, trail.Approve, "resource", "42")
		first.EntityName = "web-prod"
		first.Operation = trail.OpUpdate
		second := own(template, ann, trail.Update, "template", "7")
		second.TraceID = approve // it came with the approval
		third := own(sweep, job, "sweep", "", "")
		third.Outcome = trail.Pending
		r.record(first, second, third)

		p := page(t, r.handler(), "/")
		if got, want := p.texts("title"), []string{"All actions · Audit log"}; !slices.Equal(got, want) {
			t.Errorf("title %q", got)
		}
		if got := p.texts("th", "scope=col"); !slices.Equal(got,
			[]string{"Time UTC", "User", "Event", "Entity id", "Model", "Outcome", "Audit log id"}) {
			t.Errorf("headings %q", got)
		}
		for label, want := range map[string][]string{
			"Time":         {"2026-11-23 06:48:02", "2026-11-23 06:48:01", "2026-11-23 06:48:00"},
			"User":         {"sweeper system", "Ann Bee u-ann", "Ann Bee u-ann"},
			"Event":        {"sweep", "update", "approve"},
			"Entity id":    {"–", "7", "42 web-prod"},
			"Model":        {"–", "template", "resource"},
			"Outcome":      {"pending", "success", "success"},
			"Audit log id": {sweep.String(), template.String(), approve.String()},
		} {
			if d := cmp.Diff(want, p.column(label)); d != "" {
				t.Errorf("%s, -want +got:\n%s", label, d)
			}
		}
		times := all(p.doc, is("time"))
		if got := attr(times[2], "datetime"); got != "2026-11-23T06:48:00.123456Z" {
			t.Errorf("datetime %q", got)
		}
		if got := attr(times[2], "title"); got != "5 hours ago · 2026-11-23 06:48:00.123456 UTC" {
			t.Errorf("title of a time %q", got)
		}
		for label, want := range map[string]string{
			"2026-11-23 06:48:00": "/traces/" + approve.String(),
			"2026-11-23 06:48:01": "/traces/" + approve.String() + "?entry=" + template.String(),
			"Ann Bee":             "/?user_id=u-ann",
			"approve":             "/?event=approve",
			"resource":            "/?model=resource",
			"42":                  "/?entity_id=42&model=resource",
		} {
			if got := p.link(label); got != want {
				t.Errorf("%s leads to %s, want %s", label, got, want)
			}
		}
	})
}

func TestListIsInTheZoneThatWasAskedFor(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	r.record(own(at(0), ann, trail.Create, "resource", "1"), own(at(7200), ann, trail.Create, "resource", "2"))
	east := time.FixedZone("EAST", 2*60*60)
	h := r.handler(func(o *viewer.Options) { o.Location, o.Title = east, "Who did it" })

	p := page(t, h, "/?from="+url.QueryEscape("2026-11-23T09:00"))
	if got := p.column("Time"); !slices.Equal(got, []string{"2026-11-23 10:48:00"}) {
		t.Errorf("times %q", got)
	}
	if got := p.texts("a", "class=home"); !slices.Equal(got, []string{"Who did it"}) {
		t.Errorf("title %q", got)
	}
	if got := p.texts("th", "aria-sort=descending"); !slices.Equal(got, []string{"Time EAST"}) {
		t.Errorf("heading %q", got)
	}
	if got := attr(p.one("input", "id=from"), "value"); got != "2026-11-23T09:00" {
		t.Errorf("the form has %q", got)
	}
}

// library is a small trail with something for every filter. The entities are
// numbered in the order of their times.
func library(t *testing.T, db *gorm.DB) (*recorded, []uuid.UUID) {
	t.Helper()
	r := newTrail(t, db)
	ids := make([]uuid.UUID, 7)
	for i := range ids {
		ids[i] = at(i * 60)
	}
	entries := []trail.Entry{
		own(ids[0], ann, trail.Create, "resource", "0"),
		own(ids[1], ann, trail.Approve, "resource", "1"),
		own(ids[2], bob, trail.Create, "template", "2"),
		own(ids[3], bob, trail.Execute, "resource", "3"),
		own(ids[4], ann, trail.Execute, "resource", "4"),
		own(ids[5], job, "sweep & mop", "resource", "a/b?c=d#e&f"),
		own(ids[6], ann, trail.Update, "template", "6"),
	}
	entries[1].Outcome = trail.Denied
	entries[3].Outcome, entries[4].Outcome = trail.Pending, trail.Pending
	entries[2].Tenant = "north"
	entries[6].TraceID = ids[3]
	r.record(entries...)
	r.finish(trail.Outcome{
		TraceID: ids[4], FinishedAt: epoch.Add(5 * time.Minute), Result: trail.Failure, Error: "no quota",
		Duration: time.Minute,
	})
	return r, ids
}

func TestListFilters(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, ids := library(t, db)
		h := r.handler()
		const odd = "a/b?c=d#e&f"
		for _, c := range []struct {
			name, query string
			want        []string // entities, newest first
			chips       []string
		}{
			{"nothing", "", []string{"6", odd, "4", "3", "2", "1", "0"}, nil},
			{"an event", "event=create", []string{"2", "0"}, []string{"Event create"}},
			{"two events", "event=create&event=approve", []string{"2", "1", "0"}, []string{"Event create", "Event approve"}},
			{"an event of the application's own", "event=sweep+%26+mop", []string{odd}, []string{"Event sweep & mop"}},
			{"a model", "model=template", []string{"6", "2"}, []string{"Model template"}},
			{"a user", "user_id=u-bob", []string{"3", "2"}, []string{"User id u-bob"}},
			{"a tenant", "tenant_id=north", []string{"2"}, []string{"Tenant north"}},
			{"an entity", "model=resource&entity_id=1", []string{"1"}, []string{"Model resource", "Entity id 1"}},
			{
				"an entity whose id needs escapes", "model=resource&entity_id=" + url.QueryEscape(odd),
				[]string{odd},
				[]string{"Model resource", "Entity id " + odd},
			},
			{"what was denied", "outcome=denied", []string{"1"}, []string{"Outcome denied"}},
			{"what failed in the end", "outcome=failure", []string{"4"}, []string{"Outcome failure"}},
			{"what goes on", "outcome=pending", []string{"3"}, []string{"Outcome pending"}},
			{"a trace", "trace_id=" + ids[3].String(), []string{"6", "3"}, []string{"Trace " + ids[3].String()}},
			{
				"from a minute on", "from=2026-11-23T06:52",
				[]string{"6", odd, "4"},
				[]string{"From 2026-11-23 06:52:00"},
			},
			{
				"until a second, in another zone", "to=2026-11-23T08:49:01%2B02:00",
				[]string{"1", "0"},
				[]string{"Before 2026-11-23 06:49:01"},
			},
			{
				"a range that has its beginning and not its end",
				"from=2026-11-23T06:49:00.123456Z&to=2026-11-23T06:50:00.123456Z",
				[]string{"1"},
				[]string{"From 2026-11-23 06:49:00.123456", "Before 2026-11-23 06:50:00.123456"},
			},
			{"a day", "from=2026-11-24", nil, []string{"From 2026-11-24 00:00:00"}},
			{"several at once", "user_id=u-ann&event=execute&outcome=failure", []string{"4"}, []string{
				"Event execute", "User id u-ann", "Outcome failure",
			}},
			{"nothing matches", "event=destroy", nil, []string{"Event destroy"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				p := page(t, h, "/?"+c.query)
				if d := cmp.Diff(c.want, p.column("Entity id")); d != "" {
					t.Errorf("entities, -want +got:\n%s", d)
				}
				var chips []string
				for _, s := range p.texts("a", "title=Remove this filter") {
					chips = append(chips, strings.TrimSuffix(s, "×, remove this filter"))
				}
				if d := cmp.Diff(c.chips, chips); d != "" {
					t.Errorf("filters in force, -want +got:\n%s", d)
				}
				if len(c.want) == 0 && !slices.Equal(p.texts("h2"), []string{"Nothing matches these filters"}) {
					t.Errorf("an empty list says %q", p.texts("h2"))
				}
				if c.chips != nil {
					if got := p.link("Clear all"); got != "/" {
						t.Errorf("without filters it is %s", got)
					}
				}
			})
		}
	})
}

func TestListFilterLinks(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	p := page(t, r.handler(), "/?event=create&event=execute&user_id=u-bob&sort=user&order=asc&limit=1")
	want := []string{
		"/?event=execute&limit=1&order=asc&sort=user&user_id=u-bob",
		"/?event=create&limit=1&order=asc&sort=user&user_id=u-bob",
		"/?event=create&event=execute&limit=1&order=asc&sort=user",
	}
	var got []string
	for _, n := range all(p.doc, is("a", "title=Remove this filter")) {
		got = append(got, p.follow(attr(n, "href")))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("addresses without one filter, -want +got:\n%s", d)
	}
	if got := p.link("Clear all"); got != "/?limit=1&order=asc&sort=user" {
		t.Errorf("without filters it is %s", got)
	}
}

func TestListSorts(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		h := r.handler()
		const odd = "a/b?c=d#e&f"
		for _, c := range []struct {
			heading     string
			first, then []string // entities after the first click, and the second
			sorts       [2]string
		}{
			{
				"User",
				[]string{odd, "0", "1", "4", "6", "2", "3"},
				[]string{"3", "2", "6", "4", "1", "0", odd},
				[2]string{"ascending", "descending"},
			},
			{
				"Event",
				[]string{"1", "0", "2", "3", "4", odd, "6"},
				[]string{"6", odd, "4", "3", "2", "0", "1"},
				[2]string{"ascending", "descending"},
			},
			{
				"Model",
				[]string{"0", "1", "3", "4", odd, "2", "6"},
				[]string{"6", "2", odd, "4", "3", "1", "0"},
				[2]string{"ascending", "descending"},
			},
			{
				"Entity id",
				[]string{"0", "1", "3", "4", odd, "2", "6"},
				[]string{"6", "2", odd, "4", "3", "1", "0"},
				[2]string{"ascending", "descending"},
			},
			{
				"Time UTC",
				[]string{"0", "1", "2", "3", "4", odd, "6"},
				[]string{"6", odd, "4", "3", "2", "1", "0"},
				[2]string{"ascending", "descending"},
			},
			{ // ids begin with their time
				"Audit log id",
				[]string{"0", "1", "2", "3", "4", odd, "6"},
				[]string{"6", odd, "4", "3", "2", "1", "0"},
				[2]string{"ascending", "descending"},
			},
		} {
			t.Run(c.heading, func(t *testing.T) {
				shown, click := c.heading, c.heading
				switch shown {
				case "Audit log id":
					shown = "Time UTC"
				case "User":
					shown = "User by id"
				}
				p := page(t, h, "/")
				for i, want := range [][]string{c.first, c.then} {
					p = page(t, h, p.link(click))
					if d := cmp.Diff(want, p.column("Entity id")); d != "" {
						t.Errorf("click %d, -want +got:\n%s", i+1, d)
					}
					if got := p.texts("th", "aria-sort="+c.sorts[i]); !slices.Equal(got, []string{shown}) {
						t.Errorf("click %d: %s are %q", i+1, c.sorts[i], got)
					}
					if c.heading == "User" {
						click = shown
					}
					if n := len(all(p.doc, is("th", "aria-sort"))); n != 1 {
						t.Errorf("sorted by %d columns", n)
					}
				}
			})
		}
		if got := page(t, h, "/?sort=user&event=create").column("User"); !slices.Equal(got, []string{"u-bob Bob", "u-ann Ann Bee"}) {
			t.Errorf("sorted by the ids of users, they are %q", got)
		}
		if got := page(t, h, "/?event=create").link("User"); got != "/?event=create&order=asc&sort=user" {
			t.Errorf("sorting forgets the filters: %s", got)
		}
	})
}

func TestListPages(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		var newest []string
		var entries []trail.Entry
		for i := range 23 {
			entries = append(entries, own(at(i/5), []trail.Actor{ann, bob}[i%2], trail.Update, "resource", fmt.Sprint(i)))
		}
		slices.SortFunc(entries, func(a, b trail.Entry) int { return strings.Compare(b.ID.String(), a.ID.String()) })
		for _, e := range entries {
			newest = append(newest, e.EntityID)
		}
		r.record(entries...)
		h := r.handler()

		for _, c := range []struct {
			name, query, next, previous, first string
			want                               []string // nil: any order, but each once
		}{
			{"newest first", "limit=5", "Older →", "← Newer", "Newest", newest},
			{"oldest first", "limit=5&order=asc", "Newer →", "← Older", "Oldest", reversed(newest)},
			{"by user", "limit=4&sort=user&order=asc", "Next →", "← Previous", "First", nil},
			{"filtered", "limit=3&user_id=u-bob", "Older →", "← Newer", "Newest", nil},
		} {
			t.Run(c.name, func(t *testing.T) {
				address := "/?" + c.query
				first := page(t, h, address)
				if first.has(c.previous) || first.has(c.first) {
					t.Error("there is something ahead of the first page")
				}
				var seen []string
				var pages [][]string
				p := first
				for {
					pages = append(pages, p.column("Entity id"))
					seen = append(seen, p.column("Entity id")...)
					if !p.has(c.next) {
						break
					}
					p = page(t, h, p.link(c.next))
				}
				if c.want != nil {
					if d := cmp.Diff(c.want, seen); d != "" {
						t.Errorf("all pages, -want +got:\n%s", d)
					}
				}
				sorted := slices.Compact(slices.Sorted(slices.Values(seen)))
				if len(sorted) != len(seen) {
					t.Errorf("entities are there twice: %q", seen)
				}
				if c.name == "by user" && len(seen) != 23 || c.name == "filtered" && len(seen) != 11 {
					t.Errorf("%d entities", len(seen))
				}
				if d := cmp.Diff(query(t, address), query(t, p.link(c.first))); d != "" {
					t.Errorf("%s leads elsewhere, -want +got:\n%s", c.first, d)
				}
				for i := len(pages) - 2; i >= 0; i-- {
					p = page(t, h, p.link(c.previous))
					if d := cmp.Diff(pages[i], p.column("Entity id")); d != "" {
						t.Errorf("back on page %d, -want +got:\n%s", i, d)
					}
				}
				if p.has(c.previous) {
					t.Error("back on the first page, there is one ahead of it")
				}
			})
		}

		p := page(t, h, "/?limit=10&user_id=u-bob")
		if got := p.texts("strong", "aria-current=true"); !slices.Equal(got, []string{"10"}) {
			t.Errorf("the page has %q rows", got)
		}
		if got := p.link("25"); got != "/?limit=25&user_id=u-bob" {
			t.Errorf("25 rows are at %s", got)
		}
		if got := p.link("50"); got != "/?user_id=u-bob" {
			t.Errorf("the default number of rows is at %s", got)
		}
	})
}

func query(t *testing.T, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func TestListOfOneEntity(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	p := page(t, r.handler(), "/?model=resource&entity_id=3")
	if got := p.texts("h1"); !slices.Equal(got, []string{"Activity of resource 3"}) {
		t.Errorf("heading %q", got)
	}
}

// The title and the heading of a list name its filters.
func TestListHeading(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	for query, want := range map[string]string{
		"":                                   "All actions",
		"sort=user":                          "All actions",
		"event=approve&model=resource":       "approve · resource",
		"event=create&event=approve":         "create · approve",
		"user_id=u-ann&from=2026-11-24":      "u-ann · from 2026-11-24 00:00:00",
		"user_id=" + strings.Repeat("é", 31): strings.Repeat("é", 30) + "…",
		"model=%E2%80%AE":                    `\u202e`,
	} {
		p := page(t, h, "/?"+query)
		if got := p.texts("h1"); !slices.Equal(got, []string{want}) || text(p.one("title")) != want+" · Audit log" {
			t.Errorf("%s: heading %q, title %q", query, got, text(p.one("title")))
		}
	}
}

func TestListWithoutAnything(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		p := page(t, newTrail(t, db).handler(), "/")
		if got := p.texts("h2"); !slices.Equal(got, []string{"Nothing has been recorded yet"}) {
			t.Errorf("an empty trail says %q", got)
		}
		p.one("select", "id=event")
	})
}

func TestListRefusesBadParameters(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		h := r.handler()
		good := page(t, h, "/?limit=2").link("Older →")
		cursor := url.QueryEscape(query(t, good).Get("cursor"))
		for _, c := range []struct{ query, says string }{
			{"limit=0", `limit is "0"`},
			{"limit=501", `limit is "501"`},
			{"limit=-1", `limit is "-1"`},
			{"limit=ten", `limit is "ten"`},
			{"limit=99999999999999999999", `limit is "99999999999999999999"`},
			{"sort=outcome", `sort is "outcome"`},
			{"sort=time%3B+DROP+TABLE+audit_logs", `sort is "time; DROP TABLE audit_logs"`},
			{"order=up", `order is "up"`},
			{"outcome=fine", `outcome is "fine"`},
			{"from=yesterday", `from is "yesterday"`},
			{"to=2026-13-01", `to is "2026-13-01"`},
			{"from=2026-01-02&to=2026-01-01", `to is "2026-01-01", which is before from, "2026-01-02"`},
			{"event=a;b", "semicolon"},
			{"event=%zz", `%zz`},
			{"event=create&model=%", "cannot be read"},
			{strings.Repeat("event=create&", 20_000), "at most 40960 are read"},
			{strings.Repeat("e&", 20_000), "cannot be read"},
			{"model=" + strings.Repeat("a", 50_000), "at most 40960 are read"},
			{"trace_id=7", `"7" is not a valid id`},
			{"cursor=nonsense", "cursor"},
			{"sort=user&cursor=" + cursor, "cursor"},
			{"model=a&model=b", "model is given 2 times"},
			{"evnt=create", `no parameter "evnt"`},
			{"model=a%00", `model is "a\x00"`},
			{"event=%ff", `event is "\xff"`},
		} {
			for _, at := range []string{"/?", "/api/entries?"} {
				a := ask(t, h, http.MethodGet, at+c.query)
				a.must(http.StatusBadRequest)
				said := ""
				if a.doc != nil {
					said = text(a.one("main"))
				} else {
					var e struct{ Error string }
					a.json(&e)
					said = e.Error
				}
				want := c.says
				if a.doc != nil { // by the names of its fields
					want = strings.NewReplacer("from is", "From is", "from, ", "From, ", "to is", "Before is",
						"outcome is", "Outcome is", "model is", "Model is", "event is", "Event is").Replace(want)
				}
				if !strings.Contains(said, want) {
					t.Errorf("%s%s says %q, want %q in it", at, c.query, said, want)
				}
			}
		}
	})
}

// Where there are tenants, the list has a column and a field for them.
func TestListOfTenants(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	field := func(p *answer) bool { return len(all(p.doc, is("input", "id=tenant"))) == 1 }
	p := page(t, h, "/")
	if d := cmp.Diff([]string{"–", "–", "–", "–", "north", "–", "–"}, p.column("Tenant")); d != "" || !field(p) {
		t.Errorf("a field: %v; tenants, -want +got:\n%s", field(p), d)
	}
	if n := len(p.texts("th", "scope=col")); n != 8 {
		t.Errorf("%d headings", n)
	}
	if got := p.link("north"); got != "/?tenant_id=north" {
		t.Errorf("a tenant leads to %s", got)
	}
	if got := page(t, h, "/traces/"+ids[2].String()).link("north"); got != "/?tenant_id=north" {
		t.Errorf("the tenant of a trace leads to %s", got)
	}
	p = page(t, h, "/?user_id=u-ann")
	if got := p.column("Tenant"); got != nil || field(p) || contains(p.texts("th", "scope=col"), "Tenant") {
		t.Errorf("without tenants, the list has %q, a field: %v", got, field(p))
	}
	if p = page(t, h, "/?tenant_id=south"); !field(p) {
		t.Error("a filter in force has no field")
	}
}
