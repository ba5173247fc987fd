package trail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// TestLife is the life of an action at each moment, by what its recorder sees.
func TestLife(t *testing.T) {
	failure := errors.New("no bricks")
	for _, c := range []struct {
		reason  string
		event   trail.Event
		moment  trail.Moment
		claimed string // "": no change; "durable", "open": written, in a transaction of unknown end
		end     error
		calls   []string
		entry   trail.Result // what the own entry says; empty: it is not the trace that wrote it
		outcome trail.Result // empty: no outcome is written
	}{
		{"with the change, nothing changed", trail.Update, trail.ByEvent, "", nil, []string{"Record"}, trail.Success, ""},
		{"with the change, failed", trail.Update, trail.ByEvent, "", failure, []string{"Record", "Finish"}, trail.Failure, trail.Failure},
		{"with the change, denied", trail.Update, trail.ByEvent, "", trail.ErrDenied, []string{"Record", "Finish"}, trail.Denied, trail.Denied},
		{"denied by an error that wraps it", trail.Update, trail.ByEvent, "", fmt.Errorf("not you: %w", trail.ErrDenied), []string{"Record", "Finish"}, trail.Denied, trail.Denied},
		{"with the change, written", trail.Update, trail.ByEvent, "durable", nil, nil, "", ""},
		{"with the change, written, and then it failed", trail.Update, trail.ByEvent, "durable", failure, []string{"Finish"}, "", trail.Failure},
		{"with the change, perhaps rolled back", trail.Update, trail.ByEvent, "open", nil, []string{"Record"}, trail.Success, ""},
		{"with the change, perhaps rolled back, failed", trail.Update, trail.ByEvent, "open", failure, []string{"Record", "Finish"}, trail.Failure, trail.Failure},
		{"an event of the application's own", "publish", trail.ByEvent, "", nil, []string{"Record"}, trail.Success, ""},
		{"ahead", trail.Execute, trail.ByEvent, "", nil, []string{"Record", "Finish"}, trail.Pending, trail.Success},
		{"ahead, failed", trail.Execute, trail.ByEvent, "", failure, []string{"Record", "Finish"}, trail.Pending, trail.Failure},
		{"ahead, denied", trail.Execute, trail.ByEvent, "", trail.ErrDenied, []string{"Record", "Finish"}, trail.Pending, trail.Denied},
		{"ahead, and no change is its own", trail.Execute, trail.ByEvent, "durable", nil, []string{"Record", "Finish"}, trail.Pending, trail.Success},
		{"ahead by the action's word", "publish", trail.Ahead, "", nil, []string{"Record", "Finish"}, trail.Pending, trail.Success},
		{"with the change by the action's word", trail.Execute, trail.WithChange, "", nil, []string{"Record"}, trail.Success, ""},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := recording(t)
			_, trace := start(t, t.Context(), trail.Action{
				Actor: una, Event: c.event, Model: "thing", EntityID: "42", Tenant: "acme", Reason: "because", Moment: c.moment,
			})
			if trace.Ended() {
				t.Error("it has ended before it has")
			}
			if c.claimed != "" {
				claim, err := trace.Claim(trail.Work{Model: "thing"})
				if err != nil {
					t.Fatal(err)
				}
				claim.Settle(true, c.claimed == "durable")
			}
			if err := trace.End(c.end); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.calls, m.calls, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("the recorder's calls (-want +got):\n%s", diff)
			}
			if c.entry != "" {
				want := trail.Entry{
					ID: trace.ID(), TraceID: trace.ID(), CreatedAt: trail.Time(trace.ID()), Tenant: "acme", Actor: una,
					Event: c.event, Model: "thing", EntityID: "42", Outcome: c.entry, Context: json.RawMessage(`{"reason":"because"}`),
				}
				if diff := cmp.Diff([]trail.Entry{want}, m.entries); diff != "" {
					t.Errorf("the own entry (-want +got):\n%s", diff)
				}
			}
			var want []trail.Outcome
			if c.outcome != "" {
				o := trail.Outcome{TraceID: trace.ID(), Result: c.outcome}
				if c.end != nil {
					o.Error = c.end.Error()
				}
				want = append(want, o)
			}
			if diff := cmp.Diff(want, m.outcomes, cmpopts.IgnoreFields(trail.Outcome{}, "FinishedAt", "Duration")); diff != "" {
				t.Errorf("the outcome (-want +got):\n%s", diff)
			}
			for _, o := range m.outcomes {
				if o.FinishedAt.Before(trail.Time(trace.ID())) || o.Duration < 0 {
					t.Errorf("it began at %s, ended at %s and took %s", trail.Time(trace.ID()), o.FinishedAt, o.Duration)
				}
			}
			// The second end changes nothing.
			calls := len(m.calls)
			if err := trace.End(failure); !errors.Is(err, trail.ErrEnded) || len(m.calls) != calls || !trace.Ended() {
				t.Errorf("the second end returns %v and calls %v", err, m.calls[calls:])
			}
		})
	}
}

// TestStartRefuses: without a trace there is no work.
func TestStartRefuses(t *testing.T) {
	type key struct{}
	for _, c := range []struct {
		reason   string
		recorder *memory
		action   trail.Action
		want     error
	}{
		{"no event", &memory{}, trail.Action{Actor: una}, trail.ErrNoEvent},
		{"no recorder", nil, trail.Action{Actor: una, Event: trail.Update}, trail.ErrNoRecorder},
		{"no event and no recorder", nil, trail.Action{}, trail.ErrNoEvent},
		{"the recorder is down, ahead", &memory{fails: map[string]error{"Record": errDown}}, trail.Action{Actor: una, Event: trail.Execute}, errDown},
	} {
		trail.SetDefault(nil)
		if c.recorder != nil {
			trail.SetDefault(c.recorder)
		}
		given := context.WithValue(t.Context(), key{}, 1)
		ctx, trace, err := trail.Start(given, c.action)
		if !errors.Is(err, c.want) || trace != nil || ctx != given {
			t.Errorf("%s: got %v, a trace %t, another context %t", c.reason, err, trace != nil, ctx != given)
		}
	}
	trail.SetDefault(nil)
}

// TestTextsAreBounded: whoever begins an action, its texts can be kept.
func TestTextsAreBounded(t *testing.T) {
	m := recording(t)
	long := strings.Repeat("\x00ä", 5000)
	_, trace := start(t, t.Context(), trail.Action{
		Actor: trail.Actor{ID: long, Name: long, OnBehalfOf: long}, Event: trail.Event(long), Model: long, EntityID: long, Tenant: long, Reason: long,
	})
	if err := trace.End(errors.New(long)); err != nil {
		t.Fatal(err)
	}
	e := m.entries[0]
	var d trail.Details
	if err := json.Unmarshal(e.Context, &d); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text  string
		limit int
	}{
		"actor": {e.Actor.ID, 256}, "name": {e.Actor.Name, 256}, "on behalf of": {e.Actor.OnBehalfOf, 256},
		"event": {string(e.Event), 64}, "model": {e.Model, 128}, "entity": {e.EntityID, 512}, "tenant": {e.Tenant, 256},
		"reason": {d.Reason, 1024}, "error": {m.outcomes[0].Error, 4096},
	} {
		if n := utf8.RuneCountInString(c.text); n > c.limit || n < c.limit-6 || strings.ContainsRune(c.text, 0) {
			t.Errorf("the %s has %d characters, at most %d expected: %.20q", name, n, c.limit, c.text)
		}
	}
}

// TestCancelledContext: what is written, ahead and at the end, is not stopped
// by the cancellation of the action, but has its values and a bound of its own,
// and is itself not audited.
func TestCancelledContext(t *testing.T) {
	type key struct{}
	for _, event := range []trail.Event{trail.Update, trail.Execute} {
		m := recording(t)
		given, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		if event == trail.Execute {
			cancel()
		}
		_, trace := start(t, given, trail.Action{Actor: una, Event: event})
		cancel()
		if err := trace.End(given.Err()); err != nil {
			t.Errorf("%s: %v", event, err)
		}
		if got := m.result(trace.ID()); got != trail.Failure {
			t.Errorf("%s: the outcome is %q, want failure", event, got)
		}
		for method, ctx := range m.contexts {
			if _, bounded := ctx.Deadline(); !bounded || ctx.Value(key{}) != "value" || !trail.Skipped(ctx) {
				t.Errorf("%s: the context of %s is bounded %t, has the value %v, is skipped %t",
					event, method, bounded, ctx.Value(key{}), trail.Skipped(ctx))
			}
		}
	}
}

// TestRecorderThatFails: nothing that was not kept goes unsaid, and what was
// not kept can be told again.
func TestRecorderThatFails(t *testing.T) {
	for _, c := range []struct {
		reason string
		event  trail.Event
		method string
		again  error // what the second End returns, the recorder being well again
		want   trail.Result
	}{
		{"the entry, at the end", trail.Update, "Record", nil, trail.Success},
		{"the outcome", trail.Execute, "Finish", nil, trail.Success},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := recording(t)
			_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: c.event})
			m.fail(c.method, errDown)
			if err := trace.End(nil); !errors.Is(err, errDown) {
				t.Errorf("End returns %v, want the recorder's error", err)
			}
			m.fail(c.method, nil)
			if err := trace.End(nil); !errors.Is(err, c.again) {
				t.Errorf("End, called again, returns %v, want %v", err, c.again)
			}
			if got := m.result(trace.ID()); got != c.want || len(m.entries) != 1 {
				t.Errorf("the outcome is %q, of %d entries", got, len(m.entries))
			}
			if err := trace.End(nil); !errors.Is(err, trail.ErrEnded) {
				t.Errorf("End, when it had ended, returns %v", err)
			}
		})
	}
}

// TestRecorderThatHangs: ahead and at the end, what hangs is given up in time.
func TestRecorderThatHangs(t *testing.T) {
	for _, method := range []string{"Record", "Finish"} {
		for _, event := range []trail.Event{trail.Update, trail.Execute} {
			synctest.Test(t, func(t *testing.T) {
				m := recording(t)
				m.before = func(ctx context.Context, called string) {
					if called == method {
						<-ctx.Done()
					}
				}
				began := time.Now()
				_, trace, err := trail.Start(t.Context(), trail.Action{Actor: una, Event: event})
				if err == nil {
					err = trace.End(errDown)
				}
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Minute {
					t.Errorf("%s of %s: %v, after %s", method, event, err, time.Since(began))
				}
			})
		}
	}
}

// TestPending leaves the end to somebody else, once or more often.
func TestPending(t *testing.T) {
	for _, event := range []trail.Event{trail.Update, trail.Execute} {
		for _, claimed := range []bool{false, true} {
			for _, end := range []error{nil, errors.New("no bricks")} {
				m := recording(t)
				_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: event, Model: "thing"})
				kept := trail.Pending
				if claimed {
					claim, err := trace.Claim(trail.Work{Model: "thing"})
					if err != nil {
						t.Fatal(err)
					}
					claim.Settle(true, true)
					if event == trail.Update {
						kept = "" // by whoever had the claim
					}
				}
				for range 2 {
					if err := trace.Finish(trail.Outcome{Result: trail.Pending, Status: 202}); err != nil {
						t.Fatal(err)
					}
					if trace.Ended() || m.result(trace.ID()) != kept {
						t.Errorf("%s, claimed %t: ended %t, the outcome is %q", event, claimed, trace.Ended(), m.result(trace.ID()))
					}
				}
				if err := trace.End(end); err != nil {
					t.Fatal(err)
				}
				want := trail.Success
				if end != nil {
					want = trail.Failure
				}
				if kept == "" && end == nil {
					want = "" // the entry, by whoever had the claim, says so
				}
				if got := m.result(trace.ID()); got != want || !trace.Ended() || len(m.entries) > 1 {
					t.Errorf("%s, claimed %t: the outcome is %q of %d entries, want %q", event, claimed, got, len(m.entries), want)
				}
			}
		}
	}
}

// TestPendingThatFailed: an entry that could not be made sure of is, by the
// end.
func TestPendingThatFailed(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	m.fail("Record", errDown)
	if err := trace.Finish(trail.Outcome{Result: trail.Pending}); !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
	m.fail("Record", nil)
	if err := trace.End(nil); err != nil {
		t.Error(err)
	}
	if len(m.entries) != 1 || m.result(trace.ID()) != trail.Success {
		t.Errorf("%d entries, %d outcomes", len(m.entries), len(m.outcomes))
	}
}

// TestManyGoroutinesEndOneTrace: one of them does.
func TestManyGoroutinesEndOneTrace(t *testing.T) {
	for _, event := range []trail.Event{trail.Update, trail.Execute} {
		m := recording(t)
		ctx, trace := start(t, t.Context(), trail.Action{Event: event, Model: "thing"})
		var wg sync.WaitGroup
		results := make(chan error, 16)
		for g := range cap(results) {
			wg.Go(func() {
				_ = trace.Own()
				if err := trace.Identify(una); err != nil && !errors.Is(err, trail.ErrRecorded) {
					t.Error(err)
				}
				if _, ok := trail.TraceID(ctx); !ok {
					t.Error("no trace")
				}
				if err := trace.Open(); err != nil {
					t.Error(err)
				}
				if claim, err := trace.Claim(trail.Work{Model: "thing"}); err != nil {
					t.Error(err)
				} else {
					claim.Settle(g%2 == 0, g%4 == 0)
				}
				_ = trace.Action()
				results <- trace.End(nil)
			})
		}
		wg.Wait()
		close(results)
		ended := 0
		for err := range results {
			switch {
			case err == nil:
				ended++
			case !errors.Is(err, trail.ErrEnded):
				t.Error(err)
			}
		}
		if ended != 1 || len(m.entries) > 1 {
			t.Errorf("%s: %d ends took place, %d entries are kept", event, ended, len(m.entries))
		}
	}
}

func TestParent(t *testing.T) {
	m := recording(t)
	outerCtx, outer := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	_, inner := start(t, outerCtx, trail.Action{Actor: una, Event: "tidy"})
	if err := errors.Join(inner.End(nil), outer.End(nil)); err != nil {
		t.Fatal(err)
	}
	parents := map[uuid.UUID]string{}
	for _, e := range m.entries {
		var d trail.Details
		if e.Context != nil {
			if err := json.Unmarshal(e.Context, &d); err != nil {
				t.Fatal(err)
			}
		}
		parents[e.ID] = d.ParentTraceID
	}
	if diff := cmp.Diff(map[uuid.UUID]string{outer.ID(): "", inner.ID(): outer.ID().String()}, parents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
