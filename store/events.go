package store

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"

	"github.com/infrakitchen/audit/trail"
)

// MaxEvents is the maximum number of distinct events that [Store.Events] returns.
const MaxEvents = 1000

// Events returns the distinct events of the entries, sorted. On PostgreSQL it
// takes one index lookup per event. SQLite has no such index: there the first
// call on a store reads all entries, and each later one those added since.
func (s *Store) Events(ctx context.Context) ([]trail.Event, error) {
	find := s.eventsByIndex
	if s.reader.Name() == sqlite {
		find = s.eventsByScan
	}
	events, err := find(ctx)
	if err != nil {
		return nil, explain("reading the events", err)
	}
	slices.Sort(events)
	return events[:min(len(events), MaxEvents)], nil
}

func (s *Store) eventsByIndex(ctx context.Context) ([]trail.Event, error) {
	return list(s.read(ctx), scanEvent, `WITH RECURSIVE found AS (
  (SELECT event FROM audit_logs ORDER BY event LIMIT 1)
  UNION ALL
  SELECT (SELECT l.event FROM audit_logs l WHERE l.event > found.event ORDER BY l.event LIMIT 1)
  FROM found WHERE found.event IS NOT NULL
)
SELECT event FROM found WHERE event IS NOT NULL LIMIT ?`, MaxEvents)
}

// seen is what a store knows about the events on SQLite. Entries are added in
// the order of seq, as there is one writer at a time, and are never changed.
type seen struct {
	mu     sync.Mutex
	events map[trail.Event]bool
	upTo   int64 // seq
}

func (s *Store) eventsByScan(ctx context.Context) ([]trail.Event, error) {
	s.seen.mu.Lock()
	since := s.seen.upTo
	s.seen.mu.Unlock()

	last, err := list(s.read(ctx), func(rows *sql.Rows) (seq int64, err error) {
		return seq, rows.Scan(&seq)
	}, `SELECT coalesce(max(seq), 0) FROM audit_logs`)
	if err != nil {
		return nil, err
	}
	added, err := list(s.read(ctx), scanEvent,
		`SELECT DISTINCT event FROM audit_logs WHERE seq > ? AND seq <= ? LIMIT ?`, since, last[0], MaxEvents)
	if err != nil {
		return nil, err
	}

	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	if s.seen.events == nil {
		s.seen.events = map[trail.Event]bool{}
	}
	for _, e := range added {
		if len(s.seen.events) < MaxEvents {
			s.seen.events[e] = true
		}
	}
	s.seen.upTo = max(s.seen.upTo, last[0])
	return slices.Collect(maps.Keys(s.seen.events)), nil
}

func scanEvent(rows *sql.Rows) (e trail.Event, err error) { return e, rows.Scan(&e) }
