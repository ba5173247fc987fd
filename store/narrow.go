package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// sortable is how many entries are read and sorted for a page, where the index
// of a filter has them in another order. Of more, the page is soon found in its
// own order.
const sortable = 5000

// narrow says what lets through so few entries that all are read and sorted.
type narrow int

const (
	narrowNot narrow = iota
	narrowColumn
	narrowOutcome
)

// narrow counts what the filters of q find by their indexes, up to the number of
// sortable entries, where those have another order than the page.
func (s *Store) narrow(ctx context.Context, q *Query) (narrow, error) {
	entries := part{from: `audit_logs l`, id: `l.id`}
	if q.TraceID != uuid.Nil || q.EntityID != "" && q.Model == "" || q.Sort == SortTime {
		return narrowNot, nil // whatever there is
	}
	byModel := q.Sort == SortModel || q.Sort == SortEntity
	if q.Model != "" && q.EntityID != "" && !byModel {
		if few, err := s.few(ctx, q, SortModel, entries.and(`l.model = ? AND l.entity_id = ?`, q.Model, q.EntityID)); few || err != nil {
			return narrowColumn, err
		}
	}
	// In a range, each index is the only one that has the order.
	if q.UserID != "" && q.Sort != SortUser && s.reader.Name() == postgres {
		if few, err := s.few(ctx, q, SortUser, entries.and(`l.user_id BETWEEN ? AND ?`, q.UserID, q.UserID)); few || err != nil {
			return narrowColumn, err
		}
	}
	if len(q.Events) == 1 && q.Sort != SortEvent && s.reader.Name() == postgres {
		event := string(q.Events[0])
		if few, err := s.few(ctx, q, SortEvent, entries.and(`l.event BETWEEN ? AND ?`, event, event)); few || err != nil {
			return narrowColumn, err
		}
	}
	if q.EntityID == "" && (q.Outcome == trail.Failure || q.Outcome == trail.Denied) {
		written := part{from: `audit_outcomes o`, id: `o.trace_id`}
		if few, err := s.few(ctx, q, SortTime, written.and(unsuccessful(`o.outcome`, q.Outcome)),
			entries.and(unsuccessful(`l.outcome`, q.Outcome))); few || err != nil {
			return narrowOutcome, err
		}
	}
	return narrowNot, nil
}

// few reports whether the entries of parts, in the time that q asks for, can be
// sorted. It counts them in the order of their index.
func (s *Store) few(ctx context.Context, q *Query, order Sort, parts ...part) (bool, error) {
	limit := ` LIMIT ` + strconv.Itoa(sortable+1) // in the text, as plans depend on it
	var texts []string
	var args []any
	for _, p := range parts {
		p = q.bound(p)
		texts = append(texts, `SELECT * FROM (SELECT 1 FROM `+p.from+p.conditions()+` ORDER BY `+strings.Join(p.columns(order), `, `)+limit+`) a`)
		args = append(args, p.args...)
	}
	found, err := list(s.read(ctx), func(rows *sql.Rows) (n int, err error) { return n, rows.Scan(&n) },
		`SELECT count(*) FROM (`+strings.Join(texts, ` UNION ALL `)+`) found`, args...)
	return err == nil && found[0] <= sortable, err
}
