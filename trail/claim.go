package trail

// ownPhase is the state of an action's own entry.
type ownPhase uint8

const (
	ownFree      ownPhase = iota // nobody has written it
	ownTentative                 // written in a transaction of unknown outcome
	ownKept                      // durable, or somebody else's to write
)

type ownState struct {
	phase ownPhase
	transaction
	doubt bool // part of the transaction was rolled back since
}

// transaction is one of a database, as a [Work] names it.
type transaction struct {
	tx   any
	done func(tx any) bool
}

// open reports whether the transaction is known not to be over.
func (x transaction) open() bool { return x.tx != nil && x.done != nil && !x.done(x.tx) }

// Work is a statement that is about to change rows, as whoever writes their
// entries describes it to [Trace.Claim].
type Work struct {
	Model     string
	Operation Operation
	// Tx identifies the transaction that the statement runs in, by a comparable
	// value; nil if the statement commits by itself.
	Tx any
	// Done reports whether such a transaction has ended; nil if nobody can tell.
	Done func(tx any) bool
	// Exclusive: nobody else can write to the database until it has, as on SQLite.
	Exclusive bool
	// Recorder writes to the database that the entries go to. If the own entry
	// is among them, the rest of the action is recorded there too. Default: the
	// trace's own.
	Recorder Recorder
}

// Claim is a statement's right to write the action's own entry, see
// [Trace.Claim]. The zero value is no such right.
type Claim struct {
	// Held: the first row of the entity takes the trace's id. Another process
	// (one that the trace was handed to), transaction (one whose outcome is
	// unknown) or statement (one that is running) may write the id first, so
	// insert it only if absent; otherwise the row gets its own id.
	Held bool
	// EntityID is the entity that the row must belong to; empty if the action
	// has not named one, so that any row of the model will do.
	EntityID string
	// Sole: only this trace knows the id, and no other claim is in doubt. Nobody
	// else can have written the id, unless the trace ends, or another statement
	// claims it, while this one runs; a retryable statement may insert without
	// checking.
	Sole bool

	trace *Trace
	work  Work
}

// Claim asks, for a statement that is about to change rows, whether one of them
// is the action's own. It is meant for recorders that write entries with the
// change, and must be followed by [Claim.Settle] or [Claim.Fail].
//
// No row is the action's own while the trace is held (see [Options]), nor is one
// that a create without an entity only updates or deletes. If the action has
// named its entity, several statements may hold the claim at once, of which only
// one can meet the entity first; otherwise one at a time does. It is granted
// again once the transaction that the entry was written in is known to have
// ended, or to have been rolled back to a savepoint, because the entry may be
// gone with it.
//
// The error means that the action could not be recorded before its work, which
// must not be done.
func (t *Trace) Claim(w Work) (Claim, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.openErr != nil {
		return Claim{}, t.openErr
	}
	if w.Tx != nil && w.Done != nil {
		t.last, t.exclusive = transaction{w.Tx, w.Done}, w.Exclusive
	}
	if t.ended || t.held.Load() || t.action.Moment == Ahead || !t.action.has(w) {
		return Claim{}, nil
	}
	switch t.own.phase {
	case ownFree:
	case ownTentative:
		switch {
		case t.own.tx == nil:
		case t.own.tx == w.Tx:
			if !t.own.doubt {
				return Claim{}, nil // it is written
			}
		case t.own.done == nil || !t.own.done(t.own.tx):
			return Claim{}, nil
		}
	case ownKept:
		return Claim{}, nil
	}
	if t.claims > 0 && t.action.EntityID == "" {
		return Claim{}, nil
	}
	sole := t.own.phase == ownFree && t.claims == 0 && !t.shared
	t.claims++
	return Claim{Held: true, EntityID: t.action.EntityID, Sole: sole, trace: t, work: w}, nil
}

// has reports whether a statement may change a row of the action's entity.
func (a *Action) has(w Work) bool {
	if a.Model == "" || w.Model != a.Model {
		return false
	}
	return a.Event != Create || a.EntityID != "" || w.Operation == OpInsert
}

// Settle reports whether the own entry was written, and whether it is durable
// already. It does nothing for a claim that is not held.
func (c Claim) Settle(written, durable bool) {
	switch {
	case !written:
		c.settle(ownFree)
	case durable:
		c.settle(ownKept)
	default:
		c.settle(ownTentative)
	}
}

// Fail reports, instead of [Claim.Settle], that the statement failed: the own
// entry may have been written anyway, if the answer was lost.
func (c Claim) Fail() {
	c.work.Tx, c.work.Done = nil, nil
	c.settle(ownTentative)
}

func (c Claim) settle(to ownPhase) {
	if !c.Held {
		return
	}
	t := c.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claims--
	if to == ownFree || t.own.phase == ownKept {
		return // as it was, or as another statement or the end of the trace has left it
	}
	if c.work.Recorder != nil {
		t.recorder = c.work.Recorder
	}
	if to == ownTentative && c.work.Tx == nil && t.own.tx != nil {
		t.own.doubt = true // where another statement has written it
		return
	}
	t.own = ownState{phase: to, transaction: transaction{c.work.Tx, c.work.Done}}
}

// Committed reports that the transaction tx, as passed to [Trace.Claim], is
// durable, for recorders that see it end.
func (t *Trace) Committed(tx any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase == ownTentative && t.own.tx == tx && !t.own.doubt {
		t.own = ownState{phase: ownKept}
	}
}

// RolledBack reports that tx was rolled back to a savepoint, for recorders that
// see it: what the trace wrote in tx may be gone, whether or not tx commits.
func (t *Trace) RolledBack(tx any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.tx == tx {
		t.own.doubt = true
	}
}
