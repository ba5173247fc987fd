package trail

// ownPhase is how far an action's own entry has come.
type ownPhase uint8

const (
	ownFree      ownPhase = iota // nobody has written it
	ownReserved                  // a statement that would write it is running
	ownTentative                 // written in a transaction of unknown end
	ownKept                      // durable, or somebody else's to write
)

type ownState struct {
	phase ownPhase
	was   ownPhase // the phase before ownReserved
	tx    any      // where it was written, while ownTentative
	doubt bool     // part of tx was rolled back since
}

// Claim is a statement's right to write the action's own entry, see
// [Trace.Claim]. The zero value is none.
type Claim struct {
	// Held: the first row of the entity takes the trace's id. It may be taken
	// in the meantime, by a process that the trace was handed to or by a
	// transaction whose end was never heard of, so that the row is inserted
	// where no entry has the id, and gets an id of its own otherwise.
	Held bool
	// EntityID is the entity that the row must be of; empty where the action
	// has not named it, so that any row of the model will do.
	EntityID string
	// Sole: the id is known to this trace alone, and no statement has had a
	// claim whose outcome is in doubt: there is no entry with it, unless the end
	// of the trace overtakes the statement. One that can be run again may
	// insert it unasked.
	Sole bool

	trace *Trace
	tx    any
}

// Claim asks, for a statement that is about to change rows of model, whether
// one of them is the action's own. It is meant for recorders that write
// entries with the change, and must be followed by [Claim.Settle].
//
// tx identifies the transaction that the statement runs in, by a comparable
// value, or is nil where the statement commits by itself; done reports whether
// such a transaction has ended. A claim is given to one statement at a time,
// and given again once the transaction of the last one is known to be over, or
// to have been rolled back to a savepoint, because the entry may be gone with it.
//
// The error is that of an action that could not be written ahead, whose work
// must not be done.
func (t *Trace) Claim(model string, tx any, done func(tx any) bool) (Claim, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.openErr != nil {
		return Claim{}, t.openErr
	}
	if t.ended || t.action.Moment == Ahead || t.action.Model == "" || model != t.action.Model {
		return Claim{}, nil
	}
	switch t.own.phase {
	case ownFree:
	case ownTentative:
		switch {
		case t.own.tx == nil:
		case t.own.tx == tx:
			if !t.own.doubt {
				return Claim{}, nil // it is there
			}
		case !done(t.own.tx):
			return Claim{}, nil
		}
	case ownReserved, ownKept:
		return Claim{}, nil
	}
	c := Claim{Held: true, EntityID: t.action.EntityID, Sole: t.own.phase == ownFree && !t.shared, trace: t, tx: tx}
	t.own.was, t.own.phase = t.own.phase, ownReserved
	return c, nil
}

// Settle tells what came of the claim: whether the own entry was written, and
// whether what was written is durable already. It does nothing for a claim that
// is not held.
func (c Claim) Settle(written, durable bool) {
	switch {
	case !written:
		c.settle(ownState{phase: ownFree})
	case durable:
		c.settle(ownState{phase: ownKept})
	default:
		c.settle(ownState{phase: ownTentative, tx: c.tx})
	}
}

// Fail tells, in the place of [Claim.Settle], that the statement failed: the
// own entry may be written all the same, where the answer was lost.
func (c Claim) Fail() { c.settle(ownState{phase: ownTentative}) }

func (c Claim) settle(to ownState) {
	if !c.Held {
		return
	}
	t := c.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase != ownReserved {
		return // the trace ended meanwhile
	}
	if to.phase == ownFree {
		to = ownState{phase: t.own.was, tx: t.own.tx, doubt: t.own.doubt}
	}
	t.own = to
}

// Committed tells that the transaction tx is durable, as [Trace.Claim] knew
// it, for recorders that see it end.
func (t *Trace) Committed(tx any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase == ownTentative && t.own.tx == tx && !t.own.doubt {
		t.own = ownState{phase: ownKept}
	}
}

// RolledBack tells that tx was rolled back to a savepoint, for recorders that
// see it: what the trace has written in tx may be gone, whatever becomes of tx.
func (t *Trace) RolledBack(tx any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.tx == tx {
		t.own.doubt = true
	}
}
