package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go

	"github.com/infrakitchen/audit/zapfield"
)

// maxConnections is how many connections the service opens. SQLite has one
// writer at a time, whatever their number.
const maxConnections = 8

// openDatabase opens the database at a postgres:// URL or the path of a SQLite
// file, and creates the service's own tables if they are missing.
func (a *app) openDatabase(ctx context.Context, at string) (err error) {
	driver, dsn := "sqlite", sqliteDSN(at)
	dialect := func(conn *sql.DB) gorm.Dialector { return sqlite.New(sqlite.Config{Conn: conn}) }
	if strings.HasPrefix(at, "postgres://") || strings.HasPrefix(at, "postgresql://") {
		driver, dsn = "pgx", at
		dialect = func(conn *sql.DB) gorm.Dialector { return postgres.New(postgres.Config{Conn: conn}) }
	}
	conn, err := sql.Open(driver, dsn)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	conn.SetMaxOpenConns(maxConnections)
	conn.SetMaxIdleConns(maxConnections)
	db, err := gorm.Open(dialect(conn), &gorm.Config{
		Logger: sqlLog(a.log),
		// Both engines store microseconds, so that a response has what is in the
		// database.
		NowFunc: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	})
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}

	tables := []any{&Integration{}, &SourceCode{}, &Template{}, &Resource{}}
	a.fresh = !db.Migrator().HasTable(&Resource{})
	if err := db.WithContext(ctx).AutoMigrate(tables...); err != nil {
		return fmt.Errorf("creating the tables: %w", err)
	}
	a.db, a.conn = db, conn
	return nil
}

// sqlLog returns what GORM logs to.
func sqlLog(log *zap.Logger) logger.Interface {
	return zapfield.GORM(log, zapfield.IgnoreRecordNotFound())
}

// sqliteDSN names a SQLite file for the driver. Transactions take the write
// lock when they begin: one that read first could not get it later.
func sqliteDSN(path string) string {
	settings := url.Values{
		"_pragma":      {"journal_mode(WAL)", "busy_timeout(5000)", "foreign_keys(1)", "synchronous(NORMAL)", "recursive_triggers(1)"},
		"_time_format": {"sqlite"},
		"_txlock":      {"immediate"},
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + settings.Encode()
}
