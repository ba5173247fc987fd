package trail

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// The pauses between looks at whether a transaction is over, and how long an end
// tries to do without waiting for one.
const (
	firstLook, lastLook = time.Millisecond, 100 * time.Millisecond
	shortly             = 100 * time.Millisecond
)

// finishLaterLocked ends a trace while a transaction is open that rows were
// changed in. If the action's own entry is in it, or if nobody else can write
// meanwhile, what is left is recorded once it is over; else only if it cannot be
// recorded at once, as when all connections are taken. It unlocks the trace.
func (t *Trace) finishLaterLocked(o Outcome, e ending, wait transaction) error {
	behind := t.own.open() || t.exclusive
	reporter, ok := t.source.(LateReporter)
	if !ok {
		reporter, _ = e.recorder.(LateReporter)
	}
	t.closeLocked(o)
	t.mu.Unlock()
	if !behind {
		ctx, cancel := t.detached(shortly)
		defer cancel()
		if e.write(ctx) == nil {
			t.leave()
			return nil
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
