package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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

// facts returns what the head of a trace's page says, by label.
func (a *answer) facts() map[string]string {
	a.Helper()
	out := map[string]string{}
	for _, row := range all(a.one("dl", "class=facts"), is("div")) {
		out[text(all(row, is("dt"))[0])] = text(all(row, is("dd"))[0])
	}
	return out
}

// field is a row of a diff as it is seen.
type field struct{ Name, Before, After string }

// diffs returns the fields of each change on the page.
func (a *answer) diffs() [][]field {
	var out [][]field
	for _, article := range all(a.doc, is("article", "class=change")) {
		var fields []field
		for _, row := range all(article, is("th", "scope=row")) {
			f := field{Name: text(row), Before: "-", After: "-"}
			for _, cell := range all(row.Parent, is("td")) {
				switch attr(cell, "data-label") {
				case "Before":
					f.Before = text(cell)
				case "After":
					f.After = text(cell)
				}
			}
			fields = append(fields, f)
		}
		out = append(out, fields)
	}
	return out
}

func TestTraceShowsWhatWasDone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		action := own(id, ann, trail.Approve, "resource", "42")
		action.Actor.OnBehalfOf = "u-carol"
		action.EntityName, action.Tenant = "web-prod", "north"
		action.Operation = trail.OpUpdate
		action.Before = json.RawMessage(`{"state":"requested","cost":9223372036854775806,"approved_by":null}`)
		action.After = json.RawMessage(`{"state":"approved","cost":9223372036854775807,"approved_by":"Ann Bee"}`)
		action.Context = json.RawMessage(`{"method":"POST","route":"/api/resources/:id/approve","ip":"192.0.2.7",` +
			`"user_agent":"curl/8","request_id":"r-1","reason":"It is Monday","status":200,"extra":{"a":1.50}}`)
		created := own(at(1), ann, trail.Create, "integration", "9")
		created.TraceID, created.Operation = id, trail.OpInsert
		created.After = json.RawMessage(`{"id":9,"name":"github","token":"***","empty":""}`)
		deleted := own(at(2), ann, trail.Delete, "lock", "1,2")
		deleted.TraceID, deleted.Operation = id, trail.OpDelete
		deleted.Before = json.RawMessage(`{"a":1,"b":[2,3]}`)
		r.record(action, created, deleted)

		p := page(t, r.handler(), "/traces/"+id.String())
		if got := p.texts("title"); !slices.Equal(got, []string{"approve resource 42 · Audit log"}) {
			t.Errorf("title %q", got)
		}
		if got := p.texts("h1"); !slices.Equal(got, []string{"approve resource 42 web-prod"}) {
			t.Errorf("heading %q", got)
		}
		if d := cmp.Diff(map[string]string{
			"User": "Ann Bee u-ann", "On behalf of": "u-carol", "Event": "approve", "Model": "resource",
			"Entity id": "42 web-prod", "Tenant": "north", "Started": "2026-11-23 06:48:00 5 hours ago",
			"Reason": "It is Monday", "Method": "POST", "Route": "/api/resources/:id/approve", "Status": "200 OK",
			"IP address": "192.0.2.7", "User agent": "curl/8", "Request id": "r-1", "extra": `{ "a": 1.50 }`,
			"Audit log id": id.String(),
		}, p.facts()); d != "" {
			t.Errorf("facts, -want +got:\n%s", d)
		}
		if got := text(all(p.doc, is("span", "class=outcome"))[0]); got != "success" {
			t.Errorf("outcome %q", got)
		}
		if d := cmp.Diff([][]field{
			{
				{"approved_by", "null", "Ann Bee"},
				{"cost", "9223372036854775806", "9223372036854775807"},
				{"state", "requested", "approved"},
			},
			{{"id", "-", "9"}, {"empty", "-", `""`}, {"name", "-", "github"}, {"token", "-", "masked"}},
			{{"a", "1", "-"}, {"b", "[ 2, 3 ]", "-"}},
		}, p.diffs()); d != "" {
			t.Errorf("changes, -want +got:\n%s", d)
		}
		if got := p.texts("h3"); !slices.Equal(got,
			[]string{"approve resource 42 web-prod", "create integration 9", "delete lock 1,2"}) {
			t.Errorf("changes of %q", got)
		}
		if got := p.texts("span", "class=own"); !slices.Equal(got, []string{"the action"}) {
			t.Errorf("%d changes are the action", len(got))
		}
		if got := p.link("resource 42"); got != "/?entity_id=42&model=resource" {
			t.Errorf("the entity leads to %s", got)
		}
		if got := p.link("← All actions"); got != "/" {
			t.Errorf("back leads to %s", got)
		}
		if got := p.texts("p", "class=nothing"); !slices.Equal(got, []string{"No log lines were kept for this action."}) {
			t.Errorf("without lines it says %q", got)
		}
	})
}

func TestTraceShowsHowItEnded(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		action := own(id, bob, trail.Execute, "resource", "7")
		action.Outcome = trail.Pending
		r.record(action)
		h := r.handler()
		address := "/traces/" + id.String()

		p := page(t, h, address)
		notice := text(p.one("p", "role=status"))
		if !strings.Contains(notice, "has not ended") || text(p.one("span", "class=pending")) != "pending" {
			t.Errorf("a pending action says %q", notice)
		}
		if _, ended := p.facts()["Finished"]; ended {
			t.Error("a pending action has an end")
		}
		// It follows: with a script, and without one where it is told to.
		follows := func(p *answer, script bool, refresh ...string) {
			t.Helper()
			var got []string
			for _, n := range all(p.doc, is("meta", "http-equiv=refresh")) {
				got = append(got, n.Parent.Data+" "+attr(n, "content"))
			}
			if !slices.Equal(got, refresh) {
				t.Errorf("%s is loaded again as %q says, want %q", p.address, got, refresh)
			}
			scripts := all(p.doc, is("script"))
			policy := p.Header().Get("Content-Security-Policy")
			if (len(scripts) == 1) != script || strings.Contains(policy, "; script-src 'self'; connect-src 'self'") != script {
				t.Errorf("%s has %d scripts, and the policy %s", p.address, len(scripts), policy)
			}
		}
		follows(p, true)
		p = page(t, h, p.link("Reload the page every two seconds"))
		follows(p, true, "noscript 2")
		for _, link := range []string{"Stop reloading", "Stop following"} {
			if got := p.link(link); !strings.HasPrefix(got, address+"?follow=0") {
				t.Errorf("%q leads to %s", link, got)
			}
		}
		p = page(t, h, p.link("Stop reloading"))
		follows(p, false)
		follows(page(t, h, p.link("Follow it")), true, "noscript 2")
		follows(page(t, h, address+"?entry="+id.String()), false)
		follows(page(t, h, address+"?after=0"), false)

		r.finish(trail.Outcome{
			TraceID: id, FinishedAt: epoch.Add(83 * time.Second), Result: trail.Failure, Status: 502,
			Error: "apply: <quota> exceeded", Duration: 83 * time.Second,
		})
		follows(page(t, h, address), false)
		p = page(t, h, address+"?follow=1")
		follows(p, false)
		facts := p.facts()
		if d := cmp.Diff(map[string]string{
			"Finished": "2026-11-23 06:49:23 5 hours ago", "Duration": "1 min 23 s", "Status": "502 Bad Gateway",
		}, map[string]string{
			"Finished": facts["Finished"], "Duration": facts["Duration"], "Status": facts["Status"],
		}); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if got := text(p.one("p", "class=failure")); got != "Error apply: <quota> exceeded" {
			t.Errorf("error %q", got)
		}
		if n := all(p.doc, is("p", "role=status")); len(n) != 0 {
			t.Error("an action that has ended is said to go on")
		}
	})
}

func TestTraceShowsHowItWasDone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		r.record(own(id, bob, trail.Execute, "resource", "7"))
		r.line(id, time.Second, "info", "plan: \x1b[32m1 to add\x1b[0m, \x1b[1;31m0 to destroy\x1b[0m\n", `{"step":1,"size":9223372036854775807}`)
		r.line(id, 2*time.Second, "WARN", "first\nsecond\x1b[2K", "")
		r.line(id, 2*time.Second, "fatal", "<b>no\x1b]0;t\x07", `{"err":"<i>"}`)
		r.line(at(9), time.Second, "info", "somebody else's", "")

		p := page(t, r.handler(), "/traces/"+id.String())
		table := p.one("table", "class=lines")
		var got [][]string
		for _, row := range all(table, is("tr"))[1:] {
			cells := all(row, is("td"))
			got = append(got, []string{attr(row, "class"), text(cells[0]), text(cells[1]), text(cells[2])})
		}
		if d := cmp.Diff([][]string{
			{"info", "06:48:01.123", "info", "jobs plan: 1 to add, 0 to destroy size=9223372036854775807 step=1 jobs/run.go:42"},
			{"warn", "06:48:02.123", "warn", "jobs first second jobs/run.go:42"},
			{"error", "06:48:02.123", "fatal", `jobs <b>no\u001b]0;t\u0007 err=<i> jobs/run.go:42`},
		}, got); d != "" {
			t.Errorf("lines, -want +got:\n%s", d)
		}
		if got := p.texts("span", "class=a-fg2"); !slices.Equal(got, []string{"1 to add"}) {
			t.Errorf("green is %q", got)
		}
		if got := p.texts("span", "class=a-bold"); !slices.Equal(got, []string{"0 to destroy"}) {
			t.Errorf("bold is %q", got)
		}
	})
}

// The lines of a trace come in pages, both ways; a page that follows shows the
// last ones.
func TestTraceOfManyLines(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		action := own(id, bob, trail.Execute, "resource", "7")
		action.Outcome = trail.Pending
		r.record(action)
		lines := make([]trail.Line, 1203)
		for i := range lines {
			lines[i] = trail.Line{
				ID: trail.NewID(epoch), TraceID: id, CreatedAt: epoch, Level: "info",
				Message: fmt.Sprintf("line %d", i), Seq: int64(i + 1),
			}
		}
		if err := r.store.WriteLines(t.Context(), lines); err != nil {
			t.Fatal(err)
		}
		h := r.handler()
		part := func(p *answer, first, n int) {
			t.Helper()
			got := p.texts("span", "class=text")
			if len(got) != n || got[0] != fmt.Sprintf("line %d", first) || got[n-1] != fmt.Sprintf("line %d", first+n-1) {
				t.Fatalf("%d lines, %q to %q; want %d from %d", len(got), got[0], got[len(got)-1], n, first)
			}
		}
		p := page(t, h, "/traces/"+id.String())
		part(p, 703, 500)
		p = page(t, h, p.link("All lines"))
		part(p, 0, 500)
		if p.has("← Earlier lines") {
			t.Error("the first page has lines before")
		}
		p = page(t, h, p.link("More lines →"))
		part(p, 500, 500)
		p = page(t, h, p.link("More lines →"))
		part(p, 1000, 203)
		if p.has("More lines →") {
			t.Error("the last page has more")
		}
		part(page(t, h, p.link("← Earlier lines")), 500, 500)

		r.finish(trail.Outcome{TraceID: id, FinishedAt: epoch, Result: trail.Success})
		part(page(t, h, "/traces/"+id.String()), 0, 500)
		p = page(t, h, "/traces/"+id.String()+"?follow=1") // where it was followed to
		part(p, 703, 500)
		part(page(t, h, p.link("All lines")), 0, 500)
		for _, cursor := range []string{"x", "e30"} {
			ask(t, h, http.MethodGet, "/traces/"+id.String()+"?lines="+cursor).must(http.StatusBadRequest)
		}
	})
}

// What was recorded before its work says so, instead of what it did not
// change.
func TestTraceRecordedAhead(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	ahead, after := at(0), at(1)
	action := own(ahead, bob, trail.Execute, "resource", "7")
	action.Outcome = trail.Pending
	r.record(action, own(after, bob, trail.Approve, "resource", "7"))
	r.finish(trail.Outcome{TraceID: ahead, FinishedAt: noon, Result: trail.Success})
	for id, want := range map[uuid.UUID]string{
		ahead: "Recorded before its work. What the work changed has its own entries.",
		after: "No row of this entity changed.",
	} {
		if got := page(t, r.handler(), "/traces/"+id.String()).texts("p", "class=nothing"); !slices.Contains(got, want) {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}

func TestTraceOfAnActionWithoutEntry(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		logged, changed := at(0), at(10)
		r.line(logged, time.Second, "info", "on my way", "")
		part := own(at(11), ann, trail.Create, "note", "1")
		part.TraceID = changed
		r.record(part)
		h := r.handler()
		for _, id := range []uuid.UUID{logged, changed} {
			p := page(t, h, "/traces/"+id.String())
			if got := p.texts("h1"); !slices.Equal(got, []string{"Action in progress"}) {
				t.Errorf("heading %q", got)
			}
			if got := p.facts()["Audit log id"]; got != id.String() {
				t.Errorf("id %q", got)
			}
			p.one("p", "role=status")
			a := ask(t, h, http.MethodGet, "/find?id="+id.String())
			a.must(http.StatusSeeOther)
			if got := a.follow(a.Header().Get("Location")); got != "/traces/"+id.String() {
				t.Errorf("found at %s", got)
			}
		}
		if got := page(t, h, "/traces/"+changed.String()).texts("h3"); !slices.Equal(got, []string{"create note 1"}) {
			t.Errorf("changes %q", got)
		}
	})
}

func TestTraceNotThere(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		h := newTrail(t, db).handler()
		unknown := at(0).String()
		for address, status := range map[string]int{
			"/traces/" + unknown:                     http.StatusNotFound,
			"/traces/" + uuid.NewString():            http.StatusNotFound,
			"/entries/" + unknown:                    http.StatusNotFound,
			"/find?id=" + unknown:                    http.StatusNotFound,
			"/find?id=42":                            http.StatusBadRequest,
			"/find?id=" + unknown + "&a=%zz":         http.StatusBadRequest,
			"/traces/" + unknown + "?entry=1;2":      http.StatusBadRequest,
			"/traces/" + unknown + "/follow?after=%": http.StatusBadRequest,
			"/find":                                  http.StatusBadRequest,
			"/traces/42":                             http.StatusBadRequest,
			"/traces/urn:uuid:" + unknown:            http.StatusBadRequest,
			"/traces/{" + unknown + "}":              http.StatusBadRequest,
			"/traces/" + unknown + "/x":              http.StatusBadRequest,
			"/traces/":                               http.StatusNotFound,
			"/traces":                                http.StatusNotFound,
			"/entries":                               http.StatusNotFound,
			"/nothing/at/all":                        http.StatusNotFound,
			"/static/":                               http.StatusNotFound,
			"/static/../viewer.go":                   http.StatusNotFound,
			"/static/../templates/list.html":         http.StatusNotFound,
			"/traces/..%2f..%2fapi":                  http.StatusBadRequest,
			"/templates/list.html":                   http.StatusNotFound,
			"/api":                                   http.StatusNotFound,
			"/index.html":                            http.StatusNotFound,
			"//traces/" + unknown:                    http.StatusNotFound,
			"/traces/" + strings.ToUpper(unknown):    http.StatusNotFound,
			"/traces/" + strings.Repeat("0", 10000):  http.StatusBadRequest,
		} {
			a := ask(t, h, http.MethodGet, address)
			a.must(status)
			if a.doc == nil {
				t.Fatalf("%s: no page", address)
			}
			if got := text(a.one("p", "class=status")); got != fmt.Sprint(status) {
				t.Errorf("%s: the page says %s", address, got)
			}
		}
	})
}

func TestFindLeadsToTheEntry(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, ids := library(t, db)
		h := r.handler()
		for id, want := range map[uuid.UUID]string{
			ids[0]: "/traces/" + ids[0].String(),
			ids[6]: "/traces/" + ids[3].String() + "?entry=" + ids[6].String(),
		} {
			for _, from := range []string{"/find?id=%20" + strings.ToUpper(id.String()) + "%20", "/entries/" + id.String()} {
				a := ask(t, h, http.MethodGet, from)
				a.must(http.StatusSeeOther)
				if got := a.follow(a.Header().Get("Location")); got != want {
					t.Errorf("%s leads to %s, want %s", from, got, want)
				}
			}
		}
	})
}

func TestTimesInWords(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	const day = 24 * time.Hour
	for _, c := range []struct {
		before     time.Duration
		took       time.Duration
		ago, words string
	}{
		{0, 250 * time.Microsecond, "just now", "under 1 ms"}, // kept in whole milliseconds
		{59 * time.Second, 999 * time.Millisecond, "just now", "999 ms"},
		{-time.Hour, time.Second, "in the future", "1.00 s"},
		{time.Minute, 59400 * time.Millisecond, "1 minute ago", "59.40 s"},
		{59 * time.Minute, time.Minute, "59 minutes ago", "1 min 0 s"},
		{time.Hour, 90 * time.Second, "1 hour ago", "1 min 30 s"},
		{47 * time.Hour, 2*time.Hour + 5*time.Minute, "1 day ago", "2 h 5 min"},
		{31 * day, 30 * time.Hour, "1 month ago", "30 h 0 min"},
		{800 * day, 0, "2 years ago", "under 1 ms"},
	} {
		id := trail.NewID(noon.Add(-c.before))
		r.record(own(id, ann, trail.Sync, "source_code", "1"))
		r.finish(trail.Outcome{TraceID: id, FinishedAt: noon, Result: trail.Success, Duration: c.took})
		facts := page(t, r.handler(), "/traces/"+id.String()).facts()
		if got := facts["Started"]; !strings.HasSuffix(got, " "+c.ago) {
			t.Errorf("%v before now is %q, want %q", c.before, got, c.ago)
		}
		if got := facts["Duration"]; got != c.words {
			t.Errorf("%v is %q, want %q", c.took, got, c.words)
		}
	}
}

func TestTraceOfANestedAction(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	outer, inner := at(0), at(1)
	action := own(inner, job, trail.Sync, "source_code", "1")
	action.Context = json.RawMessage(`{"parent_trace_id":"` + outer.String() + `"}`)
	odd := own(outer, job, trail.Sync, "source_code", "1")
	odd.Context = json.RawMessage(`{"parent_trace_id":"javascript:alert(1)"}`)
	r.record(odd, action)
	h := r.handler(func(o *viewer.Options) { o.Title = "T" })
	p := page(t, h, "/traces/"+inner.String())
	if got := p.link(outer.String()); got != "/traces/"+outer.String() {
		t.Errorf("the outer action is at %s", got)
	}
	p = page(t, h, "/traces/"+outer.String())
	if got := p.facts()["Part of"]; got != "javascript:alert(1)" || p.has("javascript:alert(1)") {
		t.Errorf("part of %q, a link: %v", got, p.has("javascript:alert(1)"))
	}
}

// The JSON of lines has pages both ways, and its cursors are good for nothing
// else.
func TestLinesAsJSON(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.record(own(id, bob, trail.Execute, "resource", "7"))
	for i := range 5 {
		r.line(id, time.Second, "info", fmt.Sprint(i), `{"n":9223372036854775807}`)
	}
	h := r.handler()
	type lines struct {
		Lines []struct {
			Message string
			Fields  json.RawMessage
		}
		Next, Previous *string
	}
	get := func(query, want string) (l lines) {
		t.Helper()
		a := ask(t, h, http.MethodGet, "/api/traces/"+id.String()+"/lines?"+query)
		a.must(http.StatusOK)
		a.json(&l)
		got := ""
		for _, line := range l.Lines {
			got += line.Message
		}
		if got != want || string(l.Lines[0].Fields) != `{"n":9223372036854775807}` {
			t.Fatalf("%s: lines %q, want %q", query, got, want)
		}
		return l
	}
	first := get("limit=2", "01")
	second := get("limit=2&cursor="+*first.Next, "23")
	last := get("limit=2&cursor="+*second.Next, "4")
	if first.Previous != nil || last.Next != nil {
		t.Errorf("the first page has %v ahead, the last %v behind", first.Previous, last.Next)
	}
	get("limit=2&cursor="+*last.Previous, "23")
	get("order=desc&limit=3", "432")
	get("", "01234")
	for query, blamed := range map[string]string{
		"limit=0": "limit", "limit=501": "limit", "limit=x": "limit", "order=up": "order", "cursor=x": "cursor",
		"event=create": `There is no parameter "event"`, "limit=1&limit=2": "limit", "order=desc&cursor=" + *first.Next: "cursor",
	} {
		a := ask(t, h, http.MethodGet, "/api/traces/"+id.String()+"/lines?"+query)
		a.must(http.StatusBadRequest)
		var e struct{ Error string }
		if a.json(&e); !strings.HasPrefix(e.Error, blamed) {
			t.Errorf("%s: it says %q", query, e.Error)
		}
	}
	ask(t, h, http.MethodGet, "/api/traces/7/lines").must(http.StatusBadRequest)
}

// What was written at the end of an action wins, also over an entry that is gone.
func TestTraceWithoutItsEntry(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.line(id, 0, "info", "there was a line", "")
	r.finish(trail.Outcome{TraceID: id, FinishedAt: epoch, Result: trail.Failure, Error: "no"})
	h := r.handler()
	var got struct{ Outcome string }
	if ask(t, h, http.MethodGet, "/api/traces/"+id.String()).json(&got); got.Outcome != "failure" {
		t.Errorf("the outcome is %q", got.Outcome)
	}
	if p := page(t, h, "/traces/"+id.String()); p.has("has not ended") {
		t.Error("the page says that it has not ended")
	}
}
