package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite", in pure Go
)

// postgresVariants makes a schema with tables for each kind. The variants made
// before an error are returned with it.
func postgresVariants(ctx context.Context, url, prefix string, kinds []kind, s sizes) ([]*variant, error) {
	var made []*variant
	for i, k := range kinds {
		var from *variant
		if i > 0 {
			from = made[0]
		}
		v, err := postgresVariant(ctx, url, prefix+"_"+strconv.Itoa(i), k, s, from)
		if v != nil {
			made = append(made, v)
		}
		if err != nil {
			return made, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return made, nil
}

func postgresVariant(ctx context.Context, url, schema string, k kind, s sizes, from *variant) (*variant, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	v := &variant{kind: k, sizes: s, wire: new(wire), schema: schema}
	config.DialFunc = v.wire.dial
	config.RuntimeParams["search_path"] = schema
	v.conn = stdlib.OpenDB(*config)
	v.connections(1)
	if _, err := v.conn.ExecContext(ctx, "CREATE SCHEMA "+schema); err != nil {
		return v, err
	}
	return v, v.open(ctx, postgres.New(postgres.Config{Conn: v.conn}), from)
}

// open sets the variant up over its connection.
func (v *variant) open(ctx context.Context, dialector gorm.Dialector, from *variant) error {
	settings := v.config
	settings.Logger = logger.Discard
	var err error
	if v.db, err = gorm.Open(dialector, &settings); err != nil {
		return err
	}
	if err := v.furnish(ctx, from); err != nil {
		return err
	}
	if err := v.equip(); err != nil {
		return err
	}
	if err := v.vacuum(ctx); err != nil {
		return err
	}
	return v.backends(ctx)
}

// sqliteVariants makes a file for each kind in folder.
func sqliteVariants(ctx context.Context, folder string, kinds []kind, s sizes) ([]*variant, error) {
	var made []*variant
	for i, k := range kinds {
		v := &variant{kind: k, sizes: s}
		var err error
		v.conn, err = sql.Open("sqlite", "file:"+filepath.Join(folder, strconv.Itoa(i)+".db")+
			"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)&_pragma=synchronous(NORMAL)"+
			"&_time_format=sqlite&_txlock=immediate")
		if err != nil {
			return made, fmt.Errorf("%s: %w", k.name, err)
		}
		made = append(made, v)
		v.connections(1)
		if err := v.open(ctx, sqlite.New(sqlite.Config{Conn: v.conn}), nil); err != nil {
			return made, fmt.Errorf("%s: %w", k.name, err)
		}
	}
	return made, nil
}

func (v *variant) seedSQLite(db *gorm.DB) error {
	return db.Exec(`INSERT INTO orders
WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ?)
SELECT lower(substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-8' || substr(h, 18, 3) || '-' || substr(h, 21)),
	i, 'customer-' || (i % 1000), i / ?, 'new', ?, 'Main street 1', 'Stockholm', 'SE', 12.5, 2.5, 0,
	'2026-01-02 03:04:05.678901+00:00', '2026-01-02 03:04:05.678901+00:00'
FROM (SELECT i, hex(randomblob(16)) AS h FROM numbers)`,
		v.sizes.Bulk*batches, v.sizes.Bulk, newOrder(0).Note).Error
}
