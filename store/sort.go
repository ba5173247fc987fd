package store

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// Sort is what a page of entries is ordered by. Equal entries are in the order
// of their ids, which is that of their times, in the same direction.
type Sort string

// The sorts.
const (
	SortTime   Sort = "time" // the default
	SortUser   Sort = "user" // by the user's id
	SortEvent  Sort = "event"
	SortModel  Sort = "model"  // by model, then by entity id
	SortEntity Sort = "entity" // the same: an entity id means nothing without its model
)

// sorts are the columns of each sort, those of an index.
var sorts = map[Sort][]string{
	SortTime:   {"id"},
	SortUser:   {"user_id", "id"},
	SortEvent:  {"event", "id"},
	SortModel:  {"model", "entity_id", "id"},
	SortEntity: {"model", "entity_id", "id"},
}

// position is where a page begins: after or before the entry with these keys, in
// the columns of the sort. It is the content of a cursor.
type position struct {
	Sort      Sort     `json:"s"`
	Ascending bool     `json:"a,omitempty"`
	Back      bool     `json:"b,omitempty"`
	Keys      []string `json:"k"`
}

// cursor returns the position of e as text, which is as long as its keys are.
func (q *Query) cursor(e Entry, back bool) string {
	p := position{Sort: q.Sort, Ascending: q.Ascending, Back: back}
	for _, column := range sorts[q.Sort] {
		switch column {
		case "user_id":
			p.Keys = append(p.Keys, e.Actor.ID)
		case "event":
			p.Keys = append(p.Keys, string(e.Event))
		case "model":
			p.Keys = append(p.Keys, e.Model)
		case "entity_id":
			p.Keys = append(p.Keys, e.EntityID)
		default:
			p.Keys = append(p.Keys, e.ID.String())
		}
	}
	b, err := json.Marshal(p)
	if err != nil { // text and booleans: cannot happen
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// position returns where the page of q begins.
func (q *Query) position() (position, error) {
	var p position
	if q.Cursor == "" {
		return p, nil
	}
	garbled := errors.New("the Cursor is malformed")
	b, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return p, garbled
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, garbled
	}
	if p.Sort != q.Sort || p.Ascending != q.Ascending {
		return p, errors.New("the Cursor is of another Sort or direction")
	}
	if len(p.Keys) != len(sorts[q.Sort]) || slices.ContainsFunc(p.Keys, func(k string) bool { return checkText("", k) != nil }) {
		return p, garbled
	}
	last := p.Keys[len(p.Keys)-1] // compared as it is spelled in the database
	if id, err := uuid.Parse(last); err != nil || id.String() != last {
		return p, garbled
	}
	return p, nil
}
