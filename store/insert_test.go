package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func TestInsert(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		batch := []trail.Entry{full()}
		for range 40 {
			batch = append(batch, entry(noon))
		}
		for name, list := range map[string][]trail.Entry{"one": batch[:1], "many": batch[1:], "none": nil} {
			if err := db.Transaction(func(tx *gorm.DB) error {
				return store.Insert(t.Context(), tx.Statement.ConnPool, db.Name(), list)
			}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		got, err := s.Entry(t.Context(), batch[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		checkEntry(t, batch[0], got.Entry)
		if n := count(t, db, "audit_logs"); n != len(batch) {
			t.Errorf("%d entries, %d expected", n, len(batch))
		}
		if err := store.Insert(t.Context(), db.ConnPool, db.Name(), batch[:1]); err == nil {
			t.Error("an id was written twice")
		}
	})
}

// Entries go with the transaction that they are written in.
func TestInsertInTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		rolledBack := errors.New("rolled back")
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := store.Insert(t.Context(), tx.Statement.ConnPool, db.Name(), ties(100)); err != nil {
				return err
			}
			return rolledBack
		})
		if !errors.Is(err, rolledBack) {
			t.Fatal(err)
		}
		if n := count(t, db, "audit_logs"); n != 0 {
			t.Errorf("%d entries stayed", n)
		}
	})
}

func TestInsertRefuses(t *testing.T) {
	db := testdb.OpenSQLite(t)
	one := []trail.Entry{entry(noon)}
	if err := store.Insert(t.Context(), db.ConnPool, "mysql", one); err == nil || !strings.Contains(err.Error(), `"mysql"`) {
		t.Errorf("got %v, want an error that names the dialect", err)
	}
	if err := store.Insert(t.Context(), nil, "sqlite", one); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("got %v, want an error that names the connection", err)
	}
	if err := store.Insert(t.Context(), db.ConnPool, "sqlite", one); !errors.Is(err, store.ErrNotMigrated) {
		t.Errorf("got %v, want %v", err, store.ErrNotMigrated)
	}
}

// counter is a connection that only counts what it is given.
type counter struct {
	gorm.ConnPool // nil: nothing else is asked of it
	texts         map[string]int
	most          int // arguments of one statement
}

func (c *counter) ExecContext(_ context.Context, text string, args ...any) (sql.Result, error) {
	c.texts[text]++
	c.most = max(c.most, len(args))
	return nil, nil
}

// However many entries there are, the statements are of few texts, which stay
// in the caches of drivers and of GORM, and below the parameter limits of
// PostgreSQL (65,535) and SQLite (32,766).
func TestInsertStatements(t *testing.T) {
	batch := ties(2500)
	for dialect, want := range map[string]struct{ texts, statements, arguments int }{
		"sqlite":   {5, 2500/16 + 2, 16 * 17}, // 2500 = 156*16 + 4
		"postgres": {2, 3, 17},
	} {
		c := &counter{texts: map[string]int{}}
		for n := 1; n <= 300; n++ {
			if err := store.Insert(t.Context(), c, dialect, batch[:n]); err != nil {
				t.Fatal(err)
			}
		}
		if len(c.texts) != want.texts || c.most != want.arguments {
			t.Errorf("%s: %d texts, at most %d arguments, want %+v", dialect, len(c.texts), c.most, want)
		}
		c = &counter{texts: map[string]int{}}
		if err := store.Insert(t.Context(), c, dialect, batch); err != nil {
			t.Fatal(err)
		}
		statements := 0
		for _, n := range c.texts {
			statements += n
		}
		if statements > want.statements {
			t.Errorf("%s: %d statements, at most %d expected", dialect, statements, want.statements)
		}
	}
}

func TestInsertAllocates(t *testing.T) {
	e := entry(noon)
	e.Before, e.After = json.RawMessage(`{"a":1}`), json.RawMessage(`{"a":2}`)
	for _, dialect := range []string{"sqlite", "postgres"} {
		c := &counter{texts: map[string]int{}}
		one := []trail.Entry{e}
		ctx := t.Context()
		got := testing.AllocsPerRun(100, func() {
			if err := store.Insert(ctx, c, dialect, one); err != nil {
				t.Fatal(err)
			}
		})
		if got > 13 {
			t.Errorf("%s: %v allocations for one entry, at most 13 expected", dialect, got)
		}
	}
}
