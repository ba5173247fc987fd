package gormhook

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// attribution is the action that the rows of a statement belong to.
type attribution struct {
	trace *trail.Trace // nil outside any action
	id    uuid.UUID    // of the trace
	at    time.Time
	actor trail.Actor
	// tenant, and what the action's own entry says.
	tenant string
	own    trail.Entry
	claim  trail.Claim
	entity string // of the claim, as the trail spells it
	mode   ownMode
}

// attribute finds the action that ctx carries, or turns the statement into one.
func (h *hook) attribute(ctx context.Context, s *subject, op trail.Operation, pool gorm.ConnPool) (attribution, error) {
	at := h.now()
	t, ok := trail.FromContext(ctx)
	if !ok {
		if h.plugin.RequireActor {
			return attribution{}, ErrNoActor
		}
		id := trail.NewID(at)
		return attribution{id: id, at: trail.Time(id), actor: trail.Unknown(), mode: ownFirst}, nil
	}
	a := attribution{trace: t, id: t.ID(), at: at}
	work := h.work(t, s.model, op, pool)
	var err error
	if a.claim, err = t.Claim(work); err != nil {
		return attribution{}, err
	}
	if !a.claim.Held && s.collection != s.model { // a route may call it by another name than the type
		work.Model = s.collection
		if a.claim, err = t.Claim(work); err != nil {
			return attribution{}, err
		}
	}
	if !a.claim.Held {
		action := t.Action()
		a.actor, a.tenant = action.Actor, action.Tenant
		return a, nil
	}
	// The rows of the action's own statement have the action's instant.
	a.own, a.at = t.Own(), trail.Time(a.id)
	a.actor, a.tenant = a.own.Actor, a.own.Tenant
	a.mode = ownFirst
	if a.claim.EntityID != "" {
		a.mode, a.entity = ownEntity, s.spellKey(a.claim.EntityID)
	}
	return a, nil
}

// work describes a statement to the trace. What the trace records goes to the
// statement's database too, if it would go to the store of another one; a recorder
// of the application's own is left to that.
func (h *hook) work(t *trail.Trace, model string, op trail.Operation, pool gorm.ConnPool) trail.Work {
	w := trail.Work{Model: model, Operation: op, Tx: transaction(pool), Exclusive: h.dialect == sqliteName}
	if _, ok := w.Tx.(*sql.Tx); ok { // of others nobody can tell
		w.Done = finished
	}
	if st, ok := t.Recorder().(*store.Store); ok && !st.Over(h.db) {
		w.Recorder = h.recorder
	}
	return w
}

// settle reports the outcome of the claim to the trace.
func (a *attribution) settle(written, durable bool) {
	a.claim.Settle(written, durable)
	a.claim = trail.Claim{}
}

// fail reports to the trace that the statement of its claim failed, unless the
// claim was settled.
func (a *attribution) fail() {
	a.claim.Fail()
	a.claim = trail.Claim{}
}

// parameters returns the caller's parameters followed by those of the plan.
func (a *attribution) parameters(args []any, p *plan, v variant, s *subject, names []string) []any {
	all := make([]any, len(args), len(args)+paramEntity)
	copy(all, args)
	var id string
	switch {
	case !p.sole:
		id = newRowIDs(a.at).text()
	case v.own == ownFirst:
		id = a.id.String()
	default:
		id = trail.NewID(a.at).String()
	}
	all = append(all, a.id.String(), a.at, id, optional(a.tenant), a.actor.ID, a.actor.Name,
		string(a.actor.Kind), optional(a.actor.OnBehalfOf), s.model)
	if v.names {
		all = append(all, textArray(names))
	}
	if v.claimed {
		all = append(all, string(a.own.Event), optional(string(a.own.Context)))
	}
	if v.own == ownEntity {
		all = append(all, a.entity)
	}
	return all
}

func optional(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// textArray writes a PostgreSQL array as text, which any driver can send.
func textArray(list []string) string {
	b := []byte{'{'}
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		for j := range len(s) {
			if s[j] == '"' || s[j] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, s[j])
		}
		b = append(b, '"')
	}
	return string(append(b, '}'))
}

// transaction returns what identifies the transaction that pool is, or nil
// if its statements commit by themselves.
func transaction(pool gorm.ConnPool) any {
	switch p := pool.(type) {
	case *gorm.PreparedStmtTX:
		pool = p.Tx
	case *preparedTx:
		pool = p.Tx
	}
	if _, ok := pool.(gorm.TxCommitter); !ok {
		return nil
	}
	return pool
}

// commits reports whether a statement is durable once it has run: not in a
// transaction, nor on a connection, where one may have been begun by SQL.
func commits(pool gorm.ConnPool) bool {
	if _, single := pool.(*sql.Conn); single {
		return false
	}
	return transaction(pool) == nil
}

// finished reports whether a transaction has ended. database/sql knows that
// without asking the server, when given a statement that belongs to no
// database.
func finished(tx any) bool {
	t, ok := tx.(*sql.Tx)
	if !ok {
		return false
	}
	_, err := t.StmtContext(context.Background(), new(sql.Stmt)).ExecContext(context.Background()) //nolint:sqlclosecheck // there is no statement
	return errors.Is(err, sql.ErrTxDone)
}
