package audit_test

import (
	"context"
	"errors"
	"net/http"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// attempt is one run of a behaviour.
type attempt struct {
	things
	ctx   context.Context
	db    *gorm.DB // with ctx
	leave func()   // the client leaves
}

// behaviour is what a handler, or a job, does and answers.
type behaviour struct {
	name string
	// run does it. A panic is the end of it as well.
	run func(*attempt) int
	// leaves are the changes that are committed by it, in the order of their
	// effect. It is nil where nothing is.
	leaves func(things) []change
	// first is how many of them, from the first on, may be the action's own
	// where it names no entity; zero is one.
	first int
	// panics is the value that goes on to whoever called.
	panics any
}

var errChanged = errors.New("changed my mind")

func (a *attempt) rename(db *gorm.DB, id int64, name string) error {
	return db.Model(&Widget{}).Where("id = ?", id).Update("name", name).Error
}

func (a *attempt) relabel(db *gorm.DB) error {
	return db.Model(&Box{}).Where("id = ?", a.box).Update("label", "new").Error
}

// answer is what most handlers make of an error.
func answer(err error) int {
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, errChanged):
		return http.StatusConflict
	default:
		return http.StatusInternalServerError
	}
}

func only(list ...func(things) change) func(things) []change {
	return func(f things) []change {
		changes := make([]change, len(list))
		for i, c := range list {
			changes[i] = c(f)
		}
		return changes
	}
}

func aRenamed(f things) change   { return renamed(f.a, "old", "new") }
func bRenamed(f things) change   { return renamed(f.b, "old", "new") }
func cRenamed(f things) change   { return renamed(f.c, "old", "new") }
func aAgain(f things) change     { return renamed(f.a, "new", "newer") }
func boxChanged(f things) change { return relabelled(f.box, "new") }

// inTransaction are the steps of one transaction of the handler's own.
func inTransaction(steps func(a *attempt, tx *gorm.DB) error) func(*attempt) int {
	return func(a *attempt) int {
		return answer(a.db.Transaction(func(tx *gorm.DB) error { return steps(a, tx) }))
	}
}

// refuse answers with a status and does nothing.
func refuse(status int) func(*attempt) int { return func(*attempt) int { return status } }

// Fragile is a widget whose hook of GORM panics.
type Fragile struct {
	ID   int64
	Name string
}

func (Fragile) TableName() string { return "widgets" }

var _ gormhook.Modeler = Fragile{}

// AuditModel implements [gormhook.Modeler].
func (Fragile) AuditModel() string { return "widget" }

// AfterSave is called by GORM, in the implicit transaction of the change.
func (Fragile) AfterSave(*gorm.DB) error { panic("out of glue") }

var behaviours = []behaviour{
	{
		name:   "commits",
		run:    func(a *attempt) int { return answer(a.rename(a.db, a.a, "new")) },
		leaves: only(aRenamed),
	},
	{
		name:   "commits a transaction",
		run:    inTransaction(func(a *attempt, tx *gorm.DB) error { return a.rename(tx, a.a, "new") }),
		leaves: only(aRenamed),
	},
	{
		name: "begins and commits by hand",
		run: func(a *attempt) int {
			tx := a.db.Begin()
			return answer(errors.Join(a.rename(tx, a.a, "new"), tx.Commit().Error))
		},
		leaves: only(aRenamed),
	},
	{
		name: "rolls back",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return errors.Join(a.rename(tx, a.a, "new"), errChanged)
		}),
	},
	{
		name: "swallows a rollback and answers 200",
		run: func(a *attempt) int {
			_ = a.db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(a.rename(tx, a.a, "new"), errChanged)
			})
			return http.StatusOK
		},
	},
	{
		name: "swallows a rollback that another change has outlived",
		run: func(a *attempt) int {
			_ = a.db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(a.rename(tx, a.a, "new"), errChanged)
			})
			return answer(a.relabel(a.db))
		},
		leaves: only(boxChanged),
	},
	{
		name: "is refused by the database at the commit",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			return tx.Model(&Widget{}).Where("id = ?", a.a).Update("box_id", -1).Error
		}),
	},
	{name: "changes nothing", run: refuse(http.StatusOK)},
	{
		name: "matches no row",
		run: func(a *attempt) int {
			if a.db.Where("id = ?", a.fresh).Delete(&Widget{}).RowsAffected == 0 {
				return http.StatusNotFound
			}
			return http.StatusOK
		},
	},
	{
		name: "sets what is there already",
		run:  func(a *attempt) int { return answer(a.rename(a.db, a.a, "old")) },
	},
	{
		name: "sets what is there already and has it returned",
		run: func(a *attempt) int {
			var w Widget
			return answer(a.db.Model(&w).Clauses(clause.Returning{}).Where("id = ?", a.a).Update("name", "old").Error)
		},
	},
	{
		name: "sets what is there already and then something else",
		run: func(a *attempt) int {
			return answer(errors.Join(a.rename(a.db, a.a, "old"), a.rename(a.db, a.a, "new")))
		},
		leaves: only(aRenamed),
	},
	{name: "answers 401", run: refuse(http.StatusUnauthorized)},
	{name: "answers 403", run: refuse(http.StatusForbidden)},
	{name: "answers 404", run: refuse(http.StatusNotFound)},
	{name: "answers 409", run: refuse(http.StatusConflict)},
	{name: "answers 500", run: refuse(http.StatusInternalServerError)},
	{
		name: "commits and answers 500",
		run: func(a *attempt) int {
			if a.rename(a.db, a.a, "new") != nil {
				return http.StatusTeapot
			}
			return http.StatusInternalServerError
		},
		leaves: only(aRenamed),
	},
	{
		name:   "panics",
		run:    func(*attempt) int { panic("out of paper") },
		panics: "out of paper",
	},
	{
		name: "panics behind a commit",
		run: func(a *attempt) int {
			if err := a.rename(a.db, a.a, "new"); err != nil {
				return answer(err)
			}
			panic("out of paper")
		},
		leaves: only(aRenamed),
		panics: "out of paper",
	},
	{
		name: "panics in a transaction",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			if err := a.rename(tx, a.a, "new"); err != nil {
				return err
			}
			panic("out of paper")
		}),
		panics: "out of paper",
	},
	{
		name: "panics in a hook of GORM",
		run: func(a *attempt) int {
			return answer(a.db.Model(&Fragile{ID: a.a}).Update("name", "new").Error)
		},
		panics: "out of glue",
	},
	{
		name: "panics in a hook of GORM behind a change of another entity",
		run: func(a *attempt) int {
			return answer(errors.Join(a.relabel(a.db), a.db.Save(&Fragile{ID: a.b, Name: "new"}).Error))
		},
		leaves: only(boxChanged),
		panics: "out of glue",
	},
	{
		name: "hangs until the client leaves",
		run: func(a *attempt) int {
			a.leave()
			<-a.ctx.Done()
			return answer(a.rename(a.db, a.a, "new"))
		},
	},
	{
		name: "hangs in a transaction until the client leaves",
		run: inTransaction(func(a *attempt, tx *gorm.DB) error {
			if err := a.rename(tx, a.a, "new"); err != nil {
				return err
			}
			a.leave()
			<-a.ctx.Done()
			return nil
		}),
	},
	{
		name: "commits, and the client leaves",
		run: func(a *attempt) int {
			defer a.leave()
			return answer(a.rename(a.db, a.a, "new"))
		},
		leaves: only(aRenamed),
	},
	{
		name: "goes on when the client has left",
		run: func(a *attempt) int {
			a.leave()
			return answer(a.rename(a.db.WithContext(context.WithoutCancel(a.ctx)), a.a, "new"))
		},
		leaves: only(aRenamed),
	},
	{
		name: "goes on when the client has left ahead of its first write",
		run: func(a *attempt) int {
			a.leave()
			if a.rename(a.db, a.a, "lost") == nil {
				return http.StatusTeapot
			}
			return answer(a.rename(a.db.WithContext(context.WithoutCancel(a.ctx)), a.a, "new"))
		},
		leaves: only(aRenamed),
	},
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
	{
		name: "changes its entity inside an association",
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
		name: "upserts",
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
