package gormhook_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// A clause may name another table than the model's: the rows are that one's, and
// what is known of the model's is not taken from it.
func TestClauseOfAnotherTable(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE old_tags (id bigint PRIMARY KEY, name text)`, `CREATE TABLE notes (id bigint PRIMARY KEY, tag_id bigint REFERENCES tags (id) ON DELETE CASCADE)`)
		old := clause.Table{Name: "old_tags"}
		for range 2 { // before and after the tables are known
			inserted := d.db.Clauses(clause.Insert{Table: old}).Create(&Tag{1, "a"})
			updated := d.db.Clauses(clause.Update{Table: old}).Model(&Tag{ID: 1}).Where("name = ?", "a").Update("name", "b")
			must(t, inserted, updated, d.db.Clauses(clause.From{Tables: []clause.Table{old}}).Where("name = ?", "b").Delete(&Tag{}))
			d.wants(t, "insert old_tag 1", "update old_tag 1", "delete old_tag 1")

			must(t, d.db.Create(&Tag{1, "a"}), d.db.Clauses(clause.Insert{Table: clause.Table{Name: clause.CurrentTable}}).Create(&Tag{2, "b"}))
			d.given(t, func(db *gorm.DB) error { return db.Exec(`INSERT INTO notes VALUES (5, 1)`).Error })
			must(t, d.db.Delete(&Tag{ID: 1}), d.db.Delete(&Tag{ID: 2}))
			d.wants(t, "insert tag 1", "insert tag 2", "delete tag 1", "delete note 5", "delete tag 2")
		}
	}, "tags")
}
