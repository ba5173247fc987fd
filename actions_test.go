package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// moment is a way in which an action comes to be, and when its own entry is
// written.
type moment struct {
	name         string
	method, path string // of its route
	annotation   gin.HandlerFunc
	behind       bool // authentication runs after the middleware
	event        trail.Event
	ahead        bool
	anyEntity    bool // it names none, so any row of the model may be its own
	creates      bool // but only one that is inserted
}

const (
	publish   audit.Event = "publish"
	provision audit.Event = "provision"
	download  audit.Event = "download"
)

// principal is how many of the moments, from the first on, differ in what they
// do to the database.
const principal = 4

var moments = []moment{
	{name: "with the change", method: "PUT", path: "/widgets/:id", event: audit.Update},
	{name: "with a row that is created", method: "POST", path: "/widgets", event: audit.Create, anyEntity: true, creates: true},
	{name: "with the change of any entity", method: "POST", path: "/widgets/enable", event: audit.Enable, anyEntity: true},
	{name: "ahead, nobody known yet", method: "POST", path: "/widgets/:id/retry", behind: true, event: audit.Retry, ahead: true},

	{name: "ahead", method: "POST", path: "/widgets/:id/execute", event: audit.Execute, ahead: true},
	{name: "with the change, nobody known yet", method: "PATCH", path: "/widgets/:id", behind: true, event: audit.Update},
	{
		name: "ahead by annotation", method: "POST", path: "/widgets/:id/look", annotation: audit.As(audit.Dryrun, "widget"),
		event: audit.Dryrun, ahead: true,
	},
	{
		name: "with the change by annotation, ahead by convention", method: "POST", path: "/widgets/:id/sync",
		annotation: audit.As(audit.Enable), event: audit.Enable,
	},
	{
		name: "annotated read", method: "GET", path: "/widgets/:id/file", annotation: audit.As(download, "widget"),
		event: download,
	},
	{name: "event of its own", method: "POST", path: "/widgets/:id/publish", event: publish},
	{name: "event of its own, ahead", method: "PUT", path: "/widgets/:id/provision", event: provision, ahead: true},
}

// expected is what must be in the trail of an attempt.
type expected struct {
	Event   trail.Event
	Entity  string
	Outcome trail.Result
	Changes []change
	// OwnChanged is whether the own entry is one of the changes.
	OwnChanged bool
}

// expect works out what an attempt must leave: nothing but the moment, what was
// committed and how it was answered has a say in it.
func (w *world) expect(m moment, b behaviour, f things, status int) (want expected, ownMay []change) {
	want = expected{Event: m.event, Outcome: resultOf(status)}
	if b.panics != nil {
		want.Outcome = trail.Failure
	}
	if !m.anyEntity {
		want.Entity = fmt.Sprint(f.a)
	}
	leaves := b.leaves
	if w.db.SkipDefaultTransaction && b.leavesAlone != nil {
		leaves = b.leavesAlone
	}
	var changes []change
	if leaves != nil {
		changes = leaves(f)
	}
	want.Changes = sorted(changes)
	if m.ahead {
		return want, nil
	}
	for _, c := range changes {
		if c.Model != "widget" || c.ID == "" || m.creates && c.Operation != "insert" && !b.inserts {
			continue
		}
		if c.ID == want.Entity || m.anyEntity && len(ownMay) < max(b.first, 1) {
			ownMay = append(ownMay, c)
			if !m.anyEntity {
				break
			}
		}
	}
	want.OwnChanged = len(ownMay) > 0
	return want, ownMay
}

func resultOf(status int) trail.Result {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return trail.Denied
	case status >= 400:
		return trail.Failure
	default:
		return trail.Success
	}
}

// check holds the trace of an attempt to what is expected.
func (w *world) check(t *testing.T, id uuid.UUID, m moment, b behaviour, f things, status int) store.Entry {
	t.Helper()
	want, ownMay := w.expect(m, b, f, status)
	own, changes := w.trace(t, id)
	got := expected{own.Event, own.EntityID, own.Result, sorted(changes), own.Operation != ""}
	if want.OwnChanged {
		one := false
		for _, c := range ownMay {
			one = one || cmp.Equal(c, changeOf(t, own))
		}
		if !one {
			t.Errorf("the own entry is %+v, want one of %+v", changeOf(t, own), ownMay)
		}
		if m.anyEntity {
			want.Entity = own.EntityID // as the change says
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the trail (-want +got):\n%s", diff)
	}
	// What is written ahead says pending, and what is not known with the
	// change is added: nothing else needs a second row.
	if finished := own.Finished != nil; finished != (m.ahead || want.Outcome != trail.Success) {
		t.Errorf("there is an outcome beside the entry: %t", finished)
	}
	return own
}

// request sends one request to a service with one route, whose handler behaves.
func (w *world) request(t *testing.T, m moment, b behaviour, f things) (status int, header http.Header) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	router := gin.New()
	router.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, v any) {
		if v != b.panics {
			t.Errorf("gin.Recovery got the panic %v, want %v", v, b.panics)
		}
		c.AbortWithStatus(http.StatusInternalServerError)
	}))
	auth := gin.BasicAuth(gin.Accounts{"una": "pass"})
	if !m.behind {
		router.Use(auth)
	}
	router.Use(audit.Middleware(
		audit.WithEvent(publish, trail.WithChange), audit.WithEvent(provision, trail.Ahead),
		audit.WithErrorHandler(func(_ context.Context, err error) { t.Errorf("not recorded: %v", err) })))
	if m.behind {
		router.Use(auth)
	}
	returned := false
	var handlers []gin.HandlerFunc
	if m.annotation != nil {
		handlers = append(handlers, m.annotation)
	}
	router.Handle(m.method, m.path, append(handlers, func(c *gin.Context) {
		ctx := c.Request.Context()
		status = b.run(&attempt{things: f, ctx: ctx, db: w.db.WithContext(ctx), leave: leave})
		returned = true
		c.Status(status)
	})...)
	path := strings.Replace(m.path, ":id", fmt.Sprint(f.a), 1)
	req := httptest.NewRequestWithContext(ctx, m.method, path, http.NoBody)
	req.SetBasicAuth("una", "pass")
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	if returned == (b.panics != nil) {
		t.Fatalf("the handler returned: %t, it answered %d %s", returned, rec.Code, rec.Body)
	}
	if returned && rec.Code != status {
		t.Errorf("the answer is %d, the handler's was %d", rec.Code, status)
	}
	return rec.Code, rec.Header()
}

// TestActions is the promise that every action has its one entry, over every
// moment at which it may be written, whatever the handler does.
func TestActions(t *testing.T) {
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			for n, m := range moments {
				if n >= principal && e.name != plainSQLite.name && e.name != plainPostgres.name {
					break // what else there is to a moment does not reach the database
				}
				t.Run(m.name, func(t *testing.T) {
					for _, b := range behaviours {
						t.Run(b.name, func(t *testing.T) {
							f := w.things(t)
							status, header := w.request(t, m, b, f)
							id, err := uuid.Parse(header.Get("X-Trace-Id"))
							if err != nil {
								t.Fatalf("X-Trace-Id: %v", err)
							}
							own := w.check(t, id, m, b, f, status)
							if own.Actor.ID != "una" || own.Actor.Kind != trail.KindUser {
								t.Errorf("the actor is %+v, want una", own.Actor)
							}
							if own.Finished != nil && own.Finished.Status != status {
								t.Errorf("the outcome has the status %d, want %d", own.Finished.Status, status)
							}
						})
					}
				})
			}
			w.accounted(t)
		})
	}
}

// job runs a behaviour as a job does, which ends its trace by itself.
func (w *world) job(t *testing.T, m moment, b behaviour, f things) (id uuid.UUID, status int) {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	action := trail.Action{Actor: trail.Actor{ID: "una"}, Event: m.event, Model: "widget", Moment: trail.WithChange}
	if m.ahead {
		action.Moment = trail.Ahead
	}
	if !m.anyEntity {
		action.EntityID = fmt.Sprint(f.a)
	}
	ctx, trace, err := trail.Start(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	func() {
		defer func() {
			if v := recover(); v != b.panics {
				t.Errorf("the panic is %v, want %v", v, b.panics)
			}
		}()
		status = b.run(&attempt{things: f, ctx: ctx, db: w.db.WithContext(ctx), leave: leave})
	}()
	switch resultOf(status) {
	case trail.Denied:
		err = fmt.Errorf("status %d: %w", status, trail.ErrDenied)
	case trail.Failure:
		err = fmt.Errorf("status %d", status)
	case trail.Success, trail.Pending:
		if b.panics != nil {
			err = errors.New("it panicked")
		}
	}
	if err := trace.End(err); err != nil {
		t.Error(err)
	}
	if err := trace.End(nil); !errors.Is(err, trail.ErrEnded) {
		t.Errorf("the second end returns %v, want trail.ErrEnded", err)
	}
	return trace.ID(), status
}

// TestJobs is the same for actions that are not requests.
func TestJobs(t *testing.T) {
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			for _, m := range []moment{
				{name: "with the change", event: audit.Update},
				{name: "with a row that is created", event: audit.Create, anyEntity: true, creates: true},
				{name: "with the change of any entity", event: audit.Enable, anyEntity: true},
				{name: "ahead", event: audit.Sync, ahead: true},
			} {
				t.Run(m.name, func(t *testing.T) {
					for _, b := range behaviours {
						t.Run(b.name, func(t *testing.T) {
							f := w.things(t)
							id, status := w.job(t, m, b, f)
							w.check(t, id, m, b, f, status)
						})
					}
				})
			}
			w.accounted(t)
		})
	}
}
