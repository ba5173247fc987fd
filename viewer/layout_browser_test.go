package viewer_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// media has the browser lay pages out for a screen or for paper.
func (w *window) media(name string) {
	w.Helper()
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: name}); err != nil {
		w.Fatal(err)
	}
}

// clipped are the elements of a page that do not show all of their content.
const clipped = `[...document.querySelectorAll(%s)].filter(n => n.scrollWidth > n.clientWidth + 1).map(n => n.id || n.className)`

// Long ids and exact times have their room, and paper has tables and long values.
func TestLayout(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	e := own(id, ann, trail.Execute, "source_code_version", "0f8fad5b-d9cb-469f-a165-70867728950e")
	e.Actor.ID, e.Tenant, e.Outcome = "0f8fad5b-d9cb-469f-a165-70867728950e", "north", trail.Failure
	e.After = json.RawMessage(`{"note":"` + strings.Repeat("a long word ", 200) + `the end"}`)
	r.record(e)
	server := httptest.NewServer(r.handler())
	t.Cleanup(server.Close)
	w := open(t)

	w.load(chromedp.Navigate(server.URL + "/?from=2026-11-23T00:00:07&to=2026-11-23T23:59:58"))
	for _, width := range []int64{800, 961, 1000, 1200, 1280, 1440} {
		w.do(chromedp.EmulateViewport(width, 900))
		if right := sees[float64](w, `document.querySelector("td .outcome").getBoundingClientRect().right`); right > float64(width-24) {
			t.Errorf("at %d pixels, the outcome ends at %v", width, right)
		}
		if got := sees[[]string](w, strings.Replace(clipped, "%s", `".sheet, #from, #to"`, 1)); len(got) != 0 && (width < 961 || width >= 1200) {
			t.Errorf("at %d pixels, %q do not show all that they have", width, got)
		}
	}
	if got := sees[string](w, `getComputedStyle(document.querySelector("td[data-label=Model] a")).textDecorationLine`); got != "underline" {
		t.Errorf("a link in a row is decorated by %s", got)
	}

	w.load(chromedp.Navigate(server.URL + "/traces/" + id.String()))
	w.do(chromedp.EmulateViewport(1440, 900))
	const lines = `(n => n.getClientRects().length)(document.querySelector(".facts code"))`
	if got := sees[int](w, lines); got != 1 {
		t.Errorf("the audit log id takes %d lines", got)
	}
	const open = `document.querySelector(".long pre").checkVisibility()`
	if sees[bool](w, open) {
		t.Error("a long value is open")
	}

	w.media("print") // on A4
	w.do(chromedp.EmulateViewport(718, 1000))
	if !sees[bool](w, open) {
		t.Error("on paper, a long value is closed")
	}
	w.load(chromedp.Navigate(server.URL + "/"))
	if got := sees[string](w, `getComputedStyle(document.querySelector(".entries tr")).display`); got != "table-row" {
		t.Errorf("on paper, a row of the list is shown as %s", got)
	}
}
