package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// MaxLines is how many lines [Store.Lines] returns at most.
const MaxLines = 10_000

// Line is a log line that was written while a trace was going on.
type Line = trail.Line

// Lines returns the lines of a trace in the order in which they were logged:
// the first limit of them, 1 to [MaxLines]; another limit is an error that
// wraps [ErrQuery]. [Store.Logs] has pages, [Store.Follow] what comes next.
func (s *Store) Lines(ctx context.Context, traceID uuid.UUID, limit int) ([]Line, error) {
	if limit < 1 || limit > MaxLines {
		return nil, fmt.Errorf("%w: limit is %d, 1 to %d expected", ErrQuery, limit, MaxLines)
	}
	lines, err := list(s.read(ctx), scanLine,
		`SELECT `+lineColumns+` FROM execution_logs WHERE trace_id = ? ORDER BY seq, id LIMIT ?`, traceID.String(), limit)
	return lines, explain("reading lines", err)
}
