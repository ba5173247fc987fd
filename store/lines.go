package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// MaxLines is the maximum number of lines that [Store.Lines] returns.
const MaxLines = 10_000

// Line is a log line written during a trace.
type Line = trail.Line

// Lines returns the first lines of a trace, in the order in which they were
// logged: at most limit of them, 1 to [MaxLines]; any other limit is an error
// that wraps [ErrQuery]. See [Store.Logs] for pages, [Store.Follow] for lines to
// come.
func (s *Store) Lines(ctx context.Context, traceID uuid.UUID, limit int) ([]Line, error) {
	if limit < 1 || limit > MaxLines {
		return nil, fmt.Errorf("%w: limit is %d, must be 1 to %d", ErrQuery, limit, MaxLines)
	}
	lines, err := list(s.read(ctx), scanLine,
		`SELECT `+lineColumns+` FROM execution_logs WHERE trace_id = ? ORDER BY seq, id LIMIT ?`, traceID.String(), limit)
	return lines, explain("reading lines", err)
}
