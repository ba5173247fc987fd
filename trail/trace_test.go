package trail_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

func TestEvents(t *testing.T) {
	ahead := map[trail.Event]bool{
		trail.Execute: true, trail.Destroy: true, trail.Recreate: true, trail.Retry: true, trail.Sync: true, trail.Dryrun: true,
	}
	events := trail.Events()
	if len(events) != 14 {
		t.Errorf("%d events are known, want the thirteen and restore", len(events))
	}
	for _, e := range events {
		want := trail.WithChange
		if ahead[e] {
			want = trail.Ahead
		}
		if !e.Known() || e.Moment() != want {
			t.Errorf("%s: known %t, moment %d, want %d", e, e.Known(), e.Moment(), want)
		}
	}
	for _, e := range []trail.Event{"", "publish", "EXECUTE", "execute "} {
		if e.Known() || e.Moment() != trail.WithChange {
			t.Errorf("%q: known %t, moment %d", e, e.Known(), e.Moment())
		}
	}
	events[0] = "mine"
	if trail.Events()[0] != trail.Create {
		t.Error("the slice is not the caller's own")
	}
}

func TestActorNormalize(t *testing.T) {
	for _, c := range []struct {
		reason   string
		in, want trail.Actor
	}{
		{"nobody", trail.Actor{}, trail.Unknown()},
		{"nobody, anonymous", trail.Actor{Kind: trail.KindAnonymous}, trail.Anonymous()},
		{"nobody, a service", trail.Actor{Kind: trail.KindService}, trail.Actor{ID: "unknown", Name: "unknown", Kind: trail.KindService}},
		{"nobody, on behalf of somebody", trail.Actor{OnBehalfOf: "7"}, trail.Actor{ID: "unknown", Name: "unknown", Kind: trail.KindSystem, OnBehalfOf: "7"}},
		{"an id", trail.Actor{ID: "7"}, trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser}},
		{"a name", trail.Actor{Name: "Ada"}, trail.Actor{ID: "Ada", Name: "Ada", Kind: trail.KindUser}},
		{"a kind that there is not", trail.Actor{ID: "7", Kind: "god"}, trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser}},
		{"all of it", trail.Actor{"7", "Ada", trail.KindSystem, "8"}, trail.Actor{"7", "Ada", trail.KindSystem, "8"}},
		{
			"what is hidden shows, what is long is cut",
			trail.Actor{strings.Repeat("i", 300), strings.Repeat("n", 300), trail.KindUser, "a\n"},
			trail.Actor{strings.Repeat("i", 255) + "…", strings.Repeat("n", 255) + "…", trail.KindUser, `a\u000a`},
		},
	} {
		got := c.in.Normalize()
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
		if again := got.Normalize(); again != got {
			t.Errorf("%s: normalized again it is %+v", c.reason, again)
		}
	}
}

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
				claim, err := trace.Claim("thing", nil, nil)
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

// TestPending leaves the end to somebody else, once or more often.
func TestPending(t *testing.T) {
	for _, event := range []trail.Event{trail.Update, trail.Execute} {
		for _, claimed := range []bool{false, true} {
			for _, end := range []error{nil, errors.New("no bricks")} {
				m := recording(t)
				_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: event, Model: "thing"})
				kept := trail.Pending
				if claimed {
					claim, err := trace.Claim("thing", nil, nil)
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

// TestOpenThatFails: the work must not be done, and the attempt is told at the
// end.
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
	if _, err := trace.Claim("thing", nil, nil); !errors.Is(err, errDown) {
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

// TestAnnotate is who may still say what the action is called.
func TestAnnotate(t *testing.T) {
	for _, c := range []struct {
		reason string
		began  trail.Event
		before func(*trail.Trace)
		event  trail.Event
		model  string
		moment trail.Moment
		err    error
		want   trail.Action
	}{
		{
			"the event", trail.Update, nil, trail.Approve, "", trail.ByEvent, nil,
			trail.Action{Event: trail.Approve, Model: "thing", Moment: trail.WithChange},
		},
		{
			"the model as well", trail.Update, nil, trail.Approve, "part", trail.ByEvent, nil,
			trail.Action{Event: trail.Approve, Model: "part", Moment: trail.WithChange},
		},
		{
			"to one ahead", trail.Update, nil, trail.Execute, "", trail.ByEvent, nil,
			trail.Action{Event: trail.Execute, Model: "thing", Moment: trail.Ahead},
		},
		{
			"with a moment", trail.Update, nil, trail.Execute, "", trail.WithChange, nil,
			trail.Action{Event: trail.Execute, Model: "thing", Moment: trail.WithChange},
		},
		{
			"no event", trail.Update, nil, "", "part", trail.ByEvent, trail.ErrNoEvent,
			trail.Action{Event: trail.Update, Model: "thing", Moment: trail.WithChange},
		},
		{
			"when it was written ahead", trail.Execute, nil, trail.Approve, "", trail.ByEvent, trail.ErrRecorded,
			trail.Action{Event: trail.Execute, Model: "thing", Moment: trail.Ahead},
		},
		{
			"when it was written with a change", trail.Update, func(tr *trail.Trace) {
				claim, _ := tr.Claim("thing", nil, nil)
				claim.Settle(true, true)
			}, trail.Approve, "", trail.ByEvent, trail.ErrRecorded,
			trail.Action{Event: trail.Update, Model: "thing", Moment: trail.WithChange},
		},
		{
			"while it is being written", trail.Update, func(tr *trail.Trace) {
				_, _ = tr.Claim("thing", nil, nil)
			}, trail.Approve, "", trail.ByEvent, trail.ErrRecorded,
			trail.Action{Event: trail.Update, Model: "thing", Moment: trail.WithChange},
		},
		{
			"when it has ended", trail.Update, func(tr *trail.Trace) { _ = tr.End(nil) }, trail.Approve, "", trail.ByEvent, trail.ErrRecorded,
			trail.Action{Event: trail.Update, Model: "thing", Moment: trail.WithChange},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			recording(t)
			_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: c.began, Model: "thing"})
			if c.before != nil {
				c.before(trace)
			}
			if err := trace.Annotate(c.event, c.model, c.moment); !errors.Is(err, c.err) {
				t.Errorf("got %v, want %v", err, c.err)
			}
			c.want.Actor = una
			if diff := cmp.Diff(c.want, trace.Action()); diff != "" {
				t.Errorf("the action (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnnotatedAhead: an annotation that puts the action ahead lets it be
// written before the work.
func TestAnnotatedAhead(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	if err := errors.Join(trace.Annotate(trail.Sync, "", trail.ByEvent), trace.Open(), trace.End(nil)); err != nil {
		t.Fatal(err)
	}
	if len(m.entries) != 1 || m.entries[0].Event != trail.Sync || m.entries[0].Outcome != trail.Pending || m.result(trace.ID()) != trail.Success {
		t.Errorf("the entries are %+v", m.entries)
	}
}

// TestIdentify: who acts may be known only after the start.
func TestIdentify(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Event: trail.Update})
	trace.Identify(una)
	if err := trace.End(nil); err != nil {
		t.Fatal(err)
	}
	if m.entries[0].Actor != una || trace.Action().Actor != una {
		t.Errorf("the actor is %+v", m.entries[0].Actor)
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
				trace.Identify(una)
				if _, ok := trail.TraceID(ctx); !ok {
					t.Error("no trace")
				}
				if err := trace.Open(); err != nil {
					t.Error(err)
				}
				if claim, err := trace.Claim("thing", nil, nil); err != nil {
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
