package testdb

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go
)

// SQLite returns the path of a SQLite database file that does not exist yet, in
// a folder that is removed when the test ends.
func SQLite(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "test.db")
}

// SQLiteDSN returns the data source name, for the driver "sqlite", under which
// [OpenSQLite] opens the file at path: a write-ahead log, foreign keys, five
// seconds of patience with other writers, and transactions that take the write
// lock when they begin. Nothing waits for the disk: what was committed survives
// the process, which is all that a test can kill.
func SQLiteDSN(path string) string {
	settings := url.Values{
		"_pragma": {
			"journal_mode(WAL)", "busy_timeout(5000)", "foreign_keys(1)", "synchronous(OFF)",
		},
		"_time_format": {"sqlite"},
		"_txlock":      {"immediate"},
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}

// OpenSQLite opens a fresh SQLite database, which is closed and removed when
// the test ends. Without a logger among opts it logs nothing.
func OpenSQLite(tb testing.TB, opts ...gorm.Option) *gorm.DB {
	tb.Helper()
	conn, err := sql.Open("sqlite", SQLiteDSN(SQLite(tb)))
	if err != nil {
		tb.Fatalf("testdb: opening SQLite: %v", err)
	}
	return open(tb, sqlite.New(sqlite.Config{Conn: conn}), opts)
}
