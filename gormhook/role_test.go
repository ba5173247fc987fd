package gormhook_test

import (
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
)

// A role for each tenant: PostgreSQL looks for a table in the schema of its user
// first, so the same name is another table.
func TestTablesOfARole(t *testing.T) {
	type Paper struct {
		ID    int64
		Title string
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		if d.engine == sqliteEngine {
			return
		}
		suffix := fmt.Sprint(time.Now().UnixNano()) // roles are those of the whole server
		one, two := "one_"+suffix, "two_"+suffix
		for _, role := range []string{one, two} {
			d.run(t, "CREATE ROLE "+role+" SUPERUSER", "CREATE SCHEMA "+role, "CREATE TABLE "+role+".papers (id bigint PRIMARY KEY, title text)")
			t.Cleanup(func() { d.run(t, "DROP SCHEMA "+role+" CASCADE", "DROP ROLE "+role) })
		}
		d.run(t, "ALTER TABLE "+two+".papers ADD COLUMN len integer GENERATED ALWAYS AS (length(title)) STORED")
		for i, set := range []string{"SET LOCAL ROLE %s", "SET LOCAL SESSION AUTHORIZATION %s", "SELECT set_config('role', '%s', true)"} {
			n := int64(i + 1)
			db := d.dial(byDefault) // which has not seen a role yet
			if err := db.Use(d.plugin); err != nil {
				t.Fatal(err)
			}
			for _, role := range []string{one, two} {
				if err := db.Transaction(func(tx *gorm.DB) error {
					must(t, tx.Exec(fmt.Sprintf(set, role)), tx.Create(&Paper{n, "a"}))
					return tx.Model(&Paper{ID: n}).Update("title", "bb").Error
				}); err != nil {
					t.Fatal(err)
				}
				id := fmt.Sprint(n)
				entries := d.wants(t, "insert paper "+id, "update paper "+id)
				if _, generated := spelled(entries[1].after)["len"]; generated != (role == two) {
					t.Errorf("%s: the image is not of the table of %s: %s", set, role, entries[1])
				}
			}
		}
	})
}
