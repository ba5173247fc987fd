package viewer

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// The JSON has the names of the tables' columns, null for what is empty there,
// and every value as stored.
type (
	entriesJSON struct {
		Entries  []entryJSON `json:"entries"`
		Next     *string     `json:"next"`
		Previous *string     `json:"previous"`
	}

	entryJSON struct {
		ID         uuid.UUID       `json:"id"`
		TraceID    uuid.UUID       `json:"trace_id"`
		CreatedAt  string          `json:"created_at"`
		Seq        int64           `json:"seq"`
		TenantID   *string         `json:"tenant_id"`
		UserID     string          `json:"user_id"`
		UserName   string          `json:"user_name"`
		UserKind   trail.ActorKind `json:"user_kind"`
		OnBehalfOf *string         `json:"on_behalf_of"`
		Event      trail.Event     `json:"event"`
		Operation  *string         `json:"operation"`
		Model      string          `json:"model"`
		EntityID   string          `json:"entity_id"`
		EntityName *string         `json:"entity_name"`
		Before     json.RawMessage `json:"before"`
		After      json.RawMessage `json:"after"`
		// Outcome is how the action has ended by now, not what the entry says.
		Outcome  trail.Result    `json:"outcome"`
		Context  json.RawMessage `json:"context"`
		Finished *outcomeJSON    `json:"finished"`
	}

	outcomeJSON struct {
		FinishedAt string       `json:"finished_at"`
		Outcome    trail.Result `json:"outcome"`
		Status     *int         `json:"status"`
		Error      *string      `json:"error"`
		DurationMS int64        `json:"duration_ms"`
	}

	traceJSON struct {
		TraceID  uuid.UUID    `json:"trace_id"`
		Outcome  trail.Result `json:"outcome"`
		Finished *outcomeJSON `json:"finished"`
		Entries  []entryJSON  `json:"entries"`
		// More reports that the trace has more entries than these; /api/entries
		// has them all.
		More bool `json:"more"`
		// Lines are the first ones. MoreLines reports that there are others, which
		// /api/traces/ID/lines has.
		Lines     []lineJSON `json:"lines"`
		MoreLines bool       `json:"more_lines"`
	}

	linesJSON struct {
		Lines    []lineJSON `json:"lines"`
		Next     *string    `json:"next"`
		Previous *string    `json:"previous"`
	}

	lineJSON struct {
		ID        uuid.UUID       `json:"id"`
		CreatedAt string          `json:"created_at"`
		Level     string          `json:"level"`
		Logger    *string         `json:"logger"`
		Message   string          `json:"message"`
		Fields    json.RawMessage `json:"fields"`
		Caller    *string         `json:"caller"`
		Seq       int64           `json:"seq"`
		ExpireAt  *string         `json:"expire_at"`
	}

	eventsJSON struct {
		Events []trail.Event `json:"events"`
	}
)

func (q *request) apiEntries() error {
	query, err := q.query(q.values)
	if err != nil {
		return err
	}
	found, err := q.entries(query)
	if err != nil {
		return err
	}
	q.json(http.StatusOK, entriesJSON{
		Entries: encodeEntries(found.Entries), Next: optional(found.Next), Previous: optional(found.Previous),
	})
	return nil
}

// apiEntry answers with one entry. It is what the pages refer to where they do not
// show everything.
func (q *request) apiEntry(id string) error {
	entryID, err := parseID(id)
	if err != nil {
		return err
	}
	e, err := q.handler.store.Entry(q.Context(), entryID)
	if err != nil {
		return err
	}
	q.json(http.StatusOK, encodeEntries([]store.Entry{e})[0])
	return nil
}

func (q *request) apiTrace(id string) error {
	traceID, err := parseID(id)
	if err != nil {
		return err
	}
	f, err := q.read(traceID, store.TraceQuery{}, firstLines(maxLines))
	if err != nil {
		return err
	}
	out := traceJSON{
		TraceID: f.ID, Outcome: result(f.Trace), Finished: encodeOutcome(f.Outcome),
		Entries: encodeEntries(f.Entries), More: f.More,
		Lines: encodeLines(f.lines.Lines), MoreLines: f.lines.Next != "",
	}
	q.json(http.StatusOK, out)
	return nil
}

// apiLines answers with a page of the lines of a trace. The last page has no
// next; the cursor that led there shows what has been added since.
func (q *request) apiLines(id string) error {
	traceID, err := parseID(id)
	if err != nil {
		return err
	}
	values := q.values
	lines := store.LogQuery{Ascending: true, Limit: maxLines, Cursor: values.Get(paramCursor)}
	if v := values.Get(paramLimit); v != "" {
		if lines.Limit, err = strconv.Atoi(v); err != nil || lines.Limit < 1 || lines.Limit > store.MaxLimit {
			return q.badParam(paramLimit, "is %.60q; it must be a number from 1 to %d.", v, store.MaxLimit)
		}
	}
	switch v := values.Get(paramOrder); v {
	case "", "asc":
	case "desc":
		lines.Ascending = false
	default:
		return q.badParam(paramOrder, "is %.60q; it must be asc or desc.", v)
	}
	page, err := q.logs(traceID, lines, paramCursor)
	if err != nil {
		return err
	}
	q.json(http.StatusOK, linesJSON{
		Lines: encodeLines(page.Lines), Next: optional(page.Next), Previous: optional(page.Previous),
	})
	return nil
}

func encodeLines(lines []store.Line) []lineJSON {
	out := make([]lineJSON, len(lines))
	for i, l := range lines {
		out[i] = lineJSON{
			ID: l.ID, CreatedAt: isoTime(l.CreatedAt), Level: l.Level, Logger: optional(l.Logger),
			Message: l.Message, Fields: exact(l.Fields), Caller: optional(l.Caller), Seq: l.Seq,
		}
		if l.ExpireAt != nil {
			out[i].ExpireAt = optional(isoTime(*l.ExpireAt))
		}
	}
	return out
}

func (q *request) apiEvents() error {
	var events []trail.Event
	err := q.bounded(false, func(ctx context.Context) (err error) {
		events, err = q.handler.store.Events(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if events == nil {
		events = []trail.Event{}
	}
	q.json(http.StatusOK, eventsJSON{events})
	return nil
}

func encodeEntries(entries []store.Entry) []entryJSON {
	out := make([]entryJSON, len(entries))
	for i, e := range entries {
		out[i] = entryJSON{
			ID: e.ID, TraceID: e.TraceID, CreatedAt: isoTime(e.CreatedAt), Seq: e.Seq, TenantID: optional(e.Tenant),
			UserID: e.Actor.ID, UserName: e.Actor.Name, UserKind: e.Actor.Kind, OnBehalfOf: optional(e.Actor.OnBehalfOf),
			Event: e.Event, Operation: optional(string(e.Operation)),
			Model: e.Model, EntityID: e.EntityID, EntityName: optional(e.EntityName),
			Before: exact(e.Before), After: exact(e.After),
			Outcome: e.Result, Context: exact(e.Context), Finished: encodeOutcome(e.Finished),
		}
	}
	return out
}

func encodeOutcome(o *trail.Outcome) *outcomeJSON {
	if o == nil {
		return nil
	}
	out := &outcomeJSON{
		FinishedAt: isoTime(o.FinishedAt), Outcome: o.Result, Error: optional(o.Error),
		DurationMS: int64(o.Duration / time.Millisecond),
	}
	if o.Status != 0 {
		out.Status = &o.Status
	}
	return out
}

// optional is null for an empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// exact passes JSON on as it is. Invalid JSON, which this library has not
// written, becomes a string, so that the answer stays readable.
func exact(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	if json.Valid(raw) {
		return raw
	}
	b, err := json.Marshal(string(raw))
	if err != nil { // a string: cannot happen
		return nil
	}
	return b
}

// json answers with JSON.
func (q *request) json(status int, answer any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		q.handler.options.OnError(q.Request, err)
		status = http.StatusInternalServerError
		body.Reset()
		body.WriteString(`{"error":"The answer could not be written."}` + "\n")
	}
	q.send(status, "application/json", &body)
}
