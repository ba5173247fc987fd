package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// image returns the JSON of a row.
func image(t *testing.T, row map[string]any) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// settings are an object with many keys, and yaml a text with many lines, of which
// one is given.
func settings(value string) map[string]any {
	all := map[string]any{}
	for i := range 60 {
		all[fmt.Sprintf("key%d", i)] = strings.Repeat("x", 20)
	}
	all["key29"] = value
	all["items"] = []any{map[string]any{"price": 1}, map[string]any{"price": len(value)}}
	return all
}

func yaml(value string) string {
	return strings.Repeat("same: 1\n", 20) + "port: " + value + "\n" + strings.Repeat("same: 2\n", 20)
}

// A change inside of a large value is seen without opening anything, and text is
// shown as text.
func TestTraceShowsWhatDiffersInsideAValue(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		e := own(at(0), ann, trail.Update, "resource", "1")
		e.Before = image(t, map[string]any{"config": settings("old"), "manifest": yaml("80")})
		e.After = image(t, map[string]any{"config": settings("newer"), "manifest": yaml("8080")})
		created := own(at(1), ann, trail.Create, "resource", "2")
		created.After = image(t, map[string]any{"manifest": "a: 1\r\nb: 2\r\n", "json": "{\n}\n"})
		r.record(e, created)
		h := r.handler()
		p := page(t, h, "/traces/"+e.ID.String())
		if d := cmp.Diff([][]field{{
			{"config.items[1].price", "3", "5"},
			{"config.key29", "old", "newer"},
			{
				"manifest", "… 17 lines … same: 1 same: 1 same: 1 port: 80 same: 2 same: 2 same: 2 … 17 lines …",
				"… 17 lines … same: 1 same: 1 same: 1 port: 8080 same: 2 same: 2 same: 2 … 17 lines …",
			},
		}}, p.diffs()); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if got := p.texts("span", "class=exact"); !slices.Equal(got, []string{"80"}) {
			t.Errorf("exactly different is %q", got)
		}
		p = page(t, h, "/traces/"+created.ID.String())
		if d := cmp.Diff([][]field{{{"json", "-", "text { }"}, {"manifest", "-", "a: 1 b: 2"}}}, p.diffs()); d != "" {
			t.Errorf("text is not shown as text, -want +got:\n%s", d)
		}
	})
}

// A character that is escaped differs from the letters of its escape, wherever it
// is, and says what it is.
func TestEscapesDifferFromTheirLetters(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	const hidden, letters = "a\u202eb", `a\u202eb`
	id := at(0)
	e := own(id, ann, trail.Update, "resource", "1")
	e.EntityName = hidden
	e.Before, e.After = image(t, map[string]any{"name": letters}), image(t, map[string]any{"name": hidden})
	r.record(e)
	r.line(id, time.Second, "info", hidden+letters, `{"k":"`+hidden+`"}`)
	h := r.handler()
	p := page(t, h, "/traces/"+id.String())
	for _, at := range []string{"before", "after"} {
		cell := p.one("td", "class="+at)
		escapes := all(cell, is("span", "class=escape"))
		if text(cell) != letters || (len(escapes) == 1) != (at == "after") {
			t.Errorf("%s: %q with %d escapes", at, text(cell), len(escapes))
		}
	}
	found := all(p.one("table", "class=lines"), is("span", "class=escape"))
	if len(found) != 2 || attr(found[0], "title") != "U+202E, right-to-left override" {
		t.Errorf("the log has %d escapes", len(found))
	}
	if n := len(all(page(t, h, "/").doc, is("span", "class=escape"))); n != 1 {
		t.Errorf("the list has %d escapes", n)
	}
}

// Both sides of a change have their colours, whether they are shown at once or have
// to be opened.
func TestChangesAreColoured(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	e := own(at(0), ann, trail.Update, "resource", "1")
	e.Before = image(t, map[string]any{"a": 1, "long": settings("x"), "text": yaml("80"), "note": "x"})
	e.After = image(t, map[string]any{"a": 2, "long": []any{settings("x")}, "text": yaml("81"), "note": nil})
	r.record(e)
	server := httptest.NewServer(r.handler())
	t.Cleanup(server.Close)
	w := open(t)
	w.load(chromedp.Navigate(server.URL + "/traces/" + e.ID.String()))
	const colours = `[...new Set([...document.querySelectorAll("td.%s :is(.v:not(.parts), .changed)")].map(n => getComputedStyle(n).backgroundColor))].length`
	for _, side := range []string{"before", "after"} {
		if n := sees[int](w, fmt.Sprintf(colours, side)); n != 1 {
			t.Errorf("the values %s have %d colours", side, n)
		}
	}
	const colour = `getComputedStyle(document.querySelector("td.%s .v")).backgroundColor`
	if before, after := sees[string](w, fmt.Sprintf(colour, "before")), sees[string](w, fmt.Sprintf(colour, "after")); before == after {
		t.Errorf("before and after are both %s", before)
	}
}
