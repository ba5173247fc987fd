package store_test

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Set for a process that shall do nothing but migrate a database.
const (
	processDialect = "STORE_TEST_MIGRATE_DIALECT"
	processDSN     = "STORE_TEST_MIGRATE_DSN"
)

func TestMain(m *testing.M) {
	if dialect := os.Getenv(processDialect); dialect != "" {
		if err := migrateOnce(dialect, os.Getenv(processDSN)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// GORM's cache of prepared statements has a goroutine that nothing ends.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

func migrateOnce(dialect, dsn string) error {
	db, err := dial(dialect, dsn)
	if err != nil {
		return err
	}
	defer shut(db)
	return store.Migrate(context.Background(), db)
}

// dial opens a further pool of a test's database.
func dial(dialect, dsn string) (*gorm.DB, error) {
	config := &gorm.Config{Logger: logger.Discard}
	if dialect == "postgres" {
		return gorm.Open(postgres.Open(dsn), config)
	}
	conn, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), config)
}

func shut(db *gorm.DB) {
	if conn, err := db.DB(); err == nil {
		_ = conn.Close() // the database is thrown away next
	}
}

// engine is a way to get a database that many pools can be opened on.
type engine struct {
	dialect string
	dsn     func(testing.TB) string
}

var engines = []engine{
	{"sqlite", func(tb testing.TB) string { return testdb.SQLiteDSN(testdb.SQLite(tb)) }},
	{"postgres", testdb.Postgres},
}

func (e engine) open(tb testing.TB, dsn string) *gorm.DB {
	tb.Helper()
	db, err := dial(e.dialect, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { shut(db) })
	return db
}

// each runs f on a migrated database of each engine, beside other tests: most
// of their time is spent waiting for the databases, of which each has its own.
func each(t *testing.T, f func(t *testing.T, db *gorm.DB, s *store.Store), opts ...gorm.Option) {
	t.Helper()
	t.Parallel()
	testdb.Each(t, func(t *testing.T, db *gorm.DB) { f(t, db, migrated(t, db)) }, opts...)
}

func migrated(tb testing.TB, db *gorm.DB) *store.Store {
	tb.Helper()
	if err := store.Migrate(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	s, err := store.New(db)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// noon is when the entries of most tests are made.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

// entry returns an entry that can be kept, of an action of its own.
func entry(at time.Time) trail.Entry {
	id := trail.NewID(at)
	return trail.Entry{
		ID: id, TraceID: id, CreatedAt: trail.Time(id),
		Actor: trail.Actor{ID: "u1", Name: "Ann", Kind: trail.KindUser},
		Event: trail.Update, Operation: trail.OpUpdate, Model: "resource", EntityID: "42",
		Outcome: trail.Success,
	}
}

func record(tb testing.TB, s *store.Store, entries ...trail.Entry) {
	tb.Helper()
	if err := s.Record(tb.Context(), entries...); err != nil {
		tb.Fatal(err)
	}
}

func count(tb testing.TB, db *gorm.DB, table string) int {
	tb.Helper()
	var n int
	if err := db.Raw("SELECT count(*) FROM " + table).Scan(&n).Error; err != nil {
		tb.Fatal(err)
	}
	return n
}

// entries returns all that a query finds on one page.
func entries(tb testing.TB, s *store.Store, q store.Query) []store.Entry {
	tb.Helper()
	q.Limit = cmp.Or(q.Limit, store.MaxLimit)
	page, err := s.Entries(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	return page.Entries
}

func ids(found []store.Entry) []uuid.UUID {
	var list []uuid.UUID
	for _, e := range found {
		list = append(list, e.ID)
	}
	return list
}

// tokens returns JSON as its tokens, with numbers as they are spelt, so that
// two spellings of one object compare equal where white space and the order of
// keys are all that differs.
func tokens(tb testing.TB, raw json.RawMessage) map[string]any {
	tb.Helper()
	if raw == nil {
		return nil
	}
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("%s: %v", raw, err)
	}
	return v
}
