package store

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"
)

// MakePartitions creates the monthly partitions of this month and the next three
// if they do not exist, so that a program that runs for months without a
// migration has them. It may be called by any number of processes at once, also
// as a role that may only INSERT and SELECT. A month that has rows in the
// default partition already is left there. On SQLite it does nothing.
func MakePartitions(ctx context.Context, db *gorm.DB) error {
	root, err := session(db)
	if err != nil {
		return fmt.Errorf("store: MakePartitions: %w", err)
	}
	conn, err := root.DB()
	if err != nil {
		return fmt.Errorf("store: MakePartitions: %w", err)
	}
	return makePartitions(ctx, root.Name(), conn)
}

func makePartitions(ctx context.Context, dialect string, conn *sql.DB) error {
	if dialect != postgres {
		return nil
	}
	_, err := conn.ExecContext(ctx, "SELECT audit_make_partitions($1)", monthsAhead)
	return explain("making partitions", err)
}
