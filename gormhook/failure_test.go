package gormhook_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
)

// broken are the ways in which entries cannot be written.
var broken = []struct {
	name     string
	cause    error // that the error wraps
	postgres []string
	sqlite   []string
	mended   []string
}{{
	name: "the table is missing", cause: store.ErrNotMigrated,
	postgres: []string{`ALTER TABLE audit_logs RENAME TO audit_gone`}, sqlite: []string{`ALTER TABLE audit_logs RENAME TO audit_gone`},
	mended: []string{`ALTER TABLE audit_gone RENAME TO audit_logs`},
}, {
	name: "the table refuses the row",
	postgres: []string{
		`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_logs is full'; END $$`,
		`CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()`,
	},
	sqlite: []string{`CREATE TRIGGER refuse BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'audit_logs is full'); END`},
}}

func (d *fixture) breakTrail(t *testing.T, n int) {
	t.Helper()
	if d.engine == postgresEngine {
		d.run(t, broken[n].postgres...)
	} else {
		d.run(t, broken[n].sqlite...)
	}
}

// writesOfTags are one write of each kind, of rows of their own.
var writesOfTags = map[string]func(db *gorm.DB) *gorm.DB{
	"create":       func(db *gorm.DB) *gorm.DB { return db.Create(&Tag{9, "x"}) },
	"create slice": func(db *gorm.DB) *gorm.DB { return db.Create(&[]Tag{{10, "x"}, {11, "x"}}) },
	"update":       func(db *gorm.DB) *gorm.DB { return db.Model(&Tag{ID: 1}).Update("name", "x") },
	"update many":  func(db *gorm.DB) *gorm.DB { return db.Model(&Tag{}).Where("id IN (2, 3)").Update("name", "x") },
	"delete":       func(db *gorm.DB) *gorm.DB { return db.Delete(&Tag{ID: 4}) },
	"upsert": func(db *gorm.DB) *gorm.DB {
		return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Tag{{5, "x"}, {12, "x"}})
	},
	"returning": func(db *gorm.DB) *gorm.DB {
		return db.Model(&[]Tag{}).Clauses(clause.Returning{}).Where("id = 6").Update("name", "x")
	},
	"raw": func(db *gorm.DB) *gorm.DB { return db.Exec("UPDATE tags SET name = 'x' WHERE id = 7") },
	"raw query": func(db *gorm.DB) *gorm.DB {
		return db.Raw("DELETE FROM tags WHERE id = 8 RETURNING id").Scan(new(int64))
	},
}

const changedTags = "name = 'x' OR id > 8"

// A change that cannot be recorded does not stand, and the error says why, in
// an implicit transaction, without one, and in the caller's.
func TestFailClosed(t *testing.T) {
	for n, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			var told atomic.Int64
			p := gormhook.Plugin{OnError: func(_ context.Context, err error) {
				if errors.Is(err, gormhook.ErrNotRecorded) {
					told.Add(1)
				}
			}}
			onRoutes(t, p, func(t *testing.T, d *fixture) {
				if err := d.handle(withoutTransaction).Use(d.plugin); err != nil {
					t.Fatal(err)
				}
				d.given(t, tags(8))
				d.breakTrail(t, n)
				for name, write := range writesOfTags {
					for _, db := range []*gorm.DB{d.db, d.handle(withoutTransaction)} {
						before, toldBefore := gormhook.Failures(), told.Load()
						d.refused(t, name, write(db).Error, b.cause)
						if gormhook.Failures() != before+1 || told.Load() != toldBefore+1 {
							t.Errorf("%s: %d failures were counted and %d told, one expected", name, gormhook.Failures()-before, told.Load()-toldBefore)
						}
					}
					d.refused(t, name+" in a transaction", d.db.Transaction(func(tx *gorm.DB) error { return write(tx).Error }), b.cause)
					_ = d.db.Transaction(func(tx *gorm.DB) error { // PostgreSQL does not commit it, SQLite does
						d.refused(t, name+" in a transaction that is committed", write(tx).Error, b.cause)
						return nil
					})
				}
				if n := d.count(t, "tags", changedTags); n != 0 {
					t.Errorf("%d changes stand that were not recorded", n)
				}
				if n := d.count(t, "tags", "1 = 1"); n != 8 {
					t.Errorf("%d rows are there, want 8", n)
				}
			}, "tags")
		})
	}
}

func (d *fixture) refused(t *testing.T, name string, err, cause error) {
	t.Helper()
	if !errors.Is(err, gormhook.ErrNotRecorded) {
		t.Errorf("%s: got %v, want gormhook.ErrNotRecorded", name, err)
	}
	if cause != nil && !errors.Is(err, cause) {
		t.Errorf("%s: got %v, want one that wraps %v", name, err, cause)
	}
}

// The trail works again once it is mended: nothing of the failure is
// remembered.
func TestMendedTrail(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, tags(8))
		d.breakTrail(t, 0)
		for _, write := range writesOfTags {
			if write(d.db).Error == nil {
				t.Error("a change stands that was not recorded")
			}
		}
		d.run(t, broken[0].mended...)
		for _, write := range writesOfTags {
			must(t, write(d.db))
		}
		if entries := readEntries(t, d.desk, 0); len(entries) != 12 {
			t.Errorf("%d entries, want 12", len(entries))
		}
	}, "tags")
}

// By choice a change stands that cannot be recorded: it is counted and told,
// and the caller's own transaction continues.
func TestBestEffort(t *testing.T) {
	for n, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			var told atomic.Int64
			var last atomic.Value
			p := gormhook.Plugin{BestEffort: true, OnError: func(_ context.Context, err error) {
				told.Add(1)
				last.Store(err)
			}}
			onRoutes(t, p, func(t *testing.T, d *fixture) {
				for depth := range 3 {
					for name, write := range writesOfTags {
						d.run(t, `DELETE FROM tags`)
						d.given(t, tags(8))
						d.breakTrail(t, n)
						before, toldBefore := gormhook.Failures(), told.Load()
						var affected int64
						err := within(d.db, depth, func(tx *gorm.DB) error {
							one := write(tx)
							affected = one.RowsAffected
							return one.Error
						})
						if err != nil || affected == 0 {
							t.Fatalf("%s in %d transactions: got %v and %d rows, want none and some", name, depth, err, affected)
						}
						if gormhook.Failures() != before+1 || told.Load() != toldBefore+1 {
							t.Errorf("%s in %d transactions: %d failures were counted and %d told, one expected",
								name, depth, gormhook.Failures()-before, told.Load()-toldBefore)
						}
						if err, ok := last.Load().(error); !ok || b.cause != nil && !errors.Is(err, b.cause) {
							t.Errorf("%s: told %v, want one that wraps %v", name, err, b.cause)
						}
						if d.count(t, "tags", "1 = 1") == 8 && d.count(t, "tags", changedTags) == 0 {
							t.Errorf("%s in %d transactions: the change does not stand", name, depth)
						}
						d.mend(t, n)
					}
				}
				d.wants(t)
				must(t, d.db.Create(&Tag{77, "a"}))
				d.wants(t, "insert tag 77")
			}, "tags")
		})
	}
}

func (d *fixture) mend(t *testing.T, n int) {
	t.Helper()
	switch {
	case broken[n].mended != nil:
		d.run(t, broken[n].mended...)
	case d.engine == postgresEngine:
		d.run(t, `DROP TRIGGER refuse ON audit_logs`, `DROP FUNCTION refuse`)
	default:
		d.run(t, `DROP TRIGGER refuse`)
	}
}

// Best effort changes nothing where recording works, and nothing about errors
// of the change itself.
func TestBestEffortThatWorks(t *testing.T) {
	failures := gormhook.Failures()
	onRoutes(t, gormhook.Plugin{BestEffort: true}, func(t *testing.T, d *fixture) {
		for depth := range 3 {
			d.run(t, `DELETE FROM tags`)
			d.given(t, tags(8))
			for name, write := range writesOfTags {
				if err := within(d.db, depth, func(tx *gorm.DB) error { return write(tx).Error }); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			entries := readEntries(t, d.desk, d.mark)
			if len(entries) != 12 {
				t.Errorf("%d entries, want 12", len(entries))
			}
			d.mark = lastSeq(t, d.desk)
		}
		// A statement of the application's that fails does to its transaction
		// what it does without the plugin.
		twice := func(tx *gorm.DB) error {
			must(t, tx.Create(&Tag{20, "a"}))
			if err := tx.Create(&Tag{20, "b"}).Error; err == nil || errors.Is(err, gormhook.ErrNotRecorded) {
				t.Errorf("got %v, want the database's own error", err)
			}
			return nil
		}
		got := d.db.Transaction(twice)
		d.run(t, `DELETE FROM tags WHERE id = 20`)
		if want := d.bare.Transaction(twice); errorText(got) != errorText(want) {
			t.Errorf("the transaction ends with %v, and with %v without the plugin", got, want)
		}
		if got == nil {
			d.wants(t, "insert tag 20")
		} else {
			d.wants(t)
		}
	}, "tags")
	if got := gormhook.Failures(); got != failures {
		t.Errorf("%d failures were counted", got-failures)
	}
}

// The tables may not be there yet when the plugin is used: the program may
// migrate later, and until then nothing is written that is not recorded.
func TestUsedAheadOfTheMigration(t *testing.T) {
	for _, r := range routes() {
		t.Run(r.name, func(t *testing.T) {
			s := newSide(t, r.engine)
			db := s.handle(byDefault)
			if err := db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			if err := db.AutoMigrate(&Tag{}); err != nil {
				t.Fatal(err)
			}
			if err := db.Create(&Tag{1, "a"}).Error; !errors.Is(err, store.ErrNotMigrated) || !errors.Is(err, gormhook.ErrNotRecorded) {
				t.Errorf("got %v, want store.ErrNotMigrated and gormhook.ErrNotRecorded", err)
			}
			if err := store.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			must(t, db.Create(&Tag{1, "a"}))
			if entries := readEntries(t, s.desk, 0); len(entries) != 1 {
				t.Errorf("%d entries, want 1", len(entries))
			}
		})
	}
}

// A panic of the application's OnError does not leave the hook, and does not
// cost a connection.
func TestPanicInOnError(t *testing.T) {
	onRoutes(t, gormhook.Plugin{OnError: func(context.Context, error) { panic("told") }}, func(t *testing.T, d *fixture) {
		pool, err := d.db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		d.given(t, tags(8))
		d.breakTrail(t, 0)
		for name, write := range writesOfTags {
			func() {
				defer func() {
					if p := recover(); p != nil {
						t.Fatalf("%s: the panic left the hook: %v", name, p)
					}
				}()
				d.refused(t, name, write(d.db).Error, nil)
			}()
		}
		if n := d.count(t, "tags", changedTags); n != 0 {
			t.Errorf("%d changes stand that were not recorded", n)
		}
	}, "tags")
}

// An error that names any of the trail's indexes is one of recording.
func TestIndexesAreOurs(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		query := `SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%' AND tbl_name LIKE 'audit%'`
		if db.Name() == "postgres" {
			query = `SELECT indexname FROM pg_indexes WHERE tablename LIKE 'audit%' AND tablename <> 'audit_migrations'`
		}
		var names []string
		if err := db.Raw(query).Scan(&names).Error; err != nil {
			t.Fatal(err)
		}
		if len(names) < 4 {
			t.Fatalf("only the indexes %q were found", names)
		}
		for _, name := range names {
			if got := gormhook.Ours("index " + name + " is full"); got != name {
				t.Errorf("got %q of %q", got, name)
			}
		}
	})
}
