package gormhook

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
)

// failure makes an error of the capture itself: it says that recording failed,
// wraps the cause, and is reported. A refusal is not a failure.
func (h *hook) failure(ctx context.Context, err error) error {
	if refusal(err) || isFailure(err) {
		return err
	}
	if canceled := ctx.Err(); canceled != nil && errors.Is(err, canceled) {
		return canceled // the caller has left: nothing is done, so nothing is unrecorded
	}
	err = fmt.Errorf("%w: %w", ErrNotRecorded, err)
	h.report(ctx, err)
	return err
}

func refusal(err error) bool {
	return errors.Is(err, ErrNoActor) || errors.Is(err, ErrRawSQL) || errors.Is(err, ErrTooManyRows)
}

func isFailure(err error) bool { return errors.Is(err, ErrNotRecorded) }

func (h *hook) report(ctx context.Context, err error) {
	failures.Add(1)
	if h.plugin.OnError != nil {
		defer func() { _ = recover() }() // it was called, and that is all it is for
		h.plugin.OnError(ctx, err)
	}
}

// classify distinguishes an error of the caller's change, which is returned
// unchanged, from one of the entries that were written with it.
func (h *hook) classify(ctx context.Context, err error) error {
	if outdated(err) {
		h.tables.forget()
	}
	text := err.Error()
	if !ourTables.MatchString(text) {
		return err
	}
	if strings.Contains(text, "does not exist") || strings.Contains(text, "no such") {
		err = fmt.Errorf("%w: %w", store.ErrNotMigrated, err)
	}
	return h.failure(ctx, err)
}

// ourTables finds the trail's tables, their partitions and what belongs to
// them in the text of an error.
var ourTables = regexp.MustCompile(`\b(audit_logs|audit_outcomes)(_(y[0-9]{4}m[0-9]{2}|default))?(_(seq|pkey|entity|user|event|trace)\w*)?\b`)

// outdated reports whether an error suggests that somebody else changed the
// schema: class 42 of SQLSTATE, or SQLite's messages.
func outdated(err error) bool {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return strings.HasPrefix(state.SQLState(), "42")
	}
	return strings.Contains(err.Error(), "no such column") || strings.Contains(err.Error(), "has no column named")
}

// bestEffort runs the statement with its capture, and without it if the capture
// fails: from a savepoint, so that a failure leaves the caller's transaction as
// it was.
func (c *capture) bestEffort(r *request) (response, error) {
	const point = `audit_attempt`
	inside := transaction(r.pool) != nil
	if inside {
		if _, err := r.pool.ExecContext(r.ctx, `SAVEPOINT `+point); err != nil {
			return response{}, err
		}
	}
	out, err := c.attempt(r)
	if err == nil || refusal(err) {
		if inside {
			if _, e := r.pool.ExecContext(r.ctx, `RELEASE SAVEPOINT `+point); e != nil && err == nil {
				err = e
			}
		}
		return out, err
	}
	if inside {
		if _, e := r.pool.ExecContext(r.ctx, `ROLLBACK TO SAVEPOINT `+point); e != nil {
			return response{}, errors.Join(err, e)
		}
	}
	if !isFailure(err) && !answered(err) {
		return response{}, err // it may have taken effect
	}
	out, e := plain(r.ctx, r.pool, r.text, r.args, r.query)
	if e == nil && !isFailure(err) {
		_ = c.hook.failure(r.ctx, err) // it succeeds without its capture
	}
	return out, e
}

// answered reports whether an error is the database's own answer, so that
// nothing was done. A request to retry the transaction (class 40) is an answer
// to the caller.
func answered(err error) bool {
	var state interface{ SQLState() string }
	return errors.As(err, &state) && !strings.HasPrefix(state.SQLState(), "40")
}

// attempt is audited, with panics as errors and the rows read to the end, for
// a savepoint cannot be released while they are open.
func (c *capture) attempt(r *request) (out response, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = response{}, c.hook.failure(r.ctx, fmt.Errorf("panic: %v", p))
		}
	}()
	attempted := *r
	attempted.buffered = true
	return c.audited(&attempted)
}

// bounded keeps a statement that changes more rows than Plugin.MaxRows from
// being imaged. It reports whether it has handled it.
func (c *capture) bounded(r *request) (done bool, out response, err error) {
	parsed, ok := c.hook.parse(r.text)
	if !ok {
		return false, out, nil
	}
	rows := int64(parsed.tuples)
	if parsed.verb != verbInsert {
		from := parsed.table
		if parsed.alias != "" {
			from += ` AS ` + parsed.alias
		}
		if parsed.from != "" {
			return false, out, nil
		}
		where, args := piece(c.hook.dialect, parsed.where, r.args, count(parsed.set), 1)
		if where != "" {
			where = ` WHERE ` + where
		}
		text, _, err := queryText(r.ctx, r.pool, fmt.Sprintf(
			`SELECT CAST(count(*) AS text) FROM (SELECT 1 FROM %s%s LIMIT %d) AS audit__bounded`, from, where, c.hook.plugin.MaxRows+1), args...)
		if err != nil {
			return true, out, c.hook.classify(r.ctx, err)
		}
		if _, err := fmt.Sscan(text, &rows); err != nil {
			return true, out, c.hook.failure(r.ctx, err)
		}
	}
	if rows <= int64(c.hook.plugin.MaxRows) {
		return false, out, nil
	}
	r.settle(false, false) // a summary is not of a single entity
	r.mode = summaryMode(r.mode, r.trace != nil)
	if c.hook.plugin.RefuseAbove {
		return true, out, fmt.Errorf("%w: more than %d of %s", ErrTooManyRows, c.hook.plugin.MaxRows, r.subject.model)
	}
	run := func(pool gorm.ConnPool) error {
		r.pool = pool
		out, _, err = c.opaque(r)
		return err
	}
	if transaction(r.pool) != nil {
		return true, out, run(r.pool)
	}
	err = inTransaction(r.ctx, r.pool, run)
	return true, out, err
}

// summaryMode is which id a summary may take: that of a trace that it makes
// itself, not that of an action whose entity it does not know.
func summaryMode(m ownMode, traced bool) ownMode {
	if traced {
		return ownNone
	}
	return m
}
