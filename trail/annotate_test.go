package trail_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

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
				claim, _ := tr.Claim(trail.Work{Model: "thing"})
				claim.Settle(true, true)
			}, trail.Approve, "", trail.ByEvent, trail.ErrRecorded,
			trail.Action{Event: trail.Update, Model: "thing", Moment: trail.WithChange},
		},
		{
			"while it is being written", trail.Update, func(tr *trail.Trace) {
				_, _ = tr.Claim(trail.Work{Model: "thing"})
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
	if err := trace.Identify(una); err != nil {
		t.Error(err)
	}
	if err := trace.End(nil); err != nil {
		t.Fatal(err)
	}
	if m.entries[0].Actor != una || trace.Action().Actor != una {
		t.Errorf("the actor is %+v", m.entries[0].Actor)
	}
}

// knows is a source that knows the actor.
type knows struct{ actor trail.Actor }

func (s knows) Actor() (trail.Actor, bool) { return s.actor, true }
func (knows) Details() trail.Details       { return trail.Details{} }

// Nobody is identified, and no tenant set, behind what has been recorded; and
// whoever identifies knows better than the source.
func TestIdentifyTooLate(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Event: trail.Execute, Model: "thing"})
	for name, err := range map[string]error{"Identify": trace.Identify(una), "SetTenant": trace.SetTenant("one")} {
		if !errors.Is(err, trail.ErrRecorded) {
			t.Errorf("%s: got %v, want trail.ErrRecorded", name, err)
		}
	}
	s := new(trail.Scope)
	if err := s.Start(t.Context(), trail.Action{Event: trail.Update}, trail.Options{Source: knows{trail.Actor{ID: "mallory"}}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Trace().Identify(una), s.Trace().SetTenant("one"), s.Trace().End(nil)); err != nil {
		t.Fatal(err)
	}
	if e := m.entries[len(m.entries)-1]; e.Actor != una || e.Tenant != "one" {
		t.Errorf("the entry is of %+v, of tenant %q", e.Actor, e.Tenant)
	}
}

// An id that is given must be able to be one.
func TestIDRefused(t *testing.T) {
	recording(t)
	for _, id := range []uuid.UUID{uuid.New(), trail.NewID(time.Now().Add(48 * time.Hour))} {
		if err := new(trail.Scope).Start(t.Context(), trail.Action{Event: trail.Update}, trail.Options{ID: id}); err == nil || !strings.Contains(err.Error(), "Options.ID") {
			t.Errorf("%s was taken: %v", id, err)
		}
	}
}
