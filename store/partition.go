package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"
)

// MakePartitions creates the monthly partitions of this month and the next three
// if they do not exist, so that a program that runs for months without a
// migration has them. It may be called by any number of processes at once, also
// as a role that may only INSERT and SELECT. On SQLite it does nothing.
//
// A month that has rows in the default partition already is left there. No row
// is lost or refused, but the default partition grows with it: the error names
// the partitions that are missing for that, and wraps [ErrPartition].
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
	if _, err := conn.ExecContext(ctx, "SELECT audit_make_partitions($1)", monthsAhead); err != nil {
		return explain("making partitions", err)
	}
	missing, err := missingPartitions(ctx, conn)
	if err != nil {
		return explain("looking for partitions", err)
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s", ErrPartition, strings.Join(missing, ", "))
	}
	return nil
}

// missingPartitions returns the names of those that cannot be made, as the
// default partition has rows of their month: their table has some, but they do
// not exist. Others are only late, for example as somebody else is making them.
func missingPartitions(ctx context.Context, conn *sql.DB) (names []string, err error) {
	rows, err := conn.QueryContext(ctx, `WITH months AS (
  SELECT m, rpad(lpad(to_hex((extract(epoch FROM m) * 1000)::bigint), 12, '0'), 32, '0')::uuid AS since,
    rpad(lpad(to_hex((extract(epoch FROM m + interval '1 month') * 1000)::bigint), 12, '0'), 32, '0')::uuid AS until
  FROM generate_series(0, $1::int) ahead,
    LATERAL (SELECT date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => ahead) AS m) at
), wanted AS (
  SELECT parent, parent || to_char(m, '"_y"YYYY"m"MM') AS child, since, until
  FROM months, unnest(ARRAY['audit_logs', 'audit_outcomes', 'execution_logs']) parent
)
SELECT child FROM wanted
WHERE NOT EXISTS (
  SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
  WHERE i.inhparent = to_regclass(parent) AND c.relname = child
) AND CASE parent
  WHEN 'audit_logs' THEN EXISTS (SELECT FROM audit_logs WHERE id >= since AND id < until)
  WHEN 'audit_outcomes' THEN EXISTS (SELECT FROM audit_outcomes WHERE trace_id >= since AND trace_id < until)
  ELSE EXISTS (SELECT FROM execution_logs WHERE id >= since AND id < until)
END
ORDER BY child`, monthsAhead)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
