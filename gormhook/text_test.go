package gormhook_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// What stands behind a statement is not part of it: a comment would swallow what
// is added, a semicolon end it.
func TestTextBehindAStatement(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, tags(4))
		for _, end := range []string{" -- the first", ";", " /* the first; */ ;", " -- ; first\n"} {
			for depth := range 2 {
				if err := within(d.db, depth, func(tx *gorm.DB) error {
					return tx.Model(&Tag{}).Where("id = 1"+end).Update("name", gorm.Expr("name || 'x'")).Error
				}); err != nil {
					t.Errorf("%q: %v", end, err)
				}
				d.wants(t, "update tag 1")
			}
		}
		must(t, d.db.Where("id = 1 -- the first").Delete(&Tag{}), d.db.Where("name LIKE '%;' OR id = 2;").Delete(&Tag{}))
		d.wants(t, "delete tag 1", "delete tag 2")
	}, "tags")
}

// A letter may take another number of bytes in upper case: a text is cut where
// its own words stand.
func TestLettersThatGrow(t *testing.T) {
	type Ogr struct {
		ID    int64
		Sinif string `gorm:"column:sınıf"`
		N     int
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Ogr{})
		for _, id := range []int64{1, 12, 123, 1234} {
			must(t, d.db.Create(&Ogr{ID: id, Sinif: "ıſ"}))
		}
		d.wants(t, "insert ogr 1", "insert ogr 12", "insert ogr 123", "insert ogr 1234")
		var list []Ogr
		must(t, d.db.Model(&list).Clauses(clause.Returning{}).Where(`"sınıf" = ? AND id = 1234`, "ıſ").Update("n", 7))
		if len(list) != 1 || list[0].ID != 1234 || list[0].N != 7 {
			t.Errorf("%v came back", list)
		}
		list = nil
		must(t, d.db.Clauses(clause.Returning{Columns: []clause.Column{{Name: "id"}}}).Where(`"sınıf" = 'ıſ' AND id = 123`).Delete(&list))
		if len(list) != 1 || list[0].ID != 123 {
			t.Errorf("%v came back", list)
		}
		d.wants(t, "update ogr 1234", "delete ogr 123")
	})
}

// A bracket of PostgreSQL's quotes no name: there are parameters in it.
func TestParametersInAnArray(t *testing.T) {
	for _, r := range routes()[1:] {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r)
			d.run(t, `CREATE TABLE lists (id bigint PRIMARY KEY, name text, tags text[])`, `INSERT INTO lists VALUES (1, 'a', '{b,c}')`)
			if err := d.db.Use(d.plugin); err != nil {
				t.Fatal(err)
			}
			must(t, d.db.Table("lists").Where("name = ANY(ARRAY [name, ?])", "x").Updates(map[string]any{"tags": gorm.Expr("ARRAY [name, ?::text]", "y")}))
			entries := d.wants(t, "update list 1")
			if got := spelled(entries[0].after)["tags"]; got != `["a","y"]` && got != `["a", "y"]` {
				t.Errorf("the tags are %s", got)
			}
		})
	}
}

// A table may have a column of its own name.
func TestColumnNamedAsItsTable(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE status (id bigint PRIMARY KEY, status text)`)
		table := func() *gorm.DB { return d.db.Table("status") }
		must(t, table().Create(map[string]any{"id": 1, "status": "a"}), table().Where("id = 1").Updates(map[string]any{"status": "b"}))
		must(t, table().Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"status"})}).
			Create([]map[string]any{{"id": 1, "status": "c"}, {"id": 2, "status": "d"}}))
		must(t, table().Where("id = 1").Delete(nil))
		entries := d.wants(t, "insert status 1", "update status 1", "update status 1", "insert status 2", "delete status 1")
		if last := entries[len(entries)-1]; spelled(last.before)["status"] != `"c"` {
			t.Errorf("the row was %s", last)
		}
	})
}
