package gormhook

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// capture sits between one statement of GORM and its connection. GORM runs
// its statement as usual; here it becomes one that leaves entries.
type capture struct {
	gorm.ConnPool // the one that GORM would have used

	hook    *hook
	db      *gorm.DB
	does    trail.Operation // what GORM asks for, whatever the verb is
	deleted bool            // it asks for a delete

	// unsettled is a claim whose outcome is known only once the caller's rows
	// have been read.
	unsettled attribution
	waiting   bool
}

var _ gorm.ConnPool = (*capture)(nil)

// beneath returns the connection of a statement that is made while another is
// captured, by a value in that one.
func beneath(pool gorm.ConnPool) gorm.ConnPool {
	if c, ok := pool.(*capture); ok {
		return c.ConnPool
	}
	return pool
}

// request is one statement being run, with all that is known about it.
type request struct {
	ctx     context.Context //nolint:containedctx // of this one call
	text    string
	args    []any
	query   bool
	subject *subject
	table   *table
	pool    gorm.ConnPool
	names   []string
	// buffered: rows are read to the end before the caller gets them.
	buffered bool
	attribution
}

// response is what the caller gets.
type response struct {
	rows   *sql.Rows
	result sql.Result
}

// ExecContext implements [gorm.ConnPool].
func (c *capture) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := c.run(ctx, query, args, false)
	return r.result, err
}

// QueryContext implements [gorm.ConnPool].
func (c *capture) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r, err := c.run(ctx, query, args, true)
	return r.rows, err
}

// run runs the statement with its capture. A panic in application code that it
// calls is an error of the statement: it must not leak the connection of the
// implicit transaction.
func (c *capture) run(ctx context.Context, query string, args []any, rows bool) (out response, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = response{}, c.hook.failure(ctx, fmt.Errorf("panic: %v", p))
		}
	}()
	stmt := c.db.Statement
	if query != stmt.SQL.String() && summaryOf(query, c.hook.dialect, nil).event == "" { // of a value that asks the database what it is
		return plain(ctx, c.ConnPool, query, args, rows)
	}
	s := c.hook.subjectOf(stmt, query)
	if s.excluded {
		along, err := c.hook.recordsAlong(ctx, beneath(c.ConnPool), s, query)
		if err != nil {
			if err := c.hook.failure(ctx, err); !c.hook.plugin.BestEffort {
				return response{}, err
			}
		}
		if !along {
			return plain(ctx, c.ConnPool, query, args, rows)
		}
	}
	if s.invalid != nil {
		if err := c.hook.failure(ctx, s.invalid); !c.hook.plugin.BestEffort {
			return response{}, err
		}
		return plain(ctx, c.ConnPool, query, args, rows)
	}
	r := &request{ctx: ctx, text: trimmed(query, c.hook.dialect), args: args, query: rows, subject: s, pool: c.ConnPool}
	if c.hook.plugin.BestEffort {
		return c.bestEffort(r)
	}
	return c.audited(r)
}

// plain runs a statement as it is.
func plain(ctx context.Context, pool gorm.ConnPool, query string, args []any, rows bool) (out response, err error) {
	if rows {
		out.rows, err = pool.QueryContext(ctx, query, args...) //nolint:rowserrcheck // they are the caller's
	} else {
		out.result, err = pool.ExecContext(ctx, query, args...)
	}
	return out, err
}

// audited runs the statement, and once more where it failed because somebody
// else has changed the table since it was read. In a transaction that is the
// caller's to do.
func (c *capture) audited(r *request) (response, error) {
	first := *r
	out, err := c.once(r)
	if err == nil || r.table == nil || transaction(first.pool) != nil || !outdated(err) {
		return out, err
	}
	t, e := c.hook.tables.of(first.ctx, first.pool, c.hook.dialect, c.hook.tableKey(r.subject, c.tableText(r.text)))
	if e != nil || slices.Equal(r.table.columns, t.columns) {
		return out, err
	}
	return c.once(&first)
}

// once runs the statement in the way that suits it.
func (c *capture) once(r *request) (response, error) {
	h := c.hook
	var err error
	if err := c.ahead(r); err != nil {
		return response{}, err
	}
	r.table, err = h.tables.of(r.ctx, r.pool, h.dialect, h.tableKey(r.subject, c.tableText(r.text)))
	if err != nil {
		return response{}, h.failure(r.ctx, err)
	}
	r.names = c.names(r.subject, r.table)
	r.attribution, err = h.attribute(r.ctx, r.subject, c.does, r.pool)
	if err != nil {
		return response{}, h.failure(r.ctx, err)
	}
	defer r.fail() // unless something has settled it
	if h.plugin.MaxRows > 0 && !r.subject.excluded {
		if done, out, err := c.bounded(r); done {
			return out, err
		}
	}
	if h.dialect == postgresName && !h.plugin.Portable && len(r.args)+paramEntity <= maxParams {
		v, p := c.plan(r)
		if p.stale {
			h.tables.forget()
			if r.table, err = h.tables.of(r.ctx, r.pool, h.dialect, h.tableKey(r.subject, c.tableText(r.text))); err != nil {
				return response{}, h.failure(r.ctx, err)
			}
			v, p = c.plan(r)
		}
		if p.ok {
			return c.retried(r, v, p)
		}
	}
	return c.portable(r)
}

// ahead takes the lock of SQLite's one writer where a table is going to be read
// in a transaction that may only just have begun, see lockSQLite.
func (c *capture) ahead(r *request) error {
	h := c.hook
	if h.dialect != sqliteName || transaction(r.pool) == nil {
		return nil
	}
	if _, known := h.tables.cached(h.tableKey(r.subject, c.tableText(r.text))); known {
		return nil
	}
	return h.lockSQLite(r.ctx, r.pool)
}

// retried runs the one statement, and once more where a key was changed under
// it, or where somebody has written the action's own entry: nothing is done
// then, and the next one knows. In a caller's transaction that is the caller's
// to do, as after any serialization failure.
func (c *capture) retried(r *request, v variant, p *plan) (out response, err error) {
	const most = 5
	for range most {
		if out, err = c.single(r, v, p); err == nil {
			return out, nil
		}
		moved := strings.Contains(err.Error(), keyChanged)
		if moved {
			err = fmt.Errorf("%w: %w", ErrKeyChanged, err)
		}
		if transaction(r.pool) != nil || !moved && !(c.unasked(r) && taken(err)) {
			break
		}
		last := err
		r.fail()
		if r.attribution, err = c.hook.attribute(r.ctx, r.subject, c.does, r.pool); err != nil {
			return response{}, c.hook.failure(r.ctx, err)
		}
		if v, p = c.plan(r); !p.ok {
			return c.portable(r)
		}
		err = last
	}
	return response{}, c.hook.classify(r.ctx, err)
}

// unasked reports whether the action's own entry may be inserted without
// checking: nobody else is known to write it, and the statement can be retried
// if the end of the trace has written it.
func (c *capture) unasked(r *request) bool { return r.claim.Sole && transaction(r.pool) == nil }

// taken reports whether an error says that an entry's id exists already.
func taken(err error) bool {
	return sqlState(err) == "23505" && ourTables.MatchString(err.Error())
}

// tableKey returns the key that a table is cached by.
func (h *hook) tableKey(s *subject, name string) tableKey {
	if h.dialect == postgresName {
		return tableKey{name: name}
	}
	return tableKey{name: name, model: h.subjects.model(s, name)}
}

// tableText returns the name of the table as the statement writes it.
func (c *capture) tableText(query string) string {
	stmt := c.db.Statement
	named := stmt.Table != "" && !textual(stmt)
	if named {
		if name, ok := c.hook.quoted.load(stmt.Table); ok {
			return name
		}
	}
	p, ok := c.hook.parse(query)
	if !ok {
		return stmt.Table // of an unusual statement, or of a value's own query
	}
	if named {
		c.hook.quoted.keep(stmt.Table, p.table, 0)
	}
	return p.table
}

// maxParams is the largest number of parameters in PostgreSQL's protocol.
const maxParams = 65535

// plan returns the one statement for the request.
func (c *capture) plan(r *request) (variant, *plan) {
	v := variant{
		own: r.mode, claimed: r.claim.Held, contested: r.claim.Held && !c.unasked(r),
		names: r.names != nil, deleted: c.deleted, query: r.query,
	}
	key := planKey{query: r.text, subject: r.subject, table: r.table, variant: v}
	if p, ok := c.hook.plans.load(key); ok {
		return v, p
	}
	p := planPostgres(r.text, len(r.args), r.subject, r.table, v)
	if len(r.text) <= maxPlanQuery {
		c.hook.plans.keep(key, p, len(r.text)+len(p.text))
	}
	return v, p
}

// single runs the one statement.
func (c *capture) single(r *request, v variant, p *plan) (response, error) {
	args := r.parameters(r.args, p, v, r.subject, r.names)
	durable := commits(r.pool)
	switch p.shape {
	case shapeTag:
		result, err := r.pool.ExecContext(r.ctx, p.text, args...)
		if err != nil {
			return response{}, err
		}
		n, err := result.RowsAffected()
		r.settle(n > 0, durable)
		return response{result: result}, err
	case shapeRows:
		if r.buffered {
			return c.buffered(r, p.text, args)
		}
		rows, err := r.pool.QueryContext(r.ctx, p.text, args...) //nolint:rowserrcheck // they are the caller's
		if err != nil {
			return response{}, err
		}
		c.unsettled, c.waiting = r.attribution, true
		r.claim = trail.Claim{} // until then
		return response{rows: rows}, nil
	case shapeCount:
		affected, owned, err := scanCount(r.ctx, r.pool, p.text, args)
		if err != nil {
			return response{}, err
		}
		r.settle(owned, durable)
		return response{result: driver.RowsAffected(affected)}, nil
	default: // shapeOwned
		rows, err := collect(r.ctx, r.pool, p.text, args)
		if err != nil {
			return response{}, err
		}
		owned := false
		if len(rows.values) > 0 {
			last := rows.values[0][len(rows.columns)-1]
			owned, _ = last.(bool)
		}
		r.settle(owned, durable)
		out, err := rows.first(len(rows.columns) - 1).replay(r.ctx) //nolint:rowserrcheck // they are the caller's
		return response{rows: out}, err
	}
}

// buffered runs a statement whose rows are the caller's and reads them.
func (c *capture) buffered(r *request, text string, args []any) (response, error) {
	rows, err := collect(r.ctx, r.pool, text, args)
	if err != nil {
		return response{}, err
	}
	r.settle(len(rows.values) > 0, commits(r.pool))
	out, err := rows.replay(r.ctx) //nolint:rowserrcheck // they are the caller's
	return response{rows: out}, err
}

// done settles what had to wait until the caller has read the rows.
func (c *capture) done() {
	if c.waiting {
		c.waiting = false
		if c.db.Error != nil {
			c.unsettled.fail()
			return
		}
		c.unsettled.settle(c.db.RowsAffected > 0, commits(c.ConnPool))
	}
}

func scanCount(ctx context.Context, pool gorm.ConnPool, query string, args []any) (affected int64, owned bool, err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return 0, false, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if rows.Next() {
		if err := rows.Scan(&affected, &owned); err != nil {
			return 0, false, err
		}
	}
	return affected, owned, rows.Err()
}
