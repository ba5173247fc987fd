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

// report counts and tells a change that could not be recorded.
func (h *hook) report(ctx context.Context, err error) {
	failures.Add(1)
	h.tell(ctx, err)
}

func (h *hook) tell(ctx context.Context, err error) {
	if h.plugin.OnError != nil {
		defer func() { _ = recover() }() // it was called, and that is all it is for
		h.plugin.OnError(ctx, err)
	}
}

// passed returns an error of the caller's own statement, unchanged.
func (h *hook) passed(err error) error {
	if outdated(err) {
		h.tables.forget()
	}
	return err
}

// classify distinguishes, in a statement of ours and the caller's together, an
// error of the caller's change from one of the entries that were written with
// it. A data exception (class 22) quotes a value, and names no table.
func (h *hook) classify(ctx context.Context, err error) error {
	text := h.passed(err).Error()
	if !ourTables.MatchString(text) || strings.HasPrefix(sqlState(err), "22") {
		return err
	}
	if strings.Contains(text, "does not exist") || strings.Contains(text, "no such") {
		err = fmt.Errorf("%w: %w", store.ErrNotMigrated, err)
	}
	return h.failure(ctx, err)
}

// ourTables finds the trail's tables, their partitions and what belongs to
// them in the text of an error.
var ourTables = regexp.MustCompile(`\b(audit_logs|audit_outcomes)(_(y[0-9]{4}m[0-9]{2}|default))?(_(seq|pkey|model|entity|user|event|trace|outcome)\w*)?\b`)

// outdated reports whether an error suggests that somebody else changed the
// schema: class 42 of SQLSTATE, or SQLite's messages.
func outdated(err error) bool {
	if state := sqlState(err); state != "" {
		return strings.HasPrefix(state, "42")
	}
	return strings.Contains(err.Error(), "no such column") || strings.Contains(err.Error(), "has no column named")
}

// bestEffort runs the statement with its capture, and without where the
// capture fails: from a savepoint, so that a failure leaves the caller's
// transaction as it was.
func (c *capture) bestEffort(r *request) (out response, err error) {
	attempt := func() error {
		out, err = c.attempt(r)
		return err
	}
	intact := true
	if transaction(r.pool) != nil {
		intact, err = savepoint(r.ctx, r.pool, attempt)
	} else {
		err = attempt()
	}
	if err == nil || refusal(err) {
		return out, err
	}
	if !intact || !isFailure(err) && !answered(err) {
		return response{}, err // it may have been done
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
	state := sqlState(err)
	return state != "" && !strings.HasPrefix(state, "40")
}

// sqlState returns the code of an error of PostgreSQL's, else nothing.
func sqlState(err error) string {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) {
		return ""
	}
	return state.SQLState()
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
		w := &writer{request: r, parsed: parsed, hook: c.hook}
		list := `1`
		if parsed.from != "" && r.table.plain { // a row may be joined to several
			list = `DISTINCT ` + w.idExpr(parsed.qualifier())
		}
		found, args := w.selection(list)
		text, _, err := queryText(r.ctx, r.pool, fmt.Sprintf(
			`SELECT CAST(count(*) AS text) FROM (%s LIMIT %d) AS audit__bounded`, found, c.hook.plugin.MaxRows+1), args...)
		if err != nil {
			return true, out, c.hook.passed(err)
		}
		if _, err := fmt.Sscan(text, &rows); err != nil {
			return true, out, c.hook.failure(r.ctx, err)
		}
	}
	if rows <= int64(c.hook.plugin.MaxRows) {
		return false, out, nil
	}
	if transaction(r.pool) != nil {
		out, _, err = c.whole(r, c.beyond)
		return true, out, err
	}
	err = inTransaction(r.ctx, r.pool, func(tx gorm.ConnPool) error {
		r.pool = tx
		out, _, err = c.beyond(r)
		return err
	})
	return true, out, err
}

// beyond runs a statement that changes too many rows to be imaged, or refuses it.
func (c *capture) beyond(r *request) (out response, owned bool, err error) {
	r.settle(false, false) // a summary is not of a single entity
	r.mode = summaryMode(r.mode, r.trace != nil)
	if c.hook.plugin.RefuseAbove {
		return out, false, fmt.Errorf("%w: more than %d of %s", ErrTooManyRows, c.hook.plugin.MaxRows, r.subject.model)
	}
	return c.opaque(r)
}

// summaryMode is which id a summary may take: that of a trace that it makes
// itself, not that of an action whose entity it does not know.
func summaryMode(m ownMode, traced bool) ownMode {
	if traced {
		return ownNone
	}
	return m
}
