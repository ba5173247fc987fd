package gormhook_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
)

// A column that somebody else drops, as the next version of a program does, is in no
// image any more: of one statement without a transaction at once, of another at the
// second attempt.
func TestColumnDroppedByOthers(t *testing.T) {
	type Badge struct {
		ID   int64
		Name string
	}
	writes := map[string]func(db *gorm.DB) error{
		"create": func(db *gorm.DB) error { return db.Create(&Badge{2, "b"}).Error },
		"update": func(db *gorm.DB) error { return db.Model(&Badge{ID: 1}).Update("name", "c").Error },
		"delete": func(db *gorm.DB) error { return db.Delete(&Badge{ID: 1}).Error },
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
				d.run(t, `CREATE TABLE badges (id bigint PRIMARY KEY, name text)`)
				for depth := range 3 {
					d.run(t, `DELETE FROM badges`, `INSERT INTO badges (id, name) VALUES (1, 'a')`, `ALTER TABLE badges ADD COLUMN used timestamp`)
					must(t, d.db.Exec(`ALTER TABLE badges ADD COLUMN of_no_use_`+string(rune('a'+depth))+` int`), d.db.Create(&Badge{5, "a"}), d.db.Delete(&Badge{ID: 5}))
					d.run(t, `ALTER TABLE badges DROP COLUMN used`)
					err := within(d.db, depth, write)
					if err != nil && depth == 0 && !d.plugin.Portable {
						t.Errorf("without a transaction: %v", err)
					}
					if err != nil {
						err = within(d.db, depth, write)
					}
					if err != nil {
						t.Errorf("the second attempt, in %d transactions: %v", depth, err)
					}
					entries := readEntries(t, d.desk, d.mark)
					d.mark = entries[len(entries)-1].seq
					last := entries[len(entries)-1]
					if _, there := spelled(last.before)["used"]; there {
						t.Errorf("the column is in %s", last)
					}
				}
			})
		})
	}
}
