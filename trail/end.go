package trail

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// How often something is tried to be recorded, and the pause in between: a
// database that was restarted leaves dead connections behind.
const (
	attempts     = 3
	attemptPause = 100 * time.Millisecond
)

// ending is what is left to record of an action.
type ending struct {
	recorder Recorder
	record   bool // the entry
	entry    Entry
	finish   bool // the outcome
	outcome  Outcome
}

// End ends the action: as a success if err is nil, as denied if err wraps
// [ErrDenied], as a failure otherwise. It makes sure that the action has its
// entry, and writes its outcome unless the action succeeded and its entry says
// so. The cancellation of the action's context does not stop its writes. If End
// fails, the trace has not ended, and End may be called again; otherwise a second
// call returns [ErrEnded] and changes nothing.
//
// End does not wait, for more than a moment, for a transaction that rows were
// changed in under the trace and that is still open, because that may be waiting
// for the caller. What cannot be recorded meanwhile is recorded once the
// transaction is over, by a goroutine that lasts as long: as a failure if the
// action's own entry was rolled back with it. Until then it is lost if the process
// ends; see [Wait].
func (t *Trace) End(err error) error {
	o := Outcome{Result: Success}
	if err != nil {
		o.Result, o.Error = Failure, err.Error()
		if errors.Is(err, ErrDenied) {
			o.Result = Denied
		}
	}
	return t.Finish(o)
}

// Finish ends the action with the outcome o, whose trace id, time and duration
// are filled in. A result of [Pending] leaves the end to somebody else: Finish
// makes sure that the action has its entry but writes no outcome, and the trace
// may be ended again.
func (t *Trace) Finish(o Outcome) error {
	t.mu.Lock()
	switch {
	case t.ended:
		t.mu.Unlock()
		return ErrEnded
	case o.Result == Pending && t.own.open(): // whoever ends the trace makes sure of the entry
		t.freezeLocked()
		t.mu.Unlock()
		return nil
	}
	unsure, wait := t.own.phase == ownTentative, t.openLocked()
	e := t.endingLocked(o)
	if e.empty() {
		t.closeLocked(o)
		t.leaveLocked()
		t.mu.Unlock()
		return nil
	}
	if wait.open() {
		return t.finishBesideLocked(o, e, wait)
	}
	t.closeLocked(o)
	t.mu.Unlock()
	return t.finishNow(o, e, unsure)
}

// finishNow records what is left.
func (t *Trace) finishNow(o Outcome, e ending, unsure bool) error {
	if err := t.write(&e); err != nil {
		t.reopen(e.record && !t.remote)
		if unsure && e.record && o.Result == Success {
			return fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		}
		return fmt.Errorf("trail: %w", err)
	}
	t.leave()
	return nil
}

// openLocked returns the transaction that an end may have to wait for.
func (t *Trace) openLocked() transaction {
	if t.own.open() {
		return t.own.transaction
	}
	return t.last
}

// endingLocked returns what is left to record if the trace ends like this.
func (t *Trace) endingLocked(o Outcome) ending {
	e := ending{recorder: t.recorder, record: t.own.phase != ownKept || t.remote}
	// An entry with a change says success, one that is written now says the
	// result: the outcome is written only if there is more to say.
	e.finish = o.Result != Pending &&
		(o.Result != Success || t.says != "" && t.says != Success || t.remote || t.action.Moment == Ahead)
	if e.record {
		e.entry = t.entryLocked(o.Result, o.Status)
		switch {
		case t.remote:
			e.entry.Outcome = Pending // written only if the side that began it could not
		case o.Result == Success && t.own.open() && !t.own.doubt:
			e.entry.Outcome = Failure // written only if the change was rolled back
		}
		t.says = e.entry.Outcome
	}
	if e.finish {
		e.outcome = t.outcome(o)
	}
	return e
}

// closeLocked marks the trace as ended, or as left to somebody else.
func (t *Trace) closeLocked(o Outcome) {
	t.freezeLocked()
	t.late = false
	t.own = ownState{phase: ownKept}
	t.ended = o.Result != Pending
}

// outcome returns o with what only the trace knows.
func (t *Trace) outcome(o Outcome) Outcome {
	now := time.Now()
	o.TraceID, o.FinishedAt, o.Duration = t.id, now, now.Sub(t.started)
	o.Error = masked(o.Error, maxError)
	return o
}

// leave drops the source of a trace that has ended.
func (t *Trace) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaveLocked()
}

func (t *Trace) leaveLocked() {
	if t.ended {
		t.source = nil
	}
}

// reopen takes back an end that could not be recorded, so that it can be
// retried. Whether the entry was written may not be known: the error may have
// come after it.
func (t *Trace) reopen(entry bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = false
	if entry {
		t.own = ownState{phase: ownTentative}
	}
}

// detached returns a context for the trace's own writes: it has the values of
// the action's context and a timeout of its own, but not its cancellation.
func (t *Trace) detached(timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(Skip(context.WithoutCancel(t.ctx)), timeout)
}

// write records an ending, and what it could not stays in e.
func (t *Trace) write(e *ending) (err error) {
	ctx, cancel := t.detached(writeTimeout)
	defer cancel()
	for n := range attempts {
		if n > 0 {
			time.Sleep(attemptPause)
		}
		if err = e.write(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (e *ending) empty() bool { return !e.record && !e.finish }

func (e *ending) write(ctx context.Context) error {
	if e.record {
		if err := e.recorder.Record(ctx, e.entry); err != nil {
			return fmt.Errorf("recording the action: %w", err)
		}
		e.record = false
	}
	if e.finish {
		if err := e.recorder.Finish(ctx, e.outcome); err != nil {
			return fmt.Errorf("recording the outcome of the action: %w", err)
		}
		e.finish = false
	}
	return nil
}
