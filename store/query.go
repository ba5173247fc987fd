package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// Limits of a page, in entries.
const (
	DefaultLimit = 50
	MaxLimit     = 500
)

// Query describes the wanted page; empty fields do not filter. The zero value
// asks for the newest entries of all.
type Query struct {
	TraceID                         uuid.UUID
	Events                          []trail.Event // any of these
	Model, EntityID, UserID, Tenant string
	// Outcome is how the action of the entry ended, as known by now; see
	// [Entry.Result].
	Outcome trail.Result
	// From (inclusive) and To (exclusive) bound the time in the entry's id.
	From, To time.Time

	Sort      Sort // default: SortTime
	Ascending bool // default: descending, the newest first
	Limit     int  // default: DefaultLimit; at most MaxLimit
	// Cursor is the Next or Previous of a page of the same query; only Limit may
	// differ. Empty: the first page.
	Cursor string
}

// Page is a part of what a query asks for, in its order.
type Page struct {
	Entries []Entry
	// Next and Previous are the cursors of the pages after and before this one,
	// empty if there is none.
	Next, Previous string
}

// Entries returns the page that q asks for. It costs the same however far back
// the page is. A filter that no index serves (a rare outcome, a tenant) costs as
// much as the entries that are skipped, so bound the time. The error wraps
// [ErrQuery] if q is not valid.
func (s *Store) Entries(ctx context.Context, q Query) (Page, error) {
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if q.Sort == "" {
		q.Sort = SortTime
	}
	if err := q.check(); err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	at, err := q.position()
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	text, args := q.sql(s.reader.Name(), at)
	found, err := list(s.read(ctx), scanEntry, text, args...)
	if err != nil {
		return Page{}, explain("reading entries", err)
	}
	return q.page(at, found), nil
}

// Entry returns the entry with this id, or [ErrNotFound].
func (s *Store) Entry(ctx context.Context, id uuid.UUID) (Entry, error) {
	found, err := list(s.read(ctx), scanEntry, selectEntries+`audit_logs l`+joinOutcomes(s.reader.Name())+` WHERE l.id = ?`, id.String())
	if err != nil {
		return Entry{}, explain("reading an entry", err)
	}
	if len(found) == 0 {
		return Entry{}, ErrNotFound
	}
	return found[0], nil
}

// check refuses an invalid query, by the field's name.
func (q *Query) check() error {
	if q.Limit < 1 || q.Limit > MaxLimit {
		return fmt.Errorf("the Limit is %d, must be 1 to %d", q.Limit, MaxLimit)
	}
	if _, ok := sorts[q.Sort]; !ok {
		return fmt.Errorf("the Sort %q is unknown", q.Sort)
	}
	if q.Outcome != "" {
		if err := checkResult(q.Outcome); err != nil {
			return err
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return errors.New("the time To is before From")
	}
	texts := []string{q.Model, q.EntityID, q.UserID, q.Tenant}
	for _, e := range q.Events {
		texts = append(texts, string(e))
	}
	return checkText("query", strings.Join(texts, ""))
}

// sql returns the statement for the page at a position, with one entry more
// than the page has, and in reverse order if the position asks for the page
// before it.
func (q *Query) sql(dialect string, at position) (string, []any) {
	from, where, args := q.filter(dialect)
	columns, direction, than := sorts[q.Sort], ` DESC`, ` < ?`
	if q.Ascending != at.Back {
		direction, than = ` ASC`, ` > ?`
	}
	order := ` ORDER BY l.` + strings.Join(columns, direction+`, l.`) + direction

	// After (a, b) means: a equal and b after, or a after. Each is a separate
	// part, as PostgreSQL estimates the size of a part well and then reads an
	// index in order; comparing rows it may read and sort the whole table.
	var parts []string
	var all []any
	for i := range max(1, len(at.Keys)) {
		conditions, values := slices.Clone(where), slices.Clone(args)
		if at.Keys != nil {
			last := len(columns) - 1 - i
			for c := range last {
				conditions, values = append(conditions, `l.`+columns[c]+` = ?`), append(values, at.Keys[c])
			}
			conditions, values = append(conditions, `l.`+columns[last]+than), append(values, at.Keys[last])
		}
		part := `SELECT l.* FROM ` + from
		if len(conditions) > 0 {
			part += ` WHERE ` + strings.Join(conditions, ` AND `)
		}
		parts = append(parts, part+order+` LIMIT ?`)
		all = append(append(all, values...), q.Limit+1)
	}
	page := parts[0]
	if len(parts) > 1 {
		page = `SELECT l.* FROM (SELECT * FROM (` + strings.Join(parts, `) a UNION ALL SELECT * FROM (`) + `) a) l` + order + ` LIMIT ?`
		all = append(all, q.Limit+1)
	}
	// The page is limited before the outcomes are looked up.
	return selectEntries + `(` + page + `) l` + joinOutcomes(dialect) + order, all
}

// filter returns the source of the entries and the conditions on them.
func (q *Query) filter(dialect string) (from string, where []string, args []any) {
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	from = `audit_logs l`
	if q.TraceID != uuid.Nil {
		id := q.TraceID.String() // spelled so that the partial index applies
		and(`(l.id = ? AND l.trace_id = ? OR l.trace_id = ? AND l.trace_id <> l.id)`, id, id, id)
	}
	if len(q.Events) > 0 {
		and(`l.event IN (?` + strings.Repeat(`, ?`, len(q.Events)-1) + `)`)
		for _, e := range q.Events {
			args = append(args, string(e))
		}
	}
	for _, f := range []struct{ column, value string }{
		{`l.model`, q.Model}, {`l.entity_id`, q.EntityID}, {`l.user_id`, q.UserID}, {`l.tenant_id`, q.Tenant},
	} {
		if f.value != "" {
			and(f.column+` = ?`, f.value)
		}
	}
	if !q.From.IsZero() {
		and(`l.id >= ?`, firstID(q.From).String())
	}
	if !q.To.IsZero() {
		and(`l.id < ?`, firstID(q.To).String())
	}
	if q.Outcome != "" {
		from += joinOutcomes(dialect)
		and(`coalesce(o.outcome, l.outcome) = ?`, string(q.Outcome))
	}
	return from, where, args
}

// page makes a page of what sql found.
func (q *Query) page(at position, found []Entry) Page {
	more := len(found) > q.Limit
	if more {
		found = found[:q.Limit]
	}
	if at.Back {
		slices.Reverse(found)
	}
	p := Page{Entries: found}
	if len(found) == 0 {
		return p
	}
	if more || at.Back {
		p.Next = q.cursor(found[len(found)-1], false)
	}
	if at.Back && more || !at.Back && at.Keys != nil {
		p.Previous = q.cursor(found[0], true)
	}
	return p
}

// firstID returns the lowest id of version 7 that an entry made at t or later
// can have.
func firstID(t time.Time) uuid.UUID {
	if t.Nanosecond()%1000 != 0 { // ids have microseconds: take the next one
		t = t.Add(time.Microsecond)
	}
	id := trail.NewID(t)
	clear(id[8:])
	return id
}
