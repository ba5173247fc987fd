package trail

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Line is an execution log line: one that was logged while a trace was going
// on.
type Line struct {
	ID, TraceID uuid.UUID // ID is of version 7, made of CreatedAt
	CreatedAt   time.Time // UTC, microseconds
	Level       string    // in lower case, as zap and log/slog have it
	Logger      string    // the logger's name, or empty
	Message     string
	Fields      json.RawMessage // a JSON object, or nil
	Caller      string          // file:line, or empty
	// Seq is the place of the line among those of its trace. It grows in the
	// order in which one process logs, and follows the clock between several.
	Seq int64
	// ExpireAt is when the line may be deleted, UTC; nil leaves it to the
	// rules of whoever keeps it.
	ExpireAt *time.Time
}

// ErrLine is wrapped by the error of a [LineWriter] for a batch with a line
// that can never be kept as it is. To write the batch again is of no use; its
// other lines may well be kept.
var ErrLine = errors.New("trail: a line cannot be kept")

// LineWriter keeps lines. Package store has the one for databases.
// Implementations are safe for concurrent use.
type LineWriter interface {
	// WriteLines keeps lines, all or none; a line whose ID is kept already is
	// passed over, so that a batch whose answer was lost can be written again.
	// It neither changes lines nor holds on to them.
	WriteLines(ctx context.Context, lines []Line) error
}
