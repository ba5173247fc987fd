package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// listing is /api/entries as a program reads it.
type listing struct {
	Entries []struct {
		EntityID string `json:"entity_id"`
	}
	Next, Previous *string
}

func (l listing) entities() []string {
	var out []string
	for _, e := range l.Entries {
		out = append(out, e.EntityID)
	}
	return out
}

func TestJSONOfATrace(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id, part := at(0), at(1)
		e := own(id, ann, trail.Execute, "resource", "42")
		e.Outcome, e.Tenant, e.EntityName = trail.Pending, "north", `"web" <prod>`
		e.Actor.OnBehalfOf = "u-carol"
		e.Context = json.RawMessage(`{"method":"POST","reason":"a<b>&c"}`)
		change := own(part, ann, trail.Update, "resource", "42")
		change.TraceID, change.Operation = id, trail.OpUpdate
		change.Before = json.RawMessage(`{"n":9223372036854775807,"d":1234567890123456789012345678901234567890.10,"e":null}`)
		change.After = json.RawMessage(`{"n":-9223372036854775808,"d":0.1000,"e":{"x":[1.0,"😀"]}}`)
		r.record(e, change)
		r.finish(trail.Outcome{
			TraceID: id, FinishedAt: epoch.Add(2 * time.Second), Result: trail.Failure, Status: 502, Error: "no <quota>",
			Duration: 1500 * time.Millisecond,
		})
		r.line(id, 250*time.Millisecond, "error", "\x1b[31mno\x1b[0m", `{"size":9007199254740993}`)

		a := ask(t, r.handler(), http.MethodGet, "/api/traces/"+id.String())
		a.must(http.StatusOK)
		var got map[string]any
		a.json(&got)
		var lines struct{ Lines []struct{ ID string } }
		a.json(&lines)
		if len(lines.Lines) != 1 {
			t.Fatalf("%d lines", len(lines.Lines))
		}
		finished := map[string]any{
			"finished_at": "2026-11-23T06:48:02.123456Z", "outcome": "failure", "status": json.Number("502"),
			"error": "no <quota>", "duration_ms": json.Number("1500"),
		}
		entry := func(more map[string]any) map[string]any {
			out := map[string]any{
				"trace_id": id.String(), "tenant_id": nil, "user_id": "u-ann", "user_name": "Ann Bee",
				"user_kind": "user", "on_behalf_of": nil, "operation": nil, "model": "resource", "entity_id": "42",
				"entity_name": nil, "before": nil, "after": nil, "context": nil, "outcome": "failure", "finished": finished,
			}
			for k, v := range more {
				out[k] = v
			}
			return out
		}
		want := map[string]any{
			"trace_id": id.String(), "outcome": "failure", "finished": finished, "more": false, "more_lines": false,
			"entries": []any{
				entry(map[string]any{
					"id": id.String(), "created_at": "2026-11-23T06:48:00.123456Z", "seq": json.Number("1"), "event": "execute",
					"tenant_id": "north", "on_behalf_of": "u-carol", "entity_name": `"web" <prod>`,
					"context": map[string]any{"method": "POST", "reason": "a<b>&c"},
				}),
				entry(map[string]any{
					"id": part.String(), "created_at": "2026-11-23T06:48:01.123456Z", "seq": json.Number("2"), "event": "update",
					"operation": "update",
					"before": map[string]any{
						"n": json.Number("9223372036854775807"), "e": nil,
						"d": json.Number("1234567890123456789012345678901234567890.10"),
					},
					"after": map[string]any{
						"n": json.Number("-9223372036854775808"), "d": json.Number("0.1000"),
						"e": map[string]any{"x": []any{json.Number("1.0"), "😀"}},
					},
				}),
			},
			"lines": []any{map[string]any{
				"id": lines.Lines[0].ID, "created_at": "2026-11-23T06:48:00.373456Z",
				"level": "error", "logger": "jobs", "message": "\x1b[31mno\x1b[0m", "caller": "jobs/run.go:42",
				"fields": map[string]any{"size": json.Number("9007199254740993")}, "seq": json.Number("1"), "expire_at": nil,
			}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if !strings.Contains(a.Body.String(), "no <quota>") {
			t.Error("plain text is escaped for a page")
		}
	})
}

func TestJSONOfEntries(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, ids := library(t, db)
		h := r.handler()
		const odd = "a/b?c=d#e&f"
		for query, want := range map[string][]string{
			"":                                 {"6", odd, "4", "3", "2", "1", "0"},
			"event=create&event=approve":       {"2", "1", "0"},
			"outcome=failure&user_id=u-ann":    {"4"},
			"sort=user&order=asc&user_id=":     {odd, "0", "1", "4", "6", "2", "3"},
			"from=2026-11-23T06:53:00Z&to=":    {"6", odd},
			"trace_id=" + ids[3].String():      {"6", "3"},
			"model=resource&entity_id=0":       {"0"},
			"event=destroy":                    nil,
			"order=asc&limit=2&model=template": {"2", "6"},
		} {
			var got listing
			ask(t, h, http.MethodGet, "/api/entries?"+query).json(&got)
			if d := cmp.Diff(want, got.entities()); d != "" {
				t.Errorf("%s: -want +got:\n%s", query, d)
			}
			if got.Entries == nil {
				t.Errorf("%s: the entries are null", query)
			}
		}

		var seen []string
		next := ""
		for {
			var got listing
			ask(t, h, http.MethodGet, "/api/entries?"+queryOf("limit", "3", "cursor", next)).json(&got)
			seen = append(seen, got.entities()...)
			if got.Next == nil {
				break
			}
			next = *got.Next
		}
		if d := cmp.Diff([]string{"6", odd, "4", "3", "2", "1", "0"}, seen); d != "" {
			t.Errorf("all pages, -want +got:\n%s", d)
		}
	})
}

func TestJSONOfEvents(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		empty := newTrail(t, db)
		if got := ask(t, empty.handler(), http.MethodGet, "/api/events").Body.String(); got != `{"events":[]}`+"\n" {
			t.Errorf("no events are %s", got)
		}
	})
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		want := `{"events":["approve","create","execute","sweep & mop","update"]}` + "\n"
		if got := ask(t, r.handler(), http.MethodGet, "/api/events").Body.String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestJSONErrors(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	for _, c := range []struct {
		method, address string
		status          int
	}{
		{"GET", "/api/entries?limit=x", http.StatusBadRequest},
		{"GET", "/api/traces/7", http.StatusBadRequest},
		{"GET", "/api/traces/" + at(99).String(), http.StatusNotFound},
		{"GET", "/api/traces/", http.StatusBadRequest},
		{"GET", "/api/traces", http.StatusNotFound},
		{"GET", "/api/", http.StatusNotFound},
		{"GET", "/api/other", http.StatusNotFound},
		{"POST", "/api/entries", http.StatusMethodNotAllowed},
		{"DELETE", "/api/traces/" + ids[0].String(), http.StatusMethodNotAllowed},
	} {
		a := ask(t, h, c.method, c.address)
		a.must(c.status)
		var e map[string]string
		a.json(&e)
		if len(e) != 1 || e["error"] == "" {
			t.Errorf("%s %s: %s", c.method, c.address, a.Body)
		}
	}
}

func TestJSONOfATraceOfManyChanges(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	entries := []trail.Entry{own(id, ann, trail.Update, "resource", "0")}
	for i := 1; i <= 1000; i++ {
		e := own(at(i), ann, trail.Update, "resource", fmt.Sprint(i))
		e.TraceID = id
		entries = append(entries, e)
	}
	r.record(entries...)
	var got struct {
		Entries []any
		More    bool
	}
	ask(t, r.handler(), http.MethodGet, "/api/traces/"+id.String()).json(&got)
	if len(got.Entries) != 1000 || !got.More {
		t.Errorf("%d entries, more: %v", len(got.Entries), got.More)
	}
}
