package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// MaxLines is how many lines [Store.Lines] returns at most.
const MaxLines = 10_000

// Line is a log line that was written while a trace was going on.
type Line struct {
	ID, TraceID uuid.UUID
	CreatedAt   time.Time // UTC
	Level       string
	Logger      string
	Message     string
	Fields      json.RawMessage // a JSON object, or nil
	Caller      string
	Seq         int64      // the order of the lines of one trace
	ExpireAt    *time.Time // UTC; nil where the line does not expire
}

// Lines returns the lines of a trace in the order in which they were logged:
// the first limit of them, 1 to [MaxLines]; another limit is an error that
// wraps [ErrQuery].
func (s *Store) Lines(ctx context.Context, traceID uuid.UUID, limit int) ([]Line, error) {
	if limit < 1 || limit > MaxLines {
		return nil, fmt.Errorf("%w: limit is %d, 1 to %d expected", ErrQuery, limit, MaxLines)
	}
	lines, err := list(s.read(ctx), scanLine,
		`SELECT id, trace_id, created_at, level, logger, message, fields, caller, seq, expire_at
FROM execution_logs WHERE trace_id = ? ORDER BY seq, id LIMIT ?`, traceID.String(), limit)
	return lines, explain("reading lines", err)
}

func scanLine(rows *sql.Rows) (Line, error) {
	var l Line
	var logger, fields, caller sql.NullString
	var created, expire instant
	err := rows.Scan(&l.ID, &l.TraceID, &created, &l.Level, &logger, &l.Message, &fields, &caller, &l.Seq, &expire)
	if err != nil {
		return l, err
	}
	l.CreatedAt, l.Logger, l.Fields, l.Caller = created.Time, logger.String, raw(fields), caller.String
	if !expire.IsZero() {
		l.ExpireAt = &expire.Time
	}
	return l, nil
}
