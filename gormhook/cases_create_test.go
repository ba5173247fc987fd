package gormhook_test

import (
	"strconv"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func creates() []*trial {
	tables := []string{"products"}
	return []*trial{{
		name: "`Create(&struct)`", why: "the simplest write; the key is known only once the database has generated it",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			p := Product{Code: "a", Name: "chair", Stock: 3}
			return r.note(r.db.Create(&p), &p)
		},
	}, {
		name: "`Create(&struct)` with a key", why: "the key is the caller's",
		tables: tables, want: []string{"insert product 7"},
		do: func(r *run) error {
			p := product(7)
			return r.note(r.db.Create(&p), &p)
		},
	}, {
		name: "`Create(&slice)`", why: "one statement of several rows: an entry for each, one trace for all",
		tables: tables, want: []string{"insert product 101..103"},
		do: func(r *run) error {
			list := []Product{{Code: "a"}, {Code: "b", Active: true}, {Code: "c"}}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Create(&slice)` of pointers", why: "GORM fills keys through each pointer",
		tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			list := []*Product{{Code: "a"}, {Code: "b"}}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Create(&slice)`, some with keys", why: "the rows differ in the columns they give",
		tables: tables, want: []string{"insert product 7", "insert product 101"},
		do: func(r *run) error {
			list := []Product{{ID: 7, Code: "a"}, {Code: "b"}}
			if r.engine == sqliteEngine {
				list[1].ID = 101 // SQLite would give it 8, PostgreSQL the next of the sequence
			}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Create(&array)`", why: "an array is a slice for GORM",
		tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			list := [2]Product{{Code: "a"}, {Code: "b"}}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Model(&T{}).Create(map)`", why: "there is no struct to take the key from",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			m := map[string]any{"code": "a", "Name": "by field name", "stock": 4}
			return r.note(r.db.Model(&Product{}).Create(m), m)
		},
	}, {
		name: "`Model(&T{}).Create(&map)`", why: "GORM takes a pointer as well",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			m := map[string]any{"code": "a"}
			return r.note(r.db.Model(&Product{}).Create(&m), m)
		},
	}, {
		name: "`Model(&T{}).Create(slice of maps)`", why: "the maps are sorted into columns by GORM",
		tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			m := []map[string]any{{"code": "a", "stock": 4}, {"code": "b", "name": "x"}}
			return r.note(r.db.Model(&Product{}).Create(&m), m)
		},
	}, {
		name: "`Model(&T{}).Create(map)` with `gorm.Expr`", why: "the statement has more parentheses than rows",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			m := map[string]any{
				"code": "a", "stock": gorm.Expr("abs(?) + (? * (2))", -3, 4), "name": clause.Expr{SQL: "upper('it''s (')"},
			}
			return r.note(r.db.Model(&Product{}).Create(m))
		},
	}, {
		name: "`Table(\"t\").Create(map)` without a model", why: "only the table's name is known",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			m := map[string]any{"code": "a", "stock": 4}
			return r.note(r.db.Table("products").Create(m), m)
		},
	}, {
		name: "`Table(\"t\").Create(slice of maps)` without a model", why: "the same for several",
		tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			m := []map[string]any{{"code": "a"}, {"code": "b"}}
			return r.note(r.db.Table("products").Create(&m), m)
		},
	}, {
		name: "`Table(\"t\").Create(&struct)` of a type without a name", why: "the type does not name a model, the table does",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			v := struct {
				ID   int64
				Code string
			}{Code: "a"}
			return r.note(r.db.Table("products").Create(&v), &v)
		},
	}, {
		name: "`Select(...).Create`", why: "only some columns are in the statement, the whole row is in the entry",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			p := Product{Code: "a", Name: "left out", Stock: 3}
			return r.note(r.db.Select("Code", "stock").Create(&p), &p)
		},
	}, {
		name: "`Omit(...).Create`", why: "omitted columns have the database's values",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			p := Product{Code: "a", Name: "left out", Stock: 3}
			return r.note(r.db.Omit("Name").Create(&p), &p)
		},
	}, {
		name: "`CreateInBatches`", why: "several statements, by default in GORM's own transaction",
		tables: tables, want: []string{"insert product 101..105"},
		do: func(r *run) error {
			list := []Product{{Code: "a"}, {Code: "b"}, {Code: "c"}, {Code: "d"}, {Code: "e"}}
			return r.note(r.db.CreateInBatches(&list, 2), &list)
		},
	}, {
		name: "`Session{CreateBatchSize}`", why: "Create becomes CreateInBatches",
		tables: tables, want: []string{"insert product 101..103"},
		do: func(r *run) error {
			list := []Product{{Code: "a"}, {Code: "b"}, {Code: "c"}}
			return r.note(r.db.Session(&gorm.Session{CreateBatchSize: 2}).Create(&list), &list)
		},
	}, {
		name: "`Create` of 600 rows", long: true, why: "more entries than one INSERT holds",
		tables: tables, want: []string{"insert product 1..600"},
		do: func(r *run) error {
			list := make([]Product, 600)
			for i := range list {
				list[i] = Product{ID: int64(i + 1), Code: strconv.Itoa(i)}
			}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Create` of an empty slice", why: "GORM refuses it, nothing changes", tables: tables,
		do: func(r *run) error {
			_ = r.note(r.db.Create(&[]Product{}))
			return nil
		},
	}, {
		name: "`Create` with defaults", why: "zero fields get GORM's or the database's defaults",
		tables: []string{"settings"}, want: []string{"insert setting 101..103"},
		do: func(r *run) error {
			s := Setting{Label: "a"}
			if err := r.note(r.db.Create(&s), &s); err != nil {
				return err
			}
			list := []Setting{{Label: "b", Level: 9}, {Label: "c", Mode: "manual", Level: 1}}
			if r.engine == sqliteEngine {
				// Where rows differ in the defaults they take, SQLite has no
				// word for it.
				list[0].Mode, list[0].Sum, list[1].Sum = "x", 1, 2
				list[0].ID, list[1].ID = 102, 103
			}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`FirstOrCreate`, row absent", why: "a read that becomes a write",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			var p Product
			return r.note(r.db.Where(Product{Code: "a"}).Attrs(Product{Name: "chair"}).FirstOrCreate(&p), &p)
		},
	}, {
		name: "`FirstOrCreate`, row present", why: "a read that stays one", tables: tables, given: products(1),
		do: func(r *run) error {
			var p Product
			return r.note(r.db.Where(Product{Code: "p1"}).Attrs(Product{Name: "chair"}).FirstOrCreate(&p), &p)
		},
	}, {
		name: "`Assign(...).FirstOrCreate`, row present", why: "an update of the row found",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			var p Product
			return r.note(r.db.Where(Product{Code: "p1"}).Assign(Product{Name: "sofa"}).FirstOrCreate(&p), &p)
		},
	}, {
		name: "`Assign(...).FirstOrCreate`, row absent", why: "a create with the assigned values",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			var p Product
			return r.note(r.db.Where(Product{Code: "a"}).Assign(map[string]any{"name": "sofa"}).FirstOrCreate(&p), &p)
		},
	}, {
		name: "`FirstOrInit`, then `Save`", why: "FirstOrInit itself writes nothing",
		tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			var p Product
			if err := r.note(r.db.Where(Product{Code: "a"}).Attrs(Product{Stock: 5}).FirstOrInit(&p), &p); err != nil {
				return err
			}
			return r.note(r.db.Save(&p), &p)
		},
	}}
}

func saves() []*trial {
	tables := []string{"products"}
	return []*trial{{
		name: "`Save` without a key", why: "a create", tables: tables, want: []string{"insert product 101"},
		do: func(r *run) error {
			p := Product{Code: "a", Name: "chair"}
			return r.note(r.db.Save(&p), &p)
		},
	}, {
		name: "`Save` with a key, row absent", why: "GORM updates no row and then upserts",
		tables: tables, want: []string{"insert product 7"},
		do: func(r *run) error {
			p := product(7)
			return r.note(r.db.Save(&p), &p)
		},
	}, {
		name: "`Save`, changed", why: "GORM writes all columns, zeros included; some changed",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			p.Stock, p.Active, p.Note = 0, false, ptr("new")
			return r.note(r.db.Save(&p), &p)
		},
	}, {
		name: "`Save`, unchanged", why: "GORM writes all columns with the values they have", tables: tables, given: products(1),
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Save(&p), &p)
		},
	}, {
		name: "`Select(...).Save`", why: "an update of the selected columns only",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			p.Name, p.Stock = "sofa", 77
			return r.note(r.db.Select("Name").Save(&p), &p)
		},
	}, {
		name: "`Omit(...).Save`", why: "all columns but some",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			p.Name, p.Stock = "sofa", 77
			return r.note(r.db.Omit("Name").Save(&p), &p)
		},
	}, {
		name: "`Save(&slice)`", why: "an upsert: one row is new, one has changed, one has not",
		tables: tables, given: products(1, 2), want: []string{"update product 1", "insert product 8"},
		do: func(r *run) error {
			list := []Product{product(1), product(2), product(8)}
			list[0].Name = "sofa"
			return r.note(r.db.Save(&list), &list)
		},
	}, {
		name: "`Save(&slice)` without keys", why: "creates", tables: tables, want: []string{"insert product 101..102"},
		do: func(r *run) error {
			list := []*Product{{Code: "a"}, {Code: "b"}}
			return r.note(r.db.Save(&list), &list)
		},
	}, {
		name: "`Save` of a soft-deleted row", why: "the update does not see the row, the upsert after it brings it back",
		tables: []string{"items"}, given: items(-1), want: []string{"restore item 1"},
		do: func(r *run) error {
			i := item(1)
			i.Qty = 9
			return r.note(r.db.Save(&i), &i)
		},
	}, {
		name: "`Unscoped().Save` of a soft-deleted row", why: "the update sees it and sets deleted_at as well",
		tables: []string{"items"}, given: items(-1), want: []string{"restore item 1"},
		do: func(r *run) error {
			i := item(1)
			return r.note(r.db.Unscoped().Save(&i), &i)
		},
	}}
}
