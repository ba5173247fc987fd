package trail_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// failsAtFirst fails so many calls of each method, as connections do that a
// restarted database has left behind.
func failsAtFirst(m *memory, n int) {
	calls := map[string]int{}
	m.before = func(_ context.Context, method string) {
		if calls[method]++; calls[method] > n {
			m.fail(method, nil)
		} else {
			m.fail(method, errDown)
		}
	}
}

// What fails is tried again, before the work and at the end.
func TestRecordIsRetried(t *testing.T) {
	for _, event := range []trail.Event{trail.Update, trail.Execute} {
		synctest.Test(t, func(t *testing.T) {
			m := recording(t)
			failsAtFirst(m, 1)
			_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: event, Model: "thing"})
			if err := trace.End(errors.New("no")); err != nil {
				t.Fatalf("%s: %v", event, err)
			}
			if len(m.entries) != 1 || m.result(trace.ID()) != trail.Failure {
				t.Errorf("%s: %d entries, the outcome is %s", event, len(m.entries), m.result(trace.ID()))
			}
		})
	}
}

// The end of an action whose entry stands in a transaction that is over tells a
// success that could not be made sure of from an action without an entry.
func TestUnconfirmed(t *testing.T) {
	for _, c := range []struct {
		reason  string
		written bool
		end     error
		want    bool
	}{
		{reason: "a success", written: true, want: true},
		{reason: "a failure", written: true, end: errors.New("no")},
		{reason: "nothing written"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := recording(t)
				_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
				claim, err := trace.Claim(trail.Work{Model: "thing", Tx: overTx(), Done: ended})
				if err != nil {
					t.Fatal(err)
				}
				claim.Settle(c.written, false)
				m.fail("Record", errDown)
				if err := trace.End(c.end); !errors.Is(err, errDown) || errors.Is(err, trail.ErrUnconfirmed) != c.want {
					t.Errorf("got %v", err)
				}
				m.fail("Record", nil)
				if err := trace.End(c.end); err != nil || len(m.entries) != 1 {
					t.Errorf("again: %v, %d entries", err, len(m.entries))
				}
			})
		})
	}
}

// An end that failed half way may be called again, also with another result.
func TestEndAgainWithAnotherResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := recording(t)
		_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
		m.fail("Finish", errDown)
		if err := trace.End(errors.New("no")); !errors.Is(err, errDown) {
			t.Fatalf("got %v", err)
		}
		m.fail("Finish", nil)
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		if got := m.result(trace.ID()); got != trail.Success {
			t.Errorf("the outcome is %s", got)
		}
	})
}

// The rest of an action is recorded where its own entry was written.
func TestRecorderOfTheChange(t *testing.T) {
	m, other := recording(t), &memory{}
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
	claim, err := trace.Claim(trail.Work{Model: "thing", Tx: overTx(), Done: ended, Recorder: other})
	if err != nil {
		t.Fatal(err)
	}
	claim.Settle(true, false)
	if err := trace.End(errors.New("no")); err != nil {
		t.Fatal(err)
	}
	if len(m.calls) != 0 || len(other.entries) != 1 || len(other.outcomes) != 1 {
		t.Errorf("the default got %v, the other %d entries and %d outcomes", m.calls, len(other.entries), len(other.outcomes))
	}
}

// What is begun in an action is recorded where that is.
func TestRecorderIsPassedOn(t *testing.T) {
	trail.SetDefault(nil)
	m := &memory{}
	s := new(trail.Scope)
	if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Update}, trail.Options{Recorder: m}); err != nil {
		t.Fatal(err)
	}
	_, inner := start(t, s, trail.Action{Actor: una, Event: trail.Create})
	c := trail.MapCarrier{}
	trail.Inject(s, c)
	continued, ok := trail.FromContext(trail.Extract(s, c))
	if !ok {
		t.Fatal("nothing was extracted")
	}
	for _, trace := range []*trail.Trace{inner, continued, s.Trace()} {
		if err := trace.End(nil); err != nil && !errors.Is(err, trail.ErrEnded) {
			t.Error(err)
		}
	}
	if len(m.entries) != 2 {
		t.Errorf("%d entries", len(m.entries))
	}
}

// An annotation may put an action ahead whose work has not begun: no write may
// open it, nor be its own, until it has.
func TestHeld(t *testing.T) {
	for _, event := range []trail.Event{trail.Create, trail.Execute} {
		m := recording(t)
		s := new(trail.Scope)
		options := trail.Options{Late: true, Held: true}
		if err := s.Start(t.Context(), trail.Action{Actor: una, Event: event, Model: "thing"}, options); err != nil {
			t.Fatal(err)
		}
		trace := s.Trace()
		claim, err := trace.Claim(trail.Work{Model: "thing", Operation: trail.OpInsert})
		if err != nil || claim.Held || trace.BeforeWrite() != nil || len(m.entries) != 0 {
			t.Errorf("%s: a write before the work is the action's own: %t, %v, %d entries", event, claim.Held, err, len(m.entries))
		}
		for _, later := range []trail.Event{trail.Execute, trail.Sync} {
			if err := trace.Annotate(later, "", trail.ByEvent); err != nil {
				t.Fatal(err)
			}
			if err := trace.BeforeWrite(); err != nil || len(m.entries) != 0 {
				t.Errorf("%s: a write opened it: %v, %d entries", event, err, len(m.entries))
			}
		}
		trace.Release()
		if err := trace.BeforeWrite(); err != nil || len(m.entries) != 1 || m.entries[0].Event != trail.Sync {
			t.Errorf("%s: released: %v, %+v", event, err, m.entries)
		}
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// An id is kept as it is, like a row's, if a database can keep it.
func TestSetEntity(t *testing.T) {
	recording(t)
	long := strings.Repeat("k", 3000)
	for id, want := range map[string]string{
		"o,u":                                "o,u",
		"tab\tand\u202eturn":                 "tab\tand\u202eturn",
		strings.Repeat("k", 2000):            strings.Repeat("k", 2000),
		long:                                 long[:511] + "…",
		"nul\x00":                            `nul\u0000`,
		"not \xff text":                      "not \ufffd text",
		uuid.Max.String():                    uuid.Max.String(),
		"line\nbreak" + string(rune(0x200b)): "line\nbreak\u200b",
	} {
		_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
		if err := trace.SetEntity("part", id); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"part", want}, []string{trace.Own().Model, trace.Own().EntityID}); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", id, diff)
		}
		claim, err := trace.Claim(trail.Work{Model: "part"})
		if err != nil || claim.EntityID != want {
			t.Errorf("the claim is of %.20q: %v", claim.EntityID, err)
		}
		if err := trace.SetEntity("thing", "1"); !errors.Is(err, trail.ErrRecorded) {
			t.Errorf("while it is being written: %v", err)
		}
		claim.Settle(true, true)
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A reason is free text: what looks like a secret in it is masked, as in an error.
func TestReasonIsMasked(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Reason: "rotated: password=hunter2"})
	if err := trace.End(nil); err != nil {
		t.Fatal(err)
	}
	if got := string(m.entries[0].Context); got != `{"reason":"rotated: password=***"}` {
		t.Errorf("the context is %s", got)
	}
}
