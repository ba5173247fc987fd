package store_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// mixed returns entries with few distinct values, some of them in the traces of
// others, and what some of their actions ended with.
func mixed(n int) (list []trail.Entry, ends map[uuid.UUID]trail.Result) {
	r := rand.New(rand.NewPCG(3, 4))
	results := []trail.Result{trail.Success, trail.Failure, trail.Denied, trail.Pending}
	list, ends = ties(n), map[uuid.UUID]trail.Result{}
	for i := range list {
		if other := list[r.IntN(i+1)]; r.IntN(3) == 0 && other.TraceID == other.ID {
			list[i].TraceID = other.ID
			continue
		}
		list[i].Outcome = results[r.IntN(4)]
		if r.IntN(2) == 0 {
			ends[list[i].ID] = results[r.IntN(3)]
		}
	}
	return list, ends
}

// matching returns the entries that a query asks for, found in a second way.
func matching(all []trail.Entry, ends map[uuid.UUID]trail.Result, q store.Query) []trail.Entry {
	var list []trail.Entry
	for _, e := range all {
		result := e.Outcome
		if end, ok := ends[e.TraceID]; ok {
			result = end
		}
		if (q.TraceID == uuid.Nil || e.TraceID == q.TraceID) &&
			(q.Outcome == "" || result == q.Outcome && (e.ID == e.TraceID || q.TraceID != uuid.Nil)) &&
			(len(q.Events) == 0 || slices.Contains(q.Events, e.Event)) &&
			(q.Model == "" || e.Model == q.Model) && (q.EntityID == "" || e.EntityID == q.EntityID) &&
			(q.UserID == "" || e.Actor.ID == q.UserID) &&
			(q.From.IsZero() || !e.CreatedAt.Before(q.From)) && (q.To.IsZero() || e.CreatedAt.Before(q.To)) {
			list = append(list, e)
		}
	}
	return list
}

// Walking the pages forth, and back from the last, meets what the filters let
// through, once and in order, whatever they are and the sort is.
func TestFiltersPageByPage(t *testing.T) {
	all, ends := mixed(80)
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, all...)
		for id, result := range ends {
			if err := s.Finish(t.Context(), trail.Outcome{TraceID: id, FinishedAt: noon, Result: result}); err != nil {
				t.Fatal(err)
			}
		}
		rapid.Check(t, func(r *rapid.T) {
			q := store.Query{
				Outcome:   rapid.SampledFrom([]trail.Result{"", trail.Success, trail.Failure, trail.Denied, trail.Pending}).Draw(r, "outcome"),
				Model:     rapid.SampledFrom([]string{"", "", "model1"}).Draw(r, "model"),
				EntityID:  rapid.SampledFrom([]string{"", "", "1", "none"}).Draw(r, "entity"),
				UserID:    rapid.SampledFrom([]string{"", "", "user1"}).Draw(r, "user"),
				Events:    rapid.SampledFrom([][]trail.Event{nil, nil, {trail.Create}, {trail.Create, trail.Update}}).Draw(r, "events"),
				From:      rapid.SampledFrom([]time.Time{{}, {}, noon.Add(time.Microsecond)}).Draw(r, "from"),
				To:        rapid.SampledFrom([]time.Time{{}, {}, noon.Add(3 * time.Microsecond)}).Draw(r, "to"),
				Sort:      rapid.SampledFrom([]store.Sort{store.SortTime, store.SortUser, store.SortEvent, store.SortModel}).Draw(r, "sort"),
				Ascending: rapid.Bool().Draw(r, "ascending"),
			}
			if rapid.IntRange(0, 3).Draw(r, "trace") == 0 {
				q.TraceID = rapid.SampledFrom(all).Draw(r, "of").TraceID
			}
			expected := want(matching(all, ends, q), q.Sort, q.Ascending)
			limit := rapid.IntRange(1, 20)
			var forth []uuid.UUID
			var last store.Page
			for {
				q.Limit = limit.Draw(r, "limit")
				page, err := s.Entries(t.Context(), q)
				if err != nil {
					r.Fatal(err)
				}
				forth, last = append(forth, ids(page.Entries)...), page
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(expected, forth); diff != "" {
				r.Fatalf("forth (-want +got):\n%s", diff)
			}
			back := ids(last.Entries)
			for last.Previous != "" {
				q.Cursor, q.Limit = last.Previous, limit.Draw(r, "limit")
				page, err := s.Entries(t.Context(), q)
				if err != nil {
					r.Fatal(err)
				}
				back, last = append(ids(page.Entries), back...), page
			}
			if diff := cmp.Diff(expected, back); diff != "" {
				r.Fatalf("back (-want +got):\n%s", diff)
			}
		})
	})
}
