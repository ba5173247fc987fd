package gormhook_test

import (
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// generics are GORM's calls with type parameters.
func generics() []*trial {
	tables := []string{"products"}
	return []*trial{{
		name: "`gorm.G[T](db).Create`", why: "the value is filled in another way",
		tables: tables, want: []string{"insert product 101", "insert product 102..104"},
		do: func(r *run) error {
			p := Product{Code: "a"}
			if err := r.noteError(gorm.G[Product](r.db).Create(r.ctx, &p), &p); err != nil {
				return err
			}
			list := []Product{{Code: "b"}, {Code: "c"}, {Code: "d"}}
			return r.noteError(gorm.G[Product](r.db).CreateInBatches(r.ctx, &list, 2), &list)
		},
	}, {
		name: "`gorm.G[T](db, gorm.WithResult())`", why: "the caller gets the driver's result",
		tables: tables, given: products(1, 2), want: []string{"update product 1..2", "insert product 101", "delete product 1"},
		do: func(r *run) error {
			result := gorm.WithResult()
			n, err := gorm.G[Product](r.db, result).Where("id > ?", 0).Update(r.ctx, "name", "sofa")
			if err := r.noteError(err, n, result.RowsAffected, result.Error); err != nil {
				return err
			}
			affected, err := result.Result.RowsAffected()
			if err := r.noteError(err, affected); err != nil {
				return err
			}
			p := Product{Code: "a"}
			if err := r.noteError(gorm.G[Product](r.db, result).Create(r.ctx, &p), &p, result.RowsAffected, result.Error); err != nil {
				return err
			}
			n, err = gorm.G[Product](r.db, result).Where("id = 1").Delete(r.ctx)
			return r.noteError(err, n, result.RowsAffected)
		},
	}, {
		name: "`gorm.WithResult()` with `LastInsertId`", why: "what the driver does not support fails as it does without the plugin",
		tables: []string{"places"}, want: []string{"insert place it,Roma"},
		do: func(r *run) error {
			result := gorm.WithResult()
			if err := r.noteError(gorm.G[Place](r.db, result).Create(r.ctx, &Place{"it", "Roma", 1}), result.RowsAffected); err != nil {
				return err
			}
			_, err := result.Result.LastInsertId()
			_ = r.noteError(err)
			return nil
		},
	}, {
		name: "`gorm.G[T](db).Where(...).Updates`", why: "non-zero fields", tables: tables, given: products(1, 2), want: []string{"update product 2"},
		do: func(r *run) error {
			n, err := gorm.G[Product](r.db).Where("id = ?", 2).Updates(r.ctx, Product{Name: "sofa", Stock: 4})
			return r.noteError(err, n)
		},
	}, {
		name: "`gorm.G[T](db).Set(...).Update` and `Create`", why: "assignments instead of values", tables: []string{"tags"}, given: tags(2),
		want: []string{"update tag 2", "insert tag 9"},
		do: func(r *run) error {
			name := func(v any) clause.Assigner { return clause.Assignment{Column: clause.Column{Name: "name"}, Value: v} }
			n, err := gorm.G[Tag](r.db).Where("id = ?", 2).Set(name(clause.Expr{SQL: "name || ?", Vars: []any{"!"}})).Update(r.ctx)
			if err := r.noteError(err, n); err != nil {
				return err
			}
			return r.noteError(gorm.G[Tag](r.db).Set(name("x"), clause.Assignment{Column: clause.Column{Name: "id"}, Value: 9}).Create(r.ctx))
		},
	}, {
		name: "`gorm.G[T](db).Delete`, soft", why: "clauses of the model apply here too", tables: []string{"items"}, given: items(1, 2),
		want: []string{"softdelete item 1"},
		do: func(r *run) error {
			n, err := gorm.G[Item](r.db).Where("id = ?", 1).Delete(r.ctx)
			return r.noteError(err, n)
		},
	}, {
		name: "`gorm.G[T](db, clause.OnConflict{...}).Create`", why: "an upsert", tables: []string{"tags"}, given: tags(1), want: []string{"update tag 1"},
		do: func(r *run) error {
			return r.noteError(gorm.G[Tag](r.db, clause.OnConflict{UpdateAll: true}).Create(r.ctx, &Tag{1, "x"}))
		},
	}, {
		name: "`gorm.G[T](db).Exec` and `Raw`", why: "raw SQL", tables: []string{"tags"}, given: tags(2), opaque: true,
		want: []string{"raw update tag 2", "raw delete tag 1"},
		do: func(r *run) error {
			if err := r.noteError(gorm.G[Tag](r.db).Exec(r.ctx, "UPDATE tags SET name = ?", "x")); err != nil {
				return err
			}
			list, err := gorm.G[Tag](r.db).Raw("DELETE FROM tags WHERE id = ? RETURNING *", 1).Find(r.ctx)
			return r.noteError(err, list)
		},
	}}
}
