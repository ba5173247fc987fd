package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// submit returns where the form of the list leads, changed as is said.
func (a *answer) submit(changes ...string) string {
	a.Helper()
	values := url.Values{}
	for _, n := range all(a.one("form", "class=filters"), is("input", "name")) {
		values.Set(attr(n, "name"), attr(n, "value"))
	}
	for i := 0; i < len(changes); i += 2 {
		values.Set(changes[i], changes[i+1])
	}
	return "/?" + values.Encode()
}

// Whoever applies the form without a change of its times gets the same list, also
// where a field cannot show all of a time.
func TestFormKeepsExactTimes(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	zone := berlin(t)
	h := r.handler(func(o *viewer.Options) { o.Location = zone })
	for from, want := range map[string]string{
		"2026-11-23T06:49":                 "2026-11-23T06:49",
		"2026-11-23T06:49:07":              "2026-11-23T06:49:07",
		"2026-11-23T06:49:07.25":           "2026-11-23T06:49:07.25+01:00",
		"2026-11-23T06:49:00.123456Z":      "2026-11-23T07:49:00.123456+01:00",
		"2026-10-25T02:30:00+02:00":        "", // the first of the two
		"2026-10-25T02:30:00+01:00":        "", // the second one
		"2026-10-25T02:30:00.000001+01:00": "2026-10-25T02:30:00.000001+01:00",
	} {
		p := page(t, h, "/?"+queryOf("from", from))
		a := ask(t, h, http.MethodGet, p.submit())
		a.must(http.StatusSeeOther)
		to := a.follow(a.Header().Get("Location"))
		got := query(t, to)
		if want == "" { // where it can be told without, or is told exactly
			sent, err := time.Parse(time.RFC3339, from)
			if err != nil {
				t.Fatal(err)
			}
			back, err := time.Parse(time.RFC3339Nano, got.Get("from"))
			if err != nil {
				back, err = time.ParseInLocation("2006-01-02T15:04", got.Get("from"), zone)
			}
			if err != nil || !back.Equal(sent) {
				t.Errorf("%s becomes %v", from, got)
			}
		} else if d := cmp.Diff(url.Values{"from": {want}}, got); d != "" {
			t.Errorf("%s, -want +got:\n%s", from, d)
		}
		chip := func(p *answer) string { return p.texts("a", "title=Remove this filter")[0] }
		if before, after := chip(p), chip(page(t, h, to)); before != after {
			t.Errorf("%s: %q becomes %q", from, before, after)
		}
	}

	// A time that was changed is the new one, and one that was emptied is none.
	p := page(t, h, "/?"+queryOf("to", "2026-11-23T06:49:00.123456Z"))
	for changed, want := range map[string]url.Values{"2026-11-23T06:50": {"to": {"2026-11-23T06:50:00+01:00"}}, "": {}} {
		a := ask(t, h, http.MethodGet, p.submit("to", changed))
		a.must(http.StatusSeeOther)
		if d := cmp.Diff(want, query(t, a.follow(a.Header().Get("Location")))); d != "" {
			t.Errorf("%q, -want +got:\n%s", changed, d)
		}
	}
	a := ask(t, h, http.MethodGet, p.submit("to_exact", "x"))
	a.must(http.StatusBadRequest)
}

func TestFormKeepsExactTimesInABrowser(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	server := httptest.NewServer(r.handler())
	t.Cleanup(server.Close)
	w := open(t)
	for from, want := range map[string]string{
		"2026-11-23T06:49:00.123456Z": "?from=2026-11-23T06%3A49%3A00.123456Z",
		"2026-11-23T06:49:07Z":        "?from=2026-11-23T06%3A49%3A07",
	} {
		w.load(chromedp.Navigate(server.URL + "/?" + queryOf("from", from)))
		w.load(chromedp.Click(chromedp.CSS("form.filters .primary")))
		if got := sees[string](w, `location.search`); got != want {
			t.Errorf("%s becomes %s, want %s", from, got, want)
		}
	}
}

// In the hour that the clock shows twice, times have their offset.
func TestTimesThatAreThereTwice(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	end := time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC) // of daylight saving
	for _, minutes := range []time.Duration{-61, -60, -1, 0, 59, 60} {
		id := trail.NewID(end.Add(minutes * time.Minute))
		r.record(own(id, ann, trail.Create, "resource", "1"))
	}
	h := r.handler(func(o *viewer.Options) { o.Location = berlin(t) })
	want := []string{
		"2026-10-25 01:59:00", "2026-10-25 02:00:00 +02:00", "2026-10-25 02:59:00 +02:00",
		"2026-10-25 02:00:00 +01:00", "2026-10-25 02:59:00 +01:00", "2026-10-25 03:00:00",
	}
	if d := cmp.Diff(want, page(t, h, "/?order=asc").column("Time")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// A zone without a name that says anything is shown by its offset.
func TestZoneLabels(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	for want, zone := range map[string]*time.Location{
		"Time UTC":           time.UTC,
		"Time Europe/Berlin": berlin(t),
		"Time UTC+05:30":     time.FixedZone("", 5*60*60+30*60),
		"Time UTC-03:00":     time.FixedZone("Local", -3*60*60),
	} {
		p := page(t, r.handler(func(o *viewer.Options) { o.Location = zone }), "/")
		if got := p.texts("th", "aria-sort=descending"); !slices.Equal(got, []string{want}) {
			t.Errorf("the heading is %q, want %q", got, want)
		}
		if got := strings.Join(p.texts("label", "for=from"), ""); got != strings.Replace(want, "Time", "From", 1) {
			t.Errorf("the field is %q", got)
		}
	}
}
