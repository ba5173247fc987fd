package gormhook_test

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"
)

func (f replayFamily[M]) updates() []replayOperation {
	return []replayOperation{
		f.ofOne("update a column", func(t *rapid.T, db *gorm.DB, m *M) error {
			return db.Model(m).Update(f.text, drawText.Draw(t, "text")).Error
		}),
		f.ofOne("update by a map", func(t *rapid.T, db *gorm.DB, m *M) error {
			return db.Model(m).Updates(f.change(t, db)).Error
		}),
		f.ofOne("update by a struct", func(t *rapid.T, db *gorm.DB, m *M) error {
			changed := f.draw(t, db)
			return db.Model(m).Omit(f.keys...).Updates(&changed).Error
		}),
		f.ofOne("update selected columns, zero or not", func(t *rapid.T, db *gorm.DB, m *M) error {
			changed := f.draw(t, db)
			return db.Model(m).Select(f.text, f.number).Updates(changed).Error
		}),
		f.ofOne("update all columns", func(t *rapid.T, db *gorm.DB, m *M) error {
			changed := f.draw(t, db)
			f.keep(&changed, *m)
			return db.Model(m).Select("*").Updates(&changed).Error
		}),
		f.ofOne("update without times and hooks", func(t *rapid.T, db *gorm.DB, m *M) error {
			return db.Model(m).UpdateColumns(f.change(t, db)).Error
		}),
		f.ofOne("update by an expression", func(t *rapid.T, db *gorm.DB, m *M) error {
			return db.Model(m).UpdateColumn(f.number, gorm.Expr("? + ?", clause.Column{Name: f.number}, drawSmall.Draw(t, "more"))).Error
		}),
		{"update by a condition", func(t *rapid.T, db *gorm.DB) error {
			return f.some(t, db.Model(new(M))).Updates(f.change(t, db)).Error
		}},
		{"update by a condition and an expression", func(t *rapid.T, db *gorm.DB) error {
			return f.some(t, db.Model(new(M))).Update(f.number,
				gorm.Expr("? - ?", clause.Column{Name: f.number}, drawSmall.Draw(t, "less"))).Error
		}},
		{"update without a model", func(t *rapid.T, db *gorm.DB) error {
			return f.some(t, db.Table(f.table)).Updates(f.change(t, db)).Error
		}},
		{"update several", func(t *rapid.T, db *gorm.DB) error {
			var rows []M
			if err := f.ordered(db).Limit(2).Find(&rows).Error; err != nil || len(rows) == 0 {
				return err
			}
			return db.Model(&rows).Updates(f.change(t, db)).Error
		}},
		{"update and return", func(t *rapid.T, db *gorm.DB) error {
			var rows []M
			return f.some(t, db.Model(&rows)).Clauses(f.returning(t)).Updates(f.change(t, db)).Error
		}},
		{"update an alias", func(t *rapid.T, db *gorm.DB) error {
			values := map[string]any{f.number: gorm.Expr("? + ?", clause.Column{Table: "a", Name: f.number}, 1)}
			return db.Table(`"` + f.table + `" AS a`).
				Where(clause.Gt{Column: clause.Column{Table: "a", Name: f.number}, Value: drawSmall.Draw(t, "than")}).Updates(values).Error
		}},
		f.ofOne("change a key", func(t *rapid.T, db *gorm.DB, m *M) error {
			return db.Model(m).Updates(f.key(t)).Error
		}),
		{"change several keys", func(t *rapid.T, db *gorm.DB) error {
			last := f.keys[len(f.keys)-1]
			if last == "id" && f.table == "replay_parcels" {
				return nil // theirs are no numbers
			}
			return f.some(t, db.Model(new(M))).Update(last, gorm.Expr("? + ?", clause.Column{Name: last}, rapid.IntRange(1, 50).Draw(t, "by"))).Error
		}},
		{"update by a subquery", func(t *rapid.T, db *gorm.DB) error {
			key := clause.Column{Name: f.keys[0]}
			some := f.some(t, db.Session(&gorm.Session{NewDB: true}).Table(f.table)).Select("?", key)
			return db.Model(new(M)).Where("? IN (?)", key, some).Updates(f.change(t, db)).Error
		}},
	}
}

func (f replayFamily[M]) deletes() []replayOperation {
	all := []replayOperation{
		f.ofOne("delete", func(_ *rapid.T, db *gorm.DB, m *M) error {
			return db.Delete(m).Error
		}),
		f.ofOne("delete for good", func(_ *rapid.T, db *gorm.DB, m *M) error {
			return db.Unscoped().Delete(m).Error
		}),
		{"delete by a condition", func(t *rapid.T, db *gorm.DB) error {
			return f.some(t, db).Delete(new(M)).Error
		}},
		{"delete for good by a condition", func(t *rapid.T, db *gorm.DB) error {
			return f.some(t, db.Unscoped()).Delete(new(M)).Error
		}},
		{"delete several", func(_ *rapid.T, db *gorm.DB) error {
			var rows []M
			if err := f.ordered(db).Limit(2).Find(&rows).Error; err != nil || len(rows) == 0 {
				return err
			}
			return db.Delete(&rows).Error
		}},
		{"delete and return", func(t *rapid.T, db *gorm.DB) error {
			var rows []M
			return f.some(t, db).Clauses(f.returning(t)).Delete(&rows).Error
		}},
		{"delete all", func(_ *rapid.T, db *gorm.DB) error {
			return db.Session(&gorm.Session{AllowGlobalUpdate: true}).Delete(new(M)).Error
		}},
		{"delete nothing, for want of a condition", func(_ *rapid.T, db *gorm.DB) error {
			return db.Delete(new(M)).Error
		}},
	}
	if f.soft {
		all = append(all,
			f.ofOne("restore", func(_ *rapid.T, db *gorm.DB, m *M) error {
				return db.Unscoped().Model(m).Update("deleted_at", nil).Error
			}),
			replayOperation{"restore by a condition", func(t *rapid.T, db *gorm.DB) error {
				return f.some(t, db.Unscoped().Model(new(M))).UpdateColumn("deleted_at", nil).Error
			}},
		)
	}
	return all
}

// vain are operations that come to nothing.
func (f replayFamily[M]) vain() []replayOperation {
	return []replayOperation{
		f.ofOne("dry runs", func(t *rapid.T, db *gorm.DB, m *M) error {
			rows := f.slice(t, db)
			dry := db.Session(&gorm.Session{DryRun: true})
			for _, run := range []*gorm.DB{
				dry.Create(&rows), dry.Model(m).Updates(f.change(t, db)), dry.Delete(m), dry.Save(m),
			} {
				if run.Error != nil {
					return run.Error
				}
			}
			db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Unscoped().Delete(m) })
			return nil
		}),
		f.ofOne("with a context that is over", func(t *rapid.T, db *gorm.DB, m *M) error {
			ctx, cancel := context.WithCancel(db.Statement.Context)
			cancel()
			if err := db.WithContext(ctx).Model(m).Updates(f.change(t, db)).Error; !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%w: want the end of the context", err)
			}
			return context.Canceled
		}),
	}
}

// ofOne is an operation on a row that is there.
func (f replayFamily[M]) ofOne(name string, run func(*rapid.T, *gorm.DB, *M) error) replayOperation {
	return replayOperation{name, func(t *rapid.T, db *gorm.DB) error {
		m, ok := f.pick(t, db)
		if !ok {
			return nil
		}
		return run(t, db, &m)
	}}
}

// returning is the caller's own RETURNING, of everything or of the key.
func (f replayFamily[M]) returning(t *rapid.T) clause.Returning {
	var r clause.Returning
	if rapid.Bool().Draw(t, "key only") {
		for _, name := range f.keys {
			r.Columns = append(r.Columns, clause.Column{Name: name})
		}
	}
	return r
}
