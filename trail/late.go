package trail

import (
	"fmt"
	"time"
)

// How often a transaction is looked at until it is over, and how often what is
// to be recorded then is tried.
const (
	firstLook, lastLook = time.Millisecond, 100 * time.Millisecond
	lateAttempts        = 3
)

// finishLaterLocked ends a trace whose own entry is in a transaction that is not
// over. To write it once more now would wait for that one, which may be waiting
// for the caller. It unlocks the trace.
func (t *Trace) finishLaterLocked(o Outcome) error {
	t.freezeLocked()
	if o.Result == Pending { // whoever ends the trace makes sure of the entry
		t.mu.Unlock()
		return nil
	}
	own, entry := t.own, t.entryLocked(o.Result, o.Status)
	t.ended = true
	t.own.phase = ownKept
	reporter, _ := t.source.(LateReporter)
	t.source = nil
	t.mu.Unlock()

	if o.Result == Success {
		// It is written only if the change was not.
		entry.Outcome = Failure
		if own.doubt { // taken back to a savepoint, while others stood
			entry.Outcome = Success
		}
	}
	o = t.outcome(o)
	go func() {
		for pause := firstLook; !own.done(own.tx); pause = min(2*pause, lastLook) {
			time.Sleep(pause)
		}
		var err error
		for range lateAttempts {
			if err = t.record(entry, o); err == nil {
				return
			}
			time.Sleep(lastLook)
		}
		if reporter != nil {
			reporter.ReportLate(fmt.Errorf("trail: recording the end of an action once its transaction was over: %w", err))
		}
	}()
	return nil
}

// record records an entry, and an outcome other than success.
func (t *Trace) record(entry Entry, o Outcome) error {
	ctx, cancel := t.detached()
	defer cancel()
	if err := t.recorder.Record(ctx, entry); err != nil || o.Result == Success {
		return err
	}
	return t.recorder.Finish(ctx, o)
}
