package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
)

// The columns of section 3 of the design are public, and so is their order.
func TestMigrateColumns(t *testing.T) {
	want := map[string][]string{
		"audit_logs": {
			"id", "trace_id", "created_at", "seq", "tenant_id", "user_id", "user_name", "user_kind", "on_behalf_of",
			"event", "operation", "model", "entity_id", "entity_name", "before", "after", "outcome", "context",
		},
		"audit_outcomes": {"trace_id", "finished_at", "outcome", "status", "error", "duration_ms"},
		"execution_logs": {
			"id", "trace_id", "created_at", "level", "logger", "message", "fields", "caller", "seq", "expire_at",
		},
	}
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		for table, columns := range want {
			var got []string
			query := "SELECT name FROM pragma_table_info(?) ORDER BY cid"
			if db.Name() == "postgres" {
				query = "SELECT column_name FROM information_schema.columns WHERE table_name = ? ORDER BY ordinal_position"
			}
			if err := db.Raw(query, table).Scan(&got).Error; err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(columns, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", table, diff)
			}
		}
	})
}

// No index depends on an order of words that the system may change.
func TestIndexesCompareBytes(t *testing.T) {
	db := testdb.OpenPostgres(t)
	migrated(t, db)
	var found struct{ Columns, Others int }
	if err := db.Raw(`SELECT count(*) AS columns, count(*) FILTER (WHERE c.collname <> 'C') AS others
FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid CROSS JOIN unnest(i.indcollation) AS k JOIN pg_collation c ON c.oid = k
WHERE t.relname LIKE 'audit_logs%' OR t.relname LIKE 'audit_outcomes%' OR t.relname LIKE 'execution_logs%'`).Scan(&found).Error; err != nil {
		t.Fatal(err)
	}
	if found.Columns == 0 || found.Others != 0 {
		t.Errorf("%d of %d columns of text in indexes are compared as words", found.Others, found.Columns)
	}
}

func TestMigrateTwiceKeepsWhatIsThere(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		record(t, s, entry(noon))
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, "audit_logs"); n != 1 {
			t.Errorf("%d entries, 1 expected", n)
		}
		if n := count(t, db, "audit_migrations"); n != 2 { // goose's version 0, and ours
			t.Errorf("%d versions, 2 expected", n)
		}
	})
}

func TestMigrateWithPoolOfOne(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		conn, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetMaxOpenConns(1)
		record(t, migrated(t, db), entry(noon))
	})
}

// A migration is not the caller's to roll back, and does not wait for it.
func TestMigrateInsideTransaction(t *testing.T) {
	db := testdb.OpenPostgres(t) // SQLite has one writer, which is the caller here
	rolledBack := errors.New("rolled back")
	err := db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("CREATE TABLE mine (id int)").Error; err != nil {
			return err
		}
		if err := store.Migrate(t.Context(), tx); err != nil {
			return err
		}
		return rolledBack
	})
	if !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	if n := count(t, db, "audit_logs"); n != 0 {
		t.Errorf("%d entries, 0 expected", n)
	}
}

func TestMigrateByManyAtOnce(t *testing.T) {
	const pools = 8
	for _, e := range engines {
		t.Run(e.dialect, func(t *testing.T) {
			dsn := e.dsn(t)
			var all sync.WaitGroup
			errs := make([]error, pools)
			for i := range pools {
				db := e.open(t, dsn)
				all.Go(func() { errs[i] = store.Migrate(t.Context(), db) })
			}
			all.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
			onceMigrated(t, e.open(t, dsn))
		})
	}
}

func TestMigrateByTwoProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range engines {
		t.Run(e.dialect, func(t *testing.T) {
			dsn := e.dsn(t)
			db := e.open(t, dsn) // SQLite's log is made by who opens the file first, alone
			var processes []*exec.Cmd
			for range 2 {
				p := exec.CommandContext(t.Context(), self)
				p.Env = append(os.Environ(), processDialect+"="+e.dialect, processDSN+"="+dsn)
				p.Stderr = &strings.Builder{}
				if err := p.Start(); err != nil {
					t.Fatal(err)
				}
				processes = append(processes, p)
			}
			for _, p := range processes {
				if err := p.Wait(); err != nil {
					t.Errorf("%v: %s", err, p.Stderr)
				}
			}
			onceMigrated(t, db)
		})
	}
}

func onceMigrated(t *testing.T, db *gorm.DB) {
	t.Helper()
	if n := count(t, db, "audit_migrations"); n != 2 { // goose's version 0, and ours
		t.Errorf("%d versions, 2 expected", n)
	}
	s, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	record(t, s, entry(noon))
}

func TestMigrateRefusesOtherDialects(t *testing.T) {
	other := &gorm.DB{Config: &gorm.Config{Dialector: tests.DummyDialector{}}, Statement: &gorm.Statement{}}
	for name, c := range map[string]struct {
		db   *gorm.DB
		want string
	}{
		"nil":              {nil, "nil"},
		"zero":             {&gorm.DB{}, "nil"},
		"no dialect":       {&gorm.DB{Config: &gorm.Config{}, Statement: &gorm.Statement{}}, "no dialect"},
		"another database": {other, `dialect "dummy" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := store.New(c.db)
			for doing, err := range map[string]error{
				"New": err, "Migrate": store.Migrate(t.Context(), c.db), "MakePartitions": store.MakePartitions(t.Context(), c.db),
			} {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), doing) {
					t.Errorf("got %v, want an error that names %s and holds %q", err, doing, c.want)
				}
			}
		})
	}
}

func TestMigrateCancelled(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := store.Migrate(ctx, db); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		migrated(t, db)
	})
}

// A table of the same name that is somebody else's stays, and is reported.
func TestMigrateOverForeignTable(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := db.Exec("CREATE TABLE audit_outcomes (mine text)").Error; err != nil {
			t.Fatal(err)
		}
		err := store.Migrate(t.Context(), db)
		if err == nil || !strings.Contains(err.Error(), "audit_outcomes") || !strings.Contains(err.Error(), "already exists") {
			t.Fatalf("got %v, want an error that says that audit_outcomes exists", err)
		}
		if db.Migrator().HasTable("audit_logs") {
			t.Error("half of a migration stayed")
		}
	})
}

func TestNotMigrated(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s, err := store.New(db)
		if err != nil {
			t.Fatal(err)
		}
		ctx, e := t.Context(), entry(noon)
		doings := map[string]func() error{
			"Record":  func() error { return s.Record(ctx, e) },
			"Finish":  func() error { return s.Finish(ctx, finished(e.TraceID)) },
			"Entries": func() error { _, err := s.Entries(ctx, store.Query{}); return err },
			"Entry":   func() error { _, err := s.Entry(ctx, e.ID); return err },
			"Trace":   func() error { _, err := s.Trace(ctx, e.ID); return err },
			"Events":  func() error { _, err := s.Events(ctx); return err },
			"Lines":   func() error { _, err := s.Lines(ctx, e.ID, 1); return err },
		}
		if db.Name() == "postgres" {
			doings["MakePartitions"] = func() error { return store.MakePartitions(ctx, db) }
		}
		for name, do := range doings {
			t.Run(name, func(t *testing.T) {
				err := do()
				if !errors.Is(err, store.ErrNotMigrated) {
					t.Fatalf("got %v, want %v", err, store.ErrNotMigrated)
				}
				if !strings.Contains(err.Error(), "store.Migrate") {
					t.Errorf("%v does not say what to do", err)
				}
			})
		}
	})
}
