package viewer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
)

// Wherever the pages are mounted, and whatever page one begins with, the links
// of all pages lead to pages below the mount point.
func TestMounts(t *testing.T) {
	r, ids := library(t, testdb.OpenSQLite(t, &gorm.Config{PrepareStmt: true})) // of which hundreds are asked for
	r.line(ids[3], 0, "info", "on my way", "")
	pages := r.handler()
	gin.SetMode(gin.TestMode)

	mux := http.NewServeMux()
	mux.Handle("/", pages)
	stripped := http.NewServeMux()
	stripped.Handle("/audit/", http.StripPrefix("/audit", pages))
	slash := http.NewServeMux()
	slash.Handle("/audit/", http.StripPrefix("/audit/", pages))
	bare := http.StripPrefix("/audit", pages) // no mux that would add the slash
	router := gin.New()
	router.Any("/audit/*path", gin.WrapH(http.StripPrefix("/audit", pages)))
	group := gin.New()
	group.Group("/admin").GET("/audit log/*path", gin.WrapH(http.StripPrefix("/admin/audit log", pages)))
	// A proxy in front took the prefix off: only the browser knows it.
	proxy := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		q.URL.Path = strings.TrimPrefix(q.URL.Path, "/behind/proxy")
		q.RequestURI = q.URL.RequestURI()
		pages.ServeHTTP(w, q)
	})

	for _, c := range []struct {
		name    string
		handler http.Handler
		prefix  string
		entry   string // where one arrives
	}{
		{"at the root, bare", pages, "/", "/"},
		{"at the root, of a mux", mux, "/", "/"},
		{"StripPrefix", stripped, "/audit/", "/audit/"},
		{"StripPrefix, asked without the slash", stripped, "/audit/", "/audit?event=create"},
		{"StripPrefix with a slash", slash, "/audit/", "/audit/"},
		{"StripPrefix without a mux, asked without the slash", bare, "/audit/", "/audit?event=create"},
		{"gin", router, "/audit/", "/audit/"},
		{"gin, asked without the slash", router, "/audit/", "/audit"},
		{"a group of gin, with a space in the name", group, "/admin/audit%20log/", "/admin/audit%20log"},
		{"behind a proxy", proxy, "/behind/proxy/", "/behind/proxy/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[string]bool{}
			kinds := map[string]int{}
			for queue := []string{c.entry}; len(queue) > 0 && len(seen) < 70; queue = queue[1:] {
				address, _, _ := strings.Cut(queue[0], "#")
				if seen[address] {
					continue
				}
				seen[address] = true
				a := ask(t, c.handler, http.MethodGet, address)
				if a.Code/100 == 3 {
					queue = append(queue, a.follow(a.Header().Get("Location")))
					continue
				}
				a.must(http.StatusOK)
				if !strings.HasPrefix(address, c.prefix) {
					t.Fatalf("%s is not below %s", address, c.prefix)
				}
				kind, _, _ := strings.Cut(strings.TrimPrefix(address, c.prefix), "/")
				kind, _, _ = strings.Cut(kind, "?")
				kinds[kind]++
				if a.doc == nil {
					continue
				}
				for n := range a.doc.Descendants() {
					for _, key := range []string{"href", "action"} {
						if to, ok := lookup(n, key); ok && !strings.HasPrefix(to, "#") {
							to = a.follow(to)
							if n.Data == "form" && strings.HasSuffix(to, "find") {
								to += "?id=" + ids[6].String()
							}
							queue = append(queue, to)
						}
					}
				}
			}
			for kind, least := range map[string]int{"": 20, "traces": 5, "static": 2} {
				if kinds[kind] < least {
					t.Errorf("%d pages of kind %q were reached, at least %d expected: %v", kinds[kind], kind, least, kinds)
				}
			}
		})
	}
}

func TestMountedErrorPagesLeadBack(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := http.StripPrefix("/audit", r.handler())
	for _, address := range []string{"/audit/x", "/audit/x/", "/audit/traces/x/y/z", "/audit/traces/a%2Fb", "/audit/?limit=x"} {
		a := ask(t, h, http.MethodGet, address)
		if a.Code/100 != 4 {
			t.Errorf("%s: status %d", address, a.Code)
		}
		if got := a.link("Go to all actions"); got != "/audit/" {
			t.Errorf("%s leads back to %s", address, got)
		}
	}
}
