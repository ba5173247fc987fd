package gormhook_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// scripts change data, and begin or end transactions, or set what holds outside
// them only.
func scripts(engine string) []string {
	list := []string{
		`BEGIN; UPDATE tags SET name = 'x' WHERE id = 1; COMMIT`,
		`BEGIN; UPDATE tags SET name = 'x' WHERE id = 1; END; BEGIN; UPDATE tags SET name = 'y' WHERE id = 2; ROLLBACK`,
	}
	if engine == sqliteEngine {
		return append(list, `PRAGMA foreign_keys = 0; UPDATE tags SET name = 'x' WHERE id = 1; PRAGMA foreign_keys = 1`)
	}
	return append(list, `UPDATE tags SET name = 'x' WHERE id = 1; COMMIT AND NO CHAIN`)
}

// A script does what it would do without the plugin. Its entry is written ahead,
// and says that it was begun.
func TestScripts(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		for _, script := range scripts(d.engine) {
			d.run(t, "DELETE FROM tags")
			d.given(t, tags(2))
			must(t, d.db.Exec(script))
			for _, e := range d.wants(t, "raw update tag 0") {
				if e.outcome != string(trail.Pending) {
					t.Errorf("%s: the outcome is %s", script, e.outcome)
				}
			}
			if d.count(t, "tags", "name = 'x'") != 1 || d.count(t, "tags", "name = 'y'") != 0 {
				t.Errorf("%s was not run as it is", script)
			}
		}
		must(t, d.db.Exec("UPDATE tags SET name = 'z' WHERE id = 1; SAVEPOINT s; UPDATE tags SET name = 'z'; ROLLBACK TO s; RELEASE s").
			Exec("BEGIN; SELECT 1; COMMIT"))
		for _, e := range readEntries(t, d.desk, d.mark) {
			if e.outcome != string(trail.Success) {
				t.Errorf("that was no script: %s", e)
			}
		}
	}, "tags")
}

// A foreign key that a script has turned off deletes nothing.
func TestScriptWithoutForeignKeys(t *testing.T) {
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE homes (id integer PRIMARY KEY)`, `INSERT INTO homes VALUES (1)`,
		`CREATE TABLE guests (id integer PRIMARY KEY, home_id integer REFERENCES homes (id) ON DELETE CASCADE)`, `INSERT INTO guests VALUES (1, 1)`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	must(t, d.db.Exec(`PRAGMA foreign_keys = 0; DELETE FROM homes; PRAGMA foreign_keys = 1`))
	d.wants(t, "raw delete home 0")
	if d.count(t, "homes", "1") != 0 || d.count(t, "guests", "1") != 1 {
		t.Error("the script was not run as it is")
	}
}

// A script that cannot be recorded is not begun, unless that is accepted.
func TestScriptThatCannotBeRecorded(t *testing.T) {
	refused := func(t *testing.T, lenient bool) {
		told := 0
		p := gormhook.Plugin{BestEffort: lenient, OnError: func(context.Context, error) { told++ }}
		onRoutes(t, p, func(t *testing.T, d *fixture) {
			d.given(t, tags(2))
			d.breakTrail(t, 1)
			told = 0
			for depth := range 2 {
				var err error
				_ = within(d.db, depth, func(tx *gorm.DB) error { // which the script may have ended
					err = tx.Exec(scripts(d.engine)[2]).Error
					return err
				})
				if lenient && err != nil || !lenient && !errors.Is(err, gormhook.ErrNotRecorded) {
					t.Errorf("got %v", err)
				}
				if told != depth+1 {
					t.Errorf("OnError was called %d times, want %d", told, depth+1)
				}
			}
			if n := d.count(t, "tags", "name = 'x'"); (n == 1) != lenient {
				t.Errorf("%d tags have changed", n)
			}
		}, "tags")
	}
	t.Run("by default", func(t *testing.T) { refused(t, false) })
	t.Run("BestEffort", func(t *testing.T) { refused(t, true) })
}
