package store_test

import (
	"context"
	"errors"
	"slices"
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

func messages(t *testing.T, db *gorm.DB) []string {
	t.Helper()
	var list []string
	if err := db.Raw("SELECT message FROM execution_logs ORDER BY seq, id").Scan(&list).Error; err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPrune(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		lines := numbered(trail.NewID(noon), 60)
		past, future := noon.Add(-time.Hour), noon.Add(time.Hour)
		for i := range lines {
			switch i % 3 {
			case 0:
				lines[i].ExpireAt = &past
			case 1:
				lines[i].ExpireAt = &future
			}
		}
		write(t, s, lines...)
		o := store.PruneOptions{Now: noon, Batch: 7}
		done, err := s.Prune(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if done.Lines != 20 || done.Partitions != nil || count(t, db, "execution_logs") != 40 || slices.Contains(messages(t, db), "1") {
			t.Errorf("%+v, and %d lines are left", done, count(t, db, "execution_logs"))
		}

		trace, err := s.Trace(t.Context(), done.TraceID)
		if err != nil {
			t.Fatal(err)
		}
		if len(trace.Entries) != 2 || trace.Action == nil || trace.Action.Result != trail.Success || trace.Action.Actor.ID != "retention" ||
			trace.Action.Event != trail.Delete || trace.Action.Model != "execution_log" || !strings.Contains(string(trace.Action.Context), "expired by") {
			t.Fatalf("the trail says %+v", trace)
		}
		if diff := cmp.Diff(map[string]any{"lines": "20"}, texts(tokens(t, trace.Entries[1].Before))); diff != "" {
			t.Errorf("what was deleted (-want +got):\n%s", diff)
		}

		// Nothing is left to do, and nothing is recorded.
		entries := count(t, db, "audit_logs")
		if done, err := s.Prune(t.Context(), o); err != nil || !cmp.Equal(done, store.Pruned{}) || count(t, db, "audit_logs") != entries {
			t.Errorf("again: %+v, %v", done, err)
		}

		ctx, act, err := trail.Start(trailTo(t, s), trail.Action{Event: "cleanup", Actor: trail.Actor{ID: "ann"}})
		if err != nil {
			t.Fatal(err)
		}
		done, err = s.Prune(ctx, store.PruneOptions{Now: noon, Before: lines[30].CreatedAt})
		if err != nil || act.End(nil) != nil {
			t.Fatal(err)
		}
		if own, err := s.Entry(t.Context(), done.TraceID); err != nil || own.Actor.ID != "ann" {
			t.Errorf("pruned by %v, %v", own.Actor, err)
		}
		if left := messages(t, db); len(left) != 20 || left[0] != "32" {
			t.Errorf("%q are left", left)
		}
	})
}

func texts(m map[string]any) map[string]any {
	for k, v := range m {
		if s, ok := v.(interface{ String() string }); ok {
			m[k] = s.String()
		}
	}
	return m
}

// trailTo makes s the recorder of what begins in the test.
func trailTo(t *testing.T, s *store.Store) context.Context {
	t.Helper()
	trail.SetDefault(s)
	t.Cleanup(func() { trail.SetDefault(nil) })
	return t.Context()
}

// A line that was written before its action's entry is looked at again.
func TestPruneLooksAgain(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		s, err := store.New(db, store.WithRetention(store.Keep{Event: "login", For: time.Hour}, store.Keep{Event: trail.Update, For: 48 * time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		login, update, other, own := entry(noon), entry(noon), entry(noon), noon.Add(time.Hour/2)
		login.Event, other.Event = "login", trail.Create
		var lines []store.Line
		for i, trace := range []uuid.UUID{login.ID, update.ID, other.ID, other.ID} {
			l := line(trace, int64(i))
			l.Message = []string{"login", "update", "other", "own"}[i]
			lines = append(lines, l)
		}
		lines[3].ExpireAt = &own
		write(t, s, lines...)
		record(t, s, login, update, other)
		done, err := s.Prune(t.Context(), store.PruneOptions{Now: noon.Add(2 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"update", "other"}, messages(t, db)); diff != "" || done.Lines != 2 || done.Postponed != 2 {
			t.Errorf("%+v, left (-want +got):\n%s", done, diff)
		}
		got := must(s.Lines(t.Context(), update.ID, 1))[0].ExpireAt
		if want := noon.Add(48 * time.Hour); got == nil || !got.Equal(want) {
			t.Errorf("postponed to %v, want %v", got, want)
		}
		if got := must(s.Lines(t.Context(), other.ID, 1))[0].ExpireAt; got != nil {
			t.Errorf("a line that never expires does so at %v", got)
		}
	})
}

// makePast makes the partitions for the lines of past months, as they are after
// a program has run for as long.
func makePast(tb testing.TB, db *gorm.DB, months int) {
	tb.Helper()
	first := func(at time.Time) uuid.UUID {
		id := trail.NewID(at)
		clear(id[6:])
		return id
	}
	for i := -months; i < 0; i++ {
		at := month(tb, db, i)
		if err := db.Exec(`CREATE TABLE ` + named("execution_logs", at) + ` PARTITION OF execution_logs
FOR VALUES FROM ('` + first(at).String() + `') TO ('` + first(month(tb, db, i+1)).String() + `')`).Error; err != nil {
			tb.Fatal(err)
		}
	}
}

// A prune for a time to come drops no partition that lines are still written to.
func TestPruneAhead(t *testing.T) {
	for name, o := range map[string]func(time.Time) store.PruneOptions{
		"expired by then":    func(at time.Time) store.PruneOptions { return store.PruneOptions{Now: at} },
		"logged before then": func(at time.Time) store.PruneOptions { return store.PruneOptions{Now: at, Before: at} },
	} {
		t.Run(name, func(t *testing.T) {
			db := testdb.OpenPostgres(t)
			s := migrated(t, db)
			makePast(t, db, 1)
			before := partitions(t, db, "execution_logs")
			var lines []store.Line
			for i := range 4 { // from the last month to one to come
				at := month(t, db, i-1)
				l := line(trail.NewID(at), int64(i))
				l.ID, l.CreatedAt, l.ExpireAt = trail.NewID(at), at, &at
				lines = append(lines, l)
			}
			write(t, s, lines...)
			done, err := s.Prune(t.Context(), o(month(t, db, 3)))
			if err != nil {
				t.Fatal(err)
			}
			past := named("execution_logs", month(t, db, -1))
			if !slices.Equal(done.Partitions, []string{past}) || done.Lines != 3 {
				t.Errorf("%+v", done)
			}
			want := slices.DeleteFunc(before, func(name string) bool { return name == past })
			if diff := cmp.Diff(want, partitions(t, db, "execution_logs")); diff != "" {
				t.Errorf("partitions (-want +got):\n%s", diff)
			}
		})
	}
}

// A month all of whose lines are to go is dropped as a whole.
func TestPrunePartitions(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	makePast(t, db, 4)
	first, second := month(t, db, -3), month(t, db, -2)
	var lines []store.Line
	for i, at := range []time.Time{first, first.Add(time.Hour), second, second.Add(time.Hour)} {
		l := line(trail.NewID(at), int64(i))
		l.ID, l.CreatedAt = trail.NewID(at), at
		expire := at.Add(48 * time.Hour)
		if i != 3 {
			l.ExpireAt = &expire
		}
		lines = append(lines, l)
	}
	write(t, s, lines...)
	done, err := s.Prune(t.Context(), store.PruneOptions{Now: month(t, db, -1)})
	if err != nil {
		t.Fatal(err)
	}
	// The partition of the month before is empty, and goes as well.
	want := []string{named("execution_logs", month(t, db, -4)), named("execution_logs", first)}
	if diff := cmp.Diff(want, done.Partitions); diff != "" || done.Lines != 1 {
		t.Errorf("%+v: partitions (-want +got):\n%s", done, diff)
	}
	if left := partitions(t, db, "execution_logs"); slices.Contains(left, want[1]) || !slices.Contains(left, named("execution_logs", second)) {
		t.Errorf("left are %q", left)
	}
	if n := count(t, db, "execution_logs"); n != 1 {
		t.Errorf("%d lines are left, one expected", n)
	}
}

// Prunes that drop partitions, and each other's, do not get in the way of those
// who read and write lines.
func TestPruneBesideReaders(t *testing.T) {
	t.Parallel()
	const months, readers, prunes = 8, 4, 2
	e := engines[1]
	dsn := e.dsn(t)
	db := e.open(t, dsn)
	s := migrated(t, db)
	makePast(t, db, months)
	trace := trail.NewID(noon)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	loop := func(f func(*store.Store) error) {
		own, err := store.New(e.open(t, dsn))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := f(own); err != nil {
					t.Errorf("beside prunes: %v", err)
					return
				}
			}
		})
	}
	for range readers {
		loop(func(s *store.Store) error {
			_, err := s.Logs(t.Context(), store.LogQuery{TraceID: trace})
			return err
		})
	}
	loop(func(s *store.Store) error { return s.WriteLines(t.Context(), numbered(trace, 3)) })

	dropped := 0
	for i := range months {
		var lines []store.Line
		for j := range 300 {
			l := line(trail.NewID(noon), int64(j))
			l.CreatedAt = month(t, db, i-months).Add(time.Duration(j) * time.Minute)
			if j%3 == 0 { // all of one month go at once, and some of the next one
				l.CreatedAt = month(t, db, i-months+1)
			}
			l.ID, l.ExpireAt = trail.NewID(l.CreatedAt), &l.CreatedAt
			lines = append(lines, l)
		}
		write(t, s, lines...)
		var mu sync.Mutex
		var pruning sync.WaitGroup
		for range prunes {
			pruning.Go(func() {
				done, err := s.Prune(t.Context(), store.PruneOptions{Now: month(t, db, i-months+1), Batch: 20})
				if err != nil {
					t.Errorf("a prune: %v", err)
				}
				mu.Lock()
				dropped += len(done.Partitions)
				mu.Unlock()
			})
		}
		pruning.Wait()
	}
	close(stop)
	wg.Wait()
	t.Logf("%d of %d partitions were dropped", dropped, months)
	if dropped == 0 {
		t.Error("no partition was dropped")
	}
}

// A reader that holds on to the table costs a prune its partition, not an error.
func TestPrunePartitionInUse(t *testing.T) {
	t.Parallel()
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	makePast(t, db, 1)
	at := month(t, db, -1)
	l := line(trail.NewID(at), 1)
	l.ID, l.CreatedAt, l.ExpireAt = trail.NewID(at), at, &at
	write(t, s, l)
	err := db.Transaction(func(tx *gorm.DB) error {
		if n := count(t, tx, "execution_logs"); n != 1 {
			t.Errorf("%d lines", n)
		}
		done, err := s.Prune(t.Context(), store.PruneOptions{})
		if err != nil || done.Lines != 1 || done.Partitions != nil {
			t.Errorf("%+v, %v", done, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What a transaction did that could not be committed was not done.
func TestPruneIsRefusedAtCommit(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	lines := numbered(trail.NewID(noon), 3)
	past := noon.Add(-1)
	for i := range lines {
		lines[i].ExpireAt = &past
	}
	write(t, s, lines...)
	for _, text := range []string{
		`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$`,
		`CREATE CONSTRAINT TRIGGER never AFTER DELETE ON execution_logs DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION never()`,
	} {
		if err := db.Exec(text).Error; err != nil {
			t.Fatal(err)
		}
	}
	done, err := s.Prune(t.Context(), store.PruneOptions{Now: noon})
	if err == nil || !strings.Contains(err.Error(), "never") || done.Lines != 0 || count(t, db, "execution_logs") != 3 {
		t.Errorf("%+v, %v; %d lines are left", done, err, count(t, db, "execution_logs"))
	}
	trace, err := s.Trace(t.Context(), done.TraceID)
	if err != nil || len(trace.Entries) != 1 || trace.Action.Result != trail.Failure {
		t.Errorf("the trail says %+v, %v", trace.Entries, err)
	}
}

// Of prunes at the same time, each counts what it did itself.
func TestPrunesCountOnce(t *testing.T) {
	const all, prunes = 300, 3
	db := testdb.OpenPostgres(t)
	migrated(t, db)
	s, err := store.New(db, store.WithRetention(store.Keep{Event: trail.Update, For: time.Hour}, store.Keep{Event: "login", For: time.Minute}))
	if err != nil {
		t.Fatal(err)
	}
	var lines []store.Line
	var actions []trail.Entry
	for i := range all {
		e := entry(noon)
		if i%2 == 0 {
			e.Event = "login"
		}
		l := line(e.ID, int64(i))
		l.CreatedAt = noon
		actions, lines = append(actions, e), append(lines, l)
	}
	write(t, s, lines...)
	record(t, s, actions...)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var sum store.Pruned
	for range prunes {
		wg.Go(func() {
			done, err := s.Prune(t.Context(), store.PruneOptions{Now: noon.Add(30 * time.Minute), Batch: 10})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			sum.Lines += done.Lines
			sum.Postponed += done.Postponed
		})
	}
	wg.Wait()
	if sum.Lines != all/2 || sum.Postponed != all/2 || count(t, db, "execution_logs") != all/2 {
		t.Errorf("%+v of %d lines, %d are left", sum, all, count(t, db, "execution_logs"))
	}
}

// Where it cannot be recorded, nothing is deleted.
func TestPruneIsRecordedFirst(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		past := noon.Add(-1)
		l := line(trail.NewID(noon), 1)
		l.ExpireAt = &past
		write(t, s, l)
		if err := db.Exec("ALTER TABLE audit_logs RENAME TO away").Error; err != nil {
			t.Fatal(err)
		}
		if _, err := s.Prune(t.Context(), store.PruneOptions{Now: noon}); !errors.Is(err, store.ErrNotMigrated) {
			t.Errorf("got %v", err)
		}
		if n := count(t, db, "execution_logs"); n != 1 {
			t.Errorf("%d lines are left", n)
		}
		if _, err := s.Prune(t.Context(), store.PruneOptions{Batch: -1}); !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "PruneOptions.Batch is -1, must be zero or more") {
			t.Errorf("a negative batch: %v", err)
		}
	})
}
