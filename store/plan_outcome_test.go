package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// quarter is the time of the entries that loadOutcomes writes.
const quarter = 100 * 24 * time.Hour

// loadOutcomes writes n entries: of ten, seven succeed, one fails, and two are
// recorded ahead, of which one fails and one succeeds. Every tenth has two
// changed rows more in its trace. Few are denied, either way, and few never end.
func loadOutcomes(t *testing.T, db *gorm.DB, s *store.Store, first time.Time, n int) {
	t.Helper()
	var list, ends []trail.Entry
	for i := 0; len(list) < n; i++ {
		e := entry(first.Add(time.Duration(len(list)) * (quarter / time.Duration(n))))
		e.Actor.ID, e.Model, e.EntityID = fmt.Sprintf("user%d", i%397), fmt.Sprintf("model%d", i%7), fmt.Sprint(i%1000)
		end := trail.Result("")
		switch {
		case i%5000 == 70:
			e.Outcome = trail.Denied
		case i%5000 == 80:
			e.Outcome, end = trail.Pending, trail.Denied
		case i%5000 == 90:
			e.Outcome = trail.Pending
		case i%10 == 1:
			e.Outcome = trail.Failure
		case i%10 == 2:
			e.Outcome, end = trail.Pending, trail.Failure
		case i%10 == 3:
			e.Outcome, end = trail.Pending, trail.Success
		}
		list = append(list, e)
		if end != "" {
			e.Outcome = end
			ends = append(ends, e)
		}
		for range 2 * (i % 10 / 9) {
			change := entry(e.CreatedAt)
			change.TraceID = e.ID
			list = append(list, change)
		}
	}
	record(t, s, list...)
	if err := db.Transaction(func(tx *gorm.DB) error {
		for batch := range slices.Chunk(ends, 1000) {
			text := `INSERT INTO audit_outcomes (trace_id, finished_at, outcome, duration_ms) VALUES (?, ?, ?, 1)` +
				strings.Repeat(`, (?, ?, ?, 1)`, len(batch)-1)
			var args []any
			for _, e := range batch {
				args = append(args, e.ID.String(), e.CreatedAt, string(e.Outcome))
			}
			if err := tx.Exec(text, args...).Error; err != nil {
				return err
			}
		}
		return tx.Exec(`ANALYZE`).Error
	}); err != nil {
		t.Fatal(err)
	}
}

// outcomeReadings are of the first page of each outcome, one in the middle and
// one at the end, in both directions.
func outcomeReadings(t *testing.T, s *store.Store, first time.Time) []reading {
	t.Helper()
	var list []reading
	for _, outcome := range []trail.Result{trail.Success, trail.Failure, trail.Denied} {
		for _, ascending := range []bool{false, true} {
			for place, at := range map[string]time.Duration{"beginning": 0, "middle": quarter / 2, "end": quarter * 9 / 10} {
				q := store.Query{Outcome: outcome, Ascending: ascending, Limit: 1}
				if at > 0 { // the cursor of what is there
					near := q
					if near.From = first.Add(at); !ascending {
						near.From, near.To = time.Time{}, first.Add(quarter-at)
					}
					page, err := s.Entries(t.Context(), near)
					if err != nil || page.Next == "" {
						t.Fatalf("%+v: %v", page, err)
					}
					q.Cursor = page.Next
				}
				q.Limit = store.DefaultLimit
				list = append(list, reading{fmt.Sprintf("%s, ascending %v, %s", outcome, ascending, place), func(s *store.Store) error {
					page, err := s.Entries(t.Context(), q)
					if err == nil && len(page.Entries) == 0 {
						return fmt.Errorf("%+v finds nothing", q)
					}
					return err
				}, true})
			}
		}
	}
	for name, q := range map[string]store.Query{
		"rare outcome, by user":     {Outcome: trail.Denied, Sort: store.SortUser},
		"rare outcome, by model":    {Outcome: trail.Denied, Sort: store.SortModel, Ascending: true},
		"frequent outcome, by user": {Outcome: trail.Failure, Sort: store.SortUser},
		"entity of any model":       {EntityID: "77"},
		"its successes, by user":    {EntityID: "77", Outcome: trail.Success, Sort: store.SortUser},
	} {
		list = append(list, reading{name, func(s *store.Store) error {
			page, err := s.Entries(t.Context(), q)
			if err == nil && len(page.Entries) == 0 {
				return fmt.Errorf("%+v finds nothing", q)
			}
			return err
		}, true})
	}
	return list
}

// A page of an outcome costs the same whether that is rare or not.
func TestOutcomePlansOnPostgres(t *testing.T) {
	const n, most, counted = 70_000, 700, 20_000
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	first := month(t, db, 0)
	loadOutcomes(t, db, s, first, n)
	list := collect(t, db)
	for i, r := range outcomeReadings(t, s, first) {
		t.Run(r.name, func(t *testing.T) {
			*list = nil
			if err := r.do(s); err != nil {
				t.Fatal(err)
			}
			for j, one := range slices.Clone(*list) {
				limit := float64(most)
				if strings.HasPrefix(one.text, "SELECT count(*)") { // whether to sort: up to 5000 of each, and what is read beside
					limit = counted
				}
				if err := cheap(db, one, fmt.Sprintf("outcome%d_%d", i, j), limit); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// What goes on is looked for among all that was recorded ahead.
	t.Run("pending", func(t *testing.T) {
		*list = nil
		if found := entries(t, s, store.Query{Outcome: trail.Pending}); len(found) == 0 {
			t.Fatal("nothing is pending")
		}
		if err := cheap(db, (*list)[0], "pending", 2*float64(n/10*2+most)); err != nil {
			t.Error(err)
		}
	})
	t.Run("pending of a time", func(t *testing.T) {
		*list = nil
		entries(t, s, store.Query{Outcome: trail.Pending, From: first.Add(quarter / 2), To: first.Add(quarter/2 + 24*time.Hour)})
		if err := cheap(db, (*list)[0], "pending_day", most); err != nil {
			t.Error(err)
		}
	})
}

func TestOutcomePlansOnSQLite(t *testing.T) {
	db := testdb.OpenSQLite(t)
	s := migrated(t, db)
	loadOutcomes(t, db, s, noon, 6000)
	list := collect(t, db)
	for _, outcome := range []trail.Result{trail.Failure, trail.Denied, trail.Pending} {
		*list = nil
		entries(t, s, store.Query{Outcome: outcome})
		var steps []struct{ Detail string }
		if err := db.Raw("EXPLAIN QUERY PLAN "+(*list)[0].text, (*list)[0].args...).Scan(&steps).Error; err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprint(steps)
		for index, used := range map[string]bool{"audit_logs_outcome": true, "audit_outcomes_outcome": outcome != trail.Pending} {
			if strings.Contains(text, index+" (outcome=?") != used {
				t.Errorf("%s: the use of %s is %v, expected %v:\n%s", outcome, index, !used, used, text)
			}
		}
	}
}
