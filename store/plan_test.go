package store_test

import (
	"encoding/json"
	"fmt"
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

func readings(t *testing.T, some trail.Entry) []reading {
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
		{"trace", query(store.Query{TraceID: some.TraceID}), true},
		{"frequent outcome", query(store.Query{Outcome: trail.Success}), true},
		{"entry", func(s *store.Store) error { _, err := s.Entry(t.Context(), some.ID); return err }, true},
		{"whole trace", func(s *store.Store) error { _, err := s.Trace(t.Context(), some.TraceID); return err }, true},
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
func load(t *testing.T, db *gorm.DB, s *store.Store, first time.Time, n int) trail.Entry {
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
	record(t, s, batch...)
	for _, text := range []string{
		`INSERT INTO audit_outcomes (trace_id, finished_at, outcome, duration_ms) SELECT id, created_at, 'success', 1 FROM audit_logs`,
		`INSERT INTO execution_logs (id, trace_id, created_at, level, message, seq) SELECT id, id, created_at, 'info', 'x', 1 FROM audit_logs`,
		`ANALYZE`,
	} {
		if err := db.Exec(text).Error; err != nil {
			t.Fatal(err)
		}
	}
	return batch[n/2+1]
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
	some := load(t, db, s, month(t, db, 0), n)
	list := collect(t, db)
	for i, r := range readings(t, some) {
		t.Run(r.name, func(t *testing.T) {
			*list = nil
			if err := r.do(s); err != nil {
				t.Fatal(err)
			}
			last := (*list)[len(*list)-1]
			var literals []string
			for _, arg := range last.args {
				literals = append(literals, "'"+strings.ReplaceAll(fmt.Sprint(arg), "'", "''")+"'")
			}
			name := fmt.Sprintf("reading%d", i)
			execute := "EXECUTE " + name + " (" + strings.Join(literals, ", ") + ")"
			if err := db.Connection(func(conn *gorm.DB) error {
				if err := conn.Exec("PREPARE " + name + " AS " + last.text).Error; err != nil {
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
						return fmt.Errorf("%v rows of %d were read, at most %d expected:\n%s\n%s", read, n, most, last.text, text)
					}
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
}

// No table is read from end to end without an index: SQLite's plan says so.
func TestPlansOnSQLite(t *testing.T) {
	db := testdb.OpenSQLite(t)
	s := migrated(t, db)
	some := load(t, db, s, noon, 3000)
	list := collect(t, db)
	for _, r := range readings(t, some) {
		if !r.onSQLite {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			*list = nil
			if err := r.do(s); err != nil {
				t.Fatal(err)
			}
			last := (*list)[len(*list)-1]
			var steps []struct{ Detail string }
			if err := db.Raw("EXPLAIN QUERY PLAN "+last.text, last.args...).Scan(&steps).Error; err != nil {
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
				t.Errorf("a whole table is read:\n%s\n%v", last.text, steps)
			}
		})
	}
}
