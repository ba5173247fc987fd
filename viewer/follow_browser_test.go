package viewer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// until waits for an expression to be true in the page that is shown, or in the
// one that comes in its place.
func (w *window) until(expression string) {
	w.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		v, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && v {
			return
		}
		if time.Now().After(deadline) {
			w.Fatalf("%s: %v, %v", expression, v, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const (
	status   = `document.querySelector("#live span").innerText`
	rowCount = `document.querySelectorAll("#log tbody tr").length`
	lastText = `document.querySelector("#log tbody tr:last-child .text").innerText`
	inView   = `(() => {
		const log = document.getElementById("log").getBoundingClientRect();
		return [...document.querySelectorAll("#log tbody tr")].filter(r => {
			const b = r.getBoundingClientRect();
			return b.top >= log.top && b.bottom <= log.bottom + 1;
		}).map(r => r.querySelector(".text").innerText);
	})()`
)

// A person watches a job: its lines come, coloured, without the page being
// loaded again; when it has ended, the page says how.
func TestFollowInABrowser(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	var following atomic.Int64
	pages := http.StripPrefix("/audit", r.lively())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.HasSuffix(q.URL.Path, "/follow") {
			following.Add(1)
			defer following.Add(-1)
		}
		pages.ServeHTTP(w, q)
	}))
	t.Cleanup(server.Close)
	w := open(t)

	w.load(chromedp.Navigate(server.URL + "/audit/traces/" + id.String()))
	w.until(status + ` === "Following"`)
	if got := sees[string](w, address); got != "/audit/traces/"+id.String()+"?follow=1" {
		t.Errorf("the address is %s", got)
	}
	sees[bool](w, `window.stayed = true`)
	r.logged(id, "\x1b[32mplanned\x1b[0m", "<b onclick=alert(1)>plain</b><script>document.title = 1</script>")
	w.until(rowCount + ` === 2`)
	plain := sees[string](w, `getComputedStyle(document.querySelector("#log tr:last-child .text")).color`)
	if got := sees[string](w, `getComputedStyle(document.querySelector("#log .a-fg2")).color`); got == plain {
		t.Errorf("green is %s like everything", got)
	}
	if got := sees[string](w, lastText); got != "<b onclick=alert(1)>plain</b><script>document.title = 1</script>" {
		t.Errorf("a line is %q", got)
	}

	// A page that fits into the window, or nearly, does not scroll by itself.
	w.do(chromedp.EmulateViewport(1280, sees[int64](w, `document.body.offsetHeight - 20`)))
	r.logged(id, numbers(1, 3)...)
	w.until(lastText + ` === "3"`)
	if at := sees[float64](w, `scrollY`); at != 0 {
		t.Errorf("without being touched the page has scrolled by %v", at)
	}

	// Whoever is at the end stays there, and whoever is not stays where he is.
	w.do(chromedp.EmulateViewport(1280, 500))
	sees[int](w, `scrollTo(0, 1e6), 0`)
	r.logged(id, numbers(1, 10)...)
	w.until(lastText + ` === "10"`)
	if below := sees[float64](w, `document.querySelector("#log tr:last-child").getBoundingClientRect().bottom - innerHeight`); below > 0 {
		t.Errorf("at the foot of the page, the last line is %v below what one sees", below)
	}
	for i := range 9 {
		r.logged(id, numbers(i*10+11, i*10+20)...)
	}
	w.until(lastText + ` === "100"`)
	if got := sees[[]string](w, inView); len(got) == 0 || got[len(got)-1] != "100" {
		t.Errorf("at the end one sees %q", got)
	}
	sees[int](w, `document.getElementById("log").scrollTop = -500`)
	before := sees[[]string](w, inView)
	for i := range 10 {
		r.logged(id, numbers(i*10+101, i*10+110)...)
	}
	w.until(lastText + ` === "200"`)
	if got := sees[[]string](w, inView); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("who read %q sees %q", before, got)
	}
	sees[int](w, `document.getElementById("log").scrollTop = 0`)

	// The page does not grow for ever.
	var many []string
	for i := range 2100 {
		many = append(many, fmt.Sprintf("many %d", i))
	}
	r.logged(id, many...)
	w.until(lastText + ` === "many 2099"`)
	if got := sees[int](w, rowCount); got != 2000 {
		t.Errorf("%d rows are kept", got)
	}
	if !sees[bool](w, `document.getElementById("cut").checkVisibility()`) {
		t.Error("it does not say that there are others")
	}

	change := own(at(5), bob, trail.Update, "resource", "7")
	change.TraceID = id
	r.record(change)
	w.until(`document.getElementById("more").checkVisibility()`)

	// Cut off, it resumes after what it has.
	server.CloseClientConnections()
	r.logged(id, "on")
	w.until(status + ` === "Following" && ` + lastText + ` === "on"`)
	if got := sees[int](w, `[...document.querySelectorAll("#log .text")].filter(n => n.innerText === "many 2099").length`); got != 1 {
		t.Errorf("a line is there %d times", got)
	}
	// Out of sight, it asks for nothing; seen again, for what it missed.
	hide := func(hidden bool) {
		sees[bool](w, fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true}),
			document.dispatchEvent(new Event("visibilitychange"))`, hidden))
	}
	hide(true)
	for following.Load() != 0 {
		time.Sleep(time.Millisecond)
	}
	r.logged(id, "missed")
	hide(false)
	w.until(lastText + ` === "missed"`)
	if !sees[bool](w, `window.stayed`) {
		t.Error("the page was loaded again")
	}

	r.finish(trail.Outcome{TraceID: id, FinishedAt: epoch, Result: trail.Failure, Error: "no quota"})
	w.until(`document.querySelector(".title .outcome").innerText === "failure"`)
	if got := sees[string](w, address); got != "/audit/traces/"+id.String()+"?follow=1" {
		t.Errorf("the end is shown at %s", got)
	}
	if got := sees[[]string](w, `[...document.querySelectorAll(".tail .text")].map(n => n.innerText)`); len(got) != 500 || got[499] != "missed" {
		t.Errorf("the last of %d lines is %q", len(got), got[len(got)-1])
	}
	if sees[int](w, `document.scripts.length`) != 0 {
		t.Error("the page of an action that has ended has a script")
	}
	for _, heard := range w.heard() {
		if !strings.Contains(heard, "net::ERR_") { // of the connection that was cut
			t.Errorf("the browser complains: %q", heard)
		}
	}

	// Without scripts the page loads itself again where it was told to.
	w.withoutScripts()
	id = at(100)
	r.running(id)
	w.load(chromedp.Navigate(server.URL + "/audit/traces/" + id.String()))
	if sees[bool](w, `document.getElementById("live").checkVisibility()`) {
		t.Error("a page that cannot follow says that it does")
	}
	w.load(chromedp.Click(chromedp.CSS("noscript a")))
	r.logged(id, "there")
	w.until(lastText + ` === "there"`)
}
