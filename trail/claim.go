package trail

// ownPhase is the state of an action's own entry.
type ownPhase uint8

const (
	ownFree      ownPhase = iota // nobody has written it
	ownReserved                  // a statement that would write it is running
	ownTentative                 // written in a transaction of unknown outcome
	ownKept                      // durable, or somebody else's to write
)

type ownState struct {
	phase ownPhase
	was   ownPhase // the phase before ownReserved
	tx    any      // where it was written, while ownTentative
	done  func(tx any) bool
	doubt bool // part of tx was rolled back since
}

// open reports whether the entry was written in a transaction that is not over.
func (s *ownState) open() bool {
	return s.phase == ownTentative && s.tx != nil && s.done != nil && !s.done(s.tx)
}

// Claim is a statement's right to write the action's own entry, see
// [Trace.Claim]. The zero value is no such right.
type Claim struct {
	// Held: the first row of the entity takes the trace's id. Another process
	// (one that the trace was handed to) or transaction (one whose outcome is
	// unknown) may write the id first, so insert it only if absent; otherwise
	// the row gets its own id.
	Held bool
	// EntityID is the entity that the row must belong to; empty if the action
	// has not named one, so that any row of the model will do.
	EntityID string
	// Sole: only this trace knows the id, and no earlier claim is in doubt.
	// Nobody else can have written the id, unless the trace ends while the
	// statement runs; a retryable statement may insert without checking.
	Sole bool

	trace *Trace
	tx    any
	done  func(tx any) bool
}

// Claim asks, for a statement that is about to change rows of model, whether
// one of them is the action's own. It is meant for recorders that write
// entries with the change, and must be followed by [Claim.Settle].
//
// tx identifies the transaction that the statement runs in, by a comparable
// value, or is nil if the statement commits by itself; done reports whether such
// a transaction has ended, and is nil if nobody can tell. One statement at a time
// holds the claim. It is granted again once the last holder's transaction is
// known to have ended or to have been rolled back to a savepoint, because the
// entry may be gone with it.
//
// The error means that the action could not be recorded before its work, which
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
				return Claim{}, nil // it is written
			}
		case t.own.done == nil || !t.own.done(t.own.tx):
			return Claim{}, nil
		}
	case ownReserved, ownKept:
		return Claim{}, nil
	}
	c := Claim{Held: true, EntityID: t.action.EntityID, Sole: t.own.phase == ownFree && !t.shared, trace: t, tx: tx, done: done}
	t.own.was, t.own.phase = t.own.phase, ownReserved
	return c, nil
}

// Settle reports whether the own entry was written, and whether it is durable
// already. It does nothing for a claim that is not held.
func (c Claim) Settle(written, durable bool) {
	switch {
	case !written:
		c.settle(ownState{phase: ownFree})
	case durable:
		c.settle(ownState{phase: ownKept})
	default:
		c.settle(ownState{phase: ownTentative, tx: c.tx, done: c.done})
	}
}

// Fail reports, instead of [Claim.Settle], that the statement failed: the own
// entry may have been written anyway, if the answer was lost.
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
		to = ownState{phase: t.own.was, tx: t.own.tx, done: t.own.done, doubt: t.own.doubt}
	}
	t.own = to
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
