package zapfield_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// A database that hangs is as good as one that is away: lines go into the spill
// file, nobody waits, and all are stored once, in order, however it ends.
func TestSpillWhileTheDatabaseHangs(t *testing.T) {
	for _, c := range []struct {
		why   string
		hangs func(ctx context.Context) error
	}{
		{"until the attempt is over", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }},
		{"and answers in the end", func(context.Context) error { time.Sleep(20 * time.Second); return nil }},
		{"and panics in the end", func(context.Context) error { time.Sleep(20 * time.Second); panic("the driver") }},
	} {
		t.Run(c.why, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const lines = 5000
				ctx, _ := start(t, t.Context())
				w := &kept{}
				w.fail(func(ctx context.Context, _ []trail.Line) error { return c.hangs(ctx) })
				s, logger := newSink(t, w, zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1<<24), zapfield.WithBatch(100))
				for i := range lines {
					before := time.Now()
					logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
					if d := time.Since(before); d > 0 {
						t.Fatalf("line %d waited for %v", i, d)
					}
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Second)
				if st := s.Stats(); st.Spilled != lines || st.Queued != 0 || st.Written != 0 {
					t.Errorf("%+v", st)
				}
				mustSync(t, s)
				w.fail(nil)
				time.Sleep(time.Minute)
				if diff := cmp.Diff(numbers(0, lines), w.messages()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if st := s.Stats(); st.Written != lines || st.Restored != lines || st.SpillBytes != 0 || st.Dropped+st.Refused != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// Close keeps to its context whatever the database does, and spills what it can.
func TestCloseWhileTheDatabaseHangs(t *testing.T) {
	for _, spill := range []bool{false, true} {
		t.Run(fmt.Sprintf("spill %t", spill), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, _ := start(t, t.Context())
				w, release := &kept{}, make(chan struct{})
				w.fail(func(context.Context, []trail.Line) error { <-release; return nil })
				opts := []zapfield.SinkOption{zapfield.WithBatch(3)}
				if spill {
					opts = append(opts, zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1<<20))
				}
				s, logger := newSink(t, w, opts...)
				for i := range 10 {
					logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
				}
				synctest.Wait()
				soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				defer cancel()
				before := time.Now()
				err := s.Close(soon)
				if d := time.Since(before); d > 400*time.Millisecond {
					t.Errorf("Close took %v", d)
				}
				st := s.Stats()
				if spill && (err != nil || st.Spilled != 10 || st.Lost != 0) ||
					!spill && (err == nil || !strings.Contains(err.Error(), "10 lines were lost: the LineWriter does not return") || st.Lost != 10) {
					t.Errorf("%v; %+v", err, st)
				}
				close(release)
				synctest.Wait()
				if diff := cmp.Diff(numbers(0, 3), w.messages()); diff != "" {
					t.Errorf("the attempt that was left alone wrote (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// SQLite may not look at a context while it waits for a lock: here it never does.
func TestCloseWhileSQLiteIsLocked(t *testing.T) {
	db := testdb.OpenSQLite(t)
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	var file string
	if err := db.Raw(`SELECT file FROM pragma_database_list WHERE name = 'main'`).Scan(&file).Error; err != nil {
		t.Fatal(err)
	}
	conn, err := sql.Open("sqlite", testdb.SQLiteDSN(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	conn.SetMaxOpenConns(1)
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	w := &watched{store: st, begun: make(chan struct{}), ended: make(chan struct{})}
	s, logger := newSink(t, w, zapfield.WithInterval(time.Millisecond), zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1<<20))
	ctx, _ := start(t, t.Context())
	logger.Info("locked out", zapfield.Context(ctx))
	<-w.begun
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(over); err != nil {
		t.Error(err)
	}
	if stats := s.Stats(); stats.Spilled != 1 || w.returned.Load() {
		t.Errorf("%+v; Close waited for the database: %t", stats, w.returned.Load())
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	<-w.ended
}

// watched is a store for one call, of which a test sees when it begins and ends.
type watched struct {
	store        *store.Store
	begun, ended chan struct{}
	returned     atomic.Bool
}

func (w *watched) WriteLines(ctx context.Context, lines []trail.Line) error {
	close(w.begun)
	defer close(w.ended)
	defer w.returned.Store(true)
	return w.store.WriteLines(context.WithoutCancel(ctx), lines)
}

// Lines that keep coming faster than they are written do not keep the sink in
// the spill file for ever.
func TestSpillUnderLoad(t *testing.T) {
	ctx, _ := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger := newSink(t, w, zapfield.WithBatch(10), zapfield.WithBuffer(100, 1<<20), zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1<<30))
	for i := 1; i <= 1000; i++ {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
	}
	mustSync(t, s)
	if st := s.Stats(); st.Spilled != 1000 {
		t.Fatalf("%+v", st)
	}
	w.fail(nil)
	n := 1001
	for ; s.Stats().SpillBytes > 0; n++ {
		if n > 100_000 {
			t.Fatalf("after %d lines more: %+v", n, s.Stats())
		}
		logger.Info(fmt.Sprint(n), zapfield.Context(ctx))
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(1, n), w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
