package audit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// begin starts an action of una's on widget a.
func begin(t *testing.T, event trail.Event, f things) (context.Context, *trail.Trace) {
	t.Helper()
	ctx, trace, err := trail.Start(t.Context(), trail.Action{
		Actor: trail.Actor{ID: "una"}, Event: event, Model: "widget", EntityID: fmt.Sprint(f.a),
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, trace
}

func rename(ctx context.Context, db *gorm.DB, id int64, name string) error {
	return db.WithContext(ctx).Model(&Widget{}).Where("id = ?", id).Update("name", name).Error
}

// waiting returns when as many sessions of the database wait for a lock.
func (w *world) waiting(t *testing.T, sessions int) {
	t.Helper()
	for {
		var n int
		err := w.db.WithContext(t.Context()).Raw(`SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n).Error
		if err != nil {
			t.Fatal(err)
		}
		if n >= sessions {
			return
		}
		runtime.Gosched()
	}
}

// Goroutines of one action write to its entity and to others at the same time,
// some in transactions, some of which are rolled back. Nobody gets an error,
// and the trail has each change that stayed.
func TestGoroutinesOfOneAction(t *testing.T) {
	const goroutines, rounds = 6, 5
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			for _, event := range []trail.Event{trail.Update, trail.Execute} {
				t.Run(string(event), func(t *testing.T) {
					f := w.things(t)
					ctx, trace := begin(t, event, f)
					var wg sync.WaitGroup
					errs := make(chan error, goroutines*rounds*2)
					for g := range goroutines {
						wg.Go(func() {
							for r := range rounds {
								name := fmt.Sprintf("%d.%d", g, r)
								switch (g + r) % 3 {
								case 0:
									errs <- rename(ctx, w.db, f.a, name)
								case 1:
									errs <- w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return rename(ctx, tx, f.a, name) })
								default:
									err := w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
										return errors.Join(rename(ctx, tx, f.a, name), errChanged)
									})
									if joined, ok := err.(interface{ Unwrap() []error }); !ok || len(joined.Unwrap()) != 1 {
										errs <- err
									}
								}
								errs <- rename(ctx, w.db, f.b, name)
							}
						})
					}
					wg.Wait()
					close(errs)
					for err := range errs {
						if err != nil {
							t.Errorf("a goroutine got the error: %v", err)
						}
					}
					if err := trace.End(nil); err != nil {
						t.Error(err)
					}
					_, changes := w.trace(t, trace.ID())
					// Each entry of an entity begins where the one before it ended.
					name := map[string]string{fmt.Sprint(f.a): `{"name":"old"}`, fmt.Sprint(f.b): `{"name":"old"}`}
					for _, c := range changes {
						if c.Before != name[c.ID] {
							t.Errorf("a change of %s begins with %s, but was left with %s", c.ID, c.Before, name[c.ID])
						}
						name[c.ID] = c.After
					}
					want := 2 * goroutines * rounds // less what was rolled back
					for g := range goroutines {
						for r := range rounds {
							if (g+r)%3 == 2 {
								want--
							}
						}
					}
					if len(changes) != want {
						t.Errorf("%d changes are recorded, want %d", len(changes), want)
					}
				})
			}
			w.accounted(t)
		})
	}
}

// The action ends while a statement that would write its entry waits for the
// lock of a row. Both get their way.
func TestEndOvertakesAChange(t *testing.T) {
	for _, transaction := range []bool{false, true} {
		t.Run(fmt.Sprintf("transaction %t", transaction), func(t *testing.T) {
			w := plainPostgres.world(t)
			f := w.things(t)
			if err := rename(t.Context(), w.db, f.c, "known"); err != nil { // the table is known from here on
				t.Fatal(err)
			}
			ctx, trace := begin(t, trail.Update, f)
			lock := w.db.Begin()
			if err := lock.Exec("SELECT FROM widgets WHERE id = ? FOR UPDATE", f.a).Error; err != nil {
				t.Fatal(err)
			}
			changed := make(chan error)
			go func() {
				if transaction {
					changed <- w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return rename(ctx, tx, f.a, "new") })
					return
				}
				changed <- rename(ctx, w.db, f.a, "new")
			}()
			w.waiting(t, 1)
			if err := trace.End(nil); err != nil {
				t.Errorf("the end: %v", err)
			}
			if err := lock.Rollback().Error; err != nil {
				t.Fatal(err)
			}
			if err := <-changed; err != nil {
				t.Errorf("the change: %v", err)
			}
			_, changes := w.trace(t, trace.ID())
			if diff := cmp.Diff([]change{renamed(f.a, "old", "new")}, changes); diff != "" {
				t.Error(diff)
			}
			w.accounted(t)
		})
	}
}

// One transaction of the action is in the middle of its COMMIT, which
// database/sql takes for done, when another changes the entity again.
func TestChangeOvertakesACommit(t *testing.T) {
	for _, e := range all[3:] {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			for _, text := range []string{ // a commit with a change of a box waits for the lock 42
				`CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
				 $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$`,
				`CREATE CONSTRAINT TRIGGER hold AFTER UPDATE ON boxes DEFERRABLE INITIALLY DEFERRED
				 FOR EACH ROW EXECUTE FUNCTION hold()`,
			} {
				if err := w.db.Exec(text).Error; err != nil {
					t.Fatal(err)
				}
			}
			if err := rename(t.Context(), w.db, f.c, "known"); err != nil {
				t.Fatal(err)
			}
			lock := w.db.Begin()
			if err := lock.Exec("SELECT pg_advisory_xact_lock(42)").Error; err != nil {
				t.Fatal(err)
			}
			ctx, trace := begin(t, trail.Update, f)
			first, second := make(chan error), make(chan error)
			go func() {
				first <- w.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					return errors.Join(tx.Model(&Box{}).Where("id = ?", f.box).Update("label", "new").Error, rename(ctx, tx, f.a, "new"))
				})
			}()
			w.waiting(t, 1)
			go func() { second <- rename(ctx, w.db, f.a, "newer") }()
			w.waiting(t, 2)
			if err := lock.Rollback().Error; err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(<-first, <-second, trace.End(nil)); err != nil {
				t.Error(err)
			}
			_, changes := w.trace(t, trace.ID())
			want := []change{relabelled(f.box, "new"), renamed(f.a, "old", "new"), renamed(f.a, "new", "newer")}
			if diff := cmp.Diff(want, changes); diff != "" {
				t.Error(diff)
			}
			w.accounted(t)
		})
	}
}

// A worker ends an action whose beginner has not yet changed what it is about.
func TestWorkerOvertakesTheBeginner(t *testing.T) {
	for _, e := range all {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			ctx, trace := begin(t, trail.Update, f)
			carrier := trail.MapCarrier{}
			trail.Inject(ctx, carrier)
			worker := trail.Extract(t.Context(), carrier)
			if err := rename(worker, w.db, f.b, "new"); err != nil {
				t.Error(err)
			}
			remote, _ := trail.FromContext(worker)
			if err := remote.End(nil); err != nil {
				t.Error(err)
			}
			if err := rename(ctx, w.db, f.a, "new"); err != nil {
				t.Errorf("the beginner's change: %v", err)
			}
			if err := trace.End(nil); err != nil {
				t.Errorf("the beginner's end: %v", err)
			}
			_, changes := w.trace(t, trace.ID())
			if diff := cmp.Diff([]change{renamed(f.b, "old", "new"), renamed(f.a, "old", "new")}, changes); diff != "" {
				t.Error(diff)
			}
			w.accounted(t)
		})
	}
}

// lossy is a connection that loses the answer of one statement: it was done,
// but nobody knows.
type lossy struct {
	*sql.DB
	mu   sync.Mutex
	lose bool
}

func (l *lossy) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lose := l.lose
	l.lose = false
	return lose
}

func (l *lossy) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := l.DB.ExecContext(ctx, query, args...)
	if l.lost() {
		return nil, driver.ErrBadConn
	}
	return r, err
}

func (l *lossy) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := l.DB.QueryContext(ctx, query, args...)
	if err != nil || !l.lost() {
		return rows, err
	}
	defer rows.Close() //nolint:errcheck // it is lost already
	for rows.Next() {
	}
	return nil, errors.Join(driver.ErrBadConn, rows.Err())
}

func (l *lossy) GetDBConn() (*sql.DB, error) { return l.DB, nil }

// The answer of a change is lost on its way. What was asked for again is not
// refused for what the lost one has written.
func TestLostAnswer(t *testing.T) {
	w := plainPostgres.world(t)
	f := w.things(t)
	if err := rename(t.Context(), w.db, f.c, "known"); err != nil {
		t.Fatal(err)
	}
	conn, err := w.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	l := &lossy{DB: conn}
	db := w.db.Session(&gorm.Session{})
	db.Statement.ConnPool = l
	ctx, trace := begin(t, trail.Update, f)
	l.lose = true
	if err := rename(ctx, db, f.a, "new"); !errors.Is(err, driver.ErrBadConn) {
		t.Fatalf("got %v, want the connection's error", err)
	}
	if err := rename(ctx, db, f.a, "newer"); err != nil {
		t.Errorf("the second attempt: %v", err)
	}
	if err := trace.End(nil); err != nil {
		t.Error(err)
	}
	_, changes := w.trace(t, trace.ID())
	if diff := cmp.Diff([]change{renamed(f.a, "old", "new"), renamed(f.a, "new", "newer")}, changes); diff != "" {
		t.Error(diff)
	}
	w.accounted(t)
}

// What is changed under a trace that has ended is recorded, as part of it.
func TestUseAfterEnd(t *testing.T) {
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			for _, event := range []trail.Event{trail.Update, trail.Execute} {
				f := w.things(t)
				ctx, trace := begin(t, event, f)
				if err := trace.End(nil); err != nil {
					t.Fatal(err)
				}
				if !trace.Ended() {
					t.Error("the trace says that it has not ended")
				}
				if err := rename(ctx, w.db, f.a, "late"); err != nil {
					t.Error(err)
				}
				if err := trace.Annotate(trail.Approve, "", trail.ByEvent); !errors.Is(err, trail.ErrRecorded) {
					t.Errorf("Annotate returns %v, want trail.ErrRecorded", err)
				}
				if err := trace.End(errChanged); !errors.Is(err, trail.ErrEnded) {
					t.Errorf("End returns %v, want trail.ErrEnded", err)
				}
				own, changes := w.trace(t, trace.ID())
				if own.Result != trail.Success || own.Operation != "" {
					t.Errorf("the own entry is %+v, want that of the end", own)
				}
				if diff := cmp.Diff([]change{renamed(f.a, "old", "late")}, changes); diff != "" {
					t.Error(diff)
				}
			}
			w.accounted(t)
		})
	}
}

// Crate is a box whose hook of GORM tries to change a widget, and thinks better
// of it: in the implicit transaction of the box's own change.
type Crate struct {
	ID    int64
	Label string
}

func (Crate) TableName() string { return "boxes" }

type hookKey struct{}

// AfterUpdate is called by GORM.
func (Crate) AfterUpdate(tx *gorm.DB) error {
	if id, ok := tx.Statement.Context.Value(hookKey{}).(int64); ok {
		_ = tx.Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Model(&Widget{}).Where("id = ?", id).Update("name", "lost").Error, errChanged)
		})
	}
	return nil
}

// A savepoint is rolled back inside of an implicit transaction, whose commit
// is heard of: the entry that was written in the savepoint is not there.
func TestSavepointInAHook(t *testing.T) {
	for _, e := range both {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			f := w.things(t)
			ctx, trace := begin(t, trail.Update, f)
			err := w.db.WithContext(context.WithValue(ctx, hookKey{}, f.a)).Model(&Crate{ID: f.box}).Update("label", "new").Error
			if err := errors.Join(err, trace.End(nil)); err != nil {
				t.Fatal(err)
			}
			_, changes := w.trace(t, trace.ID())
			want := relabelled(f.box, "new")
			want.Model = "crate"
			if diff := cmp.Diff([]change{want}, changes); diff != "" {
				t.Error(diff)
			}
			w.accounted(t)
		})
	}
}
