package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func TestEvents(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		var want []trail.Event
		for _, events := range [][]trail.Event{
			nil, {"update"}, {"update", "update", "create"}, {"create", "zap", "Überweisung", "approve"}, nil,
		} {
			for _, event := range events {
				e := entry(noon)
				e.Event = event
				record(t, s, e)
			}
			switch len(events) {
			case 1:
				want = []trail.Event{"update"}
			case 3:
				want = []trail.Event{"create", "update"}
			case 4:
				want = []trail.Event{"approve", "create", "update", "zap", "Überweisung"}
			}
			got, err := s.Events(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Transformer("len", func(l []trail.Event) []trail.Event { return append([]trail.Event{}, l...) })); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

func TestEventsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		batch := make([]trail.Entry, store.MaxEvents+5)
		for i := range batch {
			batch[i] = entry(noon)
			batch[i].Event = trail.Event(fmt.Sprintf("event%04d", i))
		}
		record(t, s, batch[:store.MaxEvents-1]...)
		for _, want := range []int{store.MaxEvents - 1, store.MaxEvents, store.MaxEvents} {
			got, err := s.Events(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != want {
				t.Errorf("%d events, %d expected", len(got), want)
			}
			record(t, s, batch...)
		}
	})
}

func TestEventsConcurrently(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				e := entry(noon)
				e.Event = trail.Event(fmt.Sprintf("event%d", i))
				if err := s.Record(t.Context(), e); err != nil {
					t.Error(err)
				}
				got, err := s.Events(t.Context())
				if err != nil {
					t.Error(err)
				}
				found := false
				for _, event := range got {
					found = found || event == e.Event
				}
				if !found {
					t.Errorf("%q, which was written, is not among %q", e.Event, got)
				}
			})
		}
		all.Wait()
		got, err := s.Events(t.Context())
		if err != nil || len(got) != 8 {
			t.Errorf("got %q, %v, want 8 events", got, err)
		}
	})
}
