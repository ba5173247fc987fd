package gormhook

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"

	"gorm.io/gorm"
)

// collected are the rows of a query, read to the end, so that the connection
// is free and some columns can be hidden from the caller.
type collected struct {
	columns []string
	types   []*sql.ColumnType
	values  [][]any // as the driver gives them
}

// collect runs a query and reads its rows, which replay turns into rows again.
func collect(ctx context.Context, pool gorm.ConnPool, query string, args []any) (*collected, error) {
	return gather(ctx, pool, query, args, true)
}

// gather is collect; without types the rows cannot be replayed.
func gather(ctx context.Context, pool gorm.ConnPool, query string, args []any, types bool) (c *collected, err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	c = &collected{}
	if c.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	if types {
		if c.types, err = rows.ColumnTypes(); err != nil {
			return nil, err
		}
	}
	into := make([]any, len(c.columns))
	for rows.Next() {
		values := make([]any, len(c.columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		c.values = append(c.values, values)
	}
	return c, rows.Err()
}

// first returns the first n columns.
func (c *collected) first(n int) *collected {
	out := &collected{columns: c.columns[:n], types: c.types[:min(n, len(c.types))], values: make([][]any, len(c.values))}
	for i, v := range c.values {
		out.values[i] = v[:n]
	}
	return out
}

// replay returns the rows as if a database had just answered them.
// database/sql makes *sql.Rows for drivers only, so this is one.
func (c *collected) replay(ctx context.Context) (*sql.Rows, error) {
	db, ctx := replayed(ctx, c)
	defer db.Close()                //nolint:errcheck // open rows outlive it, and it holds nothing else
	return db.QueryContext(ctx, "") //nolint:sqlclosecheck // they are the caller's
}

// replayRow is replay for a query of one row.
func (c *collected) replayRow(ctx context.Context) *sql.Row {
	db, ctx := replayed(ctx, c)
	defer db.Close() //nolint:errcheck // as in replay
	return db.QueryRowContext(ctx, "")
}

// failedRow is the row of a query that failed.
func failedRow(ctx context.Context, err error) *sql.Row {
	db, ctx := replayed(ctx, err)
	defer db.Close() //nolint:errcheck // as in replay
	return db.QueryRowContext(ctx, "")
}

// replayed returns a database that answers every query with what. It lives for
// one query: an open one would keep a goroutine of database/sql forever.
func replayed(ctx context.Context, what any) (*sql.DB, context.Context) {
	return sql.OpenDB(replayConnector{}), context.WithValue(context.WithoutCancel(ctx), replayKey{}, what)
}

type replayKey struct{}

type (
	replayConnector struct{}
	replayConn      struct{}
)

var (
	_ driver.Connector      = replayConnector{}
	_ driver.Conn           = replayConn{}
	_ driver.QueryerContext = replayConn{}
)

var errReplay = errors.New("gormhook: buffered rows can only be read")

func (replayConnector) Connect(context.Context) (driver.Conn, error) { return replayConn{}, nil }
func (replayConnector) Driver() driver.Driver                        { return replayDriver{} }

type replayDriver struct{}

func (replayDriver) Open(string) (driver.Conn, error) { return replayConn{}, nil }

func (replayConn) Prepare(string) (driver.Stmt, error) { return nil, errReplay }
func (replayConn) Close() error                        { return nil }
func (replayConn) Begin() (driver.Tx, error)           { return nil, errReplay }

func (replayConn) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	switch v := ctx.Value(replayKey{}).(type) {
	case *collected:
		return &replayRows{collected: v}, nil
	case error:
		return nil, v
	default:
		return nil, errReplay
	}
}

type replayRows struct {
	*collected
	next int
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*replayRows)(nil)
	_ driver.RowsColumnTypeScanType         = (*replayRows)(nil)
	_ driver.RowsColumnTypeNullable         = (*replayRows)(nil)
)

func (r *replayRows) Columns() []string { return r.columns }
func (r *replayRows) Close() error      { return nil }

func (r *replayRows) Next(dest []driver.Value) error {
	if r.next >= len(r.values) {
		return io.EOF
	}
	for i, v := range r.values[r.next] {
		dest[i] = v
	}
	r.next++
	return nil
}

func (r *replayRows) ColumnTypeDatabaseTypeName(i int) string { return r.types[i].DatabaseTypeName() }
func (r *replayRows) ColumnTypeScanType(i int) reflect.Type   { return r.types[i].ScanType() }
func (r *replayRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.types[i].Nullable()
}
