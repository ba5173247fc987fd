package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func finished(trace uuid.UUID) trail.Outcome {
	return trail.Outcome{TraceID: trace, FinishedAt: noon.Add(time.Second), Result: trail.Success, Duration: time.Second}
}

// full returns an entry with something in every field.
func full() trail.Entry {
	e := entry(noon)
	e.Tenant = "tenant 'one'"
	e.Actor = trail.Actor{ID: `robert'); DROP TABLE audit_logs;--`, Name: `Ann "the" O'Hara 👩‍🚀 ünï`, Kind: trail.KindService, OnBehalfOf: "u2"}
	e.Event, e.Operation = "my_own_event", trail.OpInsert
	e.Model, e.EntityID, e.EntityName = "source_code_version", `a\,b,c?d$1@e`, "日本語 \\ \t?"
	e.Before = json.RawMessage(`{"a": 9223372036854775807, "b": 1234567890123456789012345678901234567.890, "c": "it's \"x\" ? $1 @y"}`)
	e.After = json.RawMessage(`{"a": -9223372036854775808, "b": 0.1, "c": null, "d": [1, {"e": "👩‍🚀"}], "f": 100}`)
	e.Outcome = trail.Failure
	e.Context = json.RawMessage(`{"method": "PUT", "route": "/things/:id"}`)
	return e
}

// checkEntry compares an entry that was read with the one that was written.
// JSON is compared by its tokens: numbers by their spelling.
func checkEntry(tb testing.TB, want, got trail.Entry) {
	tb.Helper()
	for _, f := range []struct {
		name      string
		want, got *json.RawMessage
	}{
		{"Before", &want.Before, &got.Before}, {"After", &want.After, &got.After}, {"Context", &want.Context, &got.Context},
	} {
		if diff := cmp.Diff(tokens(tb, *f.want), tokens(tb, *f.got)); diff != "" {
			tb.Errorf("%s (-want +got):\n%s", f.name, diff)
		}
		*f.want, *f.got = nil, nil
	}
	if got.Seq == 0 {
		tb.Error("the entry has no Seq")
	}
	want.Seq = got.Seq
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("(-want +got):\n%s", diff)
	}
	if got.CreatedAt.Location() != time.UTC {
		tb.Errorf("CreatedAt is in %v, UTC expected", got.CreatedAt.Location())
	}
}

func TestRoundTrip(t *testing.T) {
	bare := entry(noon.Add(time.Microsecond))
	bare.Operation, bare.Model, bare.EntityID = "", "", ""
	empty := entry(noon)
	empty.Before, empty.After, empty.Context = json.RawMessage(`{}`), json.RawMessage(" {\"\":\"\"}\n"), json.RawMessage(`{}`)
	cases := map[string]trail.Entry{"full": full(), "bare": bare, "empty": empty, "old": entry(time.UnixMicro(1).UTC())}

	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for _, among := range []int{0, 1, 40} { // others: a large batch takes other statements
			for name, e := range cases {
				e.ID = trail.NewID(e.CreatedAt)
				batch := []trail.Entry{e}
				for range among {
					batch = append(batch, entry(noon))
				}
				record(t, s, batch...)
				got, err := s.Entry(t.Context(), e.ID)
				if err != nil {
					t.Fatalf("%s among %d: %v", name, among, err)
				}
				if got.Finished != nil || got.Result != e.Outcome {
					t.Errorf("%s among %d: the action ended with %q, %+v", name, among, got.Result, got.Finished)
				}
				checkEntry(t, e, got.Entry)
			}
		}
	})
}

// What is in the columns is what section 3 of the design says, for those who
// read them with SQL.
func TestStoredSpelling(t *testing.T) {
	e := full()
	e.CreatedAt = time.Date(2026, 11, 23, 7, 48, 0, 123456999, time.FixedZone("", 3600))
	var got struct{ ID, TraceID, CreatedAt, Nothing string }
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		none := entry(noon)
		record(t, s, e, none)
		query := `SELECT id, trace_id, created_at || '' AS created_at FROM audit_logs WHERE id = ?`
		if db.Name() == "postgres" {
			query = `SELECT id, trace_id, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS created_at
FROM audit_logs WHERE id = ?`
		}
		if err := db.Raw(query, e.ID.String()).Scan(&got).Error; err != nil {
			t.Fatal(err)
		}
		if got.ID != e.ID.String() || got.TraceID != e.TraceID.String() || got.CreatedAt != "2026-11-23T06:48:00.123456Z" {
			t.Errorf("got %+v", got)
		}
		var nulls int
		if err := db.Raw(`SELECT count(*) FROM audit_logs WHERE id = ? AND tenant_id IS NULL AND on_behalf_of IS NULL
AND entity_name IS NULL AND "before" IS NULL AND "after" IS NULL AND context IS NULL`, none.ID.String()).
			Scan(&nulls).Error; err != nil {
			t.Fatal(err)
		}
		if nulls != 1 {
			t.Error("what is empty is not null")
		}
	})
}

// Drivers give back a time for the columns that hold one.
func TestTimesScan(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		record(t, s, entry(noon))
		var at time.Time
		if err := db.Raw("SELECT created_at FROM audit_logs").Row().Scan(&at); err != nil {
			t.Fatal(err)
		}
		if !at.Equal(noon) {
			t.Errorf("got %v, want %v", at, noon)
		}
	})
}

func TestRecordFillsInTheTime(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		e := entry(noon)
		e.CreatedAt = time.Time{}
		record(t, s, e)
		if got := entries(t, s, store.Query{})[0].CreatedAt; !got.Equal(noon) {
			t.Errorf("got %v, want %v", got, noon)
		}
	})
}

func TestRecordNothing(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		record(t, s)
		if n := count(t, db, "audit_logs"); n != 0 {
			t.Errorf("%d entries", n)
		}
	})
}

// Batches around the sizes of statements, and one of many statements: all are
// there, and seq is the order in which they were given.
func TestRecordMany(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		at, before := noon, 0
		for _, n := range []int{1, 2, 3, 15, 16, 17, 33, 999, 1000, 1001, 5000} {
			batch := make([]trail.Entry, n)
			for i := range batch {
				at = at.Add(time.Microsecond)
				batch[i] = entry(at)
			}
			record(t, s, batch...)
			before += n
			if got := count(t, db, "audit_logs"); got != before {
				t.Fatalf("%d entries, %d expected", got, before)
			}
		}
		var disorder int
		if err := db.Raw(`SELECT count(*) FROM (
  SELECT id, lag(id) OVER (ORDER BY seq) AS previous FROM audit_logs) x WHERE previous >= id`).Scan(&disorder).Error; err != nil {
			t.Fatal(err)
		}
		if disorder != 0 {
			t.Errorf("%d entries are not in order", disorder)
		}
	})
}

// The first entry with an id stands, also among others and within one batch.
func TestRecordKeepsTheFirst(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		first := entry(noon)
		later := first
		later.Actor.ID = "u2"
		record(t, s, first)
		record(t, s, later)
		record(t, s, later, entry(noon))
		twice := entry(noon)
		record(t, s, twice, twice, twice)
		got, err := s.Entry(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Actor.ID != "u1" {
			t.Errorf("the entry is by %q now", got.Actor.ID)
		}
		if n := count(t, db, "audit_logs"); n != 3 {
			t.Errorf("%d entries, 3 expected", n)
		}
	})
}

func TestRecordConcurrently(t *testing.T) {
	const writers, times = 8, 20
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		same := entry(noon)
		var all sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			all.Go(func() {
				for range times {
					errs[i] = errors.Join(errs[i],
						s.Record(t.Context(), same), s.Record(t.Context(), entry(noon), same, entry(noon)),
						s.Finish(t.Context(), finished(same.TraceID)))
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, "audit_logs"); n != 1+2*writers*times {
			t.Errorf("%d entries, %d expected", n, 1+2*writers*times)
		}
		if n := count(t, db, "audit_outcomes"); n != 1 {
			t.Errorf("%d outcomes, 1 expected", n)
		}
	})
}

func TestRecordRefuses(t *testing.T) {
	cases := map[string]struct {
		spoil func(*trail.Entry)
		want  string // the field
	}{
		"no id":              {func(e *trail.Entry) { e.ID = uuid.Nil }, "ID"},
		"no trace":           {func(e *trail.Entry) { e.TraceID = uuid.Nil }, "TraceID"},
		"no event":           {func(e *trail.Entry) { e.Event = "" }, "Event"},
		"no kind":            {func(e *trail.Entry) { e.Actor.Kind = "" }, "Actor.Kind"},
		"no outcome":         {func(e *trail.Entry) { e.Outcome = "" }, `Outcome is "", must be success, failure, denied or pending`},
		"unknown outcome":    {func(e *trail.Entry) { e.Outcome = "fine" }, `Outcome is "fine", must be success, failure, denied or pending`},
		"no time to be had":  {func(e *trail.Entry) { e.ID, e.CreatedAt = uuid.New(), time.Time{} }, "CreatedAt"},
		"array":              {func(e *trail.Entry) { e.Before = json.RawMessage(`[1]`) }, "Before"},
		"cut JSON":           {func(e *trail.Entry) { e.After = json.RawMessage(`{"a":`) }, "After"},
		"two objects":        {func(e *trail.Entry) { e.After = json.RawMessage(`{}{}`) }, "After"},
		"empty JSON":         {func(e *trail.Entry) { e.Context = json.RawMessage{} }, "Context"},
		"null JSON":          {func(e *trail.Entry) { e.Context = json.RawMessage(`null`) }, "Context"},
		"NUL in an image":    {func(e *trail.Entry) { e.Before = json.RawMessage(`{"a": ["\u0000"]}`) }, "Before"},
		"NUL in a name":      {func(e *trail.Entry) { e.After = json.RawMessage(`{"a\\\u0000b": 1}`) }, "After"},
		"NUL in the context": {func(e *trail.Entry) { e.Context = json.RawMessage(`{"reason": "a\u0000"}`) }, "Context"},
		"image not UTF-8":    {func(e *trail.Entry) { e.After = json.RawMessage("{\"a\": \"\xff\"}") }, "After"},
		"NUL":                {func(e *trail.Entry) { e.EntityID = "a\x00b" }, "EntityID"},
		"not UTF-8":          {func(e *trail.Entry) { e.Actor.Name = "a\xffb" }, "Actor.Name"},
		"not UTF-8, again":   {func(e *trail.Entry) { e.Tenant = "\xc3" }, "Tenant"},
		"half a pair":        {func(e *trail.Entry) { e.Before = json.RawMessage(`{"a": "\ud83d"}`) }, "Before"},
		"other half":         {func(e *trail.Entry) { e.After = json.RawMessage(`{"a\uDE00": 1}`) }, "After"},
		"swapped halves":     {func(e *trail.Entry) { e.After = json.RawMessage(`{"a": "\ude00\ud83d"}`) }, "After"},
		"two first halves":   {func(e *trail.Entry) { e.After = json.RawMessage(`{"a": "\ud83d\ud83d\ude00"}`) }, "After"},
		"half and a letter":  {func(e *trail.Entry) { e.Context = json.RawMessage(`{"reason": "\ud83d\u0061\n"}`) }, "Context"},
		"name that is wrong": {func(e *trail.Entry) { e.EntityName = "\x00" }, "EntityName"},
	}
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				bad := entry(noon)
				c.spoil(&bad)
				err := s.Record(t.Context(), entry(noon), bad)
				if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "the "+c.want) {
					t.Errorf("got %v, want %v that names %s", err, store.ErrInvalid, c.want)
				}
				if n := count(t, db, "audit_logs"); n != 0 {
					t.Errorf("%d entries were written", n)
				}
			})
		}
	})
}

// What only looks like a NUL character is kept.
func TestRecordKeepsEscapes(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		e := entry(noon)
		e.After = json.RawMessage(`{"a": "\\u0000", "b": "\\\\u0000\\", "c": "\u0001", "d": "\ud83d\ude00\uD83D\uDE00", "e": "\\ud83d\ue000\uD7FF"}`)
		e.Context = json.RawMessage(`{"\\u0000": "u0000"}`)
		record(t, s, e)
		got, err := s.Entry(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		checkEntry(t, e, got.Entry)
	})
}

// What the database refuses is refused as a whole.
func TestRecordAllOrNone(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	batch := make([]trail.Entry, 2500)
	for i := range batch {
		batch[i] = entry(noon)
	}
	batch[2400].After = json.RawMessage(`{"a": 1e200000}`) // jsonb has no such number
	if err := s.Record(t.Context(), batch...); err == nil {
		t.Fatal("no error")
	}
	if n := count(t, db, "audit_logs"); n != 0 {
		t.Errorf("%d entries were written", n)
	}
}

func TestRecordCancelled(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for _, n := range []int{1, 3, 1500} {
			batch := make([]trail.Entry, n)
			for i := range batch {
				batch[i] = entry(noon)
			}
			if err := s.Record(ctx, batch...); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		}
		if err := s.Finish(ctx, finished(trail.NewID(noon))); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if n := count(t, db, "audit_logs") + count(t, db, "audit_outcomes"); n != 0 {
			t.Errorf("%d rows were written", n)
		}
		record(t, s, entry(noon)) // no connection is lost
	})
}

// The store made from a transaction is not in it.
func TestRecordOutsideOfTransaction(t *testing.T) {
	db := testdb.OpenPostgres(t) // SQLite has one writer, which is the caller here
	migrated(t, db)
	rolledBack := errors.New("rolled back")
	for name, config := range map[string]*gorm.Session{"plain": {}, "prepared": {PrepareStmt: true}} {
		t.Run(name, func(t *testing.T) {
			e := entry(noon)
			err := db.Session(config).Transaction(func(tx *gorm.DB) error {
				s, err := store.New(tx.Where("nonsense").Unscoped())
				if err != nil {
					return err
				}
				if err := s.Record(t.Context(), e); err != nil {
					return err
				}
				return rolledBack
			})
			if !errors.Is(err, rolledBack) {
				t.Fatal(err)
			}
			s, err := store.New(db)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Entry(t.Context(), e.ID); err != nil {
				t.Errorf("the entry went with the transaction: %v", err)
			}
		})
	}
}

func TestRecordSettings(t *testing.T) {
	for name, config := range map[string]*gorm.Config{
		"prepared":       {PrepareStmt: true},
		"dry run":        {DryRun: true},
		"translated":     {TranslateError: true},
		"no transaction": {SkipDefaultTransaction: true, DisableNestedTransaction: true},
		"all fields":     {QueryFields: true, PropagateUnscoped: true, CreateBatchSize: 2},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
				for range 2 {
					e := full()
					record(t, s, e, entry(noon), entry(noon))
					got, err := s.Entry(t.Context(), e.ID)
					if err != nil {
						t.Fatal(err)
					}
					checkEntry(t, e, got.Entry)
				}
			}, config)
		})
	}
}

func TestRecordOverSimpleProtocol(t *testing.T) {
	dsn := testdb.Postgres(t) + "&default_query_exec_mode=simple_protocol"
	db := engines[1].open(t, dsn)
	s := migrated(t, db)
	e := full()
	record(t, s, e)
	record(t, s, entry(noon), entry(noon))
	if err := s.Finish(t.Context(), finished(e.TraceID)); err != nil {
		t.Fatal(err)
	}
	got, err := s.Entry(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	checkEntry(t, e, got.Entry)
}

func TestFinish(t *testing.T) {
	whole := trail.Outcome{
		FinishedAt: noon.Add(90 * time.Second), Result: trail.Failure, Status: 502,
		Error: "can't reach \"host\" 👩‍🚀\nsecond line", Duration: 90 * time.Second,
	}
	bare := trail.Outcome{FinishedAt: noon, Result: trail.Denied}
	long := trail.Outcome{FinishedAt: noon, Result: trail.Success, Duration: time.Duration(math.MaxInt64).Truncate(time.Millisecond)}
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for name, o := range map[string]trail.Outcome{"whole": whole, "bare": bare, "long": long} {
			e := entry(noon)
			e.Outcome = trail.Pending
			o.TraceID = e.TraceID
			record(t, s, e)
			later := o
			later.Error, later.Status = "later", 200
			for _, o := range []trail.Outcome{o, later} {
				if err := s.Finish(t.Context(), o); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
			got, err := s.Entry(t.Context(), e.ID)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(&o, got.Finished); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if got.Result != o.Result || got.Outcome != trail.Pending {
				t.Errorf("%s: the action ended with %q, and the entry says %q", name, got.Result, got.Outcome)
			}
		}
	})
}

func TestFinishCutsAndRounds(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		e := entry(noon)
		record(t, s, e)
		if err := s.Finish(t.Context(), trail.Outcome{
			TraceID: e.TraceID, FinishedAt: noon.Add(999 * time.Nanosecond), Result: trail.Success, Duration: 1500 * time.Microsecond,
		}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Entry(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Finished.FinishedAt.Equal(noon) || got.Finished.Duration != 2*time.Millisecond {
			t.Errorf("got %v, %v", got.Finished.FinishedAt, got.Finished.Duration)
		}
	})
}

func TestFinishRefuses(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		for want, spoil := range map[string]func(*trail.Outcome){
			"the TraceID":    func(o *trail.Outcome) { o.TraceID = uuid.Nil },
			"the FinishedAt": func(o *trail.Outcome) { o.FinishedAt = time.Time{} },
			`the Result is "pending", must be success, failure or denied`: func(o *trail.Outcome) { o.Result = trail.Pending },
			`the Result is "fine", must be success, failure or denied`:    func(o *trail.Outcome) { o.Result = "fine" },
			`the Result is "", must be success, failure or denied`:        func(o *trail.Outcome) { o.Result = "" },
			"the Error":   func(o *trail.Outcome) { o.Error = "\x00" },
			"the Status":  func(o *trail.Outcome) { o.Status = math.MaxInt32 + 1 },
			"Status is -": func(o *trail.Outcome) { o.Status = math.MinInt32 - 1 },
		} {
			o := finished(trail.NewID(noon))
			spoil(&o)
			if err := s.Finish(t.Context(), o); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %v that names %s", err, store.ErrInvalid, want)
			}
		}
		if n := count(t, db, "audit_outcomes"); n != 0 {
			t.Errorf("%d outcomes were written", n)
		}
	})
}
