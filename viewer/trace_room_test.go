package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// Deeply nested values, which would be mostly indentation, make no large page.
func TestTraceOfDeepValues(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		e := own(id, ann, trail.Create, "resource", "1")
		deep := strings.Repeat("[", 900) + "1" + strings.Repeat("]", 900) // SQLite accepts 1000
		e.After = json.RawMessage(`{"deep":[` + strings.Repeat(deep+",", 200) + `7]}`)
		r.record(e)
		r.line(id, time.Second, "info", "deep", string(e.After))
		p := page(t, r.handler(), "/traces/"+id.String())
		if n := p.Body.Len(); n > 60_000 {
			t.Errorf("the page has %d bytes", n)
		}
	})
}

// wide returns an image with many long columns.
func wide(columns, size int) json.RawMessage {
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, `,"c%d":"%s"`, i, strings.Repeat("<", size))
	}
	return json.RawMessage("{" + b.String()[1:] + "}")
}

// However many large values a trace holds, its page has a bounded size, says that
// something is missing, and leads to the JSON that has it.
func TestTraceOfLargeValues(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		for i := range 40 {
			e := own(at(i), ann, trail.Create, "resource", fmt.Sprint(i))
			if i == 0 {
				e.ID = id
			}
			e.TraceID, e.Operation, e.After = id, trail.OpInsert, wide(30, 15_000)
			r.record(e)
		}
		for range 60 {
			r.line(id, time.Second, "info", strings.Repeat("\x1b[31m<\x1b[32m>", 1500), `{"f":"`+strings.Repeat("&", 15_000)+`"}`)
		}
		h := r.handler()
		p := page(t, h, "/traces/"+id.String())
		if n := p.Body.Len(); n < 2<<20 || n > 6<<20 {
			t.Errorf("the page has %d bytes", n)
		}
		if n := len(p.texts("h3")); n != 40 {
			t.Errorf("%d changes are shown", n)
		}
		notes := all(p.doc, is("p", "class=note"))
		last := notes[len(notes)-1]
		if got := text(last); !strings.HasSuffix(got, "The JSON of this entry has everything.") {
			t.Errorf("the last change says %q", got)
		}
		a := ask(t, h, http.MethodGet, p.follow(attr(all(last, is("a"))[0], "href")))
		a.must(http.StatusOK)
		var entry struct {
			EntityID string `json:"entity_id"`
			After    map[string]string
		}
		a.json(&entry)
		if entry.EntityID != "39" || len(entry.After["c29"]) != 15_000 {
			t.Errorf("its JSON is of %s and has %d bytes of a value", entry.EntityID, len(entry.After["c29"]))
		}
		lines := messages(p)
		if len(lines) != 60 || len(lines[59]) == 0 {
			t.Errorf("%d lines are shown, the last one is %q", len(lines), lines[len(lines)-1])
		}
		a = ask(t, h, http.MethodGet, p.link("the JSON has it"))
		a.must(http.StatusOK)
		if a.Body.Len() < 60*30_000 {
			t.Errorf("the JSON of the lines has %d bytes", a.Body.Len())
		}
	})
}

// Of a wide row some columns are shown, and it is told how many are not.
func TestTraceOfAWideRow(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	ids := []uuid.UUID{at(0), at(1), at(2)}
	for i, columns := range []int{10_000, 251, 250} {
		e := own(ids[i], ann, trail.Create, "resource", fmt.Sprint(i))
		e.After = wide(columns, 3)
		r.record(e)
	}
	for i, want := range []string{
		"9750 more fields are not shown. The JSON of this entry has everything.",
		"1 more field is not shown. The JSON of this entry has everything.",
		"",
	} {
		p := page(t, r.handler(), "/traces/"+ids[i].String())
		if got := strings.Join(p.texts("p", "class=note"), ""); got != want || len(p.diffs()[0]) != 250 {
			t.Errorf("with %d fields it says %q, want %q", len(p.diffs()[0]), got, want)
		}
	}
}

func TestJSONOfAnEntry(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	var entry struct {
		EntityID string `json:"entity_id"`
		TraceID  string `json:"trace_id"`
	}
	ask(t, h, http.MethodGet, "/api/entries/"+ids[6].String()).json(&entry)
	if entry.EntityID != "6" || entry.TraceID != ids[3].String() {
		t.Errorf("the entry is %+v", entry)
	}
	ask(t, h, http.MethodGet, "/api/entries/"+at(999).String()).must(http.StatusNotFound)
	ask(t, h, http.MethodGet, "/api/entries/7").must(http.StatusBadRequest)
}
