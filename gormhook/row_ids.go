package gormhook

import (
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// rowIDs are the ids of the entries of one statement: their instant, the number
// of the entry where a UUID of version 7 has its variant and what follows it (a
// counter, RFC 9562, 6.2, method 1), and random bits that all share. So they
// are in the order of their entries, and go to the end of an index, where
// random ids would be spread over its last pages.
type rowIDs struct {
	base uuid.UUID
	n    uint32
}

func newRowIDs(at time.Time) *rowIDs { return &rowIDs{base: trail.NewID(at)} }

// next returns the id of the next entry.
func (r *rowIDs) next() uuid.UUID {
	r.n++
	id := r.base
	binary.BigEndian.PutUint32(id[8:], 1<<31|r.n)
	return id
}

// text returns what is before and after the number, for a plan.
func (r *rowIDs) text() string {
	text := r.base.String()
	return text[:19] + text[28:]
}
