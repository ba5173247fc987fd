//go:build unix

package zapfield_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

func dial(tb testing.TB, url string) (*gorm.DB, *store.Store) {
	tb.Helper()
	db, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := db.DB()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	st, err := store.New(db)
	if err != nil {
		tb.Fatal(err)
	}
	return db, st
}

// inOrder fails where the messages of a trace are not the numbers from 0 to n.
func inOrder(t *testing.T, db *gorm.DB, trace string, n int) {
	t.Helper()
	var messages []string
	if err := db.Raw(`SELECT message FROM execution_logs WHERE trace_id = ? ORDER BY seq`, trace).Scan(&messages).Error; err != nil {
		t.Fatal(err)
	}
	if len(messages) != n {
		t.Fatalf("%d lines are kept, %d were logged", len(messages), n)
	}
	for i, m := range messages {
		if m != strconv.Itoa(i) {
			t.Fatalf("line %d is %q", i, m)
		}
	}
}

// The server is killed, and started again 5 s later, while 10,000 lines are
// offered in a second: none is lost, they are in order, and the memory is
// bounded.
func TestSinkOutage(t *testing.T) {
	t.Parallel()
	const rate, seconds, room = 10_000, 8, 20_000
	cluster := testdb.Server(t)
	db, st := dial(t, cluster.URL())
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	sink, log := newSink(t, st, zapfield.WithBuffer(room, 16<<20))
	ctx, id := start(t, t.Context())
	log = zapfield.Logger(ctx, log)

	outage := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		if err := cluster.Kill(); err != nil {
			outage <- err
			return
		}
		time.Sleep(5 * time.Second)
		outage <- cluster.Restart(context.Background())
	}()
	var most, mostBytes int
	var heap uint64
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := range rate * seconds {
		if i%(rate/100) == 0 {
			<-tick.C
			st := sink.Stats()
			most, mostBytes = max(most, st.Queued), max(mostBytes, st.QueuedBytes)
			if i%rate == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				heap = max(heap, m.HeapInuse)
			}
		}
		log.Info(strconv.Itoa(i))
	}
	if err := <-outage; err != nil {
		t.Fatal(err)
	}
	if err := sink.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	inOrder(t, db, id, rate*seconds)
	stats := sink.Stats()
	t.Logf("%d lines logged, %d written, %d attempts failed; at most %d lines and %d KiB were held, heap at most %d MiB",
		stats.Logged, stats.Written, stats.Retried, most, mostBytes>>10, heap>>20)
	if most > room || mostBytes > 16<<20 || stats.Dropped+stats.Lost+stats.Refused != 0 || stats.Retried == 0 {
		t.Errorf("%+v", stats)
	}
}

// logLines logs until the process is terminated, and prints the number of each line that
// it has logged.
func logLines() error {
	db, err := gorm.Open(postgres.Open(os.Getenv(sinkURL)), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	st, err := store.New(db)
	if err != nil {
		return err
	}
	sink, err := zapfield.NewSink(st)
	if err != nil {
		return err
	}
	log := zapfield.Wrap(zap.New(sink.Core(zapcore.InfoLevel)))
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	for i := 0; ; i++ {
		select {
		case <-terminated:
			return sink.Close(context.Background())
		default:
		}
		log.Info(strconv.Itoa(i), zap.String(zapfield.Key, os.Getenv(sinkTrace)))
		if _, err := fmt.Println(i); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// A process that is terminated and closes its sink loses nothing; one that is
// killed loses what it logged in the last interval.
func TestSinkOfAProcess(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sent syscall.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGKILL", syscall.SIGKILL}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := testdb.Postgres(t)
			db, _ := dial(t, url)
			if err := store.Migrate(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			trace := trail.NewID(time.Now()).String()
			out := &buffer{}
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), sinkURL+"="+url, sinkTrace+"="+trace)
			cmd.Stdout, cmd.Stderr = out, os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var written int
			for written < 2000 {
				if err := db.Raw(`SELECT count(*) FROM execution_logs`).Scan(&written).Error; err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if err := cmd.Process.Signal(c.sent); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); c.sent == syscall.SIGTERM && err != nil {
				t.Fatal(err)
			}
			logged := strings.Count(out.String(), "\n")
			var kept int
			if err := db.Raw(`SELECT count(*) FROM execution_logs`).Scan(&kept).Error; err != nil {
				t.Fatal(err)
			}
			inOrder(t, db, trace, kept) // without a gap
			t.Logf("%s: %d lines logged, %d kept, %d lost", c.name, logged, kept, logged-kept)
			if c.sent == syscall.SIGTERM && kept != logged {
				t.Errorf("%d of %d lines are kept", kept, logged)
			}
			if kept < written {
				t.Errorf("%d lines are kept, %d were there before the end", kept, written)
			}
		})
	}
}
