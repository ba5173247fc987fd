package trail

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Line is an execution log line: one that was logged during a trace.
type Line struct {
	ID, TraceID uuid.UUID // ID is of version 7, made of CreatedAt
	CreatedAt   time.Time // UTC, microseconds
	Level       string    // in lower case, as zap and log/slog name it
	Logger      string    // the logger's name, or empty
	Message     string
	Fields      json.RawMessage // a JSON object, or nil
	Caller      string          // file:line, or empty
	// Seq is the position of the line among those of its trace. Within one
	// process it grows in logging order; between several it follows the clock.
	Seq int64
	// ExpireAt is when the line may be deleted, UTC; nil leaves that to the
	// rules of whoever stores it.
	ExpireAt *time.Time
}

// ErrLine is wrapped by the error of a [LineWriter] for a batch with a line
// that can never be stored as it is. Retrying the batch is useless; its other
// lines may be fine.
var ErrLine = errors.New("trail: a line cannot be stored")

// LineWriter stores lines. Package store has the one for databases.
// Implementations must be safe for concurrent use.
type LineWriter interface {
	// WriteLines stores lines, all or none; a line whose ID is stored already
	// is skipped, so that a batch whose answer was lost can be written again.
	// It neither changes lines nor retains them.
	WriteLines(ctx context.Context, lines []Line) error
}
