package store_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// partitions returns the tables whose rows are those of a table.
func partitions(tb testing.TB, db *gorm.DB, parent string) []string {
	tb.Helper()
	if db.Name() != "postgres" {
		return nil
	}
	var names []string
	if err := db.Raw(`SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ?::regclass ORDER BY 1`,
		parent).Scan(&names).Error; err != nil {
		tb.Fatal(err)
	}
	return names
}

func TestAppendOnly(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		kept := entry(noon)
		record(t, s, kept)
		if err := s.Finish(t.Context(), finished(kept.TraceID)); err != nil {
			t.Fatal(err)
		}
		for _, parent := range []string{"audit_logs", "audit_outcomes"} {
			parts := partitions(t, db, parent)
			if db.Name() == "postgres" && len(parts) != 5 { // this month, three ahead, default
				t.Fatalf("%s has the partitions %q", parent, parts)
			}
			for _, table := range append(parts, parent) {
				changes := map[string]string{
					"update":        "UPDATE " + table + " SET outcome = 'failure'",
					"delete":        "DELETE FROM " + table,
					"delete by key": "DELETE FROM " + table + " WHERE trace_id = '" + kept.TraceID.String() + "'",
				}
				if db.Name() == "postgres" {
					changes["update of nothing"] = "UPDATE " + table + " SET outcome = 'failure' WHERE false"
					changes["truncate"] = "TRUNCATE " + table
					changes["truncate with others"] = "TRUNCATE execution_logs, " + table
				}
				for name, change := range changes {
					err := db.Exec(change).Error
					holds := table == parent || db.Name() == "postgres"
					if holds && (err == nil || !strings.Contains(err.Error(), "is append-only")) {
						t.Errorf("%s of %s: got %v, want a refusal", name, table, err)
					}
				}
			}
			if n := count(t, db, parent); n != 1 {
				t.Errorf("%d rows in %s, 1 expected", n, parent)
			}
		}
	})
}

func TestAppendOnlyUpsert(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		kept := entry(noon)
		record(t, s, kept)
		err := db.Exec(`INSERT INTO audit_logs
  (id, trace_id, created_at, user_id, user_name, user_kind, event, model, entity_id, outcome)
SELECT id, trace_id, created_at, 'forged', 'forged', user_kind, event, model, entity_id, outcome
FROM audit_logs WHERE true
ON CONFLICT (id) DO UPDATE SET user_id = 'forged'`).Error
		if err == nil || !strings.Contains(err.Error(), "is append-only") {
			t.Errorf("got %v, want a refusal", err)
		}
		if got := entries(t, s, store.Query{})[0].Actor.ID; got != "u1" {
			t.Errorf("the entry's user is %q now", got)
		}
	})
}

// Lines expire: they are not part of what must stay.
func TestExecutionLogsCanBeDeleted(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		insertLine(t, db, line(trace, 1))
		if err := db.Exec("DELETE FROM execution_logs").Error; err != nil {
			t.Fatal(err)
		}
		lines, err := s.Lines(t.Context(), trace, 1)
		if err != nil || len(lines) != 0 {
			t.Errorf("got %v, %v, want none", lines, err)
		}
	})
}

// INSERT OR REPLACE deletes the row in its way without a word to a DELETE
// trigger, unless the connection has recursive_triggers on. The package
// comment of doc.go says so; this shows it.
func TestReplaceOnSQLite(t *testing.T) {
	const replace = `INSERT OR REPLACE INTO audit_logs
  (id, trace_id, created_at, seq, user_id, user_name, user_kind, event, model, entity_id, outcome)
SELECT id, trace_id, created_at, seq, 'forged', 'forged', user_kind, event, model, entity_id, outcome FROM audit_logs`

	for _, c := range []struct {
		name, pragma, want string
	}{
		{"recursive triggers", "&_pragma=recursive_triggers(1)", "u1"},
		{"default", "", "forged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := engines[0].open(t, testdb.SQLiteDSN(testdb.SQLite(t))+c.pragma)
			s := migrated(t, db)
			record(t, s, entry(noon))
			if err := db.Exec(replace).Error; (err == nil) != (c.want == "forged") {
				t.Errorf("got %v", err)
			}
			if got := entries(t, s, store.Query{})[0].Actor.ID; got != c.want {
				t.Errorf("the entry's user is %q, %q expected", got, c.want)
			}
		})
	}
}
