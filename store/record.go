package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// Record implements [trail.Recorder]: it stores entries, all or none, outside
// any transaction of the caller, and skips an entry whose ID is stored already.
// A single entry takes one round trip.
//
// An entry needs an ID, a TraceID, a kind of actor, an event and an outcome; a
// zero CreatedAt means the instant in the ID. Times must be in the years 1 to
// 9999, in UTC, and are truncated to microseconds. Text must be valid UTF-8
// without NUL, images and context JSON objects of such text, without half a
// surrogate pair. PostgreSQL moreover needs numbers with at most 131,072 digits
// before the decimal point and 16,383 after it, and the user's id, the event, and
// the model with the entity's id must fit into an index entry: up to 2600 bytes
// do. Otherwise nothing is written and the error wraps [ErrInvalid] and names the
// entry's field.
func (s *Store) Record(ctx context.Context, entries ...trail.Entry) error {
	for i := range entries {
		if err := check(&entries[i]); err != nil {
			return fmt.Errorf("%w entry %s: %w", ErrInvalid, entries[i].ID, err)
		}
	}
	if len(entries) == 0 {
		return nil
	}
	db, dialect := s.write(ctx), s.db.Name()
	if batch(dialect, len(entries)) == len(entries) {
		return explainRecord(record(db, dialect, entries))
	}
	return explainRecord(db.Transaction(func(tx *gorm.DB) error {
		for len(entries) > 0 {
			n := batch(dialect, len(entries))
			if err := record(tx, dialect, entries[:n]); err != nil {
				return err
			}
			entries = entries[n:]
		}
		return nil
	}))
}

func record(db *gorm.DB, dialect string, entries []trail.Entry) error {
	err := db.Exec(statement(dialect, len(entries), true), arguments(dialect, entries)...).Error
	if refusesValue(err) {
		return refusal(entries, err)
	}
	return err
}

func explainRecord(err error) error {
	if errors.Is(err, ErrInvalid) {
		return err
	}
	return explain("recording entries", err)
}

// Finish implements [trail.Recorder]: it stores the outcome of an action,
// outside any transaction of the caller, unless there is one already.
//
// An outcome needs a TraceID, a FinishedAt in the years 1 to 9999, a result other
// than [trail.Pending] and a status of at most 32 bits; otherwise the error wraps
// [ErrInvalid]. Its duration is stored in whole milliseconds.
func (s *Store) Finish(ctx context.Context, o trail.Outcome) error {
	if err := checkOutcome(o); err != nil {
		return fmt.Errorf("%w outcome of %s: %w", ErrInvalid, o.TraceID, err)
	}
	var status any
	if o.Status != 0 {
		status = o.Status
	}
	err := s.write(ctx).Exec(
		`INSERT INTO audit_outcomes (trace_id, finished_at, outcome, status, error, duration_ms)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (trace_id) DO NOTHING`,
		o.TraceID.String(), stamp(o.FinishedAt), string(o.Result), status, null(o.Error),
		o.Duration.Round(time.Millisecond).Milliseconds()).Error
	if refusesValue(err) {
		return fmt.Errorf("%w outcome of %s: %w", ErrInvalid, o.TraceID, err)
	}
	return explain("recording an outcome", err)
}

// ReportLate implements [trail.LateReporter]: the end of an action could not be
// recorded, and the logger of the store's database is told.
func (s *Store) ReportLate(err error) {
	s.db.Logger.Error(context.Background(), "the audit trail is incomplete: %v", err)
}

var _ trail.LateReporter = (*Store)(nil)
