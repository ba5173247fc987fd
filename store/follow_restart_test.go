//go:build unix

package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// The server crashes and is started again, and is restarted in good order,
// while somebody writes and somebody follows: of the lines none is missed, and
// none comes twice. The writer, which sees the failures, writes again.
func TestFollowOverRestarts(t *testing.T) {
	t.Parallel()
	cluster := testdb.Server(t)
	e := engines[1]
	s := migrated(t, e.open(t, cluster.URL()))
	w, err := store.New(e.open(t, cluster.URL()))
	if err != nil {
		t.Fatal(err)
	}

	const all, batch = 3000, 10
	trace := trail.NewID(noon)
	lines := numbered(trace, all)
	f := follow(t, s, trace, 0)
	proceed := make(chan struct{}, all/batch) // one for each batch that may be written
	t.Cleanup(func() { close(proceed) })
	failures := make(chan int, 1)
	go func() {
		failed := 0
		defer func() { failures <- failed }()
		for i := 0; i < all; i += batch {
			<-proceed
			for w.WriteLines(context.Background(), lines[i:i+batch]) != nil {
				if failed++; t.Context().Err() != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	}()
	allow := func(lines int) {
		for range lines / batch {
			proceed <- struct{}{}
		}
	}

	seen := 0
	take := func(n int) {
		t.Helper()
		if diff := cmp.Diff(counted(seen+1, seen+n), f.take(t, n)); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		seen += n
	}
	for _, interrupt := range []func() error{
		func() error { // while lines are written
			if err := cluster.Kill(); err != nil {
				return err
			}
			return cluster.Restart(t.Context())
		},
		func() error { return cluster.Restart(t.Context()) },
	} {
		allow(1000)
		take(300)
		if err := interrupt(); err != nil {
			t.Fatal(err)
		}
		take(700)
	}
	// Away when nobody writes, and then with somebody who cannot.
	if err := cluster.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := w.WriteLines(t.Context(), lines[2000:2000+batch]); err == nil {
		t.Fatal("lines were kept by a server that is not there")
	}
	allow(1000)
	if err := cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	take(1000)
	t.Logf("%d lines followed over three restarts; %d attempts to write failed", seen, <-failures)
	f.nothing(t)
}
