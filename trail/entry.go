package trail

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
)

// Operation is what the database did to a row; empty if no row changed.
type Operation string

// The operations. A soft delete is an update for the database.
const (
	OpInsert Operation = "insert"
	OpUpdate Operation = "update"
	OpDelete Operation = "delete"
)

// Result is how an action ended, or [Pending] if it has not.
type Result string

// The results of an action.
const (
	Success Result = "success"
	Failure Result = "failure"
	Denied  Result = "denied"
	Pending Result = "pending"
)

// Entry is one row of the trail: one action, or one row of a table that
// changed during it.
type Entry struct {
	ID        uuid.UUID // version 7; the action's own entry has ID == TraceID
	TraceID   uuid.UUID // the action that this entry belongs to
	CreatedAt time.Time // the instant in ID: microseconds, UTC
	Seq       int64     // the order of effect; assigned by the database, zero until then

	Tenant     string
	Actor      Actor
	Event      Event
	Operation  Operation
	Model      string // singular, snake case
	EntityID   string // the key as text; see JoinKey
	EntityName string

	// Before and After are JSON objects by column name, or nil: an insert has
	// After, a delete has Before, an update has the columns that changed in
	// both.
	Before, After json.RawMessage

	Outcome Result
	// Context is a JSON object, or nil: an action's own entry has its [Details],
	// an entry of raw SQL its text and the number of rows.
	Context json.RawMessage
}

// Outcome is how an action ended. It is stored if the action's own entry cannot
// say so: if that was written before the work, or says success and the action
// failed later, and with the error of every action that failed or was denied.
type Outcome struct {
	TraceID    uuid.UUID
	FinishedAt time.Time
	Result     Result
	Status     int    // of the HTTP response; zero if there was none
	Error      string // what went wrong; empty on success
	Duration   time.Duration
}

// JoinKey returns the entity id of a key: its parts as text, joined by commas
// in key order, with backslash and comma escaped by a backslash in keys of
// more than one part. A single part is returned unchanged.
func JoinKey(parts ...string) string {
	if len(parts) == 1 {
		return parts[0]
	}
	var b []byte
	for i, part := range parts {
		if i > 0 {
			b = append(b, ',')
		}
		for j := range len(part) {
			if part[j] == '\\' || part[j] == ',' {
				b = append(b, '\\')
			}
			b = append(b, part[j])
		}
	}
	return string(b)
}
