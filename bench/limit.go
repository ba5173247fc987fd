package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// limit is the same work as one SQL statement written by hand for the table,
// without GORM: what the database and the driver cost, with the same entries.
type limit struct {
	db execer
	tx func(ctx context.Context, do func(execer) error) error
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

var _ writer = limit{}

func newLimit(db *sql.DB) limit {
	return limit{db: db, tx: func(ctx context.Context, do func(execer) error) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := do(tx); err != nil {
			_ = tx.Rollback()
			return err
		}
		return tx.Commit()
	}}
}

// limitInsert inserts entries; the parameters are those of who.
const limitInsert = `INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, operation,
	model, entity_id, before, after, outcome)
SELECT `

const (
	limitOne  = `$1::uuid, $1, $2::timestamptz, $3, $4, 'user', `
	limitMany = `(left($1::uuid::text, 19) || substr(gen_random_uuid()::text, 20))::uuid, $1, $2::timestamptz, $3, $4, 'user', `
)

// who returns the first parameters of each statement.
func who(more ...any) []any {
	now := time.Now()
	return append([]any{trail.NewID(now).String(), now, user.ID, user.Name}, more...)
}

func (l limit) exec(ctx context.Context, query string, args []any) error {
	_, err := l.db.ExecContext(ctx, query, args...)
	return err
}

const orderColumns = `(number, customer, batch, status, note, street, city, country, total, tax, paid, created_at, updated_at, id)`

func orderValues(o *Order) []any {
	if o.CreatedAt.IsZero() {
		o.CreatedAt = time.Now()
		o.UpdatedAt = o.CreatedAt
	}
	return []any{
		o.Number, o.Customer, o.Batch, o.Status, o.Note, o.Street, o.City, o.Country,
		o.Total, o.Tax, o.Paid, o.CreatedAt, o.UpdatedAt, o.ID.String(),
	}
}

// tuples returns n lists of parameters, the first of which is $5.
func tuples(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for j := range 14 {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "$%d", 5+14*i+j)
		}
		b.WriteByte(')')
	}
	return b.String()
}

var limitCreate = `WITH new AS (INSERT INTO orders ` + orderColumns + ` VALUES ` + tuples(1) + ` RETURNING *)
` + limitInsert + limitOne + `'create', 'insert', 'order', id::text, NULL, to_jsonb(new), 'success' FROM new`

func (l limit) create(ctx context.Context, o *Order) error {
	return l.exec(ctx, limitCreate, who(orderValues(o)...))
}

func (l limit) createAll(ctx context.Context, o []Order) error {
	args := who()
	for i := range o {
		args = append(args, orderValues(&o[i])...)
	}
	return l.exec(ctx, `WITH new AS (INSERT INTO orders `+orderColumns+` VALUES `+tuples(len(o))+` RETURNING *)
`+limitInsert+limitMany+`'create', 'insert', 'order', id::text, NULL, to_jsonb(new), 'success' FROM new`, args)
}

const (
	limitOld = `WITH old AS MATERIALIZED (
	SELECT id AS k, status AS s, total AS t, updated_at AS u FROM orders WHERE `
	limitImages = ` RETURNING id, jsonb_build_object('status', s, 'total', t, 'updated_at', u) AS b,
		jsonb_build_object('status', status, 'total', total, 'updated_at', updated_at) AS a)
`
	limitUpdate = limitOld + `id = $5 FOR NO KEY UPDATE
), new AS (UPDATE orders SET status = $6, total = $7, updated_at = $8 FROM old WHERE id = k` + limitImages +
		limitInsert + limitOne + `'update', 'update', 'order', id::text, b, a, 'success' FROM new`
	limitUpdateBatch = limitOld + `batch = $5 FOR NO KEY UPDATE
), new AS (UPDATE orders SET status = $6, total = total + 1, updated_at = $7 FROM old WHERE id = k` + limitImages +
		limitInsert + limitMany + `'update', 'update', 'order', id::text, b, a, 'success' FROM new`
)

func (l limit) update(ctx context.Context, id uuid.UUID, status string, total float64) error {
	return l.exec(ctx, limitUpdate, who(id.String(), status, total, time.Now()))
}

func (l limit) updateBatch(ctx context.Context, batch int, status string) error {
	return l.exec(ctx, limitUpdateBatch, who(batch, status, time.Now()))
}

const (
	limitDelete = `WITH old AS (DELETE FROM orders WHERE id = $5 RETURNING *)
` + limitInsert + limitOne + `'delete', 'delete', 'order', id::text, to_jsonb(old), NULL, 'success' FROM old`
	limitDeleteBatch = `WITH old AS (DELETE FROM orders WHERE batch = $5 RETURNING *)
` + limitInsert + limitMany + `'delete', 'delete', 'order', id::text, to_jsonb(old), NULL, 'success' FROM old`
	limitCopyBatch = limitInsert + limitMany +
		`'delete', 'delete', 'order', id::text, to_jsonb(old), NULL, 'success' FROM orders AS old WHERE batch = $5`
)

func (l limit) delete(ctx context.Context, id uuid.UUID) error {
	return l.exec(ctx, limitDelete, who(id.String()))
}

func (l limit) deleteBatch(ctx context.Context, batch int) error {
	return l.exec(ctx, limitDeleteBatch, who(batch))
}

var limitUpsert = `WITH old AS MATERIALIZED (
	SELECT id AS k, status AS s, total AS t, updated_at AS u FROM orders WHERE id = $18 FOR NO KEY UPDATE
), new AS (INSERT INTO orders ` + orderColumns + ` VALUES ` + tuples(1) + `
	ON CONFLICT (id) DO UPDATE SET status = excluded.status, total = excluded.total, updated_at = excluded.updated_at RETURNING *)
` + limitInsert + limitOne + `CASE WHEN k IS NULL THEN 'create' ELSE 'update' END, CASE WHEN k IS NULL THEN 'insert' ELSE 'update' END,
	'order', id::text, CASE WHEN k IS NOT NULL THEN jsonb_build_object('status', s, 'total', t, 'updated_at', u) END,
	CASE WHEN k IS NULL THEN to_jsonb(new) ELSE jsonb_build_object('status', status, 'total', total, 'updated_at', updated_at) END,
	'success' FROM new LEFT JOIN old ON k = id`

func (l limit) upsert(ctx context.Context, o *Order) error {
	return l.exec(ctx, limitUpsert, who(orderValues(o)...))
}

const limitReplace = `WITH gone AS (
	DELETE FROM article_tags WHERE article_id = $5 AND tag_id <> ALL ($6::bigint[]) RETURNING *
), came AS (
	INSERT INTO article_tags SELECT $5, unnest($6::bigint[]) ON CONFLICT DO NOTHING RETURNING *
)
` + limitInsert + limitMany + `event, operation, 'article_tag', article_id::text || ',' || tag_id::text, b, a, 'success'
FROM (SELECT 'delete' AS event, 'delete' AS operation, article_id, tag_id, to_jsonb(gone) AS b, NULL::jsonb AS a FROM gone
	UNION ALL SELECT 'create', 'insert', article_id, tag_id, NULL, to_jsonb(came) FROM came) AS changed`

func (l limit) replaceTags(ctx context.Context, article int64, tags []Tag) error {
	ids := make([]int64, len(tags))
	for i := range tags {
		ids[i] = tags[i].ID
	}
	return l.exec(ctx, limitReplace, who(article, ids))
}

func (l limit) transaction(ctx context.Context, do func(context.Context, writer) error) error {
	return l.tx(ctx, func(tx execer) error { return do(ctx, limit{db: tx}) })
}

// copied is what a bulk delete is measured against: the entries of its rows,
// inserted by one statement that deletes nothing.
type copied struct{ limit }

func (c copied) deleteBatch(ctx context.Context, batch int) error {
	return c.exec(ctx, limitCopyBatch, who(batch))
}
