package store_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Every statement of a store is one that is not audited, so that a plugin on
// the same database passes it by.
func TestStatementsAreSkipped(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		statements := 0
		see := func(tx *gorm.DB) {
			statements++
			if !trail.Skipped(tx.Statement.Context) {
				t.Errorf("audited: %s", tx.Statement.SQL.String())
			}
		}
		if err := db.Callback().Raw().Before("*").Register("test:raw", see); err != nil {
			t.Fatal(err)
		}
		if err := db.Callback().Row().Before("*").Register("test:row", see); err != nil {
			t.Fatal(err)
		}
		e := entry(noon)
		record(t, s, e)
		record(t, s, ties(40)...)
		if err := s.Finish(t.Context(), finished(e.TraceID)); err != nil {
			t.Fatal(err)
		}
		entries(t, s, store.Query{})
		if _, err := s.Trace(t.Context(), e.TraceID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Events(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lines(t.Context(), e.TraceID, 1); err != nil {
			t.Fatal(err)
		}
		if statements < 7 {
			t.Errorf("%d statements were seen", statements)
		}
	})
}

// A migration goes by GORM's callbacks, whatever plugins there are.
func TestMigratePassesPluginsBy(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		see := func(tx *gorm.DB) { t.Errorf("a plugin saw %s", tx.Statement.SQL.String()) }
		for name, register := range map[string]func(string, func(*gorm.DB)) error{
			"raw": db.Callback().Raw().Before("*").Register, "row": db.Callback().Row().Before("*").Register,
			"create": db.Callback().Create().Before("*").Register, "query": db.Callback().Query().Before("*").Register,
		} {
			if err := register("test:"+name, see); err != nil {
				t.Fatal(err)
			}
		}
		migrated(t, db)
	})
}

// A single entry takes one statement, outside of a transaction.
func TestRecordIsOneStatement(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		var pools []string
		if err := db.Callback().Raw().After("*").Register("test:pool", func(tx *gorm.DB) {
			kind := "pool"
			if _, ok := tx.Statement.ConnPool.(gorm.TxCommitter); ok {
				kind = "transaction"
			}
			pools = append(pools, kind)
		}); err != nil {
			t.Fatal(err)
		}
		record(t, s, entry(noon))
		if got := strings.Join(pools, " "); got != "pool" {
			t.Errorf("statements in %q, one in the pool expected", got)
		}
	})
}

func TestWithReader(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		var replica *gorm.DB
		if db.Name() == "sqlite" {
			replica = testdb.OpenSQLite(t)
		} else {
			replica = testdb.OpenPostgres(t)
		}
		there := migrated(t, replica)
		s, err := store.New(db, store.WithReader(replica))
		if err != nil {
			t.Fatal(err)
		}
		record(t, s, entry(noon))
		if n := count(t, db, "audit_logs"); n != 1 {
			t.Errorf("%d entries where it writes, 1 expected", n)
		}
		if found := entries(t, s, store.Query{}); len(found) != 0 {
			t.Errorf("it reads %d entries where it writes", len(found))
		}
		record(t, there, entry(noon))
		if found := entries(t, s, store.Query{}); len(found) != 1 {
			t.Errorf("it reads %d entries, 1 expected", len(found))
		}
	})
}

func TestWithReaderRefuses(t *testing.T) {
	sqlite, postgres := testdb.OpenSQLite(t), testdb.OpenPostgres(t)
	for want, reader := range map[string]*gorm.DB{"nil": nil, "dialect postgres": postgres} {
		if _, err := store.New(sqlite, store.WithReader(reader)); err == nil ||
			!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "WithReader") {
			t.Errorf("got %v, want an error that names WithReader and holds %q", err, want)
		}
	}
}
