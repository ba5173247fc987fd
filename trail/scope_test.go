package trail_test

import (
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/infrakitchen/audit/trail"
)

// clerk is a source that knows its actor only later.
type clerk struct {
	mu    sync.Mutex
	actor trail.Actor
	known bool
	asked int
}

func (c *clerk) Actor() (trail.Actor, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.actor, c.known
}

func (c *clerk) Details() trail.Details {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return trail.Details{Method: "PUT", Route: "/things/:id"}
}

func (c *clerk) learn(a trail.Actor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.actor, c.known = a, true
}

// TestScope is how others open traces: late, with a source, an id and a time.
func TestScope(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 123456789, time.UTC)
	m := &memory{}
	trail.SetDefault(nil)
	id := trail.NewID(at)
	source := &clerk{}
	var s trail.Scope
	if err := s.Start(t.Context(), trail.Action{Actor: trail.Anonymous(), Event: trail.Execute, Model: "thing", EntityID: "42"},
		trail.Options{Recorder: m, Source: source, ID: id, Started: at, Late: true}); err != nil {
		t.Fatal(err)
	}
	trace := s.Trace()
	if found, ok := trail.FromContext(&s); !ok || found != trace || trace.ID() != id || trace.String() != id.String() {
		t.Errorf("the scope carries %v, want the trace %s", found, id)
	}
	if len(m.calls) != 0 {
		t.Errorf("the recorder was called ahead of Open: %v", m.calls)
	}
	if got := trace.Action().Actor; got != trail.Anonymous() {
		t.Errorf("the actor is %+v, as long as none is known", got)
	}
	source.learn(una)
	for range 2 {
		if err := trace.Open(); err != nil {
			t.Fatal(err)
		}
	}
	want := trail.Entry{
		ID: id, TraceID: id, CreatedAt: at.Truncate(time.Microsecond), Actor: una, Event: trail.Execute, Model: "thing", EntityID: "42",
		Outcome: trail.Pending, Context: json.RawMessage(`{"method":"PUT","route":"/things/:id"}`),
	}
	if diff := cmp.Diff([]trail.Entry{want}, m.entries); diff != "" {
		t.Errorf("the entry ahead (-want +got):\n%s", diff)
	}
	if err := trace.Finish(trail.Outcome{Result: trail.Failure, Status: 409, Error: "secret=x"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]trail.Outcome{{TraceID: id, Result: trail.Failure, Status: 409, Error: "secret=***"}}, m.outcomes,
		cmpopts.IgnoreFields(trail.Outcome{}, "FinishedAt", "Duration")); diff != "" {
		t.Errorf("the outcome (-want +got):\n%s", diff)
	}
	// The source may be gone by now; it is not asked any more, and what it
	// said is still known.
	asked := source.asked
	source.learn(trail.Actor{ID: "mallory"})
	if got := trace.Action().Actor; got != una || trace.Own().Actor != una || source.asked != asked {
		t.Errorf("behind the end the actor is %+v, and the source was asked %d times more", got, source.asked-asked)
	}
	if err := trace.Open(); err != nil {
		t.Errorf("Open behind the end: %v", err)
	}
}

// TestLateIsWrittenAtTheEnd: one that nobody opened is not lost.
func TestLateIsWrittenAtTheEnd(t *testing.T) {
	for _, end := range []error{nil, trail.ErrDenied} {
		m := &memory{}
		var s trail.Scope
		if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Execute}, trail.Options{Recorder: m, Late: true}); err != nil {
			t.Fatal(err)
		}
		if err := s.Trace().End(end); err != nil {
			t.Fatal(err)
		}
		want := trail.Success
		if end != nil {
			want = trail.Denied
		}
		if got := m.result(s.Trace().ID()); len(m.entries) != 1 || got != want {
			t.Errorf("%d entries, the outcome is %s, want %s", len(m.entries), got, want)
		}
	}
}

// TestOpenThatFails: the work must not be done, and the attempt is recorded at
// the end.
func TestOpenThatFails(t *testing.T) {
	m := &memory{}
	m.fail("Record", errDown)
	var s trail.Scope
	if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Execute, Model: "thing"}, trail.Options{Recorder: m, Late: true}); err != nil {
		t.Fatal(err)
	}
	trace := s.Trace()
	for range 2 {
		if err := trace.Open(); !errors.Is(err, errDown) {
			t.Errorf("Open returns %v", err)
		}
	}
	if _, err := trace.Claim(trail.Work{Model: "thing"}); !errors.Is(err, errDown) {
		t.Errorf("a claim gets %v, want what kept the entry from being written", err)
	}
	m.fail("Record", nil)
	if err := trace.End(errDown); err != nil {
		t.Error(err)
	}
	if len(m.entries) != 1 || m.result(trace.ID()) != trail.Failure {
		t.Errorf("%d entries, the outcome is %q", len(m.entries), m.result(trace.ID()))
	}
}
