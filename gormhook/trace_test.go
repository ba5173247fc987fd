package gormhook_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// own returns the only entry of a trace's own, of those there are.
func (d *fixture) own(t *testing.T, trace *trail.Trace) *record {
	t.Helper()
	var own []*record
	for _, e := range readEntries(t, d.desk, 0) {
		if e.id == trace.ID().String() {
			own = append(own, e)
		}
	}
	if len(own) != 1 {
		t.Fatalf("%d own entries of the trace", len(own))
	}
	return own[0]
}

// A create whose handler changes another row of the model first is the row that
// it creates.
func TestCreateBehindAnUpdate(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, func(db *gorm.DB) error { return db.Create(&Tag{1, "default"}).Error })
		ctx, trace := d.act(t, trail.Action{Event: trail.Create, Model: "tag"})
		err := d.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			return errors.Join(tx.Model(&Tag{ID: 1}).Update("name", "before").Error, tx.Create(&Tag{2, "default"}).Error)
		})
		if err := errors.Join(err, trace.End(nil)); err != nil {
			t.Fatal(err)
		}
		if got := d.own(t, trace).label(); got != "insert tag 2" {
			t.Errorf("the own entry is %s", got)
		}
		d.wants(t, "update tag 1", "insert tag 2")
	}, "tags")
}

// A transaction around the action is open when it ends, and only others are in it.
func TestEndInsideATransactionOfOthers(t *testing.T) {
	for _, end := range []string{"COMMIT", "ROLLBACK"} {
		t.Run(end, func(t *testing.T) {
			onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
				ctx, trace := d.act(t, trail.Action{Event: trail.Update, Model: "other", EntityID: "1"})
				tx := d.db.Begin()
				must(t, tx.WithContext(ctx).Create(&Tag{1, "a"}))
				if err := trace.End(errors.New("no")); err != nil {
					t.Error(err)
				}
				entries := 1
				if end == "ROLLBACK" {
					must(t, tx.Rollback())
				} else {
					must(t, tx.Commit())
					entries++
				}
				if err := trail.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if n := d.count(t, "audit_logs", "id = '"+trace.String()+"' AND outcome = 'failure'"); n != 1 {
					t.Errorf("%d own entries that say that it failed", n)
				}
				if n := len(readEntries(t, d.desk, 0)); n != entries {
					t.Errorf("%d entries, want %d", n, entries)
				}
			}, "tags")
		})
	}
}

// What is begun by SQL on a connection may be rolled back: the action has its
// entry nevertheless.
func TestTransactionBySQL(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		if d.engine != postgresEngine || d.plugin.Portable {
			return // the statement's own transaction is refused inside, or ends this one
		}
		d.given(t, func(db *gorm.DB) error { return db.Create(&Tag{1, "a"}).Error })
		ctx, trace := d.act(t, trail.Action{Event: trail.Approve, Model: "tag", EntityID: "1"})
		err := d.db.WithContext(ctx).Connection(func(tx *gorm.DB) error {
			return errors.Join(tx.Exec("BEGIN").Error,
				tx.Session(&gorm.Session{SkipDefaultTransaction: true}).Model(&Tag{ID: 1}).Update("name", "b").Error,
				tx.Exec("ROLLBACK").Error)
		})
		if err := errors.Join(err, trace.End(nil)); err != nil {
			t.Fatal(err)
		}
		if got := d.own(t, trace); got.after != nil {
			t.Errorf("the own entry has what was rolled back: %s", got)
		}
	}, "tags")
}

// An action is recorded ahead of raw SQL too, and writes that are not audited do
// not record it.
func TestAheadOfRawSQLAndSkippedWrites(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		s := new(trail.Scope)
		err := s.Start(t.Context(), trail.Action{Event: trail.Execute, Model: "tag"}, trail.Options{Recorder: d.store, Late: true})
		if err != nil {
			t.Fatal(err)
		}
		must(t, d.db.WithContext(trail.Skip(s)).Create(&Tag{1, "a"}), d.db.WithContext(trail.Skip(s)).Exec("DELETE FROM tags"))
		d.wants(t)
		must(t, d.db.WithContext(s).Exec("INSERT INTO tags (id, name) VALUES (2, 'b')"))
		if entries := readEntries(t, d.desk, 0); len(entries) != 2 || entries[0].id != s.Trace().String() || entries[0].outcome != "pending" {
			t.Errorf("the entries are %v", entries)
		}
		if err := s.Trace().End(nil); err != nil {
			t.Error(err)
		}
	}, "tags")
}

// The own entry of an action on another database than that of its recorder stays
// the only one.
func TestActionOnAnotherDatabase(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		other := newFixture(t, routes()[0], "tags")
		ctx, trace := other.act(t, trail.Action{Event: trail.Create, Model: "tag"})
		err := d.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return tx.Create(&Tag{1, "a"}).Error })
		if err := errors.Join(err, trace.End(errors.New("no"))); err != nil {
			t.Fatal(err)
		}
		other.wants(t)
		if got := d.own(t, trace).label(); got != "insert tag 1" || d.count(t, "audit_outcomes", "1 = 1") != 1 {
			t.Errorf("the own entry is %s", got)
		}
	}, "tags")
}

// A default recorder whose database was closed gives way, as where each test
// opens a database.
func TestDefaultRecorderOfAClosedDatabase(t *testing.T) {
	before := trail.Default()
	t.Cleanup(func() { trail.SetDefault(before) })
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		gone := newSide(t, d.engine).handle(byDefault)
		st, err := store.New(gone)
		if err != nil {
			t.Fatal(err)
		}
		trail.SetDefault(st)
		use := func() {
			if err := newFixture(t, routes()[0]).db.Use(gormhook.Plugin{}); err != nil {
				t.Fatal(err)
			}
		}
		use()
		if st.Closed() || trail.Default() != trail.Recorder(st) {
			t.Error("one that is open has given way")
		}
		conn, err := gone.DB()
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
		use()
		if !st.Closed() || trail.Default() == trail.Recorder(st) {
			t.Error("one that is closed has not given way")
		}
		_, trace, err := trail.Start(context.Background(), trail.Action{Event: trail.Execute})
		if err != nil {
			t.Fatal(err)
		}
		if err := trace.End(nil); err != nil {
			t.Error(err)
		}
	})
}
