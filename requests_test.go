package audit_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/trail"
)

// TestTrustedTrace: a gateway that is audited itself hands its trace on, to
// services that audit into the same tables, once or more often. Each request is
// an action of its own, whose parent is the gateway's.
func TestTrustedTrace(t *testing.T) {
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			router := gin.New()
			router.Use(gin.BasicAuth(gin.Accounts{"una": "pass"}), audit.Middleware(
				audit.WithTrustedTrace(func(c *gin.Context) bool { return c.GetHeader("X-Gateway") == "yes" }),
				audit.WithErrorHandler(func(_ context.Context, err error) { t.Errorf("not recorded: %v", err) })))
			handler := func(c *gin.Context) {
				var widget Widget
				err := w.db.WithContext(c.Request.Context()).First(&widget, c.Param("id")).Error
				c.Status(answer(errors.Join(err, rename(c.Request.Context(), w.db, widget.ID, c.Query("name")))))
			}
			router.PUT("/widgets/:id", handler)
			router.POST("/widgets/:id/execute", handler)
			for _, route := range []struct{ method, suffix string }{{"PUT", ""}, {"POST", "/execute"}} {
				f := w.things(t)
				send := func(gateway, id, name string) uuid.UUID {
					req := httptest.NewRequestWithContext(t.Context(), route.method, fmt.Sprintf("/widgets/%d%s?name=%s", f.a, route.suffix, name), http.NoBody)
					req.SetBasicAuth("una", "pass")
					req.Header.Set("X-Gateway", gateway)
					req.Header.Set("X-Trace-Id", id)
					rec := httptest.NewRecorder()
					router.ServeHTTP(rec, req)
					if rec.Code != http.StatusOK {
						t.Errorf("%s: status %d: %s", name, rec.Code, rec.Body)
					}
					return uuid.MustParse(rec.Header().Get("X-Trace-Id"))
				}
				_, gateway := begin(t, trail.Update, f) // which changes nothing itself
				if err := gateway.End(nil); err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				ids := make(chan uuid.UUID, 3)
				for _, name := range []string{"one", "two", "three"} {
					wg.Go(func() {
						ids <- send("yes", gateway.String(), name)
					})
				}
				wg.Wait()
				close(ids)
				for id := range ids {
					own, changes := w.trace(t, id)
					var d trail.Details
					if err := json.Unmarshal(own.Context, &d); err != nil {
						t.Fatal(err)
					}
					if id == gateway.ID() || d.ParentTraceID != gateway.String() || len(changes) != 1 {
						t.Errorf("%s: the entry's parent is %q, with %d changes of 1", route.suffix, d.ParentTraceID, len(changes))
					}
				}
				own, _ := w.trace(t, send("no", gateway.String(), "stranger"))
				if bytes.Contains(own.Context, []byte(gateway.String())) {
					t.Error("a stranger's trace id was taken")
				}
			}
			w.accounted(t)
		})
	}
}

// TestConcurrentRequests: many requests on one row, each with a trace of its
// own, some rolled back. The entries of the row are a chain.
func TestConcurrentRequests(t *testing.T) {
	const clients, requests = 6, 8
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			router := gin.New()
			accounts := gin.Accounts{}
			for i := range clients {
				accounts[fmt.Sprint("user", i)] = "pass"
			}
			router.Use(audit.Middleware(), gin.BasicAuth(accounts))
			handler := func(c *gin.Context) {
				ctx := c.Request.Context()
				err := w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					if err := rename(ctx, tx, f.a, c.Query("name")); err != nil || c.Query("undone") == "" {
						return err
					}
					return errChanged
				})
				c.Status(answer(err))
			}
			router.PUT("/widgets/:id", handler)
			router.POST("/widgets/:id/sync", handler)
			type asked struct {
				user, name string
				undone     bool
			}
			var mu sync.Mutex
			traces := map[uuid.UUID]asked{}
			var wg sync.WaitGroup
			for i := range clients {
				wg.Go(func() {
					for n := range requests {
						a := asked{fmt.Sprint("user", i), fmt.Sprintf("%d.%d", i, n), n%3 == 2}
						method, path := http.MethodPut, fmt.Sprintf("/widgets/%d", f.a)
						if n%2 == 1 {
							method, path = http.MethodPost, path+"/sync"
						}
						path += "?name=" + a.name
						if a.undone {
							path += "&undone=1"
						}
						req := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
						req.SetBasicAuth(a.user, "pass")
						rec := httptest.NewRecorder()
						router.ServeHTTP(rec, req)
						if want := map[bool]int{false: http.StatusOK, true: http.StatusConflict}[a.undone]; rec.Code != want {
							t.Errorf("%s: status %d, want %d: %s", a.name, rec.Code, want, rec.Body)
						}
						mu.Lock()
						traces[uuid.MustParse(rec.Header().Get("X-Trace-Id"))] = a
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			for id, a := range traces {
				own, changes := w.trace(t, id)
				if own.Actor.ID != a.user || len(changes) != map[bool]int{false: 1, true: 0}[a.undone] {
					t.Errorf("the trace of %+v is of %s, with %d changes", a, own.Actor.ID, len(changes))
				}
				if len(changes) == 1 && changes[0].After != fmt.Sprintf(`{"name":%q}`, a.name) {
					t.Errorf("the trace of %+v has the change %s", a, changes[0].After)
				}
			}
			w.accounted(t)
		})
	}
}

// TestClientLeavesATransaction: over the network, a client leaves while its
// request holds a transaction. The change is rolled back, the attempt is kept.
func TestClientLeavesATransaction(t *testing.T) {
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			for _, path := range []string{"/widgets/%d/approve", "/widgets/%d/execute"} {
				f := w.things(t)
				router := gin.New()
				ended := make(chan struct{})
				router.Use(func(c *gin.Context) {
					defer close(ended)
					c.Next()
				}, audit.Middleware(audit.WithErrorHandler(func(_ context.Context, err error) { t.Errorf("not recorded: %v", err) })))
				arrived := make(chan uuid.UUID, 1)
				handler := func(c *gin.Context) {
					ctx := c.Request.Context()
					id, _ := trail.TraceID(ctx)
					err := w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
						err := rename(ctx, tx, f.a, "new")
						arrived <- id
						<-ctx.Done()
						// A COMMIT may come before the effects of the context's end;
						// a statement sees that by itself.
						return errors.Join(err, rename(ctx, tx, f.a, "newer"))
					})
					_ = c.AbortWithError(http.StatusInternalServerError, err)
				}
				router.POST("/widgets/:id/approve", handler)
				router.POST("/widgets/:id/execute", handler)
				server := httptest.NewServer(router)
				ctx, leave := context.WithCancel(t.Context())
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+fmt.Sprintf(path, f.a), http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				left := make(chan error, 1)
				go func() {
					resp, err := server.Client().Do(req)
					if err == nil {
						err = errors.Join(errors.New("there was an answer"), resp.Body.Close())
					}
					left <- err
				}()
				id := <-arrived
				leave()
				<-ended
				if err := <-left; !errors.Is(err, context.Canceled) {
					t.Errorf("the client: %v", err)
				}
				server.Close()
				own, changes := w.trace(t, id)
				if own.Result != trail.Failure || len(changes) != 0 {
					t.Errorf("it ended as %s, with the changes %v", own.Result, changes)
				}
				if diff := cmp.Diff([]string{"old"}, w.names(t, f.a)); diff != "" {
					t.Error(diff)
				}
			}
			w.accounted(t)
		})
	}
}

// TestTrailIsGone: where entries cannot be written nothing is done, and it is
// said.
func TestTrailIsGone(t *testing.T) {
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			if err := rename(t.Context(), w.db, f.c, "known"); err != nil {
				t.Fatal(err)
			}
			if err := w.db.Exec("ALTER TABLE audit_logs RENAME TO audit_logs_gone").Error; err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/widgets/%d", "/widgets/%d/execute"} {
				var reported []error
				router := gin.New()
				router.Use(gin.BasicAuth(gin.Accounts{"una": "pass"}),
					audit.Middleware(audit.WithErrorHandler(func(_ context.Context, err error) { reported = append(reported, err) })))
				ran := false
				handler := func(c *gin.Context) {
					ran = true
					if rename(c.Request.Context(), w.db, f.a, "new") == nil {
						t.Error("a change went unrecorded")
					}
					c.Status(http.StatusInternalServerError)
				}
				router.POST("/widgets/:id", handler)
				router.POST("/widgets/:id/execute", handler)
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf(path, f.a), http.NoBody)
				req.SetBasicAuth("una", "pass")
				rec := httptest.NewRecorder()
				router.ServeHTTP(rec, req)
				if rec.Code != http.StatusServiceUnavailable || len(reported) == 0 {
					t.Errorf("%s: status %d, reported: %v", path, rec.Code, reported)
				}
				if ahead := path == "/widgets/%d/execute"; ran == ahead {
					t.Errorf("%s: the handler ran: %t", path, ran)
				}
			}
			if diff := cmp.Diff([]string{"old"}, w.names(t, f.a)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRepeatableRead: a transaction that does not see the commit of another of
// its action gets the error that it must expect at its level of isolation, no
// other, and its retry goes well.
func TestRepeatableRead(t *testing.T) {
	for _, e := range all[3:] {
		if e.plugin.BestEffort {
			continue // it would rather let the change go unrecorded
		}
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			ctx, trace, err := trail.Start(t.Context(), trail.Action{Actor: trail.Actor{ID: "una"}, Event: trail.Create, Model: "widget"})
			if err != nil {
				t.Fatal(err)
			}
			db := w.db.WithContext(ctx)
			first := db.Begin()
			created := false
			second := func(tx *gorm.DB) error {
				var n int64
				if err := tx.Model(&Widget{}).Count(&n).Error; err != nil { // its snapshot is taken
					return err
				}
				if !created {
					created = true
					if err := errors.Join(first.Create(&Widget{ID: f.fresh, Name: "new"}).Error, first.Commit().Error); err != nil {
						return err
					}
				}
				return tx.Create(&Widget{ID: f.fresh + 1, Name: "new"}).Error
			}
			level := &sql.TxOptions{Isolation: sql.LevelRepeatableRead}
			if err = db.Transaction(second, level); err != nil {
				var failure *pgconn.PgError
				if !errors.As(err, &failure) || failure.Code != "40001" {
					t.Errorf("the first attempt: %v, want a serialization failure or none", err)
				}
				err = db.Transaction(second, level)
			}
			if err := errors.Join(err, trace.End(nil)); err != nil {
				t.Error(err)
			}
			_, changes := w.trace(t, trace.ID())
			if diff := cmp.Diff([]change{inserted(f.fresh, "new"), inserted(f.fresh+1, "new")}, changes); diff != "" {
				t.Error(diff)
			}
			w.accounted(t)
		})
	}
}

// heard is a recorder that tells when it has recorded.
type heard struct {
	trail.Recorder
	recorded chan error
}

func (h heard) Record(ctx context.Context, entries ...trail.Entry) error {
	err := h.Recorder.Record(ctx, entries...)
	h.recorded <- err
	return err
}

// A transaction for each request, which stands outside of the middleware: the
// answer does not wait for its end, and the entry says what became of it.
func TestTransactionOfARequest(t *testing.T) {
	for _, e := range all {
		for _, commit := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, commit %t", e.name, commit), func(t *testing.T) {
				w := e.world(t)
				f := w.things(t)
				recorder := heard{w.store, make(chan error, 1)}
				router := gin.New()
				router.Use(func(c *gin.Context) {
					tx := w.db.Begin()
					c.Set("tx", tx)
					c.Next()
					if err := map[bool]func() *gorm.DB{true: tx.Commit, false: tx.Rollback}[commit]().Error; err != nil {
						t.Error(err)
					}
				}, gin.BasicAuth(gin.Accounts{"una": "pass"}), audit.Middleware(audit.WithRecorder(recorder)))
				router.POST("/widgets/:id/approve", func(c *gin.Context) {
					tx, _ := c.MustGet("tx").(*gorm.DB)
					c.Status(answer(rename(c.Request.Context(), tx, f.a, "new")))
				})
				req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("/widgets/%d/approve", f.a), http.NoBody)
				req.SetBasicAuth("una", "pass")
				rec := httptest.NewRecorder()
				router.ServeHTTP(rec, req)
				if rec.Code != http.StatusOK {
					t.Errorf("status %d: %s", rec.Code, rec.Body)
				}
				id := uuid.MustParse(rec.Header().Get("X-Trace-Id"))
				if err := <-recorder.recorded; err != nil {
					t.Error(err)
				}
				own, changes := w.trace(t, id)
				want := trail.Success
				if !commit {
					want = trail.Failure
				}
				if own.Event != trail.Approve || own.Result != want || len(changes) == 1 != commit {
					t.Errorf("the entry is %s with the result %s and %d changes", own.Event, own.Result, len(changes))
				}
				w.accounted(t)
			})
		}
	}
}
