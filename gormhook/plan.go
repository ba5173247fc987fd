package gormhook

// ownMode is what a statement does about the action's own entry.
type ownMode uint8

const (
	ownNone   ownMode = iota
	ownFirst          // the first row that changes takes the trace's id
	ownEntity         // the row of one entity takes it
)

// variant is what the text of a plan depends on besides the statement's own.
type variant struct {
	own     ownMode
	claimed bool // the own entry is an action's, with its event and context
	// contested: somebody else may have written the own entry.
	contested bool
	names     bool // the labels of the rows are given
	deleted   bool // a statement of GORM's delete, whatever its verb
	query     bool // the caller wants rows
}

// shape is how the result of a plan shows what happened.
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
	// sole: there is at most one entry, whose id is given in full.
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

// maxPlanQuery bounds the statements whose plans are kept, in bytes.
const maxPlanQuery = 512 << 10
