package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// Insert writes entries through pool, which is an open connection or
// transaction, without validation; a duplicate ID is an error. It is for
// recorders that write entries in the transaction of the change. It begins no
// transaction: many entries take several statements, so pool should be one.
// dialect is the name of GORM's dialect, "postgres" or "sqlite".
func Insert(ctx context.Context, pool gorm.ConnPool, dialect string, entries []trail.Entry) error {
	if pool == nil {
		return errors.New("store: writing entries: the connection is nil")
	}
	if dialect != postgres && dialect != sqlite {
		return fmt.Errorf("store: writing entries: dialect %q is not supported, postgres and sqlite are", dialect)
	}
	for len(entries) > 0 {
		n := batch(dialect, len(entries))
		if _, err := pool.ExecContext(ctx, statement(dialect, n, false), arguments(dialect, entries[:n])...); err != nil {
			return explain("writing entries", err)
		}
		entries = entries[n:]
	}
	return nil
}

// InsertOnce is [Insert] for one entry, which is skipped if its ID exists
// already. It reports whether it was written. If another transaction is writing
// the same ID, it waits for that one to end.
func InsertOnce(ctx context.Context, pool gorm.ConnPool, dialect string, e trail.Entry) (written bool, err error) {
	if pool == nil {
		return false, errors.New("store: writing an entry: the connection is nil")
	}
	if dialect != postgres && dialect != sqlite {
		return false, fmt.Errorf("store: writing an entry: dialect %q is not supported, postgres and sqlite are", dialect)
	}
	result, err := pool.ExecContext(ctx, statement(dialect, 1, true), arguments(dialect, []trail.Entry{e})...)
	if err != nil {
		return false, explain("writing an entry", err)
	}
	n, err := result.RowsAffected()
	return n > 0, explain("writing an entry", err)
}

// columns are those that an entry is written to: all but seq, which the
// database assigns.
const columns = `id, trace_id, created_at, tenant_id, user_id, user_name, user_kind, on_behalf_of, ` +
	`event, operation, model, entity_id, entity_name, "before", "after", outcome, context`

// width is the number of columns.
const width = 17

const (
	// postgresBatch bounds the size of a message, and of what is held twice.
	postgresBatch = 1000
	// sqliteBatch is the largest batch of SQLite. Batches are powers of two, so
	// that there are few texts, which statement caches keep.
	sqliteBatch = 16
)

// batch returns how many of n entries go into the next statement.
func batch(dialect string, n int) int {
	if dialect == postgres {
		return min(n, postgresBatch)
	}
	size := sqliteBatch
	for size > n {
		size /= 2
	}
	return size
}

// manyPostgres takes any number of entries as one array per column: one text for all.
const manyPostgres = `INSERT INTO audit_logs (` + columns + `)
SELECT id::uuid, trace_id::uuid, created_at::timestamptz, nullif(tenant_id, ''), user_id, user_name, user_kind,
  nullif(on_behalf_of, ''), event, nullif(operation, ''), model, entity_id, nullif(entity_name, ''),
  nullif("before", '')::jsonb, nullif("after", '')::jsonb, outcome, nullif(context, '')::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[])
  AS entry (` + columns + `)`

const onePostgres = `INSERT INTO audit_logs (` + columns + `)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`

const once = ` ON CONFLICT (id) DO NOTHING`

type form struct {
	dialect string
	rows    int // SQLite only
	once    bool
}

// statements are the texts by form, of which there are few; see batch.
var statements = sync.OnceValue(func() map[form]string {
	texts := map[form]string{
		{postgres, 1, false}: onePostgres, {postgres, 1, true}: onePostgres + once,
		{postgres, 0, false}: manyPostgres, {postgres, 0, true}: manyPostgres + once,
	}
	row := "(?" + strings.Repeat(", ?", width-1) + ")"
	for n := 1; n <= sqliteBatch; n *= 2 {
		text := `INSERT INTO audit_logs (` + columns + `) VALUES ` + row + strings.Repeat(", "+row, n-1)
		texts[form{sqlite, n, false}], texts[form{sqlite, n, true}] = text, text+once
	}
	return texts
})

// statement returns the text that writes n entries, a number returned by batch;
// with once, an entry whose id exists already is skipped.
func statement(dialect string, n int, once bool) string {
	if dialect == postgres && n > 1 {
		n = 0
	}
	return statements()[form{dialect, n, once}]
}

// arguments returns what statement takes for entries.
func arguments(dialect string, entries []trail.Entry) []any {
	if dialect == postgres && len(entries) > 1 {
		return arrays(entries)
	}
	args := make([]any, 0, len(entries)*width)
	for i := range entries {
		e := &entries[i]
		id := any(e.ID.String())
		trace := id
		if e.TraceID != e.ID {
			trace = e.TraceID.String()
		}
		args = append(args, id, trace, stamp(created(e)), null(e.Tenant), e.Actor.ID, e.Actor.Name,
			word(string(e.Actor.Kind)), null(e.Actor.OnBehalfOf), word(string(e.Event)), word(string(e.Operation)),
			e.Model, e.EntityID, null(e.EntityName), null(string(e.Before)), null(string(e.After)),
			word(string(e.Outcome)), null(string(e.Context)))
	}
	return args
}

// arrays returns the columns of entries, each as an array of text.
func arrays(entries []trail.Entry) []any {
	cells := make([]string, width*len(entries))
	columns := make([][]string, width)
	for c := range columns {
		columns[c] = cells[c*len(entries) : (c+1)*len(entries)]
	}
	for i := range entries {
		e := &entries[i]
		for c, cell := range [width]string{
			e.ID.String(), e.TraceID.String(), stamp(created(e)), e.Tenant, e.Actor.ID, e.Actor.Name,
			string(e.Actor.Kind), e.Actor.OnBehalfOf, string(e.Event), string(e.Operation),
			e.Model, e.EntityID, e.EntityName, string(e.Before), string(e.After),
			string(e.Outcome), string(e.Context),
		} {
			columns[c][i] = cell
		}
	}
	args := make([]any, width)
	for c := range columns {
		args[c] = columns[c]
	}
	return args
}

// created returns when e was made: what it says, else what is in its id.
func created(e *trail.Entry) time.Time {
	if e.CreatedAt.IsZero() {
		return trail.Time(e.ID)
	}
	return e.CreatedAt
}

// null returns s, or nil if it is empty.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// words are the arguments found in nearly every entry, made once.
var words = sync.OnceValue(func() map[string]any {
	m := map[string]any{"": nil}
	for _, w := range []string{
		string(trail.KindUser), string(trail.KindService), string(trail.KindSystem), string(trail.KindAnonymous),
		string(trail.OpInsert), string(trail.OpUpdate), string(trail.OpDelete),
		string(trail.Success), string(trail.Failure), string(trail.Denied), string(trail.Pending),
	} {
		m[w] = w
	}
	for _, e := range trail.Events() {
		m[string(e)] = string(e)
	}
	return m
})

// word returns s as an argument, nil if it is empty.
func word(s string) any {
	if w, ok := words()[s]; ok {
		return w
	}
	return s
}

// stamp spells an instant: UTC, truncated to microseconds.
func stamp(t time.Time) string { return t.UTC().Format(trail.TimeLayout) }
