package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func changed(trace uuid.UUID, n int) []trail.Entry {
	list := make([]trail.Entry, n)
	for i := range list {
		list[i] = entry(noon.Add(-time.Duration(i) * time.Millisecond)) // a clock that runs backwards
		list[i].TraceID = trace
	}
	return list
}

func TestTrace(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		own := entry(noon)
		rows := changed(own.ID, 3)
		record(t, s, entry(noon), rows[0], own, rows[1], entry(noon), rows[2])
		order := []uuid.UUID{rows[0].ID, own.ID, rows[1].ID, rows[2].ID}

		got, err := s.Trace(t.Context(), own.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(order, ids(got.Entries)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got.ID != own.ID || got.Action == nil || got.Action.ID != own.ID || got.Outcome != nil || got.More {
			t.Errorf("got %+v", got)
		}

		end := finished(own.ID)
		end.Result = trail.Failure
		if err := s.Finish(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if got, err = s.Trace(t.Context(), own.ID); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&end, got.Outcome); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for _, e := range append(got.Entries, *got.Action) {
			if e.Result != trail.Failure || e.Outcome != trail.Success {
				t.Errorf("entry %s ended with %q, and says %q", e.ID, e.Result, e.Outcome)
			}
		}
	})
}

func TestTraceParts(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		running, ended, row := trail.NewID(noon), trail.NewID(noon), entry(noon)
		row.TraceID = running
		record(t, s, row)
		end := finished(ended)
		if err := s.Finish(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		got, err := s.Trace(t.Context(), running)
		if err != nil || got.Action != nil || len(got.Entries) != 1 {
			t.Errorf("without its own entry: got %+v, %v", got, err)
		}
		got, err = s.Trace(t.Context(), ended)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(store.Trace{ID: ended, Outcome: &end}, got); diff != "" {
			t.Errorf("with an outcome alone (-want +got):\n%s", diff)
		}
		for name, id := range map[string]uuid.UUID{"unknown": trail.NewID(noon), "nil": uuid.Nil, "an entry's, not a trace's": row.ID} {
			if _, err := s.Trace(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want %v", name, err, store.ErrNotFound)
			}
		}
	})
}

// A trace of many entries is cut, but not short of the action itself, which
// may have been written last.
func TestTraceOfMany(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		own := entry(noon)
		rows := changed(own.ID, store.MaxTrace+1)
		record(t, s, rows[:store.MaxTrace]...)
		got, err := s.Trace(t.Context(), own.ID)
		if err != nil || got.More || len(got.Entries) != store.MaxTrace || got.Action != nil {
			t.Fatalf("got %d entries, more %v, %v", len(got.Entries), got.More, err)
		}
		record(t, s, rows[store.MaxTrace])
		if got, err = s.Trace(t.Context(), own.ID); err != nil || !got.More || got.Action != nil {
			t.Errorf("without the action: more %v, %v, %v", got.More, got.Action, err)
		}
		record(t, s, own)
		if got, err = s.Trace(t.Context(), own.ID); err != nil || got.Action == nil || got.Action.ID != own.ID {
			t.Errorf("got %v, %v, want the action", got.Action, err)
		}
		if !got.More || len(got.Entries) != store.MaxTrace || got.Entries[0].ID != rows[0].ID {
			t.Errorf("got %d entries, more %v", len(got.Entries), got.More)
		}
	})
}
