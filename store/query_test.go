package store_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// sorted are the columns of a sort, before the id.
var sorted = map[store.Sort]func(trail.Entry) string{
	store.SortTime:   func(trail.Entry) string { return "" },
	store.SortUser:   func(e trail.Entry) string { return e.Actor.ID },
	store.SortEvent:  func(e trail.Entry) string { return string(e.Event) },
	store.SortModel:  func(e trail.Entry) string { return e.Model + " " + e.EntityID },
	store.SortEntity: func(e trail.Entry) string { return e.Model + " " + e.EntityID },
}

// want orders entries as a sort does, in a second way.
func want(all []trail.Entry, sort store.Sort, ascending bool) []uuid.UUID {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b trail.Entry) int {
		c := strings.Compare(sorted[sort](a)+" "+a.ID.String(), sorted[sort](b)+" "+b.ID.String())
		if !ascending {
			c = -c
		}
		return c
	})
	var list []uuid.UUID
	for _, e := range all {
		list = append(list, e.ID)
	}
	return list
}

// ties returns entries with few distinct values.
func ties(n int) []trail.Entry {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]trail.Entry, n)
	for i := range list {
		e := entry(noon.Add(time.Duration(r.IntN(5)) * time.Microsecond)) // several of one instant
		e.Actor.ID = fmt.Sprintf("user%d", r.IntN(3))
		e.Event = trail.Events()[r.IntN(4)]
		e.Model = fmt.Sprintf("model%d", r.IntN(2))
		e.EntityID = fmt.Sprintf("%d", r.IntN(4))
		list[i] = e
	}
	return list
}

// Walking forth, and back from the end, meets every entry once, in order,
// whatever the sort, the direction and the sizes of the pages.
func TestPagingIsComplete(t *testing.T) {
	all := ties(60)
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, all...)
		rapid.Check(t, func(r *rapid.T) {
			q := store.Query{
				Sort: rapid.SampledFrom([]store.Sort{
					"", store.SortTime, store.SortUser, store.SortEvent, store.SortModel, store.SortEntity,
				}).Draw(r, "sort"),
				Ascending: rapid.Bool().Draw(r, "ascending"),
			}
			sort := q.Sort
			if sort == "" {
				sort = store.SortTime
			}
			expected := want(all, sort, q.Ascending)
			limit := rapid.OneOf(rapid.IntRange(1, 70), rapid.SampledFrom([]int{20, 30, 59, 60, 61}))

			var forth, back []uuid.UUID
			var last store.Page
			for {
				q.Limit = limit.Draw(r, "limit")
				page, err := s.Entries(t.Context(), q)
				if err != nil {
					r.Fatal(err)
				}
				if (page.Previous == "") != (len(forth) == 0) {
					r.Fatalf("Previous is %q at entry %d", page.Previous, len(forth))
				}
				forth, last = append(forth, ids(page.Entries)...), page
				if page.Next == "" {
					break
				}
				q.Cursor = page.Next
			}
			if diff := cmp.Diff(expected, forth); diff != "" {
				r.Fatalf("forth (-want +got):\n%s", diff)
			}
			back = ids(last.Entries)
			for last.Previous != "" {
				q.Cursor, q.Limit = last.Previous, limit.Draw(r, "limit")
				page, err := s.Entries(t.Context(), q)
				if err != nil {
					r.Fatal(err)
				}
				if page.Next == "" {
					r.Fatalf("a page has no Next though it was come to from there")
				}
				back, last = append(ids(page.Entries), back...), page
			}
			if diff := cmp.Diff(expected, back); diff != "" {
				r.Fatalf("back (-want +got):\n%s", diff)
			}
		})
	})
}

// New entries do not shift the pages after the first.
func TestPagingWhileOthersWrite(t *testing.T) {
	all := ties(10)
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, all...)
		first, err := s.Entries(t.Context(), store.Query{Limit: 5})
		if err != nil {
			t.Fatal(err)
		}
		newer := entry(noon.Add(time.Hour))
		record(t, s, newer)
		second, err := s.Entries(t.Context(), store.Query{Limit: 5, Cursor: first.Next})
		if err != nil {
			t.Fatal(err)
		}
		got := append(ids(first.Entries), ids(second.Entries)...)
		if diff := cmp.Diff(want(all, store.SortTime, false), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		back, err := s.Entries(t.Context(), store.Query{Limit: 50, Cursor: second.Previous})
		if err != nil {
			t.Fatal(err)
		}
		if back.Entries[0].ID != newer.ID || back.Previous != "" {
			t.Error("the way back does not lead to the new entry")
		}
	})
}

func TestEntriesOfNothing(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		page, err := s.Entries(t.Context(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(store.Page{}, page); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := s.Entry(t.Context(), uuid.New()); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want %v", err, store.ErrNotFound)
		}
	})
}

func TestEntriesDefaultLimit(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, ties(store.DefaultLimit+1)...)
		page, err := s.Entries(t.Context(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) != store.DefaultLimit || page.Next == "" {
			t.Errorf("%d entries, Next %q", len(page.Entries), page.Next)
		}
	})
}

func TestEntriesFilter(t *testing.T) {
	a, b, c, d, e := entry(noon), entry(noon.Add(time.Second)), entry(noon.Add(2*time.Second)),
		entry(noon.Add(3*time.Second)), entry(noon.Add(4*time.Second))
	a.Event, a.Outcome = trail.Execute, trail.Pending // and is finished
	b.TraceID, b.Event, b.Operation = a.ID, trail.Create, trail.OpInsert
	b.Model, b.EntityID = "job", "it's 1?"
	c.Actor.ID, c.Tenant = "u2", "t1"
	d.Event, d.Outcome = trail.Sync, trail.Pending // and is not
	e.Outcome, e.Event = trail.Denied, "my_own"
	end := finished(a.TraceID)
	end.Result = trail.Failure
	cases := map[string]struct {
		query store.Query
		want  []trail.Entry
	}{
		"all":                  {store.Query{}, []trail.Entry{e, d, c, b, a}},
		"trace":                {store.Query{TraceID: a.ID}, []trail.Entry{b, a}},
		"trace of one":         {store.Query{TraceID: c.ID}, []trail.Entry{c}},
		"trace that is none":   {store.Query{TraceID: b.ID}, nil},
		"event":                {store.Query{Events: []trail.Event{trail.Create}}, []trail.Entry{b}},
		"events":               {store.Query{Events: []trail.Event{trail.Create, "my_own", "none"}}, []trail.Entry{e, b}},
		"model":                {store.Query{Model: "resource"}, []trail.Entry{e, d, c, a}},
		"entity":               {store.Query{Model: "job", EntityID: "it's 1?"}, []trail.Entry{b}},
		"entity of no model":   {store.Query{EntityID: "it's 1?"}, []trail.Entry{b}},
		"user":                 {store.Query{UserID: "u2"}, []trail.Entry{c}},
		"tenant":               {store.Query{Tenant: "t1"}, []trail.Entry{c}},
		"success":              {store.Query{Outcome: trail.Success}, []trail.Entry{c}},
		"failure, in the end":  {store.Query{Outcome: trail.Failure}, []trail.Entry{a}},
		"denied":               {store.Query{Outcome: trail.Denied}, []trail.Entry{e}},
		"pending, up to now":   {store.Query{Outcome: trail.Pending}, []trail.Entry{d}},
		"from is in":           {store.Query{From: d.CreatedAt}, []trail.Entry{e, d}},
		"from is cut up":       {store.Query{From: d.CreatedAt.Add(1)}, []trail.Entry{e}},
		"to is not in":         {store.Query{To: b.CreatedAt}, []trail.Entry{a}},
		"to is cut up":         {store.Query{To: b.CreatedAt.Add(1)}, []trail.Entry{b, a}},
		"from to":              {store.Query{From: b.CreatedAt, To: d.CreatedAt}, []trail.Entry{c, b}},
		"from to in a zone":    {store.Query{From: b.CreatedAt.In(time.FixedZone("", 3600)), To: d.CreatedAt}, []trail.Entry{c, b}},
		"from is to":           {store.Query{From: b.CreatedAt, To: b.CreatedAt}, nil},
		"long ago":             {store.Query{To: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}, nil},
		"everything at once":   {store.Query{TraceID: a.ID, Events: []trail.Event{trail.Create}, Model: "job", EntityID: "it's 1?", UserID: "u1", Outcome: trail.Failure, From: noon, To: noon.AddDate(1, 0, 0)}, []trail.Entry{b}},
		"outcome and a sort":   {store.Query{Outcome: trail.Failure, Sort: store.SortModel, Ascending: true}, []trail.Entry{a}},
		"outcome of a trace":   {store.Query{Outcome: trail.Failure, TraceID: a.ID}, []trail.Entry{b, a}},
		"another outcome":      {store.Query{Outcome: trail.Success, TraceID: a.ID}, nil},
		"outcome of an entity": {store.Query{Outcome: trail.Failure, Model: "resource", EntityID: "42"}, []trail.Entry{a}},
		"trace and a sort":     {store.Query{TraceID: a.ID, Sort: store.SortModel}, []trail.Entry{a, b}},
	}
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, a, b, c, d, e)
		if err := s.Finish(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		for name, c := range cases {
			var expected []uuid.UUID
			for _, e := range c.want {
				expected = append(expected, e.ID)
			}
			found := entries(t, s, c.query)
			if diff := cmp.Diff(expected, ids(found)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			for _, e := range found {
				if (e.Finished != nil) != (e.TraceID == a.ID) {
					t.Errorf("%s: the outcome of %s is %+v", name, e.TraceID, e.Finished)
				}
			}
			// The same by pages of one.
			var forth []uuid.UUID
			for q := c.query; ; {
				q.Limit = 1
				page, err := s.Entries(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				forth = append(forth, ids(page.Entries)...)
				if q.Cursor = page.Next; q.Cursor == "" {
					break
				}
			}
			if diff := cmp.Diff(expected, forth); diff != "" {
				t.Errorf("%s, by one (-want +got):\n%s", name, diff)
			}
		}
	})
}

// A brief page is the same but for what may be large.
func TestEntriesBrief(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for i := range 5 {
			e := entry(noon.Add(time.Duration(i) * time.Second))
			e.Before, e.After, e.Context = json.RawMessage(`{"a":1}`), json.RawMessage(`{"a":2}`), json.RawMessage(`{"reason":"x"}`)
			record(t, s, e)
		}
		for _, outcome := range []trail.Result{"", trail.Success} {
			full := entries(t, s, store.Query{Outcome: outcome})
			first, err := s.Entries(t.Context(), store.Query{Outcome: outcome, Limit: 2})
			if err != nil {
				t.Fatal(err)
			}
			brief := append(first.Entries, entries(t, s, store.Query{Outcome: outcome, Brief: true, Cursor: first.Next})...)
			for i := range full {
				if full[i].Before == nil || full[i].After == nil || full[i].Context == nil {
					t.Errorf("%s has lost something", full[i].ID)
				}
				full[i].Before, full[i].After, full[i].Context = nil, nil, nil
				if i < 2 {
					brief[i].Before, brief[i].After, brief[i].Context = nil, nil, nil // of the page that is not brief
				}
			}
			if diff := cmp.Diff(full, brief); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

func TestEntriesRefuses(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		record(t, s, ties(3)...)
		page, err := s.Entries(t.Context(), store.Query{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		text := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		for name, q := range map[string]store.Query{
			"limit below":             {Limit: -1},
			"limit above":             {Limit: store.MaxLimit + 1},
			"sort":                    {Sort: "password"},
			"sort by injection":       {Sort: "id; DROP TABLE audit_logs"},
			"outcome":                 {Outcome: "fine"},
			"NUL":                     {UserID: "a\x00b"},
			"NUL in an event":         {Events: []trail.Event{"\x00"}},
			"not UTF-8":               {EntityID: "\xff"},
			"not UTF-8 but together":  {Model: "\xc3", EntityID: "\xa9"},
			"not UTF-8, of events":    {Events: []trail.Event{"\xc3", "\xa9"}},
			"to before from":          {From: noon, To: noon.Add(-1)},
			"cursor of another sort":  {Sort: store.SortUser, Cursor: page.Next},
			"cursor the other way":    {Ascending: true, Cursor: page.Next},
			"cursor that is no text":  {Cursor: "%%%"},
			"cursor that is no JSON":  {Cursor: text("{")},
			"cursor cut":              {Cursor: page.Next[:len(page.Next)-5]},
			"cursor without keys":     {Cursor: text(`{"s":"time"}`)},
			"cursor of too many keys": {Cursor: text(`{"s":"time","k":["a","b"]}`)},
			"cursor of no id":         {Cursor: text(`{"s":"time","k":["x"]}`)},
			"cursor of an urn":        {Cursor: text(`{"s":"time","k":["urn:uuid:` + uuid.NewString() + `"]}`)},
			"cursor of braces":        {Cursor: text(`{"s":"time","k":["{` + uuid.NewString() + `}"]}`)},
			"cursor without dashes":   {Cursor: text(`{"s":"time","k":["01a2170d5bbd7e5fb878e107f29d4d85"]}`)},
			"cursor in upper case":    {Cursor: text(`{"s":"time","k":["01A2170D-5BBD-7E5F-B878-E107F29D4D85"]}`)},
			"cursor with NUL":         {Sort: store.SortUser, Cursor: text(`{"s":"user","k":["\u0000","` + uuid.NewString() + `"]}`)},
			"cursor that is huge":     {Cursor: strings.Repeat("A", 1<<20)},
		} {
			if _, err := s.Entries(t.Context(), q); !errors.Is(err, store.ErrQuery) {
				t.Errorf("%s: got %v, want %v", name, err, store.ErrQuery)
			}
		}
	})
}

// However long the keys of an entry are, and whatever is in them, the pages next
// to it can be had.
func TestPagingOverLongKeys(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for _, key := range []string{strings.Repeat("<", 2100), strings.Repeat("\x01", 20_000), strings.Repeat("k", 100_000)} {
			for _, sort := range []store.Sort{store.SortUser, store.SortEvent, store.SortModel} {
				all := ties(3)
				for i := range all {
					all[i].Tenant = fmt.Sprint(sort, len(key))
					all[i].Actor.ID, all[i].Event, all[i].EntityID = key, trail.Event(key), key
				}
				record(t, s, all...)
				q := store.Query{Tenant: all[0].Tenant, Sort: sort, Ascending: true, Limit: 1}
				forth := []uuid.UUID{}
				last := must(s.Entries(t.Context(), q))
				for ; ; last = must(s.Entries(t.Context(), q)) {
					forth = append(forth, ids(last.Entries)...)
					if q.Cursor = last.Next; q.Cursor == "" {
						break
					}
				}
				if len(forth) != len(all) {
					t.Errorf("%d pages by %s with a key of %d bytes", len(forth), sort, len(key))
				}
				q.Cursor = last.Previous
				if got := ids(must(s.Entries(t.Context(), q)).Entries); len(got) != 1 || got[0] != forth[1] {
					t.Errorf("back by %s with a key of %d bytes: %v", sort, len(key), got)
				}
			}
		}
	})
}

// Whatever a stranger sends as a cursor is a page or a refusal.
func FuzzCursor(f *testing.F) {
	db := testdb.OpenSQLite(f)
	s := migrated(f, db)
	record(f, s, ties(3)...)
	page, err := s.Entries(f.Context(), store.Query{Limit: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(page.Next)
	f.Add("eyJzIjoidGltZSIsImsiOlsieCJdfQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		_, err := s.Entries(t.Context(), store.Query{Cursor: cursor})
		if err != nil && !errors.Is(err, store.ErrQuery) {
			t.Errorf("%q: %v", cursor, err)
		}
	})
}

func TestReadCancelled(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		id := trail.NewID(noon)
		_, entriesErr := s.Entries(ctx, store.Query{})
		_, entryErr := s.Entry(ctx, id)
		_, traceErr := s.Trace(ctx, id)
		_, eventsErr := s.Events(ctx)
		_, linesErr := s.Lines(ctx, id, 1)
		for doing, err := range map[string]error{
			"Entries": entriesErr, "Entry": entryErr, "Trace": traceErr, "Events": eventsErr, "Lines": linesErr,
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v, want %v", doing, err, context.Canceled)
			}
		}
	})
}
