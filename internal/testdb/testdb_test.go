package testdb_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/testdb"
)

type thing struct {
	ID   int64
	Name string
}

// Each runs its function on both engines, and whoever asks again gets another
// database, without what was done in the first.
func TestEachGivesEmptyDatabases(t *testing.T) {
	var engines []string
	for range 2 {
		testdb.Each(t, func(t *testing.T, db *gorm.DB) {
			engines = append(engines, db.Name())
			tables, err := db.Migrator().GetTables()
			if err != nil {
				t.Fatal(err)
			}
			if len(tables) != 0 {
				t.Errorf("a fresh database has the tables %q", tables)
			}
			if err := db.AutoMigrate(&thing{}); err != nil {
				t.Fatal(err)
			}
			if err := db.Create(&thing{ID: 1, Name: "a"}).Error; err != nil {
				t.Fatal(err)
			}
		})
	}
	if diff := cmp.Diff([]string{"sqlite", "postgres", "sqlite", "postgres"}, engines); diff != "" {
		t.Error(diff)
	}
}

// Two databases of one test are two, too.
func TestOpenGivesDistinctDatabases(t *testing.T) {
	for name, open := range map[string]func(testing.TB, ...gorm.Option) *gorm.DB{
		"sqlite": testdb.OpenSQLite, "postgres": testdb.OpenPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			one, other := open(t), open(t)
			if err := one.AutoMigrate(&thing{}); err != nil {
				t.Fatal(err)
			}
			if other.Migrator().HasTable(&thing{}) {
				t.Error("what was made in one database is in the other")
			}
		})
	}
}

func TestPostgresIsDroppedAtCleanup(t *testing.T) {
	ctx := t.Context()
	var dsn string
	var left *pgx.Conn
	t.Run("inner", func(t *testing.T) {
		dsn = testdb.Postgres(t)
		var err error
		// Left open: a test that leaks a connection loses its database all
		// the same.
		if left, err = pgx.Connect(ctx, dsn); err != nil {
			t.Fatal(err)
		}
	})
	if left == nil {
		t.FailNow()
	}
	if err := left.Ping(ctx); err == nil {
		t.Error("the connection of a test that has ended still works")
	}
	if err := left.Close(ctx); err != nil {
		t.Error(err)
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err == nil {
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
		t.Fatal("the database of a test that has ended is still there")
	}
	if !strings.Contains(err.Error(), "3D000") { // invalid_catalog_name
		t.Errorf("got %v, want an error that says that there is no such database", err)
	}
}

func TestDatabasesAreClosedAtCleanup(t *testing.T) {
	var opened []*gorm.DB
	t.Run("inner", func(t *testing.T) {
		testdb.Each(t, func(_ *testing.T, db *gorm.DB) { opened = append(opened, db) })
	})
	if len(opened) != 2 {
		t.Fatalf("%d databases, 2 expected", len(opened))
	}
	for _, db := range opened {
		if err := db.Exec("SELECT 1").Error; err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s: got %v, want an error that says that it is closed", db.Name(), err)
		}
	}
}

func TestSQLiteIsRemovedAtCleanup(t *testing.T) {
	var path string
	t.Run("inner", func(t *testing.T) {
		path = testdb.SQLite(t)
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want no file ahead of its first use", err)
		}
		db, err := gorm.Open(sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: testdb.SQLiteDSN(path)}))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.AutoMigrate(&thing{}), conn.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no folder when the test has ended", err)
	}
}

// What the pragmas say is what SQLite does, also for a path that must be
// escaped in a URL.
func TestSQLiteSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "100% a?b#c.db")
	db, err := gorm.Open(sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: testdb.SQLiteDSN(path)}))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, pragma := range []string{"journal_mode", "busy_timeout", "foreign_keys", "synchronous"} {
		var value string
		if err := db.Raw("PRAGMA " + pragma).Scan(&value).Error; err != nil {
			t.Fatal(err)
		}
		got[pragma] = value
	}
	want := map[string]string{"journal_mode": "wal", "busy_timeout": "5000", "foreign_keys": "1", "synchronous": "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	conn, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// One configuration serves both engines: GORM writes into what it is given.
func TestOptionsAreNotShared(t *testing.T) {
	var out bytes.Buffer
	given := &gorm.Config{
		SkipDefaultTransaction: true,
		Logger:                 logger.New(log.New(&out, "", 0), logger.Config{LogLevel: logger.Info}),
	}
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if !db.SkipDefaultTransaction {
			t.Error("the option did not reach the database")
		}
		if db.Config == given || given.ConnPool != nil || given.Dialector != nil {
			t.Error("the caller's configuration was changed")
		}
		if err := db.Exec("SELECT 'seen'").Error; err != nil {
			t.Fatal(err)
		}
	}, given)
	if n := strings.Count(out.String(), "SELECT 'seen'"); n != 2 {
		t.Errorf("the caller's logger saw %d statements, want one of each engine:\n%s", n, out.String())
	}
}

// A missing server fails the test, in one line that says what to do. The test
// that fails is this one, run again without the variable.
func TestNoServerFails(t *testing.T) {
	const inner = "AUDIT_TESTDB_INNER"
	if os.Getenv(inner) != "" {
		testdb.Postgres(t)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), self, "-test.run=^TestNoServerFails$")
	cmd.Env = append(os.Environ(), inner+"=1", testdb.Variable+"=")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("got %v, want a test that failed\n%s", err, out)
	}
	for _, want := range []string{"--- FAIL: TestNoServerFails", "run `make test`, or `go run ./internal/withpostgres go test ./...`"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%q is not in the output:\n%s", want, out)
		}
	}
}
