package gormhook_test

import (
	"context"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/trail"
)

// sessions are hooks of models, and settings of sessions.
func sessions() []*trial {
	tables, hooked := []string{"products"}, []string{"hookeds", "echos"}
	return []*trial{{
		name: "hooks of a model, on create", why: "what a hook writes is recorded in order, in the same transaction",
		tables: hooked, want: []string{"insert echo 101", "insert hooked 101", "insert echo 102"},
		do: func(r *run) error {
			h := Hooked{Name: "a"}
			return r.note(r.db.Create(&h), &h)
		},
	}, {
		name: "hooks of a model, on update and delete", why: "the same as on create",
		tables: hooked, given: hookeds(1), want: []string{
			"insert echo 101", "update hooked 1", "insert echo 102", "insert echo 103", "delete hooked 1", "insert echo 104",
		},
		do: func(r *run) error {
			h := Hooked{ID: 1, Name: "a"}
			if err := r.note(r.db.Model(&h).Update("name", "b"), &h); err != nil {
				return err
			}
			return r.note(r.db.Delete(&h), &h)
		},
	}, {
		name: "hooks of a model, of several rows", why: "hooks run for each element",
		tables: hooked, want: []string{"insert echo 101..102", "insert hooked 101..102", "insert echo 103..104"},
		do: func(r *run) error {
			list := []Hooked{{Name: "a"}, {Name: "b"}}
			return r.note(r.db.Create(&list), &list)
		},
	}, {
		name: "`Session{SkipHooks}`", why: "the model's hooks are skipped, the trail is not",
		tables: hooked, want: []string{"insert hooked 101", "update hooked 101"},
		do: func(r *run) error {
			h := Hooked{Name: "a"}
			if err := r.note(r.db.Session(&gorm.Session{SkipHooks: true}).Create(&h), &h); err != nil {
				return err
			}
			return r.note(r.db.Model(&h).UpdateColumn("name", "b"), &h)
		},
	}, {
		name: "a hook that fails before the write", why: "nothing is written; the echo is rolled back with the transaction, if there is one",
		tables: hooked,
		wantIn: func(_ string, m mode) []string {
			if m.handle == withoutTransaction {
				return []string{"insert echo 101"}
			}
			return nil
		},
		do: func(r *run) error {
			h := Hooked{Name: "a", Fail: "before save"}
			return r.note(r.db.Create(&h))
		},
	}, {
		name: "a hook that fails after the write", why: "the change and its entry are rolled back with the transaction, if there is one",
		tables: hooked,
		wantIn: func(_ string, m mode) []string {
			if m.handle == withoutTransaction {
				return []string{"insert echo 101", "insert hooked 7", "insert echo 102"}
			}
			return nil
		},
		do: func(r *run) error {
			h := Hooked{ID: 7, Name: "a", Fail: "after create"}
			return r.note(r.db.Create(&h))
		},
	}, {
		name: "a hook that changes what is written", why: "`Statement.SetColumn`: the columns of SET differ from those of the call",
		tables: []string{"tuneds"}, given: rows(&Tuned{ID: 1, Name: "a"}), want: []string{"insert tuned 101", "update tuned 1", "update tuned 1"},
		do: func(r *run) error {
			v := Tuned{Name: "b"}
			if err := r.note(r.db.Create(&v), &v); err != nil {
				return err
			}
			u := Tuned{ID: 1, Name: "a"}
			if err := r.note(r.db.Model(&u).Update("name", "c"), &u); err != nil {
				return err
			}
			return r.note(r.db.Model(&u).Updates(map[string]any{"name": "d"}), &u)
		},
	}, {
		name: "`FindInBatches` with `Save`", why: "a read that writes in its callback, through the same chain",
		tables: tables, given: products(1, 2, 3), want: []string{"update product 1..2", "update product 3"},
		do: func(r *run) error {
			var list []Product
			return r.note(r.db.Where("id > 0").FindInBatches(&list, 2, func(tx *gorm.DB, _ int) error {
				for i := range list {
					list[i].Name = "sofa"
				}
				return tx.Save(&list).Error
			}))
		},
	}, {
		name: "`Session{DryRun}`", why: "nothing is sent, nothing is recorded", tables: tables, given: products(1),
		do: func(r *run) error {
			dry := r.db.Session(&gorm.Session{DryRun: true})
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return dry.Create(&Product{Code: "a"}) },
				func() *gorm.DB { return dry.Model(&Product{ID: 1}).Update("name", "sofa") },
				func() *gorm.DB { return dry.Delete(&Product{ID: 1}) },
				func() *gorm.DB { return dry.Exec("UPDATE products SET name = ?", "sofa") },
			} {
				tx := f()
				if err := r.note(tx, tx.Statement.SQL.String(), tx.Statement.Vars); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "`ToSQL`", why: "the caller's own statement, not the plugin's", tables: tables, given: products(1),
		do: func(r *run) error {
			return r.noteError(nil, r.db.ToSQL(func(tx *gorm.DB) *gorm.DB {
				return tx.Model(&Product{}).Where("id = ?", 1).Update("name", "sofa")
			}), r.db.ToSQL(func(tx *gorm.DB) *gorm.DB {
				return tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Product{ID: 1, Code: "p1"})
			}))
		},
	}, {
		name: "`Session{PrepareStmt}`", why: "the prepared statement is the plugin's", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "update product 2", "delete product 1", "delete product 2"},
		do: func(r *run) error {
			db := r.db.Session(&gorm.Session{PrepareStmt: true})
			for id := 1; id <= 2; id++ {
				if err := r.note(db.Model(&Product{}).Where("id = ?", id).Update("name", "sofa")); err != nil {
					return err
				}
			}
			for id := 1; id <= 2; id++ {
				if err := r.note(db.Delete(&Product{}, id)); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "`Session{SkipDefaultTransaction}`", why: "the change and its entry are still one transaction", tables: tables, given: products(1, 2),
		want: []string{"update product 1..2", "insert product 101"},
		do: func(r *run) error {
			db := r.db.Session(&gorm.Session{SkipDefaultTransaction: true})
			if err := r.note(db.Model(&Product{}).Where("id > 0").Update("name", "sofa")); err != nil {
				return err
			}
			p := Product{Code: "a"}
			return r.note(db.Create(&p), &p)
		},
	}, {
		name: "`Session{NewDB}`, `Session{QueryFields}`, `Debug`", why: "sessions of sessions", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "update product 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Where("id = 7").Session(&gorm.Session{NewDB: true}).Model(&Product{ID: 1}).Update("name", "sofa")); err != nil {
				return err
			}
			return r.note(r.db.Session(&gorm.Session{QueryFields: true}).Model(&Product{}).Where("id = 2").Update("name", "sofa"))
		},
	}, {
		name: "`trail.Skip`", why: "the application excludes a write from the audit", tables: tables, given: products(1), opaque: true,
		want: []string{"update product 1"},
		do: func(r *run) error {
			skipped := r.db.WithContext(trail.Skip(r.ctx))
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return skipped.Model(&Product{ID: 1}).Update("name", "sofa") },
				func() *gorm.DB { return skipped.Create(&Product{ID: 5, Code: "a"}) },
				func() *gorm.DB { return skipped.Delete(&Product{ID: 5}) },
				func() *gorm.DB { return skipped.Exec("UPDATE products SET stock = 1") },
				func() *gorm.DB { return r.db.Model(&Product{ID: 1}).Update("name", "chair") },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "`clause.Locking`", why: "a read that locks is a read", tables: tables, given: products(1), want: []string{"update product 1"},
		do: func(r *run) error {
			var p Product
			if err := r.note(r.db.Clauses(clause.Locking{Strength: "UPDATE"}).First(&p, 1), &p); err != nil {
				return err
			}
			p.Stock++
			return r.note(r.db.Clauses(clause.Locking{Strength: "UPDATE"}).Save(&p), &p)
		},
	}, {
		name: "comments and hints in clauses", why: "GORM's hints are before or after the verb", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "delete product 2", "insert product 101"},
		do: func(r *run) error {
			if err := r.note(r.db.Clauses(remark("UPDATE")).Model(&Product{ID: 1}).Update("name", "sofa")); err != nil {
				return err
			}
			if err := r.note(r.db.Clauses(remark("DELETE")).Delete(&Product{ID: 2})); err != nil {
				return err
			}
			p := Product{Code: "a"}
			return r.note(r.db.Clauses(remark("INSERT")).Create(&p), &p)
		},
	}, {
		name: "another context", why: "other values of the context do not matter, its trace does", tables: tables, given: products(1),
		want: []string{"update product 1"},
		do: func(r *run) error {
			type key struct{}
			return r.note(r.db.WithContext(context.WithValue(r.ctx, key{}, 1)).Model(&Product{ID: 1}).Update("name", "sofa"))
		},
	}}
}

// remark puts comments around the verb of a clause.
type remark string

func (remark) Build(clause.Builder) {}

func (r remark) ModifyStatement(stmt *gorm.Statement) {
	name := string(r)
	c := stmt.Clauses[name]
	c.BeforeExpression = clause.Expr{SQL: "/* app='web', where returning ? */"}
	c.AfterNameExpression = clause.Expr{SQL: "/* behind */"}
	stmt.Clauses[name] = c
}

// hookeds makes rows without their echoes.
func hookeds(ids ...int64) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		for _, id := range ids {
			if err := db.Session(&gorm.Session{SkipHooks: true}).Create(&Hooked{ID: id, Name: "a"}).Error; err != nil {
				return err
			}
		}
		return nil
	}
}
