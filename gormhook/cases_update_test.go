package gormhook_test

import (
	"database/sql"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

func updates() []*trial {
	tables := []string{"products"}
	return []*trial{{
		name: "`Model(&loaded).Update`", why: "the column that changed and no other",
		tables: tables, given: products(1, 2), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Update("name", "sofa"), &p)
		},
	}, {
		name: "`Update` to the same value", why: "no row has changed", tables: tables, given: products(1),
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Update("name", "lamp"), &p)
		},
	}, {
		name: "`Update` to null and back", why: "null is a value",
		tables: tables, given: products(1), want: []string{"update product 1", "update product 1"},
		do: func(r *run) error {
			p := product(1)
			if err := r.note(r.db.Model(&p).Update("note", ""), &p); err != nil {
				return err
			}
			return r.note(r.db.Model(&p).Update("note", nil), &p)
		},
	}, {
		name: "`Updates(struct)`", why: "non-zero fields only",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Updates(Product{Name: "sofa", Stock: 99}), &p)
		},
	}, {
		name: "`Updates(struct)` by the key in it", why: "the model is the values",
		tables: tables, given: products(1, 2), want: []string{"update product 2"},
		do: func(r *run) error {
			return r.note(r.db.Updates(&Product{ID: 2, Name: "sofa"}))
		},
	}, {
		name: "`Updates(struct)` of another type", why: "the columns come from a type that is not a model",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Updates(&struct {
				Name  string
				Stock int
			}{"sofa", 4}), &p)
		},
	}, {
		name: "`Updates(map)`", why: "zeros are values here",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Updates(map[string]any{"Name": "", "stock": 0, "active": false}), &p)
		},
	}, {
		name: "`Updates` of nothing", why: "GORM sends no statement", tables: []string{"tags"}, given: rows(&Tag{1, "a"}),
		do: func(r *run) error {
			return r.note(r.db.Model(&Tag{ID: 1}).Updates(Tag{}))
		},
	}, {
		name: "`Select(...).Updates(struct)`", why: "selected zeros are written",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Select("Name", "Stock").Updates(Product{Name: "sofa", Price: 9}), &p)
		},
	}, {
		name: "`Select(\"*\").Updates(struct)`", why: "all columns are written, some as they were",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Select("*").Omit("ID").Updates(Product{Code: "p1", CreatedAt: now}), &p)
		},
	}, {
		name: "`Omit(...).Updates(map)`", why: "what is omitted stays",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Omit("stock").Updates(map[string]any{"name": "sofa", "stock": 5}), &p)
		},
	}, {
		name: "`Updates` with `gorm.Expr`", why: "the value is the database's, and the column is named in it without a table",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).Updates(map[string]any{
				"stock": gorm.Expr("stock * ? + 1", 2), "name": gorm.Expr("upper(name) || ', ' || code"),
			}), &p)
		},
	}, {
		name: "`Update` with a CASE and a query", why: "the SET clause contains keywords",
		tables: tables, given: products(1, 2), want: []string{"update product 1..2"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("id IN (SELECT id FROM products WHERE stock > ?)", 0).Updates(map[string]any{
				"name":  gorm.Expr("CASE WHEN stock > ? THEN 'many, where' ELSE 'few from' END", 15),
				"stock": r.db.Session(&gorm.Session{NewDB: true}).Model(&Product{}).Select("max(stock) + 1").Where("code <> ?", "x"),
			}))
		},
	}, {
		name: "`Update` with IS DISTINCT FROM", why: "a FROM that is not a clause",
		tables: tables, given: products(1, 2), want: []string{"update product 1..2"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("name IS NOT DISTINCT FROM ?", "lamp").
				Update("active", gorm.Expr("code IS NOT DISTINCT FROM ?", "px")))
		},
	}, {
		name: "`UpdateColumn`", why: "no hooks and no updated_at, still a change",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			return r.note(r.db.Model(&p).UpdateColumn("stock", 5), &p)
		},
	}, {
		name: "`UpdateColumns(struct and map)`", why: "the same for several",
		tables: tables, given: products(1, 2), want: []string{"update product 1", "update product 2"},
		do: func(r *run) error {
			p := product(1)
			if err := r.note(r.db.Model(&p).UpdateColumns(Product{Name: "sofa", Stock: 5}), &p); err != nil {
				return err
			}
			return r.note(r.db.Model(&Product{}).Where("id = 2").UpdateColumns(map[string]any{"stock": gorm.Expr("-stock")}))
		},
	}, {
		name: "updated_at", why: "GORM sets it along with what the caller sets",
		tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			p := product(1)
			db := r.db.Session(&gorm.Session{NowFunc: func() time.Time { return now.Add(time.Hour) }})
			return r.note(db.Model(&p).Update("name", "sofa"), &p)
		},
	}, {
		name: "`Where(...).Update`, no row", why: "nothing has changed", tables: tables, given: products(1),
		do: func(r *run) error { return r.note(r.db.Model(&Product{}).Where("stock > ?", 1000).Update("name", "x")) },
	}, {
		name: "`Where(...).Update`, many rows", why: "an entry for each row, although the caller read none",
		tables: tables, given: products(1, 2, 3, 4), want: []string{"update product 2..4"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("stock > ?", 10).Update("name", "sofa"))
		},
	}, {
		name: "`Where(...).Update`, some as they were", why: "RowsAffected counts them, the trail does not",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1", "update product 3"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("id > 0").Update("stock", 20))
		},
	}, {
		name: "`Where(...).Update` of 2,000 rows", long: true, why: "more rows than one statement can have parameters",
		tables: []string{"tags"}, given: tags(2000), want: []string{"update tag 1..2000"},
		do: func(r *run) error { return r.note(r.db.Model(&Tag{}).Where("id > 0").Update("name", "x")) },
	}, {
		name: "`Where(struct)`, `Where(map)`, `Or`, `Not`, named parameters", why: "conditions as GORM writes them",
		tables: tables, given: products(1, 2, 3, 4),
		want: []string{"update product 1", "update product 2", "update product 3", "update product 4", "update product 1", "update product 3"},
		do: func(r *run) error {
			for _, tx := range []*gorm.DB{
				r.db.Model(&Product{}).Where(Product{Code: "p1"}).Update("stock", 1),
				r.db.Model(&Product{}).Where(map[string]any{"code": []string{"p2", "none"}}).Update("stock", 2),
				r.db.Model(&Product{}).Not("id <> ?", 3).Update("stock", 3),
				r.db.Model(&Product{}).Where("code = @code AND (name = @name OR 1 = 0)", sql.Named("code", "p4"), sql.Named("name", "lamp")).Update("stock", 4),
				r.db.Model(&Product{}).Where("id = ?", 1).Or("id = ?", 3).Update("stock", 5),
			} {
				if err := r.note(tx); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "literals, comments and casts in conditions", why: "a question mark or a keyword in a literal does not count",
		tables: tables, given: products(1, 2), want: []string{"update product 1"},
		do: func(r *run) error {
			condition := "name <> 'what; returning from -- where'' ' /* , (returning */ AND id = ?\n-- and where\nAND stock = 10"
			return r.note(r.db.Model(&Product{}).Where(condition, 1).Update("name", "sofa"))
		},
	}, {
		name: "dollar quotes and arrays in conditions", why: "PostgreSQL's own lexical forms", on: postgresEngine,
		tables: tables, given: products(1, 2), want: []string{"update product 1"},
		do: func(r *run) error {
			condition := `name <> $q$ it's $1 $q$ AND name <> E'a\'b from' AND (ARRAY[10, 20])[id] = stock AND id::text = ? AND U&'d\0061t' = 'dat'`
			return r.note(r.db.Model(&Product{}).Where(condition, "1").Update("name", gorm.Expr("$$so$$ || ?::text", "fa")))
		},
	}, {
		name: "`Model(&slice).Update`", why: "by the keys of all elements",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1", "update product 3"},
		do: func(r *run) error {
			list := []Product{product(1), product(3)}
			return r.note(r.db.Model(&list).Update("name", "sofa"), &list)
		},
	}, {
		name: "`Model(T{})`, a value", why: "GORM cannot fill in anything", tables: tables, given: products(1),
		want: []string{"update product 1"},
		do:   func(r *run) error { return r.note(r.db.Model(Product{}).Where("id = 1").Update("name", "sofa")) },
	}, {
		name: "`Update` without a condition", why: "GORM refuses it", tables: tables, given: products(1),
		do: func(r *run) error {
			_ = r.note(r.db.Model(&Product{}).Update("name", "sofa"))
			return nil
		},
	}, {
		name: "`AllowGlobalUpdate`", why: "no WHERE at all", tables: tables, given: products(1, 2), want: []string{"update product 1..2"},
		do: func(r *run) error {
			return r.note(r.db.Session(&gorm.Session{AllowGlobalUpdate: true}).Model(&Product{}).Update("name", "sofa"))
		},
	}, {
		name: "`Table(\"t\").Updates(map)` without a model", why: "only the table's name is known",
		tables: tables, given: products(1, 2), want: []string{"update product 2"},
		do: func(r *run) error {
			return r.note(r.db.Table("products").Where("id = ?", 2).Updates(map[string]any{"name": "sofa", "stock": gorm.Expr("stock + 1")}))
		},
	}, {
		name: "`Table(\"t AS a\")`", why: "conditions name the alias",
		tables: tables, given: products(1, 2), want: []string{"update product 2", "update product 1"},
		do: func(r *run) error {
			if err := r.note(r.db.Table("products AS p").Where("p.id = ?", 2).Updates(map[string]any{"name": "sofa", "stock": gorm.Expr("p.stock + 1")})); err != nil {
				return err
			}
			return r.note(r.db.Model(&Product{}).Table("products AS p").Where("p.id = ?", 1).Update("name", "sofa"))
		},
	}, {
		name: "`Table(\"schema.t\")`", why: "the name is qualified with a schema",
		tables: tables, given: products(1, 2), want: []string{"update product 2", "update product 1", "insert product 9", "delete product 9"},
		do: func(r *run) error {
			name := "main.products"
			if r.engine == postgresEngine {
				name = "public.products"
			}
			p := product(9)
			for _, tx := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table(name).Where("id = ?", 2).Updates(map[string]any{"name": "sofa"}) },
				func() *gorm.DB { return r.db.Model(&Product{ID: 1}).Table(name).Update("name", "sofa") },
				func() *gorm.DB { return r.db.Table(name).Create(&p) },
				func() *gorm.DB { return r.db.Table(name).Delete(&p) },
			} {
				if err := r.note(tx()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "`UPDATE ... FROM`", why: "the new values are another table's",
		tables: []string{"products", "items"}, want: []string{"update product 1..2"},
		given: func(db *gorm.DB) error {
			if err := products(1, 2, 3)(db); err != nil {
				return err
			}
			return items(10, 20)(db)
		},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Clauses(clause.From{Tables: []clause.Table{{Name: "items"}}}).
				Where("items.qty = products.stock AND items.qty < ?", 100).
				Updates(map[string]any{"name": gorm.Expr("items.name || ?", "!"), "note": "joined"}))
		},
	}, {
		name: "`UPDATE ... FROM` with several matches", why: "a row is changed once, whatever matches",
		tables: []string{"products", "items"}, want: []string{"update product 1"},
		given: func(db *gorm.DB) error {
			if err := products(1)(db); err != nil {
				return err
			}
			return items(1, 2, 3)(db)
		},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Clauses(clause.From{Tables: []clause.Table{{Name: "items"}}}).
				Where("items.qty < products.stock").Update("name", gorm.Expr("items.name")))
		},
	}, {
		name: "`Update` of the key", why: "the entity is the row as it was, the new key is in the after image",
		tables: tables, given: products(1, 2), want: []string{"update product 1", "update product 44"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Product{}).Where("id = 1").Update("id", 44)); err != nil {
				return err
			}
			return r.note(r.db.Model(&Product{}).Where("id = 44").Update("name", "sofa"))
		},
	}, {
		name: "`Update` of the keys of many rows", why: "old and new keys of different rows meet",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1..3"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("id > 0").Update("id", gorm.Expr("id + 100")))
		},
	}, {
		name: "`Update` of a soft-deleted row", why: "GORM does not see it", tables: []string{"items"}, given: items(-1, 2),
		want: []string{"update item 2"},
		do:   func(r *run) error { return r.note(r.db.Model(&Item{}).Where("id > 0").Update("qty", 9)) },
	}, {
		name: "`Unscoped().Update` of a soft-deleted row", why: "now it does, and the row stays deleted", tables: []string{"items"}, given: items(-1, 2),
		want: []string{"update item 1..2"},
		do:   func(r *run) error { return r.note(r.db.Unscoped().Model(&Item{}).Where("id > 0").Update("qty", 9)) },
	}, {
		name: "a chain used twice", why: "GORM's statement is the same value for both", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "update product 1"},
		do: func(r *run) error {
			chain := r.db.Model(&Product{}).Where("id = ?", 1)
			if err := r.note(chain.Update("name", "sofa")); err != nil {
				return err
			}
			if err := r.note(chain.Update("stock", 5)); err != nil {
				return err
			}
			return r.note(chain.Session(&gorm.Session{}).Update("stock", 5))
		},
	}, {
		name: "`Scopes`, `Clauses(clause.Where)`, `Set`", why: "conditions and settings that come from elsewhere", tables: tables,
		given: products(1, 2), want: []string{"update product 2"},
		do: func(r *run) error {
			return r.note(r.db.Set("app:key", 1).Scopes(func(db *gorm.DB) *gorm.DB { return db.Where("stock > 10") }).
				Clauses(clause.Where{Exprs: []clause.Expression{clause.Eq{Column: "name", Value: "lamp"}}}).Model(&Product{}).Update("name", "sofa"))
		},
	}}
}

// tags makes n tags, from the key 1 on.
func tags(n int) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		list := make([]Tag, n)
		for i := range list {
			list[i] = Tag{int64(i + 1), "tag " + strconv.Itoa(i+1)}
		}
		return db.CreateInBatches(&list, 1000).Error
	}
}
