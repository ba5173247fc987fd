package gormhook_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// replayEntry is an entry as it is in the table, images spelt by the test.
type replayEntry struct {
	id, trace      uuid.UUID
	seq            int64
	event          string
	operation      string // empty where no row changed
	model, entity  string
	before, after  replayRow
	rawOld, rawNew []byte
	outcome        string
}

func (e *replayEntry) String() string {
	return fmt.Sprintf("seq %d %s %s %s %q: %s -> %s", e.seq, e.event, e.operation, e.model, e.entity, e.rawOld, e.rawNew)
}

// entriesAfter returns the entries that were written after seq, in order.
func (s *replaySchema) entriesAfter(db *gorm.DB, seq int64) ([]replayEntry, error) {
	var entries []replayEntry
	err := eachRow(db, func(rows *sql.Rows) error {
		var e replayEntry
		if err := rows.Scan(&e.id, &e.trace, &e.seq, &e.event, &e.operation, &e.model, &e.entity,
			&e.rawOld, &e.rawNew, &e.outcome); err != nil {
			return err
		}
		t, ok := s.byModel[e.model]
		if !ok {
			return fmt.Errorf("%v is of no table of the test", &e)
		}
		var err error
		if e.before, err = t.spellImage(e.rawOld); err != nil {
			return err
		}
		if e.after, err = t.spellImage(e.rawNew); err != nil {
			return err
		}
		entries = append(entries, e)
		return nil
	}, `SELECT id, trace_id, seq, event, coalesce(operation, ''), model, entity_id,
			CAST("before" AS text), CAST("after" AS text), outcome
		FROM audit_logs WHERE seq > ? ORDER BY seq`, seq)
	return entries, err
}

// apply folds one entry into the state. What the entry says of the time before
// it must be what the state has.
func (s *replaySchema) apply(state replayState, e *replayEntry) error {
	t := s.byModel[e.model]
	rows := state[t.name]
	row, there := rows[e.entity]
	switch e.operation {
	case "": // an action that changed no row
		if e.before != nil || e.after != nil {
			return fmt.Errorf("%v: an image of no change", e)
		}
		return nil
	case "insert":
		if there {
			return fmt.Errorf("%v: the row is there already: %v", e, row)
		}
		if e.before != nil || len(e.after) != len(t.columns) {
			return fmt.Errorf("%v: want the whole row after, %d columns, and nothing before", e, len(t.columns))
		}
		rows[e.entity] = e.after
		row = e.after
	case "update":
		if !there {
			return fmt.Errorf("%v: the row is not there", e)
		}
		if len(e.before) == 0 || len(e.before) != len(e.after) {
			return fmt.Errorf("%v: want the columns that changed in both images", e)
		}
		now := make(replayRow, len(row))
		for name, v := range row {
			now[name] = v
		}
		for name, v := range e.after {
			switch was, ok := e.before[name]; {
			case !ok:
				return fmt.Errorf("%v: column %s is in one image only", e, name)
			case was == v && sameText(e.rawOld, e.rawNew, name):
				return fmt.Errorf("%v: column %s did not change", e, name)
			case was != row[name]:
				return fmt.Errorf("%v: column %s was %s before, by the entries ahead of this one %s", e, name, was, row[name])
			}
			now[name] = v
		}
		delete(rows, e.entity)
		row = now
		rows[t.entity(row)] = row
		return nil
	case "delete":
		if !there {
			return fmt.Errorf("%v: the row is not there", e)
		}
		if e.after != nil || len(e.before) != len(t.columns) {
			return fmt.Errorf("%v: want the whole row before, %d columns, and nothing after", e, len(t.columns))
		}
		for name, v := range e.before {
			if v != row[name] {
				return fmt.Errorf("%v: column %s was %s before, by the entries ahead of this one %s", e, name, v, row[name])
			}
		}
		delete(rows, e.entity)
	default:
		return fmt.Errorf("%v: operation %q", e, e.operation)
	}
	if id := t.entity(row); id != e.entity {
		return fmt.Errorf("%v: the key of the image is %s", e, id)
	}
	return nil
}

// sameText reports whether a column is the same text in two images: a value of
// JSON may have changed in its text alone.
func sameText(a, b []byte, column string) bool {
	var was, is map[string]json.RawMessage
	if json.Unmarshal(a, &was) != nil || json.Unmarshal(b, &is) != nil {
		return false
	}
	return bytes.Equal(was[column], is[column])
}

// fold folds entries into the state.
func (s *replaySchema) fold(state replayState, entries []replayEntry) error {
	for i := range entries {
		if err := s.apply(state, &entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// resolves checks that every trace of the entries has exactly one entry that
// bears its id.
func resolves(entries []replayEntry) error {
	own := map[uuid.UUID]int{}
	for i := range entries {
		if e := &entries[i]; e.id == e.trace {
			own[e.trace]++
		}
	}
	for i := range entries {
		if e := &entries[i]; own[e.trace] != 1 {
			return fmt.Errorf("%v: trace %s has %d entries of its id", e, e.trace, own[e.trace])
		}
	}
	return nil
}
