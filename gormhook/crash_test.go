//go:build unix

package gormhook_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/pgcluster"
	"github.com/infrakitchen/audit/internal/testdb"
)

// A process that has these in its environment is a writer, and does nothing
// else: it is there to be killed.
const (
	writerPath     = "AUDIT_CRASH_PATH"
	writerDatabase = "AUDIT_CRASH_DATABASE"
	writerRound    = "AUDIT_CRASH_ROUND"
)

const (
	writerKills = 20
	serverKills = 5
	writers     = 4 // at once, in each process
)

// burden is a row of the load. Each writer has its own, so that it knows what
// there must be; all share one.
type burden struct {
	ID     int64
	Writer string `gorm:"index"`
	N      int64
	Note   string
}

// Invariant 1: a committed change has its entry, and an entry's change is
// committed, whatever is killed in the middle of it; and what a writer was told
// is committed is there.
func TestCrash(t *testing.T) {
	if name := os.Getenv(writerPath); name != "" {
		beWriter(t, name)
		return
	}
	keepDefaultRecorder(t)
	for _, path := range replayPaths {
		t.Run("writer/"+path.name, func(t *testing.T) {
			t.Parallel()
			dsn := ""
			if path.postgres() {
				dsn = testdb.Postgres(t)
			} else {
				dsn = testdb.SQLiteDSN(testdb.SQLite(t))
			}
			c := newCrash(t, path, dsn)
			for round := range writerKills {
				c.killWriter(t, round)
				c.compare(t, round)
			}
			c.report(t, writerKills)
		})
	}
	for _, path := range replayPaths {
		if !path.postgres() {
			continue
		}
		t.Run("server/"+path.name, func(t *testing.T) {
			t.Parallel()
			cluster := testdb.Server(t)
			c := newCrash(t, path, cluster.URL())
			for round := range serverKills {
				c.killServer(t, round, cluster)
				c.compare(t, round)
			}
			c.report(t, serverKills)
		})
	}
}

// crash is a database that survives what is done to those who use it.
type crash struct {
	*replayDatabase
	dsn    string
	schema *replaySchema
	// acknowledged are the rows that were reported as committed.
	acknowledged map[string]bool
}

func newCrash(t *testing.T, path replayPath, dsn string) *crash {
	t.Helper()
	db, err := dialCrash(path, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hangUp(t, db) })
	d := prepareReplay(t, path, db, func(db *gorm.DB) error { return db.AutoMigrate(&burden{}) })
	schema, err := readReplaySchema(d.bare, map[string]string{"burden": "burdens"})
	if err != nil {
		t.Fatal(err)
	}
	return &crash{replayDatabase: d, dsn: dsn, schema: schema, acknowledged: map[string]bool{}}
}

func dialCrash(path replayPath, dsn string) (*gorm.DB, error) {
	config := &gorm.Config{Logger: logger.Discard}
	if path.postgres() {
		return gorm.Open(postgres.Open(dsn), config)
	}
	conn, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), config)
}

func hangUp(t *testing.T, db *gorm.DB) {
	conn, err := db.DB()
	if err == nil {
		err = conn.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// killWriter has a process write, and kills it once it has said that enough
// was committed: at another place of its work each time, because several write
// at once and nobody waits for the killer.
func (c *crash) killWriter(t *testing.T, round int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestCrash$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), writerPath+"="+c.path.name, writerDatabase+"="+c.dsn, writerRound+"="+strconv.Itoa(round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	enough := 20 + 7*round
	n := 0
	for lines.Scan() {
		if marker, ok := strings.CutPrefix(lines.Text(), acknowledgement); ok {
			c.acknowledged[marker] = true
			if n++; n == enough {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			fmt.Fprintln(&complaint, lines.Text())
		}
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if n < enough || !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Fatalf("the writer ended by itself after %d writes: %v\n%s", n, err, complaint.String())
	}
	c.awaitSilence(t)
}

// awaitSilence returns once the server has done with the connections of the
// process that was killed: it may still commit what it was sent.
func (c *crash) awaitSilence(t *testing.T) {
	t.Helper()
	if !c.path.postgres() {
		return
	}
	for {
		var others int64
		if err := c.bare.Raw(`SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND application_name = ?`, writerPath).Scan(&others).Error; err != nil {
			t.Fatal(err)
		}
		if others == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// killServer kills the server in the middle of a load of this process.
func (c *crash) killServer(t *testing.T, round int, cluster *pgcluster.Cluster) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan string)
	go load(ctx, c.db, round, done, func(error) {}) // without a server they fail
	enough := 40 + 11*round
	n := 0
	for marker := range done {
		c.acknowledged[marker] = true
		if n++; n == enough {
			if err := cluster.Kill(); err != nil {
				t.Fatal(err)
			}
			stop()
		}
	}
	if n < enough {
		t.Fatalf("the writers ended by themselves after %d writes", n)
	}
	if err := cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The pool has connections to a server that is no more.
	conn, err := c.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxIdleConns(0)
	conn.SetMaxIdleConns(writers)
}

// acknowledgement begins a line that tells of a row that was committed.
const acknowledgement = "committed "

// beWriter is what the process does that is to be killed.
func beWriter(t *testing.T, name string) {
	for _, path := range replayPaths {
		if path.name != name {
			continue
		}
		dsn := os.Getenv(writerDatabase)
		if path.postgres() {
			dsn += "&application_name=" + writerPath
		}
		db, err := dialCrash(path, dsn)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Use(path.plugin); err != nil {
			t.Fatal(err)
		}
		round, err := strconv.Atoi(os.Getenv(writerRound))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan string)
		go load(t.Context(), db, round, done, func(err error) { fmt.Fprintln(os.Stderr, err) })
		for marker := range done {
			if _, err := io.WriteString(os.Stdout, acknowledgement+marker+"\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Fatal("the writer was not killed")
}

// load writes until ctx ends, or a write fails for another reason than that
// somebody else writes. It tells done of the rows that were committed.
func load(ctx context.Context, db *gorm.DB, round int, done chan<- string, failed func(error)) {
	defer close(done)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				marker := fmt.Sprintf("round %d writer %d row %d", round, w, i)
				_, _, err := persist(func() *gorm.DB { return carry(db, fmt.Sprintf("round %d writer %d", round, w), marker, i) })
				if err != nil {
					failed(err)
					return
				}
				done <- marker
			}
		})
	}
	all.Wait()
}

// carry writes a row that bears marker, and does something to others: in one
// statement, or several in a transaction.
func carry(db *gorm.DB, writer, marker string, i int) *gorm.DB {
	switch i % 4 {
	case 0:
		return db.Create(&burden{Writer: writer, Note: marker})
	case 1:
		return db.Create(&[]burden{{Writer: writer, Note: marker}, {Writer: writer, Note: "one of many"}, {Writer: writer}})
	case 2: // the same, but for the transaction
		return db.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"n": gorm.Expr("burdens.n + 1")}),
		}).Create(&[]burden{{ID: 1, Writer: "all"}, {Writer: writer, Note: marker}})
	default:
		err := db.Transaction(func(tx *gorm.DB) error {
			for _, step := range []*gorm.DB{
				tx.Create(&burden{Writer: writer, Note: marker}),
				tx.Model(&burden{}).Where("writer = ? AND n < ?", writer, 3).Update("n", gorm.Expr("n + 1")),
				tx.Where("writer = ? AND note = ?", writer, "one of many").Delete(&burden{}),
			} {
				if step.Error != nil {
					return step.Error
				}
			}
			return nil
		})
		return &gorm.DB{Error: err}
	}
}

// compare holds the entries against the rows, both ways.
func (c *crash) compare(t *testing.T, round int) {
	t.Helper()
	entries, err := c.schema.entriesAfter(c.bare, 0)
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	folded := c.schema.empty()
	if err := c.schema.fold(folded, entries); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	if err := resolves(entries); err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	table, err := c.schema.read(c.bare)
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	if diff := cmp.Diff(table, folded); diff != "" {
		t.Fatalf("round %d: the table (-) and what the entries make of it (+):\n%s", round, diff)
	}
	kept := map[string]bool{}
	for _, row := range table["burdens"] {
		kept[bareText(row["note"])] = true
	}
	for marker := range c.acknowledged {
		if !kept[marker] {
			t.Fatalf("round %d: %q was committed and is not there", round, marker)
		}
	}
}

func (c *crash) report(t *testing.T, kills int) {
	t.Helper()
	var rows, entries int64
	if err := c.bare.Raw(`SELECT (SELECT count(*) FROM burdens), (SELECT count(*) FROM audit_logs)`).Row().Scan(&rows, &entries); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d kills: %d rows, %d of them acknowledged, %d entries", kills, rows, len(c.acknowledged), entries)
}
