package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
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
	// Outcome finds the actions that ended so, as known by now: their own entries,
	// not those of the rows they changed. With a TraceID it finds all entries of
	// the trace, if its action ended so. See [Entry.Result].
	Outcome trail.Result
	// From (inclusive) and To (exclusive) bound the time in the entry's id.
	From, To time.Time

	Sort      Sort // default: SortTime
	Ascending bool // default: descending, the newest first
	Limit     int  // default: DefaultLimit; at most MaxLimit
	// Cursor is the Next or Previous of a page of the same query; only Limit and
	// Brief may differ. Empty: the first page.
	Cursor string
	// Brief leaves out Before, After and Context, which may be large.
	Brief bool
}

// Page is a part of what a query asks for, in its order.
type Page struct {
	Entries []Entry
	// Next and Previous are the cursors of the pages after and before this one,
	// empty if there is none.
	Next, Previous string
}

// Entries returns the page that q asks for. It costs the same however far back
// the page is, except where a filter has no index, or one in another order:
//
//   - A Tenant has none, nor has a Model with another sort than by model: that
//     costs as much as the entries that are passed over, so bound the time.
//   - All that a TraceID finds is read and sorted, and so is what an EntityID
//     without a Model finds. [Store.TracePart] reads a part of a large trace.
//   - An entity, a UserID, an event or an Outcome with another sort than that of
//     its index is counted first, up to 5000 entries. If there are no more, all
//     are read and sorted, else the others are passed over. On SQLite a UserID and
//     an event have no index at all.
//   - The Outcome [trail.Pending] costs a lookup in memory for each action of the
//     time in question that was recorded ahead and has ended since.
//
// The error wraps [ErrQuery] if q is not valid.
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
	n, err := s.narrow(ctx, &q)
	if err != nil {
		return Page{}, explain("reading entries", err)
	}
	text, args := q.sql(s.reader.Name(), at, n)
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
		if err := checkResult("Outcome", q.Outcome, trail.Success, trail.Failure, trail.Denied, trail.Pending); err != nil {
			return err
		}
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From) {
		return errors.New("the time To is before From")
	}
	for _, e := range q.Events {
		if err := checkText("Events", string(e)); err != nil {
			return err
		}
	}
	return cmp.Or(checkText("Model", q.Model), checkText("EntityID", q.EntityID),
		checkText("UserID", q.UserID), checkText("Tenant", q.Tenant))
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
