package audit_test

import (
	"errors"
	"net/http"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/trail"
)

// orders are the ways in which a handler may come to change its entity: first
// or later, once or more often, in transactions and savepoints that stay or go.
var orders = []behaviour{
	{
		name: "writes to another entity first",
		run: func(a *attempt) int {
			return answer(errors.Join(a.relabel(a.db), a.rename(a.db, a.a, "new")))
		},
		leaves: only(boxChanged, aRenamed),
	},
	{
		name: "writes to another entity of the model first",
		run: func(a *attempt) int {
			return answer(errors.Join(a.rename(a.db, a.b, "new"), a.rename(a.db, a.a, "new")))
		},
		leaves: only(bRenamed, aRenamed),
	},
	{
		name:   "writes to another entity only",
		run:    func(a *attempt) int { return answer(a.relabel(a.db)) },
		leaves: only(boxChanged),
	},
	{
		name: "writes to others in one transaction",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return errors.Join(a.relabel(tx), a.rename(tx, a.b, "new"), a.rename(tx, a.a, "new"), a.rename(tx, a.c, "new"))
		}),
		leaves: only(boxChanged, bRenamed, aRenamed, cRenamed),
	},
	{
		name: "changes its entity twice",
		run: func(a *attempt) int {
			return answer(errors.Join(a.rename(a.db, a.a, "new"), a.rename(a.db, a.a, "newer")))
		},
		leaves: only(aRenamed, aAgain),
	},
	{
		name: "changes its entity twice in one transaction",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return errors.Join(a.rename(tx, a.a, "new"), a.rename(tx, a.a, "newer"))
		}),
		leaves: only(aRenamed, aAgain),
	},
	{
		name: "changes its entity in two transactions",
		run: func(a *attempt) int {
			in := func(name string) error {
				return a.db.Transaction(func(tx *gorm.DB) error { return a.rename(tx, a.a, name) })
			}
			return answer(errors.Join(in("new"), in("newer")))
		},
		leaves: only(aRenamed, aAgain),
	},
	{
		name: "rolls its second transaction back",
		run: func(a *attempt) int {
			in := func(name string, end error) error {
				return a.db.Transaction(func(tx *gorm.DB) error { return errors.Join(a.rename(tx, a.a, name), end) })
			}
			return answer(errors.Join(in("new", nil), in("newer", errChanged)))
		},
		leaves: only(aRenamed),
	},
	{
		name: "retries its transaction after a rollback",
		run: func(a *attempt) int {
			var err error
			for _, end := range []error{errChanged, errChanged, nil} {
				err = a.db.Transaction(func(tx *gorm.DB) error { return errors.Join(a.rename(tx, a.a, "new"), end) })
			}
			return answer(err)
		},
		leaves: only(aRenamed),
	},
	{
		name: "retries without a transaction after a rollback",
		run: func(a *attempt) int {
			_ = a.db.Transaction(func(tx *gorm.DB) error { return errors.Join(a.rename(tx, a.a, "lost"), errChanged) })
			return answer(a.rename(a.db, a.a, "new"))
		},
		leaves: only(aRenamed),
	},
	{
		name: "writes in a savepoint that is rolled back and then again",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			tx.SavePoint("first")
			err := a.rename(tx, a.a, "lost")
			tx.RollbackTo("first")
			return errors.Join(err, a.rename(tx, a.a, "new"))
		}),
		leaves: only(aRenamed),
	},
	{
		name: "writes in a savepoint that is rolled back",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			tx.SavePoint("first")
			err := a.rename(tx, a.a, "lost")
			tx.RollbackTo("first")
			return errors.Join(err, a.relabel(tx))
		}),
		leaves: only(boxChanged),
	},
	{
		name: "rolls a nested transaction back and writes in a second one",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			_ = tx.Transaction(func(tx *gorm.DB) error { return errors.Join(a.rename(tx, a.a, "lost"), errChanged) })
			return tx.Transaction(func(tx *gorm.DB) error { return a.rename(tx, a.a, "new") })
		}),
		leaves: only(aRenamed),
	},
	{
		name: "commits a savepoint in a transaction that is rolled back",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			err := tx.Transaction(func(tx *gorm.DB) error { return a.rename(tx, a.a, "lost") })
			return errors.Join(err, errChanged)
		}),
	},
}

// statements are the ways to change it with one statement of GORM.
var statements = []behaviour{
	{
		name:    "changes its entity inside an association",
		inserts: true,
		run: func(a *attempt) int {
			return answer(a.db.Model(&Box{ID: a.box}).Association("Widgets").Append(&Widget{ID: a.a, Name: "old"}))
		},
		leaves: only(func(f things) change { return boxed(f.a, f.box) }),
	},
	{
		name: "creates inside an association",
		run: func(a *attempt) int {
			return answer(a.db.Create(&Box{ID: a.fresh, Label: "new", Widgets: []Widget{{ID: a.fresh, Name: "new"}}}).Error)
		},
		leaves: func(f things) []change {
			w := inserted(f.fresh, "new")
			w.After = `{"box_id":` + w.ID + `,"id":` + w.ID + `,"name":"new"}`
			return []change{{"box", w.ID, trail.OpInsert, "", `{"id":` + w.ID + `,"label":"new"}`}, w}
		},
	},
	{
		name: "changes many rows in one statement",
		run: func(a *attempt) int {
			return answer(a.db.Model(&Widget{}).Where("id IN ?", []int64{a.a, a.b, a.c}).Update("name", "new").Error)
		},
		leaves: only(aRenamed, bRenamed, cRenamed),
		first:  3,
	},
	{
		name: "changes many rows in one statement of a transaction",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return tx.Model(&Widget{}).Where("id IN ?", []int64{a.a, a.b, a.c}).Update("name", "new").Error
		}),
		leaves: only(aRenamed, bRenamed, cRenamed),
		first:  3,
	},
	{
		name: "repeats a bulk statement whose transaction was rolled back",
		run: func(a *attempt) int {
			var err error
			for _, end := range []error{errChanged, nil} {
				err = a.db.Transaction(func(tx *gorm.DB) error {
					return errors.Join(tx.Where("id IN ?", []int64{a.b, a.a}).Delete(&Widget{}).Error, end)
				})
			}
			return answer(err)
		},
		leaves: func(f things) []change { return []change{deleted(f.a), deleted(f.b)} },
		first:  2,
	},
	{
		name: "creates",
		run: func(a *attempt) int {
			return answer(a.db.Create(&Widget{ID: a.fresh, Name: "new"}).Error)
		},
		leaves: only(func(f things) change { return inserted(f.fresh, "new") }),
	},
	{
		name: "creates many",
		run: func(a *attempt) int {
			return answer(a.db.CreateInBatches([]Widget{
				{ID: a.fresh, Name: "new"}, {ID: a.fresh + 1, Name: "new"}, {ID: a.fresh + 2, Name: "new"},
			}, 2).Error)
		},
		leaves: func(f things) []change {
			return []change{inserted(f.fresh, "new"), inserted(f.fresh+1, "new"), inserted(f.fresh+2, "new")}
		},
		first: 2,
	},
	{
		name: "fails to create, and then does",
		run: func(a *attempt) int {
			if a.db.Create(&Widget{ID: a.b, Name: "new"}).Error == nil {
				return http.StatusTeapot
			}
			return answer(a.db.Create(&Widget{ID: a.fresh, Name: "new"}).Error)
		},
		leaves: only(func(f things) change { return inserted(f.fresh, "new") }),
	},
	{
		name: "creates and changes what it created",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return errors.Join(tx.Create(&Widget{ID: a.fresh, Name: "old"}).Error, a.rename(tx, a.fresh, "new"))
		}),
		leaves: func(f things) []change {
			return []change{inserted(f.fresh, "old"), renamed(f.fresh, "old", "new")}
		},
	},
	{
		name:   "saves",
		run:    func(a *attempt) int { return answer(a.db.Save(&Widget{ID: a.a, Name: "new"}).Error) },
		leaves: only(aRenamed),
	},
	{
		name:    "upserts",
		inserts: true,
		run: func(a *attempt) int {
			return answer(a.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Widget{ID: a.a, Name: "new"}).Error)
		},
		leaves: only(aRenamed),
	},
	{
		name: "upserts what is there already",
		run: func(a *attempt) int {
			return answer(a.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Widget{ID: a.a, Name: "old"}).Error)
		},
	},
	{
		name: "passes over a conflict",
		run: func(a *attempt) int {
			return answer(a.db.Clauses(clause.OnConflict{DoNothing: true}).Create(&Widget{ID: a.a, Name: "new"}).Error)
		},
	},
	{
		name: "has its change returned",
		run: func(a *attempt) int {
			var w Widget
			return answer(a.db.Model(&w).Clauses(clause.Returning{}).Where("id = ?", a.a).Update("name", "new").Error)
		},
		leaves: only(aRenamed),
	},
	{
		name:   "deletes",
		run:    func(a *attempt) int { return answer(a.db.Delete(&Widget{}, a.a).Error) },
		leaves: only(func(f things) change { return deleted(f.a) }),
	},
	{
		name: "deletes and creates anew",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return errors.Join(tx.Delete(&Widget{}, a.a).Error, tx.Create(&Widget{ID: a.a, Name: "new"}).Error)
		}),
		leaves: func(f things) []change { return []change{deleted(f.a), inserted(f.a, "new")} },
	},
	{
		name: "changes its entity by raw SQL, and then by GORM",
		run: func(a *attempt) int {
			return answer(errors.Join(
				a.db.Exec("UPDATE widgets SET name = 'raw' WHERE id = ?", a.a).Error,
				a.rename(a.db, a.a, "new")))
		},
		leaves: func(f things) []change { return []change{raw(trail.OpUpdate), renamed(f.a, "raw", "new")} },
	},
	{
		name: "changes its entity by raw SQL only",
		run: func(a *attempt) int {
			return answer(a.db.Exec("UPDATE widgets SET name = 'raw' WHERE id = ?", a.a).Error)
		},
		leaves: func(things) []change { return []change{raw(trail.OpUpdate)} },
	},
	{
		name: "has its writes skipped",
		run: func(a *attempt) int {
			return answer(a.rename(a.db.WithContext(trail.Skip(a.ctx)), a.a, "new"))
		},
	},
	{
		name: "looks at what a statement would be",
		run: func(a *attempt) int {
			_ = a.db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Model(&Widget{}).Where("id = ?", a.a).Update("name", "new") })
			return answer(a.rename(a.db.Session(&gorm.Session{DryRun: true}), a.a, "new"))
		},
	},
}
