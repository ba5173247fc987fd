package gormhook_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// RETURNING may ask for what is no column: whether an upsert inserted, where a
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
