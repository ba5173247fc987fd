package gormhook

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// hook is a plugin at work on one database.
type hook struct {
	plugin   Plugin
	db       *gorm.DB
	recorder trail.Recorder // of this database
	dialect  string
	now      func() time.Time
	subjects subjects
	tables   tables
	plans    memo[planKey, *plan]
	parses   memo[string, *parsed]
	prepared statements
	quoted   memo[string, string] // a statement's Table -> as its text writes it
	foreign  foreign
}

func newHook(p Plugin, db *gorm.DB) *hook {
	return &hook{
		plugin: p, db: db, dialect: db.Dialector.Name(), subjects: subjects{names: naming(db.Dialector.Name())},
		now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}
}

// processor is what GORM's callback processors have in common.
type processor interface {
	Get(name string) func(*gorm.DB)
	Replace(name string, fn func(*gorm.DB)) error
}

const (
	beginName  = "gorm:begin_transaction"
	commitName = "gorm:commit_or_rollback_transaction"
)

// register wraps GORM's callbacks in place, so that their order, and what others
// registered relative to it, stays as it is.
func (h *hook) register() error {
	cb := h.db.Callback()
	writes := []struct {
		processor processor
		name      string
		op        trail.Operation
	}{
		{cb.Create(), "gorm:create", trail.OpInsert},
		{cb.Update(), "gorm:update", trail.OpUpdate},
		{cb.Delete(), "gorm:delete", trail.OpDelete},
	}
	for _, w := range writes {
		if err := ordered(w.processor, w.name); err != nil {
			return err
		}
		if err := wrap(w.processor, w.name, h.around(w.op)); err != nil {
			return err
		}
		if w.processor.Get(beginName) == nil {
			continue // SkipDefaultTransaction: there is none to skip
		}
		if err := wrap(w.processor, beginName, h.begin(w.op, w.processor)); err != nil {
			return err
		}
		if err := wrap(w.processor, commitName, h.commit); err != nil {
			return err
		}
		for _, name := range within {
			if w.processor.Get(name) == nil {
				continue
			}
			if err := wrap(w.processor, name, unwinding); err != nil {
				return err
			}
		}
	}
	raws := []struct {
		processor processor
		name      string
	}{{cb.Raw(), "gorm:raw"}, {cb.Row(), "gorm:row"}, {cb.Query(), "gorm:query"}}
	for _, r := range raws {
		if err := wrap(r.processor, r.name, h.raw); err != nil {
			return err
		}
	}

	if err := h.record(); err != nil {
		return err
	}
	ctx := h.db.Statement.Context
	if err := store.MakePartitions(ctx, h.db); err != nil && !errors.Is(err, store.ErrNotMigrated) {
		h.tell(ctx, err) // rows of a month without a partition have the default one
	}
	return nil
}

// within are GORM's callbacks, of any processor, between the begin and the
// commit of the implicit transaction: those that may call a model's methods.
var within = []string{
	"gorm:before_create", "gorm:save_before_associations", "gorm:save_after_associations", "gorm:after_create",
	"gorm:setup_reflect_value", "gorm:before_update", "gorm:after_update",
	"gorm:before_delete", "gorm:delete_before_associations", "gorm:after_delete",
	"gorm:create", "gorm:update", "gorm:delete",
}

// unwinding rolls the implicit transaction back if a callback panics, which
// GORM does not: the entry of the action that panicked would wait for it. The
// panic continues unchanged.
func unwinding(next func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		returned := false
		defer func() {
			if returned {
				return
			}
			if _, started := db.InstanceGet("gorm:started_transaction"); started {
				if tx, ok := db.Statement.ConnPool.(gorm.TxCommitter); ok {
					_ = tx.Rollback() // the panic is the error that matters
				}
			}
		}()
		next(db)
		returned = true
	}
}

// wrap replaces a callback with around.
func wrap(p processor, name string, around func(next func(*gorm.DB)) func(*gorm.DB)) error {
	next := p.Get(name)
	if next == nil {
		return fmt.Errorf("gormhook: GORM's callback %s is not registered", name)
	}
	return p.Replace(name, around(next))
}

// around captures what a callback of GORM sends to the database.
func (h *hook) around(op trail.Operation) func(func(*gorm.DB)) func(*gorm.DB) {
	return func(next func(*gorm.DB)) func(*gorm.DB) {
		return func(db *gorm.DB) {
			if db.Error != nil || db.DryRun || trail.Skipped(db.Statement.Context) || !open(db) {
				next(db)
				return
			}
			pool := db.Statement.ConnPool
			c := &capture{ConnPool: beneath(pool), hook: h, db: db, does: op, deleted: op == trail.OpDelete}
			db.Statement.ConnPool = c
			defer func() {
				db.Statement.ConnPool = pool
				c.done()
			}()
			next(db)
		}
	}
}

// begin skips GORM's implicit transaction if it would hold only a single
// statement.
func (h *hook) begin(op trail.Operation, p processor) func(func(*gorm.DB)) func(*gorm.DB) {
	return func(next func(*gorm.DB)) func(*gorm.DB) {
		return func(db *gorm.DB) {
			if open(db) && h.spared(db, op, p) {
				return
			}
			if h.dialect == sqliteName && !db.DryRun {
				h.prepared.prepare(db.Statement.Context, db.Statement.ConnPool)
			}
			next(db)
		}
	}
}

// spared is alone, but a panic in the model's own code counts as false.
func (h *hook) spared(db *gorm.DB, op trail.Operation, p processor) (yes bool) {
	defer func() {
		if recover() != nil {
			yes = false // the same call will panic again where an error can be returned
		}
	}()
	return h.alone(db, op, p)
}

// open makes sure that an action that is to be recorded before its work is, before
// the first write outside a transaction; the record needs a separate connection.
// It reports false, with the error in db, if that failed.
func open(db *gorm.DB) bool {
	stmt := db.Statement
	if db.Error != nil || db.DryRun || trail.Skipped(stmt.Context) {
		return db.Error == nil
	}
	if t, ok := trail.FromContext(stmt.Context); ok && transaction(stmt.ConnPool) == nil {
		_ = db.AddError(t.BeforeWrite())
	}
	return db.Error == nil
}

// commit reports to the trace that what it wrote in the implicit transaction is
// durable.
func (h *hook) commit(next func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		_, started := db.InstanceGet("gorm:started_transaction")
		tx := transaction(db.Statement.ConnPool)
		failed := db.Error
		next(db)
		if isFailure(failed) && !isFailure(db.Error) {
			// The rollback failed too, for example because SQLite has done it already,
			// and GORM has kept only the text of the first error.
			db.Error = fmt.Errorf("%w%s", failed, strings.TrimPrefix(db.Error.Error(), failed.Error()))
		}
		if started && tx != nil && db.Error == nil {
			if t, ok := trail.FromContext(db.Statement.Context); ok {
				t.Committed(tx)
			}
		}
	}
}
