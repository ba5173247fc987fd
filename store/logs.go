package store

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// LogQuery describes the wanted page of lines; empty fields do not filter. The
// zero value asks for the newest lines of all.
type LogQuery struct {
	// TraceID asks for the lines of one trace, in the order of their Seq;
	// other lines are in the order of their ids, which is that of time.
	TraceID uuid.UUID
	// Model and EntityID ask for the lines of all traces that have an entry of
	// an entity. They must be set together.
	Model, EntityID string
	Levels          []string // any of these, in lower case
	// Text is contained in the message, whatever the case of ASCII letters. The
	// case of other letters matters on SQLite.
	Text string
	// From (inclusive) and To (exclusive) bound the time in the line's id.
	From, To time.Time

	Ascending bool // default: the newest first
	Limit     int  // default: DefaultLimit; at most MaxLimit
	// Cursor is the Next or Previous of a page of the same query; only Limit may
	// differ. Empty: the first page.
	Cursor string
}

// LogPage is a part of what a [LogQuery] asks for, in its order.
type LogPage struct {
	Lines []Line
	// Next and Previous are the cursors of the pages after and before this one,
	// empty if there is none.
	Next, Previous string
}

// Logs returns the page that q asks for. The lines of a trace, and of a time,
// cost the same however far back the page is. Those of an entity cost as much as
// its traces have logged in total, and a rare level or text as much as the lines
// that are skipped, so bound the time. The error wraps [ErrQuery] if q is not
// valid.
func (s *Store) Logs(ctx context.Context, q LogQuery) (LogPage, error) {
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	if err := q.check(); err != nil {
		return LogPage{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	at, err := q.position()
	if err != nil {
		return LogPage{}, fmt.Errorf("%w: %w", ErrQuery, err)
	}
	text, args := q.sql(s.reader.Name(), at)
	found, err := list(s.read(ctx), scanLine, text, args...)
	if err != nil {
		return LogPage{}, explain("reading lines", err)
	}
	return q.page(at, found), nil
}

func (q *LogQuery) check() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxLimit:
		return fmt.Errorf("the Limit is %d, must be 1 to %d", q.Limit, MaxLimit)
	case (q.Model == "") != (q.EntityID == ""):
		return errors.New("a Model and an EntityID must be set together")
	case !q.From.IsZero() && !q.To.IsZero() && q.To.Before(q.From):
		return errors.New("the time To is before From")
	}
	for _, l := range q.Levels {
		if err := checkText("Levels", l); err != nil {
			return err
		}
	}
	return cmp.Or(checkText("Model", q.Model), checkText("EntityID", q.EntityID), checkText("Text", q.Text))
}

// linePosition is where a page begins: after or before the line at this
// position. It is the content of a cursor.
type linePosition struct {
	Trace     bool      `json:"t,omitempty"` // of one trace
	Ascending bool      `json:"a,omitempty"`
	Back      bool      `json:"b,omitempty"`
	Seq       int64     `json:"s,omitempty"`
	ID        uuid.UUID `json:"i"`
}

func (q *LogQuery) cursor(l Line, back bool) string {
	p := linePosition{Trace: q.TraceID != uuid.Nil, Ascending: q.Ascending, Back: back, ID: l.ID}
	if p.Trace {
		p.Seq = l.Seq
	}
	b, err := json.Marshal(p)
	if err != nil { // text, numbers and booleans: cannot happen
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// position returns where the page of q begins, nil for the first.
func (q *LogQuery) position() (*linePosition, error) {
	if q.Cursor == "" {
		return nil, nil //nolint:nilnil // the first page has no position
	}
	var p linePosition
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil || json.Unmarshal(b, &p) != nil || p.ID == uuid.Nil {
		return nil, errors.New("the Cursor is malformed")
	}
	if p.Trace != (q.TraceID != uuid.Nil) || p.Ascending != q.Ascending {
		return nil, errors.New("the Cursor is of another query")
	}
	return &p, nil
}

// sql returns the statement for the page at a position, with one line more than
// the page has, and in reverse order if the position asks for the page before
// it.
func (q *LogQuery) sql(dialect string, at *linePosition) (string, []any) {
	where, args := q.filter(dialect)
	ascending := q.Ascending != (at != nil && at.Back)
	direction, than := ` DESC`, `<`
	if ascending {
		direction, than = ` ASC`, `>`
	}
	order := ` ORDER BY l.id` + direction
	if q.TraceID != uuid.Nil {
		order = ` ORDER BY l.seq` + direction + `, l.id` + direction
	}
	switch {
	case at == nil:
	case q.TraceID != uuid.Nil: // the first condition is the one that uses the index
		where = append(where, `l.seq `+than+`= ?`, `(l.seq `+than+` ? OR l.id `+than+` ?)`)
		args = append(args, at.Seq, at.Seq, at.ID.String())
	default:
		where, args = append(where, `l.id `+than+` ?`), append(args, at.ID.String())
	}
	text := `SELECT ` + lineColumns + ` FROM execution_logs l`
	if len(where) > 0 {
		text += ` WHERE ` + strings.Join(where, ` AND `)
	}
	return text + order + ` LIMIT ?`, append(args, q.Limit+1)
}

// filter returns the conditions on the lines.
func (q *LogQuery) filter(dialect string) (where []string, args []any) {
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if q.TraceID != uuid.Nil {
		and(`l.trace_id = ?`, q.TraceID.String())
	}
	if q.Model != "" {
		and(`l.trace_id IN (SELECT trace_id FROM audit_logs WHERE model = ? AND entity_id = ?)`, q.Model, q.EntityID)
	}
	if len(q.Levels) > 0 {
		and(`l.level IN ?`, q.Levels)
	}
	if q.Text != "" {
		pattern := `%` + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(q.Text) + `%`
		if dialect == postgres {
			and(`l.message ILIKE ? ESCAPE '\'`, pattern)
		} else {
			and(`l.message LIKE ? ESCAPE '\'`, pattern)
		}
	}
	if !q.From.IsZero() {
		and(`l.id >= ?`, firstID(q.From).String())
	}
	if !q.To.IsZero() {
		and(`l.id < ?`, firstID(q.To).String())
	}
	return where, args
}

// page makes a page of what sql found.
func (q *LogQuery) page(at *linePosition, found []Line) LogPage {
	more, back := len(found) > q.Limit, at != nil && at.Back
	if more {
		found = found[:q.Limit]
	}
	if back {
		slices.Reverse(found)
	}
	p := LogPage{Lines: found}
	if len(found) == 0 {
		return p
	}
	if more || back {
		p.Next = q.cursor(found[len(found)-1], false)
	}
	if back && more || !back && at != nil {
		p.Previous = q.cursor(found[0], true)
	}
	return p
}
