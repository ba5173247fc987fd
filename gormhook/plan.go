package gormhook

import "sync"

// ownMode is what a statement does about the action's own entry.
type ownMode uint8

const (
	ownNone   ownMode = iota
	ownFirst          // the first row that changes takes the trace's id
	ownEntity         // the row of one entity takes it
)

// variant is what the text of a plan depends on beside the statement's own.
type variant struct {
	own     ownMode
	claimed bool // the own entry is an action's, with its event and context
	// contested: somebody else may have written the own entry.
	contested bool
	names     bool // the labels of the rows are given
	deleted   bool // a statement of GORM's delete, whatever its verb
	query     bool // the caller wants rows
}

// shape is how the result of a plan tells what happened.
type shape uint8

const (
	shapeTag   shape = iota // the command tag counts the rows
	shapeCount              // one row: how many were affected, whether one was the action's own
	shapeRows               // the caller's rows
	shapeOwned              // the caller's rows, and in one more column whether one was the action's own
)

// plan is the one statement that changes rows and writes their entries.
type plan struct {
	text  string
	shape shape
	// sole: there is one entry at the most, whose id is given in whole.
	sole bool
	ok   bool // false: the statement cannot be planned, the portable path takes it
	// stale: the statement names a column that the table did not have.
	stale bool
}

type planKey struct {
	query   string
	subject *subject
	table   *table
	variant variant
}

// plans keeps the texts of plans: what a statement becomes depends on its text
// alone, and texts recur. Both the number and the size are bounded.
type plans struct {
	mu   sync.RWMutex
	made map[planKey]*plan
	size int // of the texts, in bytes
}

const (
	maxPlans     = 1024
	maxPlanSize  = 16 << 20
	maxPlanQuery = 512 << 10
)

func (ps *plans) get(key planKey, make func() *plan) *plan {
	if len(key.query) > maxPlanQuery {
		return make()
	}
	ps.mu.RLock()
	p, ok := ps.made[key]
	ps.mu.RUnlock()
	if ok {
		return p
	}
	p = make()
	ps.mu.Lock()
	defer ps.mu.Unlock()
	size := len(key.query) + len(p.text)
	if ps.made == nil || len(ps.made) >= maxPlans || ps.size+size > maxPlanSize {
		ps.made, ps.size = newPlans(), 0
	}
	ps.made[key] = p
	ps.size += size
	return p
}

func newPlans() map[planKey]*plan { return make(map[planKey]*plan) }
