package viewer_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
)

func TestListForm(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		h := r.handler()
		chosen := func(p *answer, id string) (values, selected []string) {
			for _, o := range all(p.one("select", "id="+id), is("option")) {
				values = append(values, attr(o, "value"))
				if _, ok := lookup(o, "selected"); ok {
					selected = append(selected, attr(o, "value"))
				}
			}
			return values, selected
		}

		p := page(t, h, "/?event=approve&sort=user&order=asc&model=resource")
		events, selected := chosen(p, "event")
		if d := cmp.Diff([]string{"", "approve", "create", "execute", "sweep & mop", "update"}, events); d != "" {
			t.Errorf("the events that occur, -want +got:\n%s", d)
		}
		if !slices.Equal(selected, []string{"approve"}) {
			t.Errorf("selected %q", selected)
		}
		hidden := map[string]string{}
		for _, n := range all(p.doc, is("input", "type=hidden")) {
			hidden[attr(n, "name")] = attr(n, "value")
		}
		if d := cmp.Diff(map[string]string{"sort": "user", "order": "asc"}, hidden); d != "" {
			t.Errorf("what the form passes on, -want +got:\n%s", d)
		}
		if got := attr(p.one("input", "id=model"), "value"); got != "resource" {
			t.Errorf("model %q", got)
		}
		p.one("input", "id=more", "checked") // a filter in force is not hidden
		for _, n := range append(all(p.doc, is("input")), all(p.doc, is("select"))...) {
			if attr(n, "type") != "hidden" && len(all(p.doc, is("label", "for="+attr(n, "id")))) != 1 {
				t.Errorf("%s has no label", attr(n, "id"))
			}
		}

		if _, selected := chosen(page(t, h, "/?event=destroy"), "event"); !slices.Equal(selected, []string{"destroy"}) {
			t.Errorf("an event that does not occur is not in the form: %q", selected)
		}
		p = page(t, h, "/?event=create&event=approve")
		if _, selected := chosen(p, "event"); !slices.Equal(selected, []string{"approve", "create"}) {
			t.Errorf("of two events the form has %q", selected)
		}
		p.one("select", "id=event", "multiple")
		if n := all(page(t, h, "/?event=create").doc, is("input", "id=more", "checked")); len(n) != 0 {
			t.Error("more filters are shown without need")
		}
	})
}

// A form sends its empty fields as well: they say nothing, and are not part of
// the address that one passes on.
func TestListDropsEmptyParameters(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	for asked, want := range map[string]string{
		"/?event=create&outcome=&model=&from=":        "/?event=create",
		"/?event=&outcome=":                           "/",
		"/?limit=2&user_id=&entity_id=a%2Fb%3Fc%26":   "/?entity_id=a%2Fb%3Fc%26&limit=2",
		"/?event=&sort=user&order=asc&tenant_id=&to=": "/?order=asc&sort=user",
	} {
		a := ask(t, h, http.MethodGet, asked)
		a.must(http.StatusSeeOther)
		if got := a.follow(a.Header().Get("Location")); got != want {
			t.Errorf("%s leads to %s, want %s", asked, got, want)
		}
	}
}

// A list that cannot be shown keeps the form, with what was entered.
func TestListKeepsTheFormWithWhatIsWrong(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	a := ask(t, h, http.MethodGet, "/?"+queryOf("event", "create", "model", "resource", "user_id", "u-ann", "from", "yesterday",
		"to", "2026-11-23T06:48", "sort", "user", "limit", "2"))
	a.must(http.StatusBadRequest)
	if got := text(a.one("p", "role=alert")); !strings.HasPrefix(got, `From is "yesterday"; it must be`) {
		t.Errorf("it says %q", got)
	}
	entered := map[string]string{}
	for _, n := range all(a.one("form", "class=filters"), is("input", "name")) {
		entered[attr(n, "name")] = attr(n, "value")
	}
	if d := cmp.Diff(map[string]string{
		"model": "resource", "entity_id": "", "user_id": "u-ann", "from": "yesterday", "to": "2026-11-23T06:48", "sort": "user", "limit": "2",
	}, entered); d != "" {
		t.Errorf("the form has, -want +got:\n%s", d)
	}
	if got := attr(a.one("input", "id=from"), "type"); got != "text" {
		t.Errorf("what is no time is in a field of type %q", got)
	}
	if got := attr(a.one("option", "selected"), "value"); got != "create" {
		t.Errorf("the event is %q", got)
	}
	if len(all(a.doc, is("table"))) != 0 || a.has("Clear the filters") {
		t.Error("there is a list all the same")
	}
	// What no field shows cannot be mended, and is left out.
	a = ask(t, h, http.MethodGet, "/?limit=x&sort=user")
	if n := all(a.doc, is("input", "type=hidden")); len(n) != 1 || attr(n[0], "name") != "sort" {
		t.Errorf("the form passes on %d parameters", len(n))
	}
}
