package gormhook_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// RETURNING may ask for what is not a column: whether an upsert inserted, where a
// row is, the row as such. The caller gets what it would get without the plugin.
func TestReturningWhatIsNoColumn(t *testing.T) {
	for _, r := range routes()[1:] {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r, "tags")
			if err := d.db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			for said, want := range map[string][3]string{
				`(xmax = 0)::text AS name`:                                {"true", "false", "x"},
				`CASE WHEN ctid IS NULL THEN '' ELSE 'there' END AS name`: {"there", "there", "there"},
				`tableoid::regclass::text AS name`:                        {"tags", "tags", "tags"},
				`row_to_json(tags)::text AS name`:                         {`{"id":1,"name":"a"}`, `{"id":1,"name":"a"}`, `{"id":1,"name":"b"}`},
				`to_jsonb("tags".*)::text AS name`:                        {`{"id": 1, "name": "a"}`, `{"id": 1, "name": "a"}`, `{"id": 1, "name": "b"}`},
				`"tags"."name" || '!' AS name`:                            {"a!", "a!", "b!"},
			} {
				asked := clause.Returning{Columns: []clause.Column{{Name: said, Raw: true}}}
				d.run(t, `DELETE FROM tags`)
				for n := range 2 {
					v := Tag{1, "a"}
					must(t, d.db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}, asked).Create(&v))
					if v.Name != want[n] {
						t.Errorf("%s: an upsert returned %q, want %q", said, v.Name, want[n])
					}
				}
				if want[2] == "x" {
					continue // the row was locked ahead
				}
				for _, f := range []func(*gorm.DB) *gorm.DB{
					func(db *gorm.DB) *gorm.DB { return db.Update("name", "b") }, func(db *gorm.DB) *gorm.DB { return db.Delete(db.Statement.Model) },
				} {
					list := []Tag{}
					must(t, f(d.db.Model(&list).Clauses(asked).Where("id = 1")))
					if len(list) != 1 || list[0].Name != want[2] {
						t.Errorf("%s: %v was returned, want %q", said, list, want[2])
					}
				}
			}
		})
	}
}

// Picky is read by code that may refuse what the database holds.
type Picky string

func (p *Picky) Scan(v any) error {
	s, _ := v.(string)
	if *p = Picky(s); strings.HasPrefix(s, "bad") {
		return errors.New("picky")
	}
	return nil
}

type Dish struct {
	ID    int64
	Name  string
	Taste Picky `gorm:"type:text;default:(lower('BAD'))"`
}

// A change is taken back where the caller cannot read what it returned: the
// implicit transaction is kept for those who may refuse it.
func TestReturningThatCannotBeRead(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE dishes (id bigint PRIMARY KEY, name text, taste text DEFAULT (lower('BAD')))`)
		must(t, d.db.Create(&Dish{ID: 1, Name: "a", Taste: "good"})) // the table is known from now on
		for range 2 {
			if err := d.db.Create(&Dish{ID: 2, Name: "b"}).Error; err == nil {
				t.Error("a taste was read that cannot be")
			}
			var list []Dish
			if err := d.db.Model(&list).Clauses(clause.Returning{}).Where("id = 1").Update("taste", "bad").Error; err == nil {
				t.Error("a taste was read that cannot be")
			}
		}
		d.wants(t, "insert dish 1")
		if n := d.count(t, "dishes", "taste = 'good'"); n != 1 || d.count(t, "dishes", "1 = 1") != 1 {
			t.Error("what could not be read was kept")
		}
	})
}

// Cramped has fields that take less than its columns hold.
type Cramped struct {
	ID    uint
	Small int8          `gorm:"type:bigint;default:(abs(-1000))"`
	Plus  uint          `gorm:"type:bigint"`
	Maybe sql.NullInt32 `gorm:"type:bigint"`
}

// Nor is a number that is out of a field's range kept.
func TestReturningWhatIsOutOfRange(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE crampeds (id bigint PRIMARY KEY, small bigint DEFAULT (abs(-1000)), plus bigint, maybe bigint)`)
		must(t, d.db.Create(&Cramped{ID: 1, Small: 1, Plus: 1})) // the table is known from now on
		for range 2 {
			if err := d.db.Create(&Cramped{ID: 2}).Error; err == nil {
				t.Error("1000 is in eight bits")
			}
			for column, value := range map[string]string{"small": "small + 1000", "plus": "plus - 10", "maybe": "1 + 4294967296"} {
				var list []Cramped
				if err := d.db.Model(&list).Clauses(clause.Returning{}).Where("id = 1").Update(column, gorm.Expr(value)).Error; err == nil {
					t.Errorf("%s is %v", column, list)
				}
			}
		}
		d.wants(t, "insert cramped 1")
		if d.count(t, "crampeds", "1 = 1") != 1 || d.count(t, "crampeds", "small = 1 AND plus = 1 AND maybe IS NULL") != 1 {
			t.Error("what could not be read was kept")
		}
		d.run(t, `UPDATE crampeds SET small = 1000`)
		if err := d.db.Clauses(clause.Returning{}).Where("id = 1").Delete(&[]Cramped{}).Error; err == nil {
			t.Error("1000 is in eight bits")
		}
		d.wants(t)
	})
}
