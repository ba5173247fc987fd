package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// schemas are where a database has what, ahead of a migration.
type schemas struct {
	home     sql.NullString // where tables are created
	entries  sql.NullString // where audit_logs is found, if anywhere
	versions sql.NullString // where audit_migrations is
}

const findPostgres = `SELECT current_schema(),
  (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('audit_logs')),
  (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('audit_migrations'))`

const findSQLite = `SELECT 'main',
  (SELECT 'main' FROM sqlite_master WHERE type = 'table' AND name = 'audit_logs'),
  (SELECT 'main' FROM sqlite_master WHERE type = 'table' AND name = 'audit_migrations')`

// look reports whether there is nothing to do, as the trail is in another schema
// and up to date. It refuses to create a second trail, which would hide that one,
// and to migrate tables whose version is unknown.
func look(ctx context.Context, conn *sql.DB, dialect string, latest int64) (done bool, err error) {
	query := findPostgres
	if dialect == sqlite {
		query = findSQLite
	}
	var in schemas
	if err := conn.QueryRowContext(ctx, query).Scan(&in.home, &in.entries, &in.versions); err != nil {
		return false, err
	}
	switch {
	case !in.entries.Valid:
		return false, nil // the first migration
	case in.versions != in.entries:
		return false, fmt.Errorf("%s.audit_logs exists, but %s, which has the version of the trail, does not. "+
			"If the table is the trail's, and goose migrated it with a table of versions of another name, rename that to %s; "+
			"if it is not, give the trail a schema or a database of its own", in.entries.String, versions, versions)
	case in.entries == in.home:
		return false, nil
	}
	var version int64
	err = conn.QueryRowContext(ctx, `SELECT max(version_id) FROM audit_migrations WHERE is_applied`).Scan(&version)
	if err == nil && version >= latest {
		return true, nil
	}
	reason := errors.New("the trail there is of an older version")
	if err != nil {
		reason = fmt.Errorf("the version of the trail there cannot be read: %w", err)
	}
	home := "no schema"
	if in.home.Valid {
		home = "the schema " + in.home.String
	}
	return false, fmt.Errorf("tables would be created in %s, and hide the trail in the schema %s: "+
		"connect as the owner of that, or set the search_path to it (%w)", home, in.entries.String, reason)
}
