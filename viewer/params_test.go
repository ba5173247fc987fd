package viewer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/infrakitchen/audit/internal/testdb"
)

// Parameters that an address does not have, or cannot use, are refused by name,
// whatever the address.
func TestParametersAreCheckedEverywhere(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	id := ids[3].String()
	for address, says := range map[string]string{
		"/?evnt=1":                                         `no parameter "evnt". The parameters are event,`,
		"/find?id=" + id + "&x=1":                          `no parameter "x". The parameters are id.`,
		"/find?id=" + id + "&id=" + id:                     `id is given 2 times`,
		"/entries/" + id + "?x=1":                          `no parameter "x", and no other one here`,
		"/traces/" + id + "?fllow=1":                       `no parameter "fllow". The parameters are after, before, entry, lines, follow.`,
		"/traces/" + id + "?follow=yes":                    `follow is "yes"; it must be 0 or 1`,
		"/traces/" + id + "?after=1&after=2":               `after is given 2 times`,
		"/traces/" + id + "?lines=%00":                     `lines is "\x00", which is not valid text`,
		"/traces/" + id + "?limit=2":                       `no parameter "limit"`,
		"/traces/" + id + "/follow?after=-5":               `after is "-5"; it must be a seq`,
		"/traces/" + id + "/follow?seen=x":                 `seen is "x"; it must be a seq`,
		"/traces/" + id + "/follow?follow=1":               `no parameter "follow". The parameters are after, seen.`,
		"/api/entries?x=1":                                 `no parameter "x"`,
		"/api/entries/" + id + "?x=1":                      `no parameter "x"`,
		"/api/traces/" + id + "?limit=2":                   `no parameter "limit"`,
		"/api/traces/" + id + "/lines?x=1":                 `no parameter "x". The parameters are limit, order, cursor.`,
		"/api/traces/" + id + "/lines?order=asc&order=asc": `order is given 2 times`,
		"/api/events?x=1":                                  `no parameter "x"`,
	} {
		a := ask(t, h, http.MethodGet, address)
		a.must(http.StatusBadRequest)
		said := ""
		if a.doc != nil {
			said = text(a.one("main"))
		} else {
			var e struct{ Error string }
			a.json(&e)
			said = e.Error
		}
		if !strings.Contains(said, says) {
			t.Errorf("%s says %q, want %q in it", address, said, says)
		}
	}
	for _, address := range []string{"/traces/" + id + "?follow=&lines=", "/api/events?", "/nothing?x=1"} {
		if a := ask(t, h, http.MethodGet, address); a.Code == http.StatusBadRequest {
			t.Errorf("%s is refused: %s", address, a.Body)
		}
	}
}
