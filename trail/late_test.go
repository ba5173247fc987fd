package trail_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/infrakitchen/audit/trail"
)

// told is a source that is told of what could not be recorded.
type told struct{ errs chan error }

func (told) Actor() (trail.Actor, bool) { return trail.Actor{}, false }
func (told) Details() trail.Details     { return trail.Details{} }
func (s told) ReportLate(err error)     { s.errs <- err }

// The own entry is in a transaction that is open when the action ends, as one
// of a whole request: the end does not wait for it, and is recorded afterwards.
func TestEndInsideItsTransaction(t *testing.T) {
	for _, c := range []struct {
		name  string
		end   error
		doubt bool // taken back to a savepoint
		entry trail.Result
		ended trail.Result // the outcome that is recorded, or none
	}{
		{name: "success", entry: trail.Failure}, // if the recorder does not have it, the change was rolled back
		{name: "success behind a savepoint", doubt: true, entry: trail.Success},
		{name: "failure", end: errors.New("no"), entry: trail.Failure, ended: trail.Failure},
		{name: "denied", end: trail.ErrDenied, entry: trail.Denied, ended: trail.Denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := recording(t)
				_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
				one := &tx{name: "one"}
				claim, err := trace.Claim(trail.Work{Model: "thing", Tx: one, Done: ended})
				if err != nil {
					t.Fatal(err)
				}
				claim.Settle(true, false)
				if c.doubt {
					trace.RolledBack(one)
				}
				if err := trace.Finish(trail.Outcome{Result: trail.Pending}); err != nil || m.recorded() {
					t.Errorf("to leave the end to others took an entry, or failed: %v", err)
				}
				if err := trace.End(c.end); err != nil || m.recorded() || !trace.Ended() {
					t.Errorf("the end waited, or failed: %v", err)
				}
				if err := trace.End(nil); !errors.Is(err, trail.ErrEnded) {
					t.Errorf("got %v, want trail.ErrEnded", err)
				}
				one.over.Store(true)
				time.Sleep(time.Minute)
				synctest.Wait()
				if m.entries[0].Outcome != c.entry || len(m.outcomes) > 0 != (c.ended != "") || len(m.outcomes) > 0 && m.outcomes[0].Result != c.ended {
					t.Errorf("recorded: %+v %+v", m.entries, m.outcomes)
				}
			})
		})
	}
}

// What cannot be recorded then is tried again, and told in the end.
func TestEndInsideItsTransactionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := recording(t)
		m.fail("Record", errDown)
		source := told{make(chan error, 1)}
		s := new(trail.Scope)
		if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"}, trail.Options{Source: source}); err != nil {
			t.Fatal(err)
		}
		claim, err := s.Trace().Claim(trail.Work{Model: "thing", Tx: overSoon(), Done: ended})
		if err != nil {
			t.Fatal(err)
		}
		claim.Settle(true, false)
		if err := s.Trace().End(nil); err != nil {
			t.Fatal(err)
		}
		err = <-source.errs
		synctest.Wait()
		if !errors.Is(err, errDown) || len(m.calls) < 2 {
			t.Errorf("told %v after %d tries", err, len(m.calls))
		}
	})
}

// overSoon returns a transaction that is over a second from now.
func overSoon() *tx {
	t := &tx{name: "soon"}
	time.AfterFunc(time.Second, func() { t.over.Store(true) })
	return t
}

// A transaction that other rows were changed in is open when the action ends, as
// one of a whole request: the end waits for it only if it must.
func TestEndInsideAnotherTransaction(t *testing.T) {
	for _, c := range []struct {
		reason    string
		event     trail.Event
		exclusive bool
		taken     bool // every connection is
		moment    bool // the transaction is over in a moment
		end       trail.Result
		later     bool
	}{
		{reason: "success", end: trail.Success},
		{reason: "failure", end: trail.Failure},
		{reason: "recorded ahead", event: trail.Execute, end: trail.Success},
		{reason: "left to others", end: trail.Pending},
		{reason: "success, nobody else can write", exclusive: true, end: trail.Success, later: true},
		{reason: "failure, nobody else can write", exclusive: true, end: trail.Failure, later: true},
		{reason: "recorded ahead, nobody else can write", event: trail.Execute, exclusive: true, end: trail.Success, later: true},
		{reason: "left to others, nobody else can write", exclusive: true, end: trail.Pending, later: true},
		{reason: "success, nobody else can write for a moment", exclusive: true, moment: true, end: trail.Success},
		{reason: "success, without a connection", taken: true, end: trail.Success, later: true},
		{reason: "failure, without a connection", taken: true, end: trail.Failure, later: true},
	} {
		t.Run(c.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := recording(t)
				if c.event == "" {
					c.event = trail.Update
				}
				_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: c.event, Model: "thing"})
				one := &tx{name: "one"}
				if _, err := trace.Claim(trail.Work{Model: "part", Tx: one, Done: ended, Exclusive: c.exclusive}); err != nil {
					t.Fatal(err)
				}
				ahead := len(m.calls)
				if c.moment {
					time.AfterFunc(10*time.Millisecond, func() { one.over.Store(true) })
				}
				if c.taken {
					m.before = func(ctx context.Context, _ string) {
						for !one.over.Load() && ctx.Err() == nil {
							time.Sleep(time.Millisecond)
						}
					}
				}
				if err := trace.Finish(trail.Outcome{Result: c.end}); err != nil || trace.Ended() != (c.end != trail.Pending) {
					t.Fatalf("the end failed: %v", err)
				}
				if got := m.result(trace.ID()); (got == c.end) == c.later {
					t.Errorf("while the transaction is open the outcome is %q, %v", got, m.calls[ahead:])
				}
				one.over.Store(true)
				if err := trail.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := m.result(trace.ID()); got != c.end || len(m.entries) != 1 {
					t.Errorf("the outcome is %q, with %d entries", got, len(m.entries))
				}
			})
		})
	}
}

// told by the recorder where the action has no source.
type reporting struct {
	memory
	errs chan error
}

func (r *reporting) ReportLate(err error) { r.errs <- err }

func TestEndInsideATransactionIsReportedByTheRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reporting{errs: make(chan error, 1)}
		r.fail("Record", errDown)
		s := new(trail.Scope)
		if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"}, trail.Options{Recorder: r}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Trace().Claim(trail.Work{Model: "part", Tx: overSoon(), Done: ended, Exclusive: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.Trace().End(nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := trail.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait that is cancelled returns %v", err)
		}
		if err := trail.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-r.errs; !errors.Is(err, errDown) {
			t.Errorf("told %v", err)
		}
	})
}
