package gormhook_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func upserts() []*trial {
	tables := []string{"products"}
	id, code := []clause.Column{{Name: "id"}}, []clause.Column{{Name: "code"}}
	return []*trial{{
		name: "`OnConflict{UpdateAll}`", why: "one statement that updates, inserts and leaves alone: the before image of each update is the conflicting row",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1", "insert product 8", "update product 3"},
		do: func(r *run) error {
			list := []Product{product(1), product(2), product(8), product(3)}
			list[0].Name, list[3].Stock = "sofa", 0
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list), &list)
		},
	}, {
		name: "`OnConflict{UpdateAll}` of one row, present", why: "it is an update, whatever GORM calls it",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			p.Name = "sofa"
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{UpdateAll}` of one row, absent", why: "it is an insert",
		tables: tables, want: []string{"insert product 8"},
		do: func(r *run) error {
			p := product(8)
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{UpdateAll}`, unchanged", why: "an update to the same values is not a change", tables: tables, given: products(1),
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{DoUpdates: AssignmentColumns}`", why: "some columns are taken from the new row, the others stay",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := Product{ID: 1, Code: "other", Name: "sofa", Stock: 999}
			return r.note(r.db.Clauses(clause.OnConflict{Columns: id, DoUpdates: clause.AssignmentColumns([]string{"name", "price"})}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{DoUpdates: Assignments}` with `gorm.Expr`", why: "the new value is computed from the conflicting row",
		tables: tables, given: products(1, 2), want: []string{"update product 1", "insert product 8"},
		do: func(r *run) error {
			list := []Product{{ID: 1, Code: "p1", Stock: 5}, {ID: 8, Code: "p8", Stock: 6}}
			return r.note(r.db.Clauses(clause.OnConflict{Columns: id, DoUpdates: clause.Assignments(map[string]any{
				"stock": gorm.Expr("products.stock + excluded.stock + ?", 1),
			})}).Create(&list), &list)
		},
	}, {
		name: "`OnConflict` on a secondary unique key", why: "the entity is the conflicting row, not the one in VALUES",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := Product{Code: "p1", Name: "sofa"}
			return r.note(r.db.Clauses(clause.OnConflict{Columns: code, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{Where}`", why: "a conflicting row that does not meet the condition is left alone",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1"},
		do: func(r *run) error {
			list := []Product{{ID: 1, Code: "p1", Name: "sofa"}, {ID: 3, Code: "p3", Name: "sofa"}}
			return r.note(r.db.Clauses(clause.OnConflict{
				Columns: id, DoUpdates: clause.AssignmentColumns([]string{"name"}),
				Where: clause.Where{Exprs: []clause.Expression{clause.Lt{Column: "products.stock", Value: 25}}},
			}).Create(&list), &list)
		},
	}, {
		name: "`OnConflict{TargetWhere}`", why: "the unique key applies only to some rows",
		tables: []string{"slots"}, want: []string{"insert slot 1..2", "update slot 1"},
		do: func(r *run) error {
			first := []Slot{{ID: 1, Name: "a", Open: true}, {ID: 2, Name: "a"}}
			if err := r.note(r.db.Create(&first)); err != nil {
				return err
			}
			second := Slot{ID: 3, Name: "a", Open: true, Note: "again"}
			return r.note(r.db.Clauses(clause.OnConflict{
				Columns:     []clause.Column{{Name: "name"}},
				TargetWhere: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "open"}}},
				DoUpdates:   clause.AssignmentColumns([]string{"note"}),
			}).Create(&second))
		},
	}, {
		name: "`OnConflict{OnConstraint}`", why: "PostgreSQL names constraints", on: postgresEngine,
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := Product{ID: 1, Code: "x", Name: "sofa"}
			return r.note(r.db.Clauses(clause.OnConflict{OnConstraint: "products_pkey", DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{DoNothing}`, row present", why: "nothing is done: a plugin that looks only at the struct would record a create that never happened",
		tables: tables, given: products(1),
		do: func(r *run) error {
			p := Product{ID: 1, Code: "p1", Name: "sofa"}
			return r.note(r.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&p), &p)
		},
	}, {
		name: "`OnConflict{DoNothing}`, some rows present", why: "only the rows that were inserted have entries",
		tables: tables, given: products(1, 3), want: []string{"insert product 2", "insert product 4"},
		do: func(r *run) error {
			list := []Product{product(1), product(2), product(3), product(4)}
			return r.note(r.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&list))
		},
	}, {
		name: "upsert of a map", why: "there is no struct to read", tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			m := map[string]any{"id": 1, "code": "p1", "name": "sofa"}
			return r.note(r.db.Model(&Product{}).Clauses(clause.OnConflict{Columns: id, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(m))
		},
	}, {
		name: "upsert without a model", why: "`Table(\"t\")` and a clause", tables: tables, given: products(1),
		want: []string{"update product 1", "insert product 9"},
		do: func(r *run) error {
			m := []map[string]any{{"id": 1, "code": "p1", "name": "sofa"}, {"id": 9, "code": "p9", "name": "sofa"}}
			return r.note(r.db.Table("products").Clauses(clause.OnConflict{Columns: id, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(m))
		},
	}, {
		name: "upsert of a soft-deleted row", why: "no query sees the conflicting row, and it comes back",
		tables: []string{"items"}, given: items(-1, 2), want: []string{"restore item 1", "update item 2"},
		do: func(r *run) error {
			list := []Item{item(1), item(2)}
			list[1].Qty = 7
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list), &list)
		},
	}, {
		name: "upsert with masked columns", why: "a secret that changes is a change, and is not shown",
		tables: []string{"logins"}, given: rows(&Login{ID: 1, Email: "a@b", Password: "old", Pin: "1"}, &Login{ID: 2, Password: "same"}),
		want: []string{"update login 1", "insert login 3"},
		do: func(r *run) error {
			list := []Login{{ID: 1, Email: "a@b", Password: "new", Pin: "1"}, {ID: 2, Password: "same"}, {ID: 3, Password: "x"}}
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list), &list)
		},
	}, {
		name: "upsert with a composite key", why: "the conflicting row is found by both columns",
		tables: []string{"places"}, given: rows(&Place{"it", "Roma", 1}), want: []string{"update place it,Roma", "insert place it,Milano"},
		do: func(r *run) error {
			list := []Place{{"it", "Roma", 2}, {"it", "Milano", 3}}
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list), &list)
		},
	}, {
		name: "upsert that moves the key", why: "the entity is the row as it was",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := Product{ID: 44, Code: "p1", Name: "sofa"}
			return r.note(r.db.Clauses(clause.OnConflict{Columns: code, DoUpdates: clause.AssignmentColumns([]string{"id", "name"})}).Create(&p))
		},
	}, {
		name: "upsert from a query", why: "the rows do not appear in the statement", tables: tables, given: products(1),
		want: []string{"update product 1"},
		do: func(r *run) error {
			m := map[string]any{"id": 1, "code": "p1", "stock": clause.Expr{SQL: "(SELECT max(stock) + 1 FROM products)"}}
			return r.note(r.db.Model(&Product{}).Clauses(clause.OnConflict{Columns: id, DoUpdates: clause.AssignmentColumns([]string{"stock"})}).Create(m))
		},
	}, {
		name: "upsert of 1,000 rows", why: "every second row is present", long: true, tables: []string{"tags"}, given: tags(500),
		want: []string{"update tag 1..500", "insert tag 501..1000"},
		do: func(r *run) error {
			list := make([]Tag, 1000)
			for i := range list {
				list[i] = Tag{int64(i + 1), "x"}
			}
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&list))
		},
	}, {
		name: "upsert of one row twice", why: "PostgreSQL refuses it, SQLite does one after the other", tables: []string{"tags"}, given: tags(1),
		wantIn: func(engine string, _ mode) []string {
			if engine == sqliteEngine {
				return []string{"update tag 1", "insert tag 2"}
			}
			return nil
		},
		do: func(r *run) error {
			return r.note(r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Tag{{1, "x"}, {1, "y"}, {2, "a"}, {2, "b"}}))
		},
	}, {
		name: "`INSERT OR REPLACE`", why: "SQLite deletes every conflicting row, by whatever key", on: sqliteEngine,
		tables: tables, given: products(1, 2, 3), want: []string{"delete product 2", "update product 1"},
		do: func(r *run) error {
			p := product(1)
			p.Code, p.Name = "p2", "sofa"
			return r.note(r.db.Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(&p), &p)
		},
	}, {
		name: "`INSERT OR IGNORE`", why: "SQLite's own DO NOTHING", on: sqliteEngine,
		tables: tables, given: products(1), want: []string{"insert product 2"},
		do: func(r *run) error {
			list := []Product{product(1), product(2)}
			return r.note(r.db.Clauses(clause.Insert{Modifier: "OR IGNORE"}).Create(&list))
		},
	}}
}
