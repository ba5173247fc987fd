package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// following is somebody who follows a trace.
type following struct {
	lines chan string
	stop  func()
}

func follow(t *testing.T, s *store.Store, trace uuid.UUID, after int64) following {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := following{lines: make(chan string, 100_000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for l, err := range s.Follow(ctx, trace, after) {
			if err != nil {
				f.lines <- err.Error()
				return
			}
			f.lines <- l.Message
		}
	}()
	f.stop = func() { cancel(); <-ended }
	t.Cleanup(f.stop)
	return f
}

func (f following) take(t *testing.T, n int) []string {
	t.Helper()
	var list []string
	for range n {
		select {
		case m := <-f.lines:
			list = append(list, m)
		case <-time.After(time.Minute):
			t.Fatalf("%d lines came, %d expected: %q", len(list), n, list)
		}
	}
	return list
}

func (f following) nothing(t *testing.T) {
	t.Helper()
	f.stop()
	if len(f.lines) > 0 {
		t.Errorf("%d lines too many, the first is %q", len(f.lines), <-f.lines)
	}
}

func counted(from, to int) []string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// Followers get what is there, then what comes, each line once, from their own
// process and from another.
func TestFollow(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		another, err := store.New(db)
		if err != nil {
			t.Fatal(err)
		}
		trace := trail.NewID(noon)
		lines := numbered(trace, 1300)
		write(t, s, lines[:1100]...)
		all, some := follow(t, s, trace, 0), follow(t, s, trace, 1090)
		if diff := cmp.Diff(counted(1, 1100), all.take(t, 1100)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(counted(1091, 1100), some.take(t, 10)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for i := 1100; i < 1300; i += 20 {
			w := s
			if i%40 == 0 {
				w = another
			}
			write(t, w, lines[i:i+20]...)
			write(t, w, numbered(trail.NewID(noon), 1)...) // somebody else's
			for _, f := range []following{all, some} {
				if diff := cmp.Diff(counted(i+1, i+20), f.take(t, 20)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		}
		all.nothing(t)
		some.nothing(t)
	})
}

// A line that arrives after others that it precedes in order is not missed.
func TestFollowLateLines(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		lines := numbered(trace, 12)
		write(t, s, lines[5:10]...)
		f := follow(t, s, trace, 2)
		if diff := cmp.Diff(counted(6, 10), f.take(t, 5)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		write(t, s, lines[:5]...) // of these the first two are known
		if diff := cmp.Diff(counted(3, 5), f.take(t, 3)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if err := db.Exec(`DELETE FROM execution_logs WHERE message IN ('4', '7')`).Error; err != nil {
			t.Fatal(err)
		}
		write(t, s, lines[10:]...)
		if diff := cmp.Diff(counted(11, 12), f.take(t, 2)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		f.nothing(t)
	})
}

// From zero come the same lines as Lines returns, whatever their Seq, also those
// that arrive late.
func TestFollowAnySeq(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		var lines []store.Line
		for i, seq := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64, -7, 0} {
			l := line(trace, seq)
			l.Message = fmt.Sprint(i)
			lines = append(lines, l)
		}
		write(t, s, lines[:5]...)
		all, resumed := follow(t, s, trace, 0), follow(t, s, trace, -1)
		if diff := cmp.Diff(counted(0, 4), all.take(t, 5)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(counted(2, 4), resumed.take(t, 3)); diff != "" {
			t.Errorf("after -1 (-want +got):\n%s", diff)
		}
		write(t, s, lines[5:]...)
		if diff := cmp.Diff(counted(5, 6), all.take(t, 2)); diff != "" {
			t.Errorf("late (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(counted(6, 6), resumed.take(t, 1)); diff != "" {
			t.Errorf("late, after -1 (-want +got):\n%s", diff)
		}
		all.nothing(t)
		resumed.nothing(t)
	})
}

// A late line is not missed although another one expires as it arrives.
func TestFollowLateLineForAnother(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		lines := numbered(trace, 10)
		write(t, s, lines[5:]...)
		f := follow(t, s, trace, 0)
		if diff := cmp.Diff(counted(6, 10), f.take(t, 5)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		l := lines[3]
		if err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec(`DELETE FROM execution_logs WHERE message = '7'`).Error; err != nil {
				return err
			}
			return tx.Exec(`INSERT INTO execution_logs (id, trace_id, created_at, level, message, seq)
SELECT ?, trace_id, created_at, level, ?, ? FROM execution_logs WHERE message = '6'`, l.ID.String(), l.Message, l.Seq).Error
		}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(counted(4, 4), f.take(t, 1)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		f.nothing(t)
	})
}

// On PostgreSQL the connections may be cut: nothing is missed, nothing comes
// twice.
func TestFollowReconnects(t *testing.T) {
	e := engines[1]
	dsn := e.dsn(t)
	db, other := e.open(t, dsn), e.open(t, dsn)
	s := migrated(t, db)
	w, err := store.New(other)
	if err != nil {
		t.Fatal(err)
	}
	trace := trail.NewID(noon)
	lines := numbered(trace, 300)
	f := follow(t, s, trace, 0)
	for i := 0; i < 300; i += 100 {
		write(t, w, lines[i:i+100]...)
		if diff := cmp.Diff(counted(i+1, i+100), f.take(t, 100)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if err := other.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()`).Error; err != nil {
			t.Fatal(err)
		}
	}
	f.nothing(t)
}

// What will not go away ends it, with an error; and so does the reader.
func TestFollowEnds(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		write(t, s, numbered(trace, 2)...)
		for l, err := range s.Follow(t.Context(), trace, 0) {
			if l.Message != "1" || err != nil {
				t.Errorf("the first line is %q, %v", l.Message, err)
			}
			break
		}
		if err := db.Exec("ALTER TABLE execution_logs RENAME TO away").Error; err != nil {
			t.Fatal(err)
		}
		f := follow(t, s, trace, 0)
		if got := f.take(t, 1)[0]; got == "1" {
			t.Errorf("got a line")
		}
		f.nothing(t)
	})
}

// Only what is known to pass is waited for.
func TestFollowErrors(t *testing.T) {
	for _, c := range []struct {
		why    string
		err    error
		passes bool
	}{
		{"the driver gave the connection up", driver.ErrBadConn, true},
		{"it was closed meanwhile", sql.ErrConnDone, true},
		{"the server is gone", io.ErrUnexpectedEOF, true},
		{"or cannot be reached", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}, true},
		{"it restarts", &pgconn.PgError{Code: "57P01"}, true},
		{"too many are connected", &pgconn.PgError{Code: "53300"}, true},
		{"a partition is dropped", &pgconn.PgError{Code: "55P03"}, true},
		{"SQLite has one writer", errors.New("database is locked (5) (SQLITE_BUSY)"), true},

		{"nobody knows", errors.New("something else"), false},
		{"the file is broken", errors.New("database disk image is malformed (11)"), false},
		{"the pool is closed", errors.New("sql: database is closed"), false},
		{"it may not read", &pgconn.PgError{Code: "42501"}, false},
		{"it takes too long, each time", &pgconn.PgError{Code: "57014"}, false},
		{"the database was dropped", &pgconn.PgError{Code: "57P04"}, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			db := testdb.OpenSQLite(t)
			s := migrated(t, db)
			trace := trail.NewID(noon)
			write(t, s, numbered(trace, 1)...)
			fails := atomic.Int64{}
			fails.Store(1)
			if err := db.Callback().Row().Before("gorm:row").Register("test:fail", func(tx *gorm.DB) {
				if fails.Add(-1) >= 0 {
					_ = tx.AddError(c.err)
				}
			}); err != nil {
				t.Fatal(err)
			}
			f := follow(t, s, trace, 0)
			want := "store: following lines: " + c.err.Error()
			if c.passes {
				want = "1"
			}
			if got := f.take(t, 1)[0]; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			f.nothing(t)
		})
	}
}

// A row that cannot be read will not get better.
func TestFollowBrokenLine(t *testing.T) {
	db := testdb.OpenSQLite(t)
	s := migrated(t, db)
	trace := trail.NewID(noon)
	if err := db.Exec(`INSERT INTO execution_logs (id, trace_id, created_at, level, message, seq)
VALUES ('zzz', ?, ?, 'info', 'x', 1)`, trace.String(), "2026-11-23T12:00:00.000000Z").Error; err != nil {
		t.Fatal(err)
	}
	f := follow(t, s, trace, 0)
	if got := f.take(t, 1)[0]; !strings.Contains(got, "following lines") {
		t.Errorf("got %q", got)
	}
	f.nothing(t)
}
