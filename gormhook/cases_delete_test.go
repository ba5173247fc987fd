package gormhook_test

import (
	"gorm.io/gorm"
)

func deletes() []*trial {
	tables, soft := []string{"products"}, []string{"items"}
	return []*trial{{
		name: "`Delete(&T{}, key)`", why: "GORM knows only the key", tables: tables,
		given: products(1, 2), want: []string{"delete product 1"},
		do: func(r *run) error { return r.note(r.db.Delete(&Product{}, 1)) },
	}, {
		name: "`Delete(&T{}, keys)`", why: "several keys", tables: tables,
		given: products(1, 2, 3), want: []string{"delete product 1", "delete product 3"},
		do: func(r *run) error { return r.note(r.db.Delete(&Product{}, []int{1, 3, 77})) },
	}, {
		name: "`Delete(&loaded)`", why: "the loaded values may be out of date: the image is the row's", tables: tables,
		given: products(1, 2), want: []string{"delete product 2"},
		do: func(r *run) error {
			p := product(2)
			p.Name = "out of date"
			return r.note(r.db.Delete(&p), &p)
		},
	}, {
		name: "`Delete(&slice)`", why: "by the keys of all elements", tables: tables,
		given: products(1, 2, 3), want: []string{"delete product 1", "delete product 3"},
		do: func(r *run) error {
			list := []Product{product(1), product(3)}
			return r.note(r.db.Delete(&list), &list)
		},
	}, {
		name: "`Where(...).Delete`", why: "the caller has not read the rows", tables: tables,
		given: products(1, 2, 3), want: []string{"delete product 2..3"},
		do: func(r *run) error { return r.note(r.db.Where("stock > ?", 10).Delete(&Product{})) },
	}, {
		name: "`Where(...).Delete`, no row", why: "nothing has changed", tables: tables, given: products(1),
		do: func(r *run) error { return r.note(r.db.Where("stock > ?", 1000).Delete(&Product{})) },
	}, {
		name: "`Where(...).Delete` of 2,000 rows", long: true, why: "more entries than one INSERT holds", tables: []string{"tags"},
		given: tags(2000), want: []string{"delete tag 1..2000"},
		do: func(r *run) error { return r.note(r.db.Where("id > 0").Delete(&Tag{})) },
	}, {
		name: "`Delete` without a condition", why: "GORM refuses it", tables: tables, given: products(1),
		do: func(r *run) error {
			_ = r.note(r.db.Delete(&Product{}))
			return nil
		},
	}, {
		name: "`Delete` with `AllowGlobalUpdate`", why: "no WHERE at all", tables: tables, given: products(1, 2),
		want: []string{"delete product 1..2"},
		do: func(r *run) error {
			return r.note(r.db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(&Product{}))
		},
	}, {
		name: "`Table(\"t\").Delete` without a model", why: "only the table's name is known, whose model was seen before",
		tables: tables, given: products(1, 2), want: []string{"delete product 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Where("id = 0").Delete(&Product{})); err != nil {
				return err
			}
			return r.note(r.db.Table("products").Where("id = 2").Delete(nil))
		},
	}, {
		name: "`Table(\"t AS a\").Delete`", why: "the condition names the alias", tables: tables, given: products(1, 2),
		want: []string{"delete product 2"}, on: postgresEngine,
		do: func(r *run) error {
			return r.note(r.db.Table("products AS p").Where("p.id = 2").Delete(nil))
		},
	}, {
		name: "soft `Delete(&T{}, key)`", why: "an update for the database, a delete for people", tables: soft,
		given: items(1, 2), want: []string{"softdelete item 1"},
		do: func(r *run) error { return r.note(r.db.Delete(&Item{}, 1)) },
	}, {
		name: "soft `Delete(&loaded)`", why: "GORM sets DeletedAt of the struct", tables: soft,
		given: items(1, 2), want: []string{"softdelete item 1"},
		do: func(r *run) error {
			i := item(1)
			return r.note(r.db.Delete(&i), &i)
		},
	}, {
		name: "soft `Where(...).Delete`", why: "all rows that are not deleted yet", tables: soft,
		given: items(1, 2, -3), want: []string{"softdelete item 1..2"},
		do: func(r *run) error { return r.note(r.db.Where("qty > 0").Delete(&Item{})) },
	}, {
		name: "soft `Delete` of a deleted row", why: "nothing has changed", tables: soft, given: items(-1),
		do: func(r *run) error { return r.note(r.db.Delete(&Item{}, 1)) },
	}, {
		name: "`Unscoped().Delete`", why: "the row is gone, also if it was soft-deleted before", tables: soft,
		given: items(1, -2, 3), want: []string{"delete item 1", "delete item 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Unscoped().Delete(&Item{}, 1)); err != nil {
				return err
			}
			return r.note(r.db.Unscoped().Where("id = 2").Delete(&Item{}))
		},
	}, {
		name: "restore by `Unscoped().Update(\"deleted_at\", nil)`", why: "people undo what they deleted", tables: soft,
		given: items(-1, -2, 3), want: []string{"restore item 1", "restore item 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Unscoped().Model(&Item{}).Where("id = 1").Update("deleted_at", nil)); err != nil {
				return err
			}
			i := item(2)
			return r.note(r.db.Unscoped().Model(&i).Updates(map[string]any{"DeletedAt": gorm.DeletedAt{}, "qty": 5}), &i)
		},
	}, {
		name: "soft delete by `Update(\"deleted_at\", ...)`", why: "the same in another way", tables: soft,
		given: items(1, 2), want: []string{"softdelete item 1", "softdelete item 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Item{}).Where("id = 1").Update("deleted_at", now)); err != nil {
				return err
			}
			return r.note(r.db.Model(&Item{}).Where("id = 2").UpdateColumns(map[string]any{"deleted_at": now, "qty": 7}))
		},
	}, {
		name: "delete, restore, delete permanently", why: "the life of one row", tables: soft, given: items(1),
		want: []string{"softdelete item 1", "restore item 1", "softdelete item 1", "delete item 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Delete(&Item{}, 1) },
				func() *gorm.DB { return r.db.Unscoped().Model(&Item{}).Where("id = 1").Update("deleted_at", nil) },
				func() *gorm.DB { return r.db.Delete(&Item{}, 1) },
				func() *gorm.DB { return r.db.Unscoped().Delete(&Item{}, 1) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}}
}
