package gormhook_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// tables are those in which the database does more than it is told, and those
// that are not tables.
func tables() []*trial {
	return []*trial{{
		name: "a table without a key", why: "there is no entity, but there are rows", opaque: true,
		tables: []string{"readings"}, given: rows(&Reading{"a", 1}, &Reading{"a", 1}, &Reading{"b", 2}),
		want: []string{"insert reading ", "update reading ", "update reading ", "delete reading ", "delete reading "},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Reading{"c", 3}) },
				func() *gorm.DB { return r.db.Model(&Reading{}).Where("sensor = ?", "a").Update("value", 5) },
				func() *gorm.DB { return r.db.Where("sensor = ?", "a").Delete(&Reading{}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a key unknown to the database", why: "the model declares it, but nothing keeps it unique",
		tables: []string{"looses"}, given: rows(&Loose{1, "a"}, &Loose{2, "b"}),
		want: []string{"insert loose 3", "update loose 2", "delete loose 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Loose{3, "c"}) },
				func() *gorm.DB { return r.db.Model(&Loose{ID: 2}).Update("name", "x") },
				func() *gorm.DB { return r.db.Delete(&Loose{}, 1) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a duplicate key", why: "both rows change, and both have entries", opaque: true,
		tables: []string{"looses"}, given: rows(&Loose{1, "a"}, &Loose{1, "b"}), want: []string{"update loose 1", "update loose 1", "delete loose 1", "delete loose 1"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Loose{ID: 1}).Update("name", "x")); err != nil {
				return err
			}
			return r.note(r.db.Delete(&Loose{}, 1))
		},
	}, {
		name: "generated columns", why: "the database computes them from what is set",
		tables: []string{"invoices"}, given: rows(&Invoice{ID: 1, Net: 100, Tax: 19}), want: []string{"insert invoice 2", "update invoice 1", "update invoice 1", "delete invoice 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Invoice{ID: 2, Net: 10, Tax: 2}) },
				func() *gorm.DB { return r.db.Model(&Invoice{ID: 1}).Update("net", 200) },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Invoice{ID: 1, Net: 1, Tax: 1})
				},
				func() *gorm.DB { return r.db.Delete(&Invoice{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a BEFORE trigger that changes a column", why: "what is written is not what was sent", on: postgresEngine,
		tables: []string{"badges"}, given: rows(&Badge{ID: 1, Name: "A"}), want: []string{"insert badge 2", "update badge 1", "update badge 1", "delete badge 1"},
		do: func(r *run) error {
			b := Badge{ID: 2, Name: "new"}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&b) },
				func() *gorm.DB { return r.db.Model(&Badge{ID: 1}).Update("name", "b") },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Badge{ID: 1, Name: "c"})
				},
				func() *gorm.DB { return r.db.Delete(&Badge{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "an AFTER trigger that changes the row again", why: "the row is not what RETURNING says",
		tables: []string{"parcels"}, given: rows(&Parcel{ID: 1, Name: "a"}, &Parcel{ID: 3, Name: "c"}),
		want: []string{"insert parcel 2", "update parcel 1", "update parcel 3", "update parcel 1", "insert parcel 4", "delete parcel 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Parcel{ID: 2, Name: "b"}) },
				func() *gorm.DB { return r.db.Model(&Parcel{}).Where("id IN ?", []int{1, 3}).Update("name", "x") },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Parcel{{ID: 1, Name: "y"}, {ID: 4, Name: "z"}})
				},
				func() *gorm.DB { return r.db.Delete(&Parcel{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a table WITHOUT ROWID", why: "SQLite finds its rows by the key alone", on: sqliteEngine,
		tables: []string{"atoms"}, given: rows(&Atom{"H", 1, 1}, &Atom{"H", 2, 2}),
		want: []string{"insert atom He,4", "update atom H,1", "update atom H,2", "update atom H,1", "update atom H,2", "delete atom H,1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Atom{"He", 4, 4}) },
				func() *gorm.DB {
					return r.db.Model(&Atom{}).Where("symbol = ?", "H").Update("weight", gorm.Expr("weight + 1"))
				},
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Atom{"H", 1, 9})
				},
				func() *gorm.DB { return r.db.Model(&Atom{Symbol: "H", Mass: 2}).Update("mass", 3) },
				func() *gorm.DB { return r.db.Delete(&Atom{Symbol: "H", Mass: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a partitioned table", why: "rows move between partitions according to their key", on: postgresEngine,
		tables: []string{"measures"}, given: rows(&Measure{1, 1, 10}, &Measure{1, 2, 20}),
		want: []string{"insert measure 2,1", "update measure 1,1", "update measure 1,2", "update measure 2,1", "update measure 3,1", "insert measure 2,9", "delete measure 1,1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Measure{2, 1, 5}) },
				func() *gorm.DB {
					return r.db.Model(&Measure{}).Where("region = 1").Update("value", gorm.Expr("value + 1"))
				},
				func() *gorm.DB { return r.db.Model(&Measure{}).Where("region = 2").Update("region", 3) },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Measure{{3, 1, 6}, {2, 9, 7}})
				},
				func() *gorm.DB { return r.db.Delete(&Measure{Region: 1, Number: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a table of another schema", why: "it is not on the search path", on: postgresEngine,
		tables: []string{"elsewhere.things"}, given: rows(&Thing{1, "a"}), want: []string{"insert thing 2", "update thing 1", "update thing 1", "delete thing 1"},
		do: func(r *run) error {
			v := Thing{2, "b"}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&v) },
				func() *gorm.DB { return r.db.Model(&Thing{ID: 1}).Update("name", "x") },
				func() *gorm.DB { return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Thing{1, "y"}) },
				func() *gorm.DB { return r.db.Delete(&Thing{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "an updatable view", why: "the rows are another table's: what was run is recorded, without images", on: postgresEngine, opaque: true,
		tables: []string{"products", "lamps"}, given: products(1, 2), want: []string{"raw insert lamp 1", "raw update lamp 2", "raw delete lamp 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB {
					return r.db.Table("lamps").Create(map[string]any{"id": 9, "code": "v", "name": "chair"})
				},
				func() *gorm.DB { return r.db.Table("lamps").Where("stock > 5").Updates(map[string]any{"stock": 3}) },
				func() *gorm.DB { return r.db.Table("lamps").Where("id = 1").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a view with INSTEAD OF triggers", why: "the rows are another table's, and SQLite does not count them: what was run is recorded", on: sqliteEngine, opaque: true,
		tables: []string{"tags", "front_tags"}, given: rows(tags(3)), want: []string{"raw insert front_tag 0", "raw update front_tag 0", "raw delete front_tag 0"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table("front_tags").Create(map[string]any{"id": 9, "name": "v"}) },
				func() *gorm.DB {
					return r.db.Table("front_tags").Where("id IN (1, 2)").Updates(map[string]any{"name": "x"})
				},
				func() *gorm.DB { return r.db.Table("front_tags").Where("id = 1").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a table with inheriting tables", why: "a statement on it reaches their rows too, whose keys may be the same", on: postgresEngine, opaque: true, shuffled: true,
		tables: []string{"animals", "cats"}, given: rows(&Animal{1, "a"}, &Animal{2, "b"}, joined("cats", map[string]any{"id": 2, "name": "tom"}, map[string]any{"id": 3, "name": "kit"})),
		want: []string{"update animal 1", "update animal 2", "update animal 2", "update animal 3", "update animal 2", "update animal 2", "delete animal 2", "delete animal 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Animal{}).Where("id > 0").Update("name", gorm.Expr("name || '!'"))); err != nil {
				return err
			}
			if err := r.note(r.db.Model(&Animal{ID: 2}).Update("name", gorm.Expr("name || '?'"))); err != nil {
				return err
			}
			return r.note(r.db.Delete(&Animal{ID: 2}))
		},
		verify: func(t *testing.T, entries []*record) {
			var got []string
			for _, e := range entries {
				if e.model == "animal" { // not that of the action around it
					got = append(got, fmt.Sprint(e.before["name"], " ", e.after["name"]))
				}
			}
			slices.Sort(got)
			want := []string{"a a!", "b b!", "b! b!?", "b!? <nil>", "kit kit!", "tom tom!", "tom! tom!?", "tom!? <nil>"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the images differ (-want +got):\n%s", diff)
			}
		},
	}, {
		name: "a BEFORE trigger that skips rows", why: "the statement matched the row, and did nothing to it", on: postgresEngine,
		tables: []string{"guarded"}, given: rows(&Guarded{1, "open"}, &Guarded{2, "shut"}), want: []string{"update guarded 1", "insert guarded 3", "delete guarded 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB {
					return r.db.Model(&Guarded{}).Where("id > 0").Update("name", gorm.Expr("name || '!'"))
				},
				func() *gorm.DB { return r.db.Create(&[]Guarded{{3, "new"}, {4, "shut"}}) },
				func() *gorm.DB { return r.db.Where("id < 3").Delete(&Guarded{}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "upsert of rows that a BEFORE trigger skips", why: "the row that conflicted with one row must not be used for the next", on: postgresEngine,
		tables: []string{"frozen"}, given: rows(&Frozen{1, "open"}, &Frozen{2, "frozen"}), want: []string{"update frozen 1", "insert frozen 5", "insert frozen 7"},
		do: func(r *run) error {
			list := []Frozen{{1, "x"}, {2, "y"}, {5, "z"}}
			if err := r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list)); err != nil {
				return err
			}
			if err := r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Frozen{2, "y"})); err != nil {
				return err
			}
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Frozen{7, "z"}))
		},
	}, {
		name: "upserts after one that a BEFORE trigger skips", why: "nor for the next statement in the transaction, on any table, even after the row is deleted",
		on: postgresEngine, tables: []string{"frozen", "tags"}, given: rows(&Frozen{2, "frozen"}),
		want: []string{"insert tag 1", "delete frozen 2", "insert frozen 2"},
		do: func(r *run) error {
			upsert := func(row any) error {
				return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(row), row)
			}
			for _, row := range []any{&Frozen{2, "y"}, &Tag{1, "a"}, &Frozen{2, "y"}} {
				if err := upsert(row); err != nil {
					return err
				}
			}
			if err := r.note(r.db.Delete(&Frozen{ID: 2})); err != nil {
				return err
			}
			return upsert(&Frozen{2, "y"})
		},
	}}
}
