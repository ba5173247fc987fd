package trail_test

import (
	"testing"

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
