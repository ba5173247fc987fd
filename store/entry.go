package store

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// Entry is an entry as read from the store, with how its action ended.
type Entry struct {
	trail.Entry
	// Result is how the action of the entry ended: what Finished says if it is
	// set, else what the entry says.
	Result trail.Result
	// Finished is the outcome that was written when the action ended, or nil.
	Finished *trail.Outcome
}

// selectEntries goes before a table or query l of entries, joinOutcomes after
// it. selectBrief is the same without images and context.
const (
	selectEntries = selectBegin + `l."before", l."after", l.outcome, l.context` + selectEnd
	selectBrief   = selectBegin + `NULL, NULL, l.outcome, NULL` + selectEnd
)

const selectBegin = `SELECT l.id, l.trace_id, l.created_at, l.seq, l.tenant_id, l.user_id, l.user_name, l.user_kind,
  l.on_behalf_of, l.event, l.operation, l.model, l.entity_id, l.entity_name, `

const selectEnd = `,
  o.finished_at, o.outcome, o.status, o.error, o.duration_ms
FROM `

// joinOutcomes looks up an outcome for each entry. With a plain join PostgreSQL
// would hash a whole table.
func joinOutcomes(dialect string) string {
	if dialect == postgres {
		return ` LEFT JOIN LATERAL (SELECT * FROM audit_outcomes WHERE trace_id = l.trace_id LIMIT 1) o ON true`
	}
	return ` LEFT JOIN audit_outcomes o ON o.trace_id = l.trace_id`
}

func scanEntry(rows *sql.Rows) (Entry, error) {
	var e Entry
	var tenant, onBehalfOf, operation, name, before, after, details sql.NullString
	var created instant
	var o outcome
	err := rows.Scan(&e.ID, &e.TraceID, &created, &e.Seq, &tenant, &e.Actor.ID, &e.Actor.Name, &e.Actor.Kind,
		&onBehalfOf, &e.Event, &operation, &e.Model, &e.EntityID, &name, &before, &after, &e.Entry.Outcome, &details,
		&o.finished, &o.result, &o.status, &o.text, &o.milliseconds)
	if err != nil {
		return e, err
	}
	e.CreatedAt = created.orOf(e.ID)
	e.Tenant, e.Actor.OnBehalfOf, e.Operation = tenant.String, onBehalfOf.String, trail.Operation(operation.String)
	e.EntityName = name.String
	e.Before, e.After, e.Context = raw(before), raw(after), raw(details)
	e.Finished = o.of(e.TraceID)
	e.Result = e.Entry.Outcome
	if e.Finished != nil {
		e.Result = e.Finished.Result
	}
	return e, nil
}

// outcome is a row of audit_outcomes that may be missing.
type outcome struct {
	finished     instant
	result, text sql.NullString
	status       sql.NullInt64
	milliseconds sql.NullInt64
}

func (o outcome) of(trace uuid.UUID) *trail.Outcome {
	if !o.result.Valid {
		return nil
	}
	return &trail.Outcome{
		TraceID: trace, FinishedAt: o.finished.Time, Result: trail.Result(o.result.String),
		Status: int(o.status.Int64), Error: o.text.String,
		Duration: time.Duration(o.milliseconds.Int64) * time.Millisecond,
	}
}

// instant is a time in UTC, also from a driver that returns text for it; the
// zero time for null and for what cannot be a time of the trail, so that a row
// that somebody else wrote does not make its whole page unreadable.
type instant struct{ time.Time }

var _ sql.Scanner = (*instant)(nil)

// Scan implements [sql.Scanner].
func (i *instant) Scan(value any) error {
	i.Time = time.Time{}
	switch v := value.(type) {
	case nil:
	case time.Time:
		i.Time = v
	case string:
		i.Time, _ = time.Parse(time.RFC3339Nano, v)
	case []byte:
		i.Time, _ = time.Parse(time.RFC3339Nano, string(v))
	default:
		return fmt.Errorf("expected a time, got %T", value)
	}
	if i.Time = i.UTC(); !inRange(i.Time) {
		i.Time = time.Time{}
	}
	return nil
}

// orOf returns the instant, or that in the id of its row if there is none.
func (i instant) orOf(id uuid.UUID) time.Time {
	if t := trail.Time(id); i.IsZero() && inRange(t) {
		return t
	}
	return i.Time
}

// raw returns JSON as it was stored.
func raw(s sql.NullString) json.RawMessage {
	if !s.Valid {
		return nil
	}
	return json.RawMessage(s.String)
}

// list runs a query and returns what scan makes of its rows.
func list[T any](db *gorm.DB, scan func(*sql.Rows) (T, error), text string, args ...any) (_ []T, err error) {
	rows, err := db.Raw(text, args...).Rows()
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	var found []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, v)
	}
	return found, rows.Err()
}
