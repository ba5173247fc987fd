package gormhook

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

const (
	postgresName = "postgres"
	sqliteName   = "sqlite"
)

// kind is how the values of a column are spelled in the trail.
type kind uint8

const (
	kindPlain     kind = iota // as the engine writes them in JSON
	kindBool                  // SQLite: 0 and 1 are false and true
	kindTime                  // RFC 3339, UTC, microseconds
	kindTimestamp             // PostgreSQL: the same, of a time without zone
	kindDate                  // 2006-01-02
	kindBytes                 // \x and hex
	kindJSON                  // the JSON itself
	kindNumeric               // SQLite: text that is a number is a number
	kindUUID                  // lower case
	kindTimes                 // PostgreSQL: an array of kindTime
	kindTimestamps
	kindBytesArray
	kindTimeRange
	kindFloat // PostgreSQL: -0 is spelled 0
)

// column is a column of a table as the database has it.
type column struct {
	name string
	kind kind
	text bool // PostgreSQL: ::text spells a value as its JSON string would
	// computed: it is generated, or a trigger may set it.
	computed bool
}

// table is what the database knows of a table.
type table struct {
	exists bool
	plain  bool // an ordinary or partitioned table, without rules
	// elsewhere: writes may go elsewhere, where nobody counts them.
	elsewhere bool
	// partitioned: PostgreSQL: a row may move from one partition to another.
	partitioned bool
	// inherited: PostgreSQL: a row may be of a table that inherits from this one,
	// with a key that one of its own has too.
	inherited bool
	columns   []column
	key       []int           // the primary key, else nil
	unique    [][]int         // further unique keys, without a condition
	strong    map[string]bool // PostgreSQL: columns of unique keys, which foreign keys may refer to
	// conflicts are, on SQLite, all unique keys, partial ones included; nil
	// stands for one over expressions.
	conflicts  [][]int
	collations [][]string // by which each of them compares its columns

	// rewritten: a trigger may change a row as it is written, or a column is
	// computed from others; more columns may change than a statement sets.
	rewritten bool
	// before: a trigger runs before a row is written, and may turn it away.
	before bool
	// after: a trigger runs after a row is written and may change it again.
	after bool

	// deferred: a constraint or trigger waits for the commit.
	deferred bool

	// references are the foreign keys that change other rows too.
	references []reference

	// replaces: on SQLite, a key has ON CONFLICT REPLACE: the rows that conflict
	// with a plain insert are deleted.
	replaces bool

	rowid      bool   // SQLite: there is a rowid
	rowidName  string // SQLite: its name, since a column may be named rowid
	rowidAlias string // SQLite: the column that is the rowid
	generation uint64
	read       time.Time
}

// maxTableAge bounds how long a change of the schema that came through another
// connection may go unnoticed: a foreign key that changes rows along, a trigger.
var maxTableAge = time.Minute

func (t *table) column(name string) (int, bool) {
	for i := range t.columns {
		if t.columns[i].name == name {
			return i, true
		}
	}
	for i := range t.columns { // unquoted names fold
		if strings.EqualFold(t.columns[i].name, name) {
			return i, true
		}
	}
	if len(name) > maxIdentifier { // PostgreSQL cuts it; SQLite keeps it, and has found it
		return t.column(naming(postgresName).kept(name))
	}
	return 0, false
}

// tables caches what the database says about each table, until something that
// goes through this db changes the schema.
type tables struct {
	known      memo[tableKey, *table]
	generation atomic.Uint64
	// paths: the search path changes, so that a name says nothing.
	paths atomic.Bool
	// pending is a transaction that has changed the schema, for itself alone
	// until it commits.
	pending atomic.Pointer[sql.Tx]
}

// tableKey is the name as a statement writes it and, on SQLite, the model that
// says more of its columns; on PostgreSQL, where the search path changes, which
// table it is.
type tableKey struct {
	name  string
	model *schema.Schema
	oid   string
}

// forget makes the tables be read again, after the schema may have changed.
func (ts *tables) forget() {
	ts.generation.Add(1)
	ts.known.clear()
}

// changed notes that a statement has changed the schema, in tx if that is not nil.
func (ts *tables) changed(tx any) {
	if t, ok := tx.(*sql.Tx); ok {
		ts.pending.Store(t)
	}
	ts.forget()
}

// private reports whether pool is a transaction that sees its own schema. The
// cache is dropped when it has ended, either way.
func (ts *tables) private(pool gorm.ConnPool) bool {
	t := ts.pending.Load()
	if t == nil {
		return false
	}
	if !finished(t) {
		return transaction(pool) == any(t)
	}
	if ts.pending.CompareAndSwap(t, nil) {
		ts.forget()
	}
	return false
}

// of returns the table by its name as the statement writes it, reading it
// through pool if it is not known.
func (ts *tables) of(ctx context.Context, pool gorm.ConnPool, dialect string, key tableKey) (*table, error) {
	private := ts.private(pool) //nolint:contextcheck // nothing is asked of the server
	if ts.paths.Load() && dialect == postgresName {
		var err error
		if key.oid, _, err = queryText(ctx, pool, `SELECT coalesce(to_regclass($1::text)::oid::text, '')`, key.name); err != nil {
			return nil, fmt.Errorf("looking for table %s: %w", key.name, err)
		}
	}
	if t, ok := ts.cached(key); ok && !private {
		return t, nil
	}
	t := &table{generation: ts.generation.Load(), read: time.Now()}
	var err error
	if dialect == postgresName {
		err = t.readPostgres(ctx, pool, key.name)
	} else {
		err = t.readSQLite(ctx, pool, key.name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the columns of table %s: %w", key.name, err)
	}
	if key.model != nil {
		t.refine(key.model)
	}
	if t.exists && !private && t.generation == ts.generation.Load() {
		ts.known.keep(key, t, 0)
	}
	return t, nil
}

// cached returns the table if it is known, and was read not long ago.
func (ts *tables) cached(key tableKey) (*table, bool) {
	t, ok := ts.known.load(key)
	return t, ok && time.Since(t.read) < maxTableAge
}

// identity returns the columns that identify a row for the subject: the
// model's primary key, if the database keeps it unique, else the table's.
// It is nil if there is none to be trusted.
func (t *table) identity(s *subject) []int {
	if s.schema != nil && len(s.schema.PrimaryFields) > 0 {
		key := make([]int, 0, len(s.schema.PrimaryFields))
		for _, f := range s.schema.PrimaryFields {
			i, ok := t.column(f.DBName)
			if !ok {
				return t.key
			}
			key = append(key, i)
		}
		if t.uniqueIn(key) != nil {
			return key
		}
	}
	return t.key
}

// label returns the columns whose values make the entity id: the identity, or
// the key that the model declares.
func (t *table) label(s *subject) []int {
	if key := t.identity(s); key != nil || s.schema == nil {
		return key
	}
	var key []int
	for _, f := range s.schema.PrimaryFields {
		if i, ok := t.column(f.DBName); ok {
			key = append(key, i)
		}
	}
	return key
}

// uniqueIn returns columns among key that the database keeps unique and never
// null, by which a row can be found; nil if there are none. SQLite's may be null,
// but nothing is found by them there.
func (t *table) uniqueIn(key []int) []int {
	within := func(unique []int) bool {
		return len(unique) > 0 && !slices.ContainsFunc(unique, func(u int) bool { return !slices.Contains(key, u) })
	}
	if within(t.key) {
		return t.key
	}
	if i := slices.IndexFunc(t.unique, within); i >= 0 {
		return t.unique[i]
	}
	return nil
}

// nullable reports whether a column may be null on PostgreSQL, as far as is
// known: those of its keys may not.
func (t *table) nullable(column int) bool {
	return !slices.Contains(t.key, column) && !slices.ContainsFunc(t.unique, func(u []int) bool { return slices.Contains(u, column) })
}

// queryText runs a query of one row and one text column.
func queryText(ctx context.Context, pool gorm.ConnPool, query string, args ...any) (text string, ok bool, err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return "", false, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	if rows.Next() {
		if err := rows.Scan(&text); err != nil {
			return "", false, err
		}
		ok = true
	}
	return text, ok, rows.Err()
}
