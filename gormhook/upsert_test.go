package gormhook_test

import (
	"testing"

	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// An upsert may give the row in its way another key, also where the database
// computes a column of it.
func TestUpsertThatMovesAKey(t *testing.T) {
	type Account struct {
		ID         int64
		Code, Name string
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE accounts (id bigint PRIMARY KEY, code text UNIQUE, name text, upper text GENERATED ALWAYS AS (upper(name)) STORED)`,
			`INSERT INTO accounts (id, code, name) VALUES (1, 'a', 'x'), (2, 'b', 'y')`)
		must(t, d.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"id", "name"})}).
			Create(&[]Account{{11, "a", "xx"}, {12, "b", "yy"}, {13, "c", "zz"}}))
		entries := d.wants(t, "update account 1", "update account 2", "insert account 13")
		if got := spelled(entries[0].after); got["id"] != "11" || got["upper"] != `"XX"` {
			t.Errorf("the row became %s", entries[0])
		}
	})
}

// An upsert may have as many parameters as the protocol has room for.
func TestUpsertOfMostParameters(t *testing.T) {
	const most = 65535
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		if d.engine == sqliteEngine {
			return // it has room for half as many
		}
		d.run(t, `CREATE TABLE wides (id bigint PRIMARY KEY, a int, b int, c int, d int)`)
		type Wide struct {
			ID         int64
			A, B, C, D int
		}
		rows := make([]Wide, most/5)
		for i := range rows {
			rows[i].ID = int64(i + 1)
		}
		must(t, d.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"a"})}).Create(&rows))
		if n := len(readEntries(t, d.desk, 0)); n != len(rows) {
			t.Errorf("%d entries, want %d", n, len(rows))
		}
	})
}
