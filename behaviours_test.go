package audit_test

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
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
	// leavesAlone, where it is not nil, is the same where GORM opens no
	// transactions of its own.
	leavesAlone func(things) []change
	// first is how many of them, from the first on, may be the action's own
	// where it names no entity; zero is one.
	first int
	// inserts says that it inserts what is there already: of a create that may be
	// the own entry, as nobody knows ahead.
	inserts bool
	// panics is the value that reaches the caller.
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

// behaviours are all of them.
var behaviours = slices.Concat(endings, orders, statements)

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

// endings are the ways in which a handler ends, by itself or not.
var endings = []behaviour{
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
			return errors.Join(a.rename(tx, a.a, "new"), tx.Create(&Seal{ID: a.a, BoxID: -1}).Error)
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
		leavesAlone: only(aRenamed),
		panics:      "out of glue",
	},
	{
		name: "panics in a hook of GORM behind a change of another entity",
		run: func(a *attempt) int {
			return answer(errors.Join(a.relabel(a.db), a.db.Save(&Fragile{ID: a.b, Name: "new"}).Error))
		},
		leaves:      only(boxChanged),
		leavesAlone: only(boxChanged, bRenamed),
		panics:      "out of glue",
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
}
