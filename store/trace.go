package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// MaxTrace is the maximum number of entries in a [Trace]; [Store.TracePart] and
// [Store.Entries] have the rest.
const MaxTrace = 1000

// Trace is an action and everything it changed, or a part of that.
type Trace struct {
	ID uuid.UUID
	// Action is the action's own entry. It is nil while the action is in
	// progress and not recorded yet.
	Action *Entry
	// Outcome is what was written when the action ended, or nil.
	Outcome *trail.Outcome
	// Entries are the entries of the trace, the action's own among them, in
	// the order in which they took effect.
	Entries []Entry
	// More reports that the trace has further entries after these or, if
	// TraceQuery.Before was set, before them.
	More bool
}

// TraceQuery describes a part of the entries of a trace. The zero value asks for
// the first [MaxTrace].
type TraceQuery struct {
	// After asks for the entries that follow the one with this Seq, Before for
	// the last ones ahead of it. At most one of them may be set.
	After, Before int64
	Limit         int // default and maximum: MaxTrace
}

func (q *TraceQuery) check() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxTrace:
		return fmt.Errorf("%w: the Limit is %d, must be 1 to %d", ErrQuery, q.Limit, MaxTrace)
	case q.After < 0 || q.Before < 0:
		return fmt.Errorf("%w: After or Before is negative", ErrQuery)
	case q.After > 0 && q.Before > 0:
		return fmt.Errorf("%w: both After and Before are set", ErrQuery)
	}
	return nil
}

// Trace returns the trace with this id and its first [MaxTrace] entries, or
// [ErrNotFound] if neither an entry nor an outcome has it.
func (s *Store) Trace(ctx context.Context, id uuid.UUID) (Trace, error) {
	return s.TracePart(ctx, id, TraceQuery{})
}

// TracePart is [Store.Trace] with the entries that q asks for, which are all that
// is read: a part of a large trace costs no more than a small one. It returns
// [ErrNotFound] if there is none of these entries, nor the action's own, nor an
// outcome. The error wraps [ErrQuery] if q is not valid.
func (s *Store) TracePart(ctx context.Context, id uuid.UUID, q TraceQuery) (Trace, error) {
	if q.Limit == 0 {
		q.Limit = MaxTrace
	}
	if err := q.check(); err != nil {
		return Trace{}, err
	}
	t, key := Trace{ID: id}, id.String()
	place, than, direction := q.After, ` > ?`, ` ASC`
	if q.Before > 0 {
		place, than, direction = q.Before, ` < ?`, ` DESC`
	}
	order := ` ORDER BY l.seq` + direction
	// The others are limited by themselves, so that they are read in the order of
	// their index and not sorted. All have the same outcome.
	var err error
	t.Entries, err = list(s.read(ctx), scanEntry, selectEntries+`(
  SELECT * FROM audit_logs WHERE id = ? AND trace_id = ? AND seq`+than+`
  UNION ALL
  SELECT * FROM (
    SELECT l.* FROM audit_logs l WHERE l.trace_id = ? AND l.trace_id <> l.id AND l.seq`+than+order+` LIMIT ?
  ) others
) l LEFT JOIN (SELECT * FROM audit_outcomes WHERE trace_id = ? LIMIT 1) o ON true`+order+` LIMIT ?`,
		key, key, place, key, place, q.Limit+1, key, q.Limit+1)
	if err != nil {
		return Trace{}, explain("reading a trace", err)
	}
	if len(t.Entries) > q.Limit {
		t.Entries, t.More = t.Entries[:q.Limit], true
	}
	if q.Before > 0 {
		slices.Reverse(t.Entries)
	}
	for i := range t.Entries {
		t.Outcome = t.Entries[i].Finished
		if t.Entries[i].ID == id {
			t.Action = &t.Entries[i]
		}
	}
	if t.Action == nil && (t.More || place > 0) {
		if err := s.action(ctx, &t); err != nil {
			return Trace{}, err
		}
	}
	if len(t.Entries) == 0 && t.Action == nil {
		return t, s.outcome(ctx, &t)
	}
	return t, nil
}

// action reads the own entry of a trace, which is not among the entries of a
// part.
func (s *Store) action(ctx context.Context, t *Trace) error {
	own, err := s.Entry(ctx, t.ID)
	if errors.Is(err, ErrNotFound) || err == nil && own.TraceID != t.ID {
		return nil
	}
	if err == nil {
		t.Action, t.Outcome = &own, own.Finished
	}
	return err
}

// outcome reads the outcome of a trace that has no entry.
func (s *Store) outcome(ctx context.Context, t *Trace) error {
	found, err := list(s.read(ctx), func(rows *sql.Rows) (*trail.Outcome, error) {
		var o outcome
		err := rows.Scan(&o.finished, &o.result, &o.status, &o.text, &o.milliseconds)
		return o.of(t.ID), err
	}, `SELECT finished_at, outcome, status, error, duration_ms FROM audit_outcomes WHERE trace_id = ?`, t.ID.String())
	if err != nil {
		return explain("reading an outcome", err)
	}
	if len(found) == 0 {
		return ErrNotFound
	}
	t.Outcome = found[0]
	return nil
}
