package gormhook_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// A table that is not audited leaves no entries, but the rows of others that
// change along with its own do.
func TestExcludedParent(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Exclude: []string{"parent", "file", "folder"}}, func(t *testing.T, d *fixture) {
		d.run(t, `INSERT INTO parents VALUES (1), (2), (3)`, `INSERT INTO children VALUES (1, 1), (2, 1), (3, 2)`,
			`INSERT INTO folders VALUES (1, NULL, '/')`)
		tx := d.db.Table("parents").Where("id = 1").Delete(nil)
		must(t, tx)
		if tx.RowsAffected != 1 {
			t.Errorf("%d rows affected, want 1", tx.RowsAffected)
		}
		entries := d.wants(t, "delete child 1", "delete child 2")
		if len(entries) == 2 && (entries[0].id != entries[0].trace || entries[1].trace != entries[0].trace) {
			t.Errorf("the entries are not one trace: %s, %s", entries[0], entries[1])
		}

		ctx, trace := d.act(t, trail.Action{Event: trail.Delete, Model: "parent", EntityID: "2"})
		must(t, d.db.WithContext(ctx).Table("parents").Where("id = 2").Delete(nil))
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		d.wants(t, "delete child 3", "delete parent 2")

		must(t, d.db.Table("parents").Create(map[string]any{"id": 4}), d.db.Table("parents").Where("id = 3").Delete(nil),
			d.db.Model(&Folder{ID: 1}).Update("path", "x"), d.db.Delete(&Folder{ID: 1}))
		err := d.db.Transaction(func(tx *gorm.DB) error { return tx.Table("parents").Where("id = 4").Delete(nil).Error })
		if err != nil {
			t.Fatal(err)
		}
		d.wants(t)
	}, "parents", "children", "reviewers", "folders", "files")
}
