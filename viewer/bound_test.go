package viewer_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/viewer"
)

// hold has the database answer queries for the user "slow" only when they are
// cancelled or released, and tells of each.
func (r *recorded) hold() (held <-chan struct{}, release func(), most *atomic.Int64) {
	r.Helper()
	begun, released := make(chan struct{}, 100), make(chan struct{})
	var now atomic.Int64
	most = &atomic.Int64{}
	err := r.db.Callback().Row().Before("gorm:row").Register("hold", func(db *gorm.DB) {
		if !slices.Contains(db.Statement.Vars, any("slow")) {
			return
		}
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		begun <- struct{}{}
		select {
		case <-db.Statement.Context.Done():
			_ = db.AddError(db.Statement.Context.Err())
		case <-released:
		}
	})
	if err != nil {
		r.Fatal(err)
	}
	return begun, sync.OnceFunc(func() { close(released) }), most
}

// A list that takes too long is given up, and says what to do; that is nothing to
// report.
func TestSlowListsAreGivenUp(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r, _ := library(t, db)
		held, _, _ := r.hold()
		h := r.handler()
		viewer.Impatient(h, time.Millisecond)
		a := ask(t, h, http.MethodGet, "/?user_id=slow")
		<-held
		a.must(http.StatusServiceUnavailable)
		if got := text(a.one("p", "role=alert")); !strings.Contains(got, "Bound the time, by From and Before.") {
			t.Errorf("it says %q", got)
		}
		if got := attr(a.one("input", "id=user"), "value"); got != "slow" {
			t.Errorf("the form has the user %q", got)
		}
		if got := a.link("Try again"); got != "/?user_id=slow" {
			t.Errorf("it is tried again at %s", got)
		}
		a = ask(t, h, http.MethodGet, "/api/entries?user_id=slow")
		a.must(http.StatusServiceUnavailable)
		var e struct{ Error string }
		if a.json(&e); !strings.Contains(e.Error, "Bound the time, by from and to.") {
			t.Errorf("it says %q", e.Error)
		}
	})
}

// However many slow lists are asked for, few are read at once, and the list of all
// does not wait for them.
func TestSlowListsAreFew(t *testing.T) {
	r, _ := library(t, testdb.OpenPostgres(t))
	held, release, most := r.hold()
	t.Cleanup(release)
	h := r.handler()
	viewer.Impatient(h, time.Hour)
	var waiting sync.WaitGroup
	for range viewer.MaxQueries + 3 {
		waiting.Go(func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/entries?user_id=slow", nil))
			if w.Code != http.StatusOK {
				t.Errorf("after its turn has come, a list has status %d", w.Code)
			}
		})
	}
	for range viewer.MaxQueries {
		<-held
	}
	page(t, h, "/")
	page(t, h, "/?from=2026-11-23&sort=user")
	ask(t, h, http.MethodGet, "/api/events").must(http.StatusOK)
	release()
	waiting.Wait()
	if n := most.Load(); n > viewer.MaxQueries {
		t.Errorf("%d lists were read at once", n)
	}

	// One whose turn does not come says so.
	r, _ = library(t, testdb.OpenPostgres(t))
	held, release, _ = r.hold()
	defer release()
	h = r.handler()
	viewer.Impatient(h, time.Hour)
	for range viewer.MaxQueries {
		waiting.Go(func() {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?user_id=slow", nil))
		})
		<-held
	}
	viewer.Impatient(h, time.Millisecond)
	a := ask(t, h, http.MethodGet, "/?user_id=u-ann")
	a.must(http.StatusServiceUnavailable)
	if got := text(a.one("p", "role=alert")); !strings.HasPrefix(got, "Too many filtered lists") || a.Header().Get("Retry-After") == "" {
		t.Errorf("it says %q", got)
	}
	release()
	waiting.Wait()
}
