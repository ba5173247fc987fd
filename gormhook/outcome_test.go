package gormhook_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// Without foreign keys, SQLite's default, nothing changes along with a row.
func TestForeignKeysOff(t *testing.T) {
	d := newFixture(t, routes()[0], "parents", "children", "portraits")
	db := openSQLite(t, strings.Replace(d.dsn, "foreign_keys%281%29", "foreign_keys%280%29", 1), config(byDefault))
	if err := db.Use(gormhook.Plugin{}); err != nil {
		t.Fatal(err)
	}
	d.run(t, `INSERT INTO parents VALUES (1), (2)`, `INSERT INTO portraits VALUES (1, 'x')`, `INSERT INTO children VALUES (1, 1)`)
	must(t, db.Table("parents").Where("id = 1").Update("id", 10), db.Table("parents").Where("id = 2").Delete(nil),
		db.Table("children").Where("id = 1").Update("parent_id", 10), db.Table("parents").Where("id = 10").Delete(nil))
	d.wants(t, "update parent 1", "delete parent 2", "update child 1", "delete parent 10")
}

// A role may be granted a table and none of its partitions.
func TestCascadeUnderGrants(t *testing.T) {
	onPostgres(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		role := `"grantee ` + trail.NewID(now).String() + `"`
		d.run(t, `CREATE ROLE `+role, `GRANT ALL ON members, notices, audit_logs TO `+role, `GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO `+role)
		t.Cleanup(func() { d.run(t, `DROP OWNED BY `+role, `DROP ROLE `+role) })
		d.run(t, `INSERT INTO members VALUES (1, 7), (1, 8)`, `INSERT INTO notices VALUES (1, 1, 7), (1, 2, 8)`)
		err := d.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Exec(`SET LOCAL ROLE `+role), tx.Table("members").Where("id = 7").Delete(nil),
				tx.Table("members").Where("id = 8").Update("tenant", 2))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d.wants(t, "delete member 1,7", "update notice 1,1", "update member 1,8", "update notice 1,2")
	}, "members", "notices")
}
