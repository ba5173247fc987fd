package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

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
