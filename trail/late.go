package trail

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// The pauses between looks at whether a transaction is over, and how long an end
// tries to do without leaving it to a goroutine.
const (
	firstLook, lastLook = time.Millisecond, 100 * time.Millisecond
	shortly             = 50 * time.Millisecond
)

// finishBesideLocked ends a trace while a transaction is open that rows were
// changed in. If the action's own entry is in it, what is left is recorded once
// it is over. Otherwise it is recorded at once, or shortly if nobody else can
// write meanwhile, and only later if that takes long: all connections may be
// taken, or the transaction may be waiting for the caller. It unlocks the trace.
func (t *Trace) finishBesideLocked(o Outcome, e ending, wait transaction) error {
	inside, exclusive := t.own.open(), t.exclusive
	reporter, ok := t.source.(LateReporter)
	if !ok {
		reporter, _ = e.recorder.(LateReporter)
	}
	t.closeLocked(o)
	t.mu.Unlock()
	if !inside {
		switch inTime, err := t.soon(&e, wait, exclusive); {
		case err == nil:
			t.leave()
			return nil
		case inTime: // it is not for the transaction that it failed
			return t.finishNow(o, e, false)
		}
	}
	t.leave()
	late.begin()
	go func() {
		defer late.end()
		for pause := firstLook; wait.open(); pause = min(2*pause, lastLook) {
			time.Sleep(pause)
		}
		err := t.write(&e)
		if err != nil && o.Result == Pending {
			t.reopen(!t.remote) // whoever ends the trace tries again
		}
		if err != nil && reporter != nil {
			reporter.ReportLate(fmt.Errorf("trail: once the action's transaction was over: %w", err))
		}
	}()
	return nil
}

// soon records an ending, if nobody else can write behind the transaction, and
// reports whether that was done in time or failed by itself.
func (t *Trace) soon(e *ending, wait transaction, exclusive bool) (inTime bool, err error) {
	ctx, cancel := t.detached(shortly)
	defer cancel()
	for exclusive && wait.open() {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		time.Sleep(firstLook)
	}
	err = e.write(ctx)
	return ctx.Err() == nil, err
}

// Wait waits until all that was left to record when an action ended inside an
// open transaction is recorded or reported, see [Trace.End]. Call it before the
// process ends, once no more actions do. The error is that of ctx, whose
// cancellation ends the wait.
func Wait(ctx context.Context) error {
	select {
	case <-late.none():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("trail: waiting for the ends of actions: %w", ctx.Err())
	}
}

// late are the ends that are still to be recorded, of all traces.
var late ends

type ends struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed once n is zero; nil while nobody waits
}

func (l *ends) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
}

func (l *ends) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n--; l.n == 0 && l.idle != nil {
		close(l.idle)
		l.idle = nil
	}
}

// none returns a channel that is closed once there are none.
func (l *ends) none() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 {
		closed := make(chan struct{})
		close(closed)
		return closed
	}
	if l.idle == nil {
		l.idle = make(chan struct{})
	}
	return l.idle
}
