package gormhook_test

import (
	"slices"

	"gorm.io/gorm/clause"
)

// returnings are statements whose rows the caller wants back.
func returnings() []*trial {
	tables := []string{"products"}
	all := clause.Returning{}
	some := clause.Returning{Columns: []clause.Column{{Name: "id"}, {Name: "name"}}}
	return []*trial{{
		name: "`Clauses(clause.Returning{}).Create`", why: "all columns are returned, including generated values",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			p := Product{Code: "a"}
			return r.note(r.db.Clauses(all).Create(&p), &p)
		},
	}, {
		name: "`Clauses(clause.Returning{Columns}).Create(&slice)`", why: "some columns, of several rows",
		tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			list := []Product{{Code: "a"}, {Code: "b"}}
			return r.note(r.db.Clauses(some).Create(&list), &list)
		},
	}, {
		name: "`Clauses(clause.Returning{}).Update` into a struct", why: "the row as it is now",
		tables: tables, given: products(1, 2), want: []string{"update product 1"},
		do: func(r *run) error {
			var p Product
			return r.note(r.db.Model(&p).Clauses(all).Where("id = ?", 1).Update("name", "sofa"), &p)
		},
	}, {
		name: "`Clauses(clause.Returning{}).Update` into a slice", why: "all rows that matched, also those that have not changed",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 2"},
		do: func(r *run) error {
			var list []Product
			tx := r.db.Model(&list).Clauses(all).Where("stock > ?", 10).Update("stock", 30)
			return r.note(tx, inOrder(list))
		},
	}, {
		name: "`Clauses(clause.Returning{Columns}).Updates`", why: "some columns, and an expression over them",
		tables: tables, given: products(1, 2), want: []string{"update product 1..2"},
		do: func(r *run) error {
			var list []Product
			columns := append([]clause.Column{{Name: "stock * 2 AS stock", Raw: true}}, some.Columns...)
			tx := r.db.Model(&list).Clauses(clause.Returning{Columns: columns}).Where("id > 0").Updates(map[string]any{"name": "sofa"})
			return r.note(tx, inOrder(list))
		},
	}, {
		name: "`clause.Returning` with the table's name", why: "a column may be qualified with its table",
		tables: tables, given: products(1, 2), want: []string{"update product 1", "delete product 2"},
		do: func(r *run) error {
			columns := []clause.Column{{Table: "products", Name: "id"}, {Table: clause.CurrentTable, Name: "name"}}
			var p, q Product
			if err := r.note(r.db.Model(&p).Clauses(clause.Returning{Columns: columns}).Where("id = 1").Update("name", "sofa"), &p); err != nil {
				return err
			}
			return r.note(r.db.Clauses(clause.Returning{Columns: columns}).Where("id = 2").Delete(&q), &q)
		},
	}, {
		name: "`clause.Returning`, no row", why: "nothing is returned, nothing is recorded", tables: tables, given: products(1),
		do: func(r *run) error {
			var list []Product
			if err := r.note(r.db.Model(&list).Clauses(all).Where("id = 99").Update("name", "sofa"), &list); err != nil {
				return err
			}
			return r.note(r.db.Clauses(all).Where("id = 99").Delete(&list), &list)
		},
	}, {
		name: "`Clauses(clause.Returning{}).Delete`", why: "the rows as they were",
		tables: tables, given: products(1, 2, 3), want: []string{"delete product 2..3", "delete product 1"},
		do: func(r *run) error {
			var list []Product
			tx := r.db.Clauses(all).Where("stock > ?", 10).Delete(&list)
			if err := r.note(tx, inOrder(list)); err != nil {
				return err
			}
			var p Product
			return r.note(r.db.Clauses(some).Where("id = 1").Delete(&p), &p)
		},
	}, {
		name: "soft `Clauses(clause.Returning{}).Delete`", why: "an UPDATE that GORM builds elsewhere", tables: []string{"items"},
		given: items(1, 2, -3), want: []string{"softdelete item 1..2"},
		do: func(r *run) error {
			var list []Item
			tx := r.db.Clauses(all).Where("qty > 0").Delete(&list)
			slices.SortFunc(list, func(a, b Item) int { return a.Qty - b.Qty })
			return r.note(tx, list)
		},
	}, {
		name: "upsert with `clause.Returning{}`", why: "updated rows are returned too", tables: tables,
		given: products(1), want: []string{"update product 1", "insert product 2"},
		do: func(r *run) error {
			list := []Product{{ID: 1, Code: "p1", Name: "sofa"}, product(2)}
			return r.note(r.db.Clauses(all, clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&list), &list)
		},
	}, {
		name: "DO NOTHING with `clause.Returning{}`", why: "only inserted rows are returned", tables: tables,
		given: products(1), want: []string{"insert product 2"},
		do: func(r *run) error {
			list := []Product{product(1), product(2)}
			return r.note(r.db.Clauses(all, clause.OnConflict{DoNothing: true}).Create(&list), &list)
		},
	}, {
		name: "`clause.Returning{}` with masked columns", why: "the caller gets its secret, the trail does not", tables: []string{"logins"},
		given: rows(&Login{ID: 1, Password: "old", Pin: "1"}), want: []string{"insert login 2", "update login 1", "delete login 1"},
		do: func(r *run) error {
			l := Login{ID: 2, Password: "hunter2"}
			if err := r.note(r.db.Clauses(all).Create(&l), &l); err != nil {
				return err
			}
			var u, d Login
			if err := r.note(r.db.Model(&u).Clauses(all).Where("id = 1").Update("password", "new"), &u); err != nil {
				return err
			}
			return r.note(r.db.Clauses(all).Where("id = 1").Delete(&d), &d)
		},
	}, {
		name: "`clause.Returning{}` with an AFTER trigger", why: "RETURNING does not show what the trigger did, the trail does", tables: []string{"parcels"},
		given: rows(&Parcel{ID: 1, Name: "a"}), want: []string{"insert parcel 2", "update parcel 1"},
		do: func(r *run) error {
			p := Parcel{ID: 2, Name: "b"}
			if err := r.note(r.db.Clauses(all).Create(&p), &p); err != nil {
				return err
			}
			var u Parcel
			return r.note(r.db.Model(&u).Clauses(all).Where("id = 1").Update("name", "x"), &u)
		},
	}, {
		name: "`clause.Returning{}` of every type", why: "values are returned as without the plugin", tables: []string{"specimens"},
		given: rows(&Specimen{ID: 1, Big: 1 << 60, Double: 0.1, Single: 1.1, Flag: true, Text: "x", Bytes: []byte{0, 1}, Moment: now, Maybe: &now, Decimal: "1.25", Doc: ptr(`{"a": 1}`), Day: now}),
		want:  []string{"update specimen 1", "delete specimen 1"},
		do: func(r *run) error {
			var u, d Specimen
			if err := r.note(r.db.Model(&u).Clauses(all).Where("id = 1").Update("small", 5), &u); err != nil {
				return err
			}
			return r.note(r.db.Clauses(all).Where("id = 1").Delete(&d), &d)
		},
	}}
}

// inOrder sorts rows that were returned: in which order that is depends on
// where the database keeps them.
func inOrder(list []Product) []Product {
	slices.SortFunc(list, func(a, b Product) int { return int(a.ID - b.ID) })
	return list
}
