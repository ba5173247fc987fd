package store_test

import (
	"encoding/json"
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

// reading is a thing to read, which must cost what it gives and not what the
// trail holds.
type reading struct {
	name string
	do   func(*store.Store) error
	// onSQLite tells that SQLite has an index for it, too.
	onSQLite bool
}

// readings are of a trail with an entry and a large trace, given by its entries.
func readings(t *testing.T, some trail.Entry, large []store.Entry) []reading {
	middle := large[len(large)/2].Seq
	part := func(q store.TraceQuery, want int) func(*store.Store) error {
		return func(s *store.Store) error {
			got, err := s.TracePart(t.Context(), large[0].TraceID, q)
			if err == nil && (len(got.Entries) != want || got.More != (want > 0)) {
				return fmt.Errorf("%d entries, more %v", len(got.Entries), got.More)
			}
			return err
		}
	}
	query := func(q store.Query) func(*store.Store) error {
		return func(s *store.Store) error {
			page, err := s.Entries(t.Context(), q)
			if err == nil && len(page.Entries) == 0 {
				return fmt.Errorf("%+v finds nothing", q)
			}
			return err
		}
	}
	behind := func(q store.Query) func(*store.Store) error {
		return func(s *store.Store) error {
			page, err := s.Entries(t.Context(), q)
			if err != nil {
				return err
			}
			q.Cursor = page.Next
			return query(q)(s)
		}
	}
	list := []reading{
		{"newest", query(store.Query{}), true},
		{"newest, next page", behind(store.Query{}), true},
		{"oldest", query(store.Query{Ascending: true}), true},
		{"a time", query(store.Query{From: some.CreatedAt, To: some.CreatedAt.Add(time.Minute)}), true},
		{"entity", query(store.Query{Model: some.Model, EntityID: some.EntityID}), true},
		{"entity, next page", behind(store.Query{Model: some.Model, EntityID: some.EntityID}), true},
		{"user", query(store.Query{UserID: some.Actor.ID, Limit: 10}), false},
		{"user, next page", behind(store.Query{UserID: some.Actor.ID, Limit: 10}), false},
		{"rare event", query(store.Query{Events: []trail.Event{trail.Restore}}), false},
		{"frequent event", behind(store.Query{Events: []trail.Event{trail.Update}}), false},
		{"entity, by user", query(store.Query{Model: some.Model, EntityID: some.EntityID, Sort: store.SortUser}), true},
		{"entity of any model", query(store.Query{EntityID: some.EntityID}), true},
		{"user, by model", query(store.Query{UserID: some.Actor.ID, Sort: store.SortModel}), false},
		{"user, by event", behind(store.Query{UserID: some.Actor.ID, Sort: store.SortEvent, Limit: 10}), false},
		{"rare event, by user", query(store.Query{Events: []trail.Event{trail.Restore}, Sort: store.SortUser}), false},
		{"rare event, by model", query(store.Query{Events: []trail.Event{trail.Restore}, Sort: store.SortModel, Ascending: true}), false},
		{"trace", query(store.Query{TraceID: some.TraceID}), true},
		{"trace, oldest first", query(store.Query{TraceID: some.TraceID, Ascending: true}), true},
		{"trace, by user", query(store.Query{TraceID: some.TraceID, Sort: store.SortUser}), true},
		{"frequent outcome", query(store.Query{Outcome: trail.Success}), true},
		{"entry", func(s *store.Store) error { _, err := s.Entry(t.Context(), some.ID); return err }, true},
		{"whole trace", func(s *store.Store) error { _, err := s.Trace(t.Context(), some.TraceID); return err }, true},
		{"large trace", part(store.TraceQuery{Limit: 100}, 100), true},
		{"large trace, further on", part(store.TraceQuery{After: middle, Limit: 100}, 100), true},
		{"large trace, back", part(store.TraceQuery{Before: middle, Limit: 100}, 100), true},
		{"large trace, anything new", part(store.TraceQuery{After: 1 << 40, Limit: 1}, 0), true},
		{"events", func(s *store.Store) error { _, err := s.Events(t.Context()); return err }, false},
		{"lines", func(s *store.Store) error { _, err := s.Lines(t.Context(), some.TraceID, 10); return err }, true},
	}
	for _, sort := range []store.Sort{store.SortUser, store.SortEvent, store.SortModel, store.SortEntity} {
		for _, ascending := range []bool{false, true} {
			q := store.Query{Sort: sort, Ascending: ascending}
			onSQLite := sort == store.SortModel || sort == store.SortEntity
			list = append(list, reading{fmt.Sprintf("%s, ascending %v", sort, ascending), query(q), onSQLite},
				reading{fmt.Sprintf("%s, ascending %v, next page", sort, ascending), behind(q), onSQLite})
		}
	}
	return list
}

// asked collects the statements that read, with their arguments.
type asked struct {
	text string
	args []any
}

func collect(t *testing.T, db *gorm.DB) *[]asked {
	t.Helper()
	var list []asked
	if err := db.Callback().Row().After("gorm:row").Register("test:collect", func(tx *gorm.DB) {
		list = append(list, asked{tx.Statement.SQL.String(), append([]any{}, tx.Statement.Vars...)})
	}); err != nil {
		t.Fatal(err)
	}
	return &list
}

// load writes n entries over four months, each with an outcome and a line.
// It also writes a large trace of half as many, and returns its first entries.
func load(t *testing.T, db *gorm.DB, s *store.Store, first time.Time, n int) (some trail.Entry, large []store.Entry) {
	t.Helper()
	batch := make([]trail.Entry, n)
	for i := range batch {
		e := entry(first.Add(time.Duration(i) * (120 * 24 * time.Hour / time.Duration(n))))
		e.Actor.ID = fmt.Sprintf("user%d", i%400)
		e.EntityID = fmt.Sprintf("%d", i%100)
		if i%1000 == 7 {
			e.Event = trail.Restore
		}
		if i%3 == 1 {
			e.TraceID = batch[i-1].ID
		}
		batch[i] = e
	}
	bulk := make([]trail.Entry, n/2)
	for i := range bulk {
		e := entry(first.Add(time.Duration(i) * (50 * 24 * time.Hour / time.Duration(len(bulk))))) // in two months
		e.Actor.ID, e.EntityID, e.Event, e.TraceID = "bulk", fmt.Sprintf("bulk %d", i), trail.Sync, bulk[0].ID
		if i == 0 {
			e.TraceID = e.ID
		}
		bulk[i] = e
	}
	record(t, s, batch[:n/2]...)
	record(t, s, bulk...)
	record(t, s, batch[n/2:]...)
	for _, text := range []string{
		`INSERT INTO audit_outcomes (trace_id, finished_at, outcome, duration_ms) SELECT id, created_at, 'success', 1 FROM audit_logs`,
		`INSERT INTO execution_logs (id, trace_id, created_at, level, message, seq) SELECT id, id, created_at, 'info', 'x', 1 FROM audit_logs`,
		`ANALYZE`,
	} {
		if err := db.Exec(text).Error; err != nil {
			t.Fatal(err)
		}
	}
	trace, err := s.Trace(t.Context(), bulk[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return batch[n/2+1], trace.Entries
}

// plan is what is read of PostgreSQL's EXPLAIN.
type plan struct {
	Node     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Rows     float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"`
	Plans    []plan  `json:"Plans"`
}

func (p plan) read() float64 {
	n := 0.0
	if p.Relation != "" {
		n = p.Loops * (p.Rows + p.Filtered)
	}
	for _, child := range p.Plans {
		n += child.read()
	}
	return n
}

// Reading costs what it gives: the rows that PostgreSQL touches are counted,
// with the plan for the first time and with the one that it keeps afterwards.
func TestPlansOnPostgres(t *testing.T) {
	const n, most = 12_000, 700
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	some, large := load(t, db, s, month(t, db, 0), n)
	list := collect(t, db)
	for i, r := range readings(t, some, large) {
		t.Run(r.name, func(t *testing.T) {
			*list = nil
			if err := r.do(s); err != nil {
				t.Fatal(err)
			}
			for j, one := range slices.Clone(*list) {
				if err := cheap(db, one, fmt.Sprintf("reading%d_%d", i, j), most); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// cheap fails if a statement reads more than a number of rows.
func cheap(db *gorm.DB, statement asked, name string, most float64) error {
	var literals []string
	for _, arg := range statement.args {
		literals = append(literals, "'"+strings.ReplaceAll(fmt.Sprint(arg), "'", "''")+"'")
	}
	execute := "EXECUTE " + name
	if literals != nil {
		execute += " (" + strings.Join(literals, ", ") + ")"
	}
	return db.Connection(func(conn *gorm.DB) error {
		if err := conn.Exec("PREPARE " + name + " AS " + statement.text).Error; err != nil {
			return err
		}
		for range 8 { // five plans for the values at hand, then one for any
			var text string
			if err := conn.Raw("EXPLAIN (ANALYZE, FORMAT JSON) " + execute).Row().Scan(&text); err != nil {
				return err
			}
			var plans []struct{ Plan plan }
			if err := json.Unmarshal([]byte(text), &plans); err != nil {
				return err
			}
			if read := plans[0].Plan.read(); read > most {
				return fmt.Errorf("%v rows were read, at most %v expected:\n%s\n%s", read, most, statement.text, text)
			}
		}
		return nil
	})
}

// No table is read from end to end without an index: SQLite's plan says so.
func TestPlansOnSQLite(t *testing.T) {
	db := testdb.OpenSQLite(t)
	s := migrated(t, db)
	some, large := load(t, db, s, noon, 3000)
	list := collect(t, db)
	for _, r := range readings(t, some, large) {
		if !r.onSQLite {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			*list = nil
			if err := r.do(s); err != nil {
				t.Fatal(err)
			}
			for _, one := range slices.Clone(*list) {
				var steps []struct{ Detail string }
				if err := db.Raw("EXPLAIN QUERY PLAN "+one.text, one.args...).Scan(&steps).Error; err != nil {
					t.Fatal(err)
				}
				made, read := 0, 0 // of queries that are named as tables are
				for _, step := range steps {
					switch step.Detail {
					case "CO-ROUTINE l", "MATERIALIZE l":
						made++
					case "SCAN l":
						read++
					}
					if rest, ok := strings.CutPrefix(step.Detail, "SCAN "); ok && strings.Contains(rest, "_logs") && !strings.Contains(rest, "USING") {
						read = made + 1
					}
				}
				if read > made {
					t.Errorf("a whole table is read:\n%s\n%v", one.text, steps)
				}
			}
		})
	}
}
