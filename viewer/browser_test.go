package viewer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// window is a real browser, and what it complained about.
type window struct {
	*testing.T
	ctx context.Context // chromedp's handle of the tab

	mu         sync.Mutex
	complaints []string
}

// open starts a browser.
func open(t *testing.T) *window {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Fatal("no browser: this test needs chromium, google-chrome or chromium-browser on the PATH")
	}
	w := &window{T: t}
	// Cleanups run when t.Context has ended; the browser must not have by then.
	limit, stop := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
	t.Cleanup(stop)
	allocator, stopAllocator := chromedp.NewExecAllocator(limit, append(
		chromedp.DefaultExecAllocatorOptions[:], // headless, without background networking
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
	)...)
	t.Cleanup(stopAllocator)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithListener(w.listen))
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("closing the browser: %v", err)
		}
	})
	w.ctx = ctx
	w.do(chromedp.EmulateViewport(1280, 900))
	return w
}

// withoutScripts has it run no script of any page from now on.
func (w *window) withoutScripts() {
	w.Helper()
	if _, err := chromedp.Call(w.ctx, emulation.SetScriptExecutionDisabled,
		emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		w.Fatal(err)
	}
}

func (w *window) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *log.EventEntryAdded:
		text = e.Entry.Text
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		text = fmt.Sprint("console.", e.Type)
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, text)
}

func (w *window) heard() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := w.complaints
	w.complaints = nil
	return heard
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.Fatal(err)
	}
}

// load does what leads to another page and waits for it.
func (w *window) load(steps ...chromedp.Action[chromedp.Void]) {
	w.Helper()
	r, err := chromedp.RunResponse(w.ctx, steps...)
	if err != nil {
		w.Fatal(err)
	}
	if r.Status != http.StatusOK {
		w.Fatalf("%s: status %d", r.URL, r.Status)
	}
}

// sees evaluates an expression in the page that is shown.
func sees[T any](w *window, expression string) T {
	w.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		w.Fatalf("%s: %v", expression, err)
	}
	return v
}

const (
	headings = `[...document.querySelectorAll("h1")].map(n => n.innerText).join("|")`
	entities = `[...document.querySelectorAll('td[data-label="Entity id"] .id')].map(n => n.innerText).join(" ")`
	address  = `location.pathname + location.search`
)

// A person looks something up, in a browser without scripts, and finds it.
func TestInABrowser(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	for i := range 60 {
		e := own(at(i), ann, trail.Update, "resource", fmt.Sprint(i))
		if i%20 == 7 {
			e.Event = trail.Execute
		}
		e.EntityName = strings.Repeat("a-rather-long-name-", i%3)
		r.record(e)
	}
	change := own(at(100), ann, trail.Update, "resource", "47")
	change.TraceID = trail.NewID(epoch.Add(47 * time.Second))
	action := own(change.TraceID, ann, trail.Execute, "resource", "47")
	action.Outcome = trail.Pending
	change.Before = []byte(`{"state":"approved","note":"` + strings.Repeat("a long word ", 200) + `"}`)
	change.After = []byte(`{"state":"provisioning","note":"` + strings.Repeat("aVeryLongWord", 100) + `"}`)
	r.record(action, change)
	r.line(action.ID, time.Second, "info", "\x1b[32mplanned\x1b[0m "+strings.Repeat("x", 500), `{"step":1}`)

	mux := http.NewServeMux()
	mux.Handle("/audit/", http.StripPrefix("/audit", r.handler()))
	mux.HandleFunc("/bad", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,"><p style="color:red">x</p>`))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	w := open(t)
	w.withoutScripts()
	w.load(chromedp.Navigate(server.URL + "/bad"))
	if heard := w.heard(); !slices.ContainsFunc(heard, func(s string) bool {
		return strings.Contains(s, "Content Security Policy")
	}) {
		t.Fatalf("the browser does not tell when a page breaks its policy: %q", heard)
	}

	w.load(chromedp.Navigate(server.URL + "/audit/"))
	if got := sees[string](w, headings); got != "All actions" {
		t.Errorf("heading %q", got)
	}
	if got := sees[int](w, `document.querySelectorAll("table.entries tbody tr").length`); got != 50 {
		t.Errorf("%d rows", got)
	}
	if got := sees[string](w, `getComputedStyle(document.querySelector("table.entries thead th")).fontSize`); got != "12.5px" {
		t.Errorf("the style sheet is not in force: %s", got)
	}

	// The dropdown.
	w.do(chromedp.SetValue(chromedp.CSS("#event"), "execute"))
	w.load(chromedp.Click(chromedp.CSS("form.filters button")))
	if got := sees[string](w, address); got != "/audit/?event=execute" {
		t.Errorf("the form leads to %s", got)
	}
	if got := sees[string](w, entities); got != "47 47 27 7" {
		t.Errorf("entities %q", got)
	}
	if got := sees[string](w, `document.querySelector("#event").value`); got != "execute" {
		t.Errorf("the dropdown shows %q", got)
	}

	// A column.
	w.load(chromedp.Click(chromedp.CSS("th:first-child a")))
	if got := sees[string](w, entities); got != "7 27 47 47" {
		t.Errorf("sorted entities %q", got)
	}
	if got := sees[string](w, `getComputedStyle(document.querySelector("[aria-sort] a"), "::after").content`); !strings.Contains(got, "↑") {
		t.Errorf("the direction is shown as %s", got)
	}

	// A trace.
	w.load(chromedp.Click(chromedp.CSS("tbody tr:last-child td.when a")))
	trace := sees[string](w, address)
	if !strings.HasPrefix(trace, "/audit/traces/") {
		t.Errorf("the row leads to %s", trace)
	}
	if got := sees[string](w, headings); !strings.HasPrefix(got, "execute resource 47") {
		t.Errorf("heading %q", got)
	}

	// The trace with everything, found by the id of one of its entries.
	w.do(chromedp.SendKeys(chromedp.CSS("#find"), change.ID.String()))
	w.load(chromedp.Click(chromedp.CSS("form.find button")))
	trace = "/audit/traces/" + action.ID.String()
	if got := sees[string](w, address); got != trace+"?entry="+change.ID.String() {
		t.Errorf("the entry is at %s", got)
	}
	if got := sees[string](w, `document.querySelector("article:target h3").innerText`); got != "update resource 47" {
		t.Errorf("the entry that was looked for is %q", got)
	}
	plain := sees[string](w, `getComputedStyle(document.querySelector(".lines .text")).color`)
	if got := sees[string](w, `getComputedStyle(document.querySelector(".lines .a-fg2")).color`); got == plain {
		t.Errorf("green is %s like everything", got)
	}

	// Nothing runs over the edge, at any width.
	for _, at := range []string{"", "?event=execute&user_id=u-ann", strings.TrimPrefix(trace, "/audit/"), "?event=" + url.QueryEscape("none at all")} {
		w.load(chromedp.Navigate(server.URL + "/audit/" + at))
		for _, width := range []int64{320, 400, 760, 1000, 1280, 1920} {
			w.do(chromedp.EmulateViewport(width, 900))
			if got := sees[int64](w, `document.documentElement.scrollWidth`); got > width {
				t.Errorf("/audit/%s is %d wide in a window of %d", at, got, width)
			}
		}
	}

	// What the keyboard reaches is seen to be reached.
	w.load(chromedp.Navigate(server.URL + "/audit/"))
	for range 3 {
		w.do(chromedp.KeyEvent("\t"))
		if got := sees[string](w, `getComputedStyle(document.activeElement).outlineStyle`); got == "none" {
			t.Errorf("%s has the focus and does not show it", sees[string](w, `document.activeElement.outerHTML`))
		}
	}
	if heard := w.heard(); heard != nil {
		t.Errorf("the browser complains: %q", heard)
	}
}
