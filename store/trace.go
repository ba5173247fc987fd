package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// MaxTrace is the maximum number of entries in a [Trace].
const MaxTrace = 1000

// Trace is an action and everything it changed.
type Trace struct {
	ID uuid.UUID
	// Action is the action's own entry. It is nil while the action is in
	// progress and not recorded yet.
	Action *Entry
	// Outcome is what was written when the action ended, or nil.
	Outcome *trail.Outcome
	// Entries are the entries of the trace, the action's own among them, in
	// the order in which they took effect: the first [MaxTrace].
	Entries []Entry
	// More reports that there are more; [Store.Entries] has them all.
	More bool
}

// Trace returns the trace with this id, or [ErrNotFound] if neither an entry
// nor an outcome has it.
func (s *Store) Trace(ctx context.Context, id uuid.UUID) (Trace, error) {
	t, key := Trace{ID: id}, id.String()
	var err error
	t.Entries, err = list(s.read(ctx), scanEntry, selectEntries+`(
  SELECT * FROM audit_logs WHERE id = ? AND trace_id = ?
  UNION ALL
  SELECT * FROM audit_logs WHERE trace_id = ? AND trace_id <> id
) l`+joinOutcomes(s.reader.Name())+` ORDER BY l.seq LIMIT ?`, key, key, key, MaxTrace+1)
	if err != nil {
		return Trace{}, explain("reading a trace", err)
	}
	if len(t.Entries) > MaxTrace {
		t.Entries, t.More = t.Entries[:MaxTrace], true
	}
	for i := range t.Entries {
		t.Outcome = t.Entries[i].Finished
		if t.Entries[i].ID == id {
			t.Action = &t.Entries[i]
		}
	}
	if t.More && t.Action == nil {
		return t, s.action(ctx, &t)
	}
	if len(t.Entries) == 0 {
		return t, s.outcome(ctx, &t)
	}
	return t, nil
}

// action reads the own entry of a trace that has too many others.
func (s *Store) action(ctx context.Context, t *Trace) error {
	own, err := s.Entry(ctx, t.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	t.Action = &own
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
