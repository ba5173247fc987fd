package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm"
)

//go:embed migrations
var migrations embed.FS

// versions is the table of the migrations that a database has had.
const versions = "audit_migrations"

// monthsAhead is how many partitions are created in advance.
const monthsAhead = 3

// Migrate creates the tables of the trail in db, or brings them up to date, and
// on PostgreSQL creates the partitions of this month and the next three.
// Existing data stays, and so does a trail that a newer version of this package
// has migrated. On PostgreSQL the tables are created in the first schema of the
// connection's search path; call it as the role that is to own them.
//
// A role that finds the trail in another schema than the first one gets an error
// instead of a second trail, unless the trail is up to date and the role may read
// audit_migrations: then there is nothing to do but to create the partitions.
// Tables without audit_migrations, as goose's command leaves them with its own
// table of versions, are refused too.
//
// A partition that cannot be made keeps no service from starting: that is a
// warning to the logger of db, and an error of [MakePartitions].
//
// It may be called at every start, by any number of processes at once, and
// works with a pool of one connection. It does not audit what it does, and runs
// outside any transaction that db is in. A dialect other than postgres and
// sqlite is refused.
func Migrate(ctx context.Context, db *gorm.DB) error {
	root, err := session(db)
	if err != nil {
		return fmt.Errorf("store: Migrate: %w", err)
	}
	conn, err := root.DB()
	if err != nil {
		return fmt.Errorf("store: Migrate: %w", err)
	}
	if root.Name() == sqlite {
		err = migrateSQLite(ctx, conn)
	} else {
		err = migratePostgres(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("store: migrating: %w", err)
	}
	err = makePartitions(ctx, root.Name(), conn)
	if errors.Is(err, ErrPartition) {
		root.Logger.Warn(ctx, "%v", err)
		return nil
	}
	return err
}

func migratePostgres(ctx context.Context, conn *sql.DB) error {
	p, err := provider(goose.DialectPostgres, conn, goose.WithSessionLocker(advisoryLock{}))
	if err != nil {
		return err
	}
	if done, err := look(ctx, conn, postgres, latest(p)); done || err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// latest returns the version that this package migrates to.
func latest(p *goose.Provider) int64 {
	sources := p.ListSources()
	return sources[len(sources)-1].Version
}

// advisoryLock lets one migration at a time into a database.
type advisoryLock struct{}

var _ lock.SessionLocker = advisoryLock{}

// lockID is "audit" in ASCII.
const lockID = 0x6175646974

func (advisoryLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", lockID)
	return err
}

func (advisoryLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", lockID)
	return err
}

// migrateSQLite needs no lock: a migration is one transaction whose statements
// fail if another process was faster, and is then found to be done. That holds
// as long as migrations create things without IF NOT EXISTS.
func migrateSQLite(ctx context.Context, conn *sql.DB) error {
	const attempts, pause = 20, 50 * time.Millisecond
	for attempt := 1; ; attempt++ {
		p, err := provider(goose.DialectSQLite3, conn)
		if err != nil {
			return err
		}
		if _, err = look(ctx, conn, sqlite, latest(p)); err == nil {
			_, err = p.Up(ctx)
		}
		if err == nil || attempt == attempts || !contended(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func contended(err error) bool {
	text := err.Error()
	return strings.Contains(text, "SQLITE_BUSY") || strings.Contains(text, "database is locked") ||
		strings.Contains(text, "database table is locked") || strings.Contains(text, "already exists")
}

func provider(dialect goose.Dialect, conn *sql.DB, opts ...goose.ProviderOption) (*goose.Provider, error) {
	folder := "migrations/" + postgres
	if dialect == goose.DialectSQLite3 {
		folder = "migrations/" + sqlite
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, conn, files, append(opts,
		goose.WithTableName(versions), goose.WithDisableGlobalRegistry(true))...)
}
