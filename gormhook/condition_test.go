package gormhook_test

import (
	"testing"

	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// A condition that finds other rows each time it is asked is asked once: the
// rows that it found are those that are changed and recorded.
func TestConditionsAtRandom(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, rows(tags(40)))
		for n, where := range []string{
			"id IN (SELECT id FROM tags ORDER BY random() LIMIT 3)", "id = (SELECT id FROM tags ORDER BY random() LIMIT 1)", "random() > 0.5 AND id > 2",
		} {
			name := string(rune('A' + n))
			tx := d.db.Model(&Tag{}).Where(where).Update("name", name)
			must(t, tx)
			if want := []int64{3, 1}; n < len(want) && tx.RowsAffected != want[n] {
				t.Errorf("%s: %d rows were affected, want %d", where, tx.RowsAffected, want[n])
			}
			entries := readEntries(t, d.desk, d.mark)
			if int64(len(entries)) != tx.RowsAffected {
				t.Errorf("%s: %d entries of %d rows", where, len(entries), tx.RowsAffected)
			}
			for _, e := range entries {
				d.mark = e.seq
				if e.operation != "update" || d.count(t, "tags", "id = "+e.entity+" AND name = '"+name+"'") != 1 {
					t.Errorf("%s: %s", where, e)
				}
			}
		}
		// The keys of those rows may change with them.
		tx := d.db.Model(&Tag{}).Where("id IN (SELECT id FROM tags WHERE id < 900 ORDER BY random() LIMIT 3)").
			UpdateColumns(map[string]any{"id": clause.Expr{SQL: "id + ?", Vars: []any{1000}}, "name": "moved"})
		must(t, tx)
		if n := d.count(t, "tags", "name = 'moved'"); tx.RowsAffected != 3 || n != 3 {
			t.Errorf("%d rows were affected, and %d have moved, want 3", tx.RowsAffected, n)
		}
		for _, e := range readEntries(t, d.desk, d.mark) {
			if spelled(e.before)["id"] != e.entity || spelled(e.after)["name"] != `"moved"` {
				t.Errorf("a row that moved: %s", e)
			}
		}
	}, "tags")
}

// Only a whole condition says that there is one row at most, not one within
// another, though it looks the same.
func TestConditionsThatAreNotOfAKey(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		for _, where := range []string{`"id" = ? IS FALSE`, `TRUE AND "id" = ? IS NOT TRUE`, `"id" = ? % 1 + 1 AND 1 = 1 OR 1 = 1`, `-"id" <= ?`} {
			d.run(t, "DELETE FROM tags")
			d.given(t, rows(tags(4)))
			must(t, d.db.Model(&Tag{}).Where(where, 1).Update("name", "x"))
			n := d.count(t, "tags", "name = 'x'")
			if got := readEntries(t, d.desk, d.mark); n < 3 || len(got) != n {
				t.Errorf("%s: %d entries of %d rows", where, len(got), n)
			} else {
				d.mark = got[n-1].seq
			}
			must(t, d.db.Where(where, 1).Delete(&Tag{}))
			if got := readEntries(t, d.desk, d.mark); len(got) != n {
				t.Errorf("%s: %d entries of %d rows that are gone", where, len(got), n)
			} else {
				d.mark = got[n-1].seq
			}
		}
	}, "tags")
}

// A question mark is an operator of PostgreSQL, too.
func TestQuestionMarkAsOperator(t *testing.T) {
	for _, r := range routes()[1:] {
		for _, p := range []gormhook.Plugin{{}, {MaxRows: 10}} {
			p.Portable = r.plugin.Portable
			t.Run(r.name, func(t *testing.T) {
				d := newFixture(t, r)
				d.run(t, `CREATE TABLE papers (id bigint PRIMARY KEY, data jsonb, n int)`, `INSERT INTO papers VALUES (1, '{"a": 1}', 1), (2, '{"b": 1}', 1)`)
				if err := d.db.Use(p); err != nil {
					t.Fatal(err)
				}
				has := clause.Expr{SQL: "data ? 'a'", WithoutParentheses: true}
				must(t, d.db.Table("papers").Where(has).Where("id > ?", 0).Updates(map[string]any{"n": 5}))
				must(t, d.db.Table("papers").Where(has).Where("id > ?", 0).Delete(nil))
				d.wants(t, "update paper 1", "delete paper 1")
			})
		}
	}
}
