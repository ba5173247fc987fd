package gormhook_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// hidesSecrets fails the test where an entry holds a secret of the tests.
func hidesSecrets(t *testing.T, entries []*record) {
	t.Helper()
	for _, e := range entries {
		if strings.Contains(e.String(), "hunter") {
			t.Errorf("the secret is in %s", e)
		}
	}
}

// A table's name has no case on SQLite, nor has one without quotes on
// PostgreSQL: what is said of the table holds for every spelling.
func TestTableOfAnotherCase(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Models: []any{&Login{}}}, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Login{ID: 1, Pin: "hunter1", Scratch: "hunter2"}))
		want := []string{"insert login 1"}
		if d.engine == sqliteEngine {
			must(t, d.db.Table("Logins").Where("id = ?", 1).Updates(map[string]any{"pin": "hunter3", "scratch": "hunter4"}))
			must(t, d.db.Table("LOGINS").Create(map[string]any{"id": 2, "email": "b", "pin": "hunter5", "scratch": "hunter6"}))
			must(t, d.db.Exec(`UPDATE 'Logins' SET email = 'c'`))
			want = append(want, "update login 1", "insert login 2", "raw update login 2")
		}
		must(t, d.db.Exec(`UPDATE LogIns SET pin = 'hunter7' WHERE id = 1`), d.db.Exec(`DELETE FROM LOGINS`))
		n := "1"
		if d.engine == sqliteEngine {
			n = "2"
		}
		hidesSecrets(t, d.wants(t, append(want, "raw update login 1", "raw delete login "+n)...))
	}, "logins")
}

// So do the lists, and what keeps the trail's own tables out of it.
func TestExcludedInAnotherCase(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Exclude: []string{"tags"}}, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Tag{1, "a"}), d.db.Exec("UPDATE Tags SET name = 'b'"), d.db.Exec("DELETE FROM Execution_Logs"))
		if d.engine == sqliteEngine {
			must(t, d.db.Table("Tags").Create(map[string]any{"id": 2, "name": "b"}), d.db.Table("TAGS").Where("1 = 1").Delete(nil))
		}
		d.wants(t)
	}, "tags")
}

// Lengthy is a model all of whose names PostgreSQL cuts, one of them in the
// middle of a character.
type Lengthy struct {
	Key     string         `gorm:"primaryKey;column:key_of_a_thing_whose_names_are_longer_than_the_database_keeps_them"`
	Masked  string         `gorm:"column:masked_in_a_thing_whose_names_are_longer_than_the_database_keeäö" audit:"mask"`
	Left    string         `gorm:"column:left_out_of_a_thing_whose_names_are_longer_than_the_database_keeps_them" audit:"-"`
	Listed  string         `gorm:"column:listed_in_a_thing_whose_names_are_longer_than_the_database_keeps_them"`
	Secret  string         `gorm:"column:what_all_need_that_want_to_sign_on_at_the_other_end_is_by_name_a_password"`
	Label   string         `gorm:"column:label_of_a_thing_whose_names_are_longer_than_the_database_keeps_them" audit:"name"`
	Deleted gorm.DeletedAt `gorm:"column:deletion_of_a_thing_whose_names_are_longer_than_the_database_keeps_them"`
}

func (Lengthy) TableName() string {
	return "lengthies_of_a_kind_whose_names_are_longer_than_the_database_keeps_them"
}

// What is said of a name that PostgreSQL cuts holds for what is left of it.
func TestNamesThatAreCut(t *testing.T) {
	p := gormhook.Plugin{MaskColumns: []string{"lengthy.listed_in_a_thing_whose_names_are_longer_than_the_database_keeps_them"}}
	onRoutes(t, p, func(t *testing.T, d *fixture) {
		migrated(t, d, &Lengthy{})
		a := Lengthy{Key: "a", Masked: "hunter1", Left: "hunter2", Listed: "hunter3", Secret: "hunter4", Label: "A"}
		b := a
		b.Key, b.Label = "b", "B"
		for range 2 { // before and after the table is known
			must(t, d.db.Create([]*Lengthy{&a, &b}))
			must(t, d.db.Model(&Lengthy{Key: "a"}).Updates(Lengthy{Masked: "hunter5", Left: "hunter6", Listed: "hunter7", Secret: "hunter8", Label: "C"}))
			must(t, d.db.Clauses(clause.OnConflict{UpdateAll: true}, clause.Returning{}).Create(&b))
			must(t, d.db.Delete(&Lengthy{Key: "a"}), d.db.Unscoped().Model(&a).Update("Deleted", nil))
			must(t, d.db.Unscoped().Where("1 = 1").Delete(&Lengthy{}))
			entries := d.wants(t, "insert lengthy a", "insert lengthy b", "update lengthy a", "softdelete lengthy a", "restore lengthy a",
				"delete lengthy a", "delete lengthy b")
			hidesSecrets(t, entries)
			if got := entries[2].name; got != "C" {
				t.Errorf("the label is %q", got)
			}
		}
		cut := "lengthies_of_a_kind_whose_names_are_longer_than_the_database_keeps_them"
		if d.engine == postgresEngine {
			cut = cut[:63]
		}
		must(t, d.db.Exec("INSERT INTO "+cut+" SELECT * FROM "+cut+"; DELETE FROM "+cut))
		for _, e := range readEntries(t, d.desk, d.mark) {
			if e.model != "lengthy" {
				t.Errorf("the model is in %s", e)
			}
		}
	})
}
