//go:build unix

package pgcluster_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/infrakitchen/audit/internal/pgcluster"
)

func TestMain(m *testing.M) {
	if os.Getenv(abandonVariable) != "" {
		abandon()
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o pgcluster.Options) *pgcluster.Cluster {
	t.Helper()
	c, err := pgcluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone by design
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func scan[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSettings(t *testing.T) {
	type settings map[string]string
	for _, c := range []struct {
		name    string
		options pgcluster.Options
		want    settings
	}{
		{
			"for tests: nothing waits for the disk",
			pgcluster.Options{},
			settings{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "work_mem": "4MB"},
		},
		{
			"durable: what PostgreSQL ships",
			pgcluster.Options{Durable: true},
			settings{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "work_mem": "4MB"},
		},
		{
			"the caller's win",
			pgcluster.Options{Settings: settings{"fsync": "on", "work_mem": "8MB"}},
			settings{"fsync": "on", "synchronous_commit": "off", "full_page_writes": "off", "work_mem": "8MB"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := connect(t, start(t, c.options).URL())
			got := settings{}
			for name := range c.want {
				got[name] = scan[string](t, conn, "SELECT current_setting('"+name+"')")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What must survive a crash is not kept in memory, where it is quicker.
func TestDurableIsOnADisk(t *testing.T) {
	conn := connect(t, start(t, pgcluster.Options{Durable: true}).URL())
	if data := scan[string](t, conn, "SELECT current_setting('data_directory')"); strings.HasPrefix(data, "/dev/shm/") {
		t.Errorf("the data is in %s", data)
	}
}

func TestBadSettingFails(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder+"/..", 0o755); err != nil { // for the server's user
		t.Fatal(err)
	}
	c, err := pgcluster.Start(t.Context(), pgcluster.Options{Folder: folder, Settings: map[string]string{"no_such_setting": "1"}})
	if err == nil {
		t.Fatal("a server with a setting that does not exist has started", c.Stop())
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%q is left of a cluster that could not be started", left)
	}
}

// Who gives up waiting leaves nothing behind.
func TestStartIsCanceled(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder+"/..", 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := pgcluster.Start(ctx, pgcluster.Options{Folder: folder})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v and %v, want the error of the context", c, err)
	}
	left, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 0 {
		t.Errorf("%q is left of a cluster that could not be started", left)
	}
}

// The server is one of this machine's programs, and of no other user's.
func TestOnlyTheOwnerConnects(t *testing.T) {
	c := start(t, pgcluster.Options{})
	u, err := url.Parse(c.URL())
	if err != nil {
		t.Fatal(err)
	}
	if u.Hostname() != "127.0.0.1" {
		t.Errorf("the server listens on %s", u.Hostname())
	}
	u.User = url.UserPassword(u.User.Username(), "wrong")
	conn, err := pgx.Connect(t.Context(), u.String())
	if err == nil {
		t.Fatal("connected with a wrong password", conn.Close(t.Context()))
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != "28P01" { // invalid_password
		t.Errorf("got %v, want an error about the password", err)
	}
}

// What was committed survives a crash, what was not does not, and the same URL
// leads to the server again.
func TestKillAndRestart(t *testing.T) {
	c := start(t, pgcluster.Options{Durable: true})
	conn := connect(t, c.URL())
	execute(t, conn, "CREATE TABLE kept (id int)")
	execute(t, conn, "INSERT INTO kept VALUES (1)")
	execute(t, conn, "BEGIN")
	execute(t, conn, "INSERT INTO kept VALUES (2)")

	before := c.PID()
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "COMMIT"); err == nil {
		t.Error("a connection outlived its server")
	}
	if other, err := pgx.Connect(t.Context(), c.URL()); err == nil {
		t.Error("connected to a killed server", other.Close(t.Context()))
	}
	if err := c.Kill(); err != nil {
		t.Errorf("killing what is dead: %v", err)
	}

	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := c.PID(); after == before || after == 0 {
		t.Errorf("process %d after a restart, %d before", after, before)
	}
	conn = connect(t, c.URL())
	if ids := scan[[]int32](t, conn, "SELECT array_agg(id) FROM kept"); !cmp.Equal(ids, []int32{1}) {
		t.Errorf("got the rows %v after the crash, want [1]", ids)
	}
}

// Nothing that was going on is brought to its end by a backend that has not
// noticed yet: the one of this test would never notice.
func TestKillEndsWhatIsRunning(t *testing.T) {
	c := start(t, pgcluster.Options{})
	busy, watch := connect(t, c.URL()), connect(t, c.URL())
	pid := scan[int32](t, busy, "SELECT pg_backend_pid()")
	ended := make(chan error, 1)
	go func() {
		_, err := busy.Exec(t.Context(), "DO $$ BEGIN LOOP END LOOP; END $$")
		ended <- err
	}()
	for running := false; !running; {
		if err := watch.QueryRow(t.Context(),
			"SELECT state = 'active' FROM pg_stat_activity WHERE pid = $1", pid).Scan(&running); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("a statement without an end has ended well")
	}
}

func TestRestartOfARunningServer(t *testing.T) {
	c := start(t, pgcluster.Options{})
	conn := connect(t, c.URL())
	execute(t, conn, "CREATE TABLE kept (id int)")
	before := c.PID()
	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.PID() == before {
		t.Error("it is the same process")
	}
	conn = connect(t, c.URL())
	if n := scan[int64](t, conn, "SELECT count(*) FROM kept"); n != 0 {
		t.Errorf("%d rows, none expected", n)
	}
}

func TestStop(t *testing.T) {
	c := start(t, pgcluster.Options{})
	conn := connect(t, c.URL())
	data := scan[string](t, conn, "SELECT current_setting('data_directory')")
	if _, err := os.Stat(data); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice without harm
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no folder after the stop", err)
	}
	if listening(t, c.URL()) {
		t.Error("the server still listens")
	}
	if pid := c.PID(); pid != 0 {
		t.Errorf("process %d after the stop", pid)
	}
	if err := c.Kill(); !errors.Is(err, pgcluster.ErrStopped) {
		t.Errorf("Kill: got %v, want ErrStopped", err)
	}
	if err := c.Restart(t.Context()); !errors.Is(err, pgcluster.ErrStopped) {
		t.Errorf("Restart: got %v, want ErrStopped", err)
	}
}

// A stop after a crash leaves nothing either.
func TestStopOfAKilledServer(t *testing.T) {
	c := start(t, pgcluster.Options{})
	data := scan[string](t, connect(t, c.URL()), "SELECT current_setting('data_directory')")
	if err := errors.Join(c.Kill(), c.Stop()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no folder after the stop", err)
	}
}

// listening reports whether anybody accepts connections at the URL's address.
func listening(t *testing.T, dsn string) bool {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	return true
}
