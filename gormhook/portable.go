package gormhook

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// portable runs the statement and writes its entries in separate statements:
// the rows before it, under lock, the change with RETURNING, the entries. All
// of it is in one transaction, which is opened here if there is none.
func (c *capture) portable(r *request) (response, error) {
	if transaction(r.pool) != nil {
		out, owned, err := c.whole(r, c.steps)
		if err != nil {
			return response{}, err
		}
		r.settle(owned, false)
		return out, nil
	}
	if c.hook.dialect == sqliteName {
		c.hook.prepared.prepare(r.ctx, r.pool)
	}
	var out response
	var owned bool
	durable := commits(r.pool)
	err := inTransaction(r.ctx, r.pool, func(tx gorm.ConnPool) error {
		r.pool = tx
		var err error
		out, owned, err = c.steps(r)
		return err
	})
	if err != nil {
		return response{}, err
	}
	r.settle(owned, durable)
	return out, nil
}

// whole does something in the caller's transaction, all of it or nothing. On
// SQLite a transaction outlives an error, and the caller may go on and commit
// it; GORM's implicit one is rolled back anyway.
func (c *capture) whole(r *request, do func(*request) (response, bool, error)) (out response, owned bool, err error) {
	_, implicit := c.db.InstanceGet("gorm:started_transaction")
	if c.hook.dialect == postgresName || implicit {
		return do(r)
	}
	_, err = savepoint(r.ctx, r.pool, func() error {
		out, owned, err = do(r)
		return err
	})
	if err != nil {
		return response{}, false, err
	}
	return out, owned, nil
}

// errNoTransaction is the error of a connection that cannot begin one.
var errNoTransaction = errors.New("the connection cannot begin transactions")

// inTransaction runs f in a new transaction.
func inTransaction(ctx context.Context, pool gorm.ConnPool, f func(gorm.ConnPool) error) (err error) {
	var tx gorm.ConnPool
	switch b := pool.(type) {
	case gorm.TxBeginner:
		tx, err = b.BeginTx(ctx, nil)
	case gorm.ConnPoolBeginner:
		tx, err = b.BeginTx(ctx, nil)
	default:
		err = errNoTransaction
	}
	if err != nil {
		return err
	}
	end, ok := tx.(gorm.TxCommitter)
	if !ok {
		return errNoTransaction
	}
	committed := false
	defer func() {
		if !committed {
			if e := end.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) && err != nil {
				err = errors.Join(err, e)
			}
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	committed = true
	return end.Commit()
}

// steps does the statement step by step.
func (c *capture) steps(r *request) (out response, owned bool, err error) {
	parsed, ok := c.hook.parse(r.text)
	if !ok || !r.table.plain {
		return c.opaque(r)
	}
	if c.hook.dialect == sqliteName {
		r.pool = c.hook.prepared.over(r.pool)
	}
	w := &writer{request: r, parsed: parsed, hook: c.hook}
	var changes []change
	var returned *collected
	switch parsed.verb {
	case verbUpdate:
		changes, returned, err = w.update()
	case verbDelete:
		changes, returned, err = w.delete()
	default:
		changes, returned, err = w.insert()
	}
	switch {
	case errors.Is(err, errBeyond):
		return c.beyond(r)
	case errors.Is(err, errReplaces):
		return c.opaque(r)
	}
	if err != nil {
		return response{}, false, c.hook.passed(err)
	}
	var entries []trail.Entry
	if !r.subject.excluded {
		if entries, owned, err = c.entries(r, parsed, changes); err != nil {
			return response{}, false, c.hook.failure(r.ctx, err)
		}
	}
	along, err := w.cascade.entries(c, changes)
	if err != nil {
		return response{}, false, c.hook.failure(r.ctx, err)
	}
	if r.subject.excluded && r.trace == nil && len(along) > 0 {
		along[0].ID = r.id // of the statement's own trace
	}
	entries = append(entries, along...)
	if err := store.Insert(r.ctx, r.pool, c.hook.dialect, entries); err != nil {
		return response{}, false, c.hook.failure(r.ctx, err)
	}
	if r.query {
		out.rows, err = returned.replay(r.ctx) //nolint:rowserrcheck // they are the caller's
		return out, owned, err
	}
	out.result = written{driver.RowsAffected(len(w.affected)), w.lastID}
	return out, owned, nil
}

// written is the result of a statement that was run with RETURNING.
type written struct {
	affected driver.RowsAffected
	id       *int64
}

var _ sql.Result = written{}

// LastInsertId implements [sql.Result].
func (w written) LastInsertId() (int64, error) {
	if w.id == nil {
		return w.affected.LastInsertId()
	}
	return *w.id, nil
}

// RowsAffected implements [sql.Result].
func (w written) RowsAffected() (int64, error) { return w.affected.RowsAffected() }

// entries makes the entries of what changed; unchanged rows have none.
func (c *capture) entries(r *request, parsed *parsed, changes []change) (entries []trail.Entry, owned bool, err error) {
	ids := newRowIDs(r.at)
	for n, ch := range changes {
		e := trail.Entry{
			TraceID: r.id, CreatedAt: r.at, Tenant: r.tenant, Actor: r.actor,
			Model: r.subject.model, Outcome: trail.Success,
		}
		switch {
		case ch.before == nil:
			e.Event, e.Operation, e.EntityID = trail.Create, trail.OpInsert, ch.after.entity
			e.After = r.table.whole(ch.after)
			e.EntityName = r.label(n, len(changes), ch.after)
		case ch.after == nil:
			e.Event, e.Operation, e.EntityID = trail.Delete, trail.OpDelete, ch.before.entity
			e.Before = r.table.whole(ch.before)
			e.EntityName = r.label(n, len(changes), ch.before)
		default:
			e.Before, e.After = r.table.diff(ch.before, ch.after)
			if e.Before == nil {
				continue
			}
			e.Operation, e.EntityID = trail.OpUpdate, ch.before.entity
			e.Event = r.updateEvent(c.deleted && parsed.verb == verbUpdate, ch)
			e.EntityName = r.label(n, len(changes), ch.after)
		}
		if !owned && r.isOwn(len(entries), e.EntityID) {
			own := e
			own.ID = r.id
			if !r.claim.Held { // this statement has its own trace
				owned = true
				entries = append(entries, own)
				continue
			}
			own.Event, own.Context = r.own.Event, r.own.Context
			if owned, err = store.InsertOnce(r.ctx, r.pool, c.hook.dialect, own); err != nil {
				return nil, false, err
			}
			if owned {
				continue
			}
		}
		e.ID = ids.next()
		entries = append(entries, e)
	}
	return entries, owned, nil
}

// isOwn reports whether an entry is the action's own: the nth of a statement,
// of an entity.
func (r *request) isOwn(n int, entity string) bool {
	switch r.mode {
	case ownFirst:
		return n == 0
	case ownEntity:
		return entity == r.entity
	default:
		return false
	}
}

// updateEvent is the event of an updated row, as in a plan.
func (r *request) updateEvent(deleted bool, ch change) trail.Event {
	if deleted {
		return trail.Delete
	}
	i, ok := r.table.column(r.subject.softDelete)
	if !ok || r.subject.softDelete == "" {
		return trail.Update
	}
	switch was, is := rowLives(ch.before.values[i]), rowLives(ch.after.values[i]); {
	case was == is:
		return trail.Update
	case is:
		return trail.Restore
	default:
		return trail.Delete
	}
}

func rowLives(value string) bool {
	switch value {
	case "", "null", "0", "false":
		return true
	default:
		return false
	}
}

// opaque runs a statement that cannot be parsed, and records that it was run.
func (c *capture) opaque(r *request) (out response, owned bool, err error) {
	s := summaryOf(r.text, c.hook.dialect, nil)
	// No database counts what a view's triggers or a table's rules do in its place.
	s.uncounted = s.uncounted || r.table.elsewhere
	if r.query {
		rows, err := collect(r.ctx, r.pool, r.text, r.args)
		if err != nil {
			return out, false, c.hook.passed(err)
		}
		if err := c.hook.summarize(r, s, int64(len(rows.values))); err != nil {
			return out, false, err
		}
		out.rows, err = rows.replay(r.ctx) //nolint:rowserrcheck // they are the caller's
		return out, false, err
	}
	out.result, err = r.pool.ExecContext(r.ctx, r.text, r.args...)
	if err != nil {
		return response{}, false, c.hook.passed(err)
	}
	n, err := out.result.RowsAffected()
	if err != nil {
		return response{}, false, fmt.Errorf("counting the rows: %w", err)
	}
	return out, false, c.hook.summarize(r, s, n)
}
