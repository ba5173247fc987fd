package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// triggered lets database triggers write the entries. The application tells them
// who acts, once per transaction.
type triggered struct{ plain }

var _ writer = triggered{}

func (t triggered) transaction(ctx context.Context, do func(context.Context, writer) error) error {
	return t.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		err := tx.Exec("SELECT set_config('bench.trace', ?, true), set_config('bench.user', ?, true), set_config('bench.name', ?, true)",
			trail.NewID(tx.NowFunc()).String(), user.ID, user.Name).Error
		if err != nil {
			return err
		}
		return do(ctx, plain{tx})
	})
}

func (t triggered) create(ctx context.Context, o *Order) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.create(ctx, o) })
}

func (t triggered) createAll(ctx context.Context, o []Order) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.createAll(ctx, o) })
}

func (t triggered) update(ctx context.Context, id uuid.UUID, status string, total float64) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.update(ctx, id, status, total) })
}

func (t triggered) updateBatch(ctx context.Context, batch int, status string) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.updateBatch(ctx, batch, status) })
}

func (t triggered) delete(ctx context.Context, id uuid.UUID) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.delete(ctx, id) })
}

func (t triggered) deleteBatch(ctx context.Context, batch int) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.deleteBatch(ctx, batch) })
}

func (t triggered) upsert(ctx context.Context, o *Order) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.upsert(ctx, o) })
}

func (t triggered) replaceTags(ctx context.Context, article int64, tags []Tag) error {
	return t.transaction(ctx, func(ctx context.Context, w writer) error { return w.replaceTags(ctx, article, tags) })
}

// watched are the tables with triggers: the model, and the entity id of a row.
var watched = []struct{ table, model, key, entity string }{
	{"orders", "order", "id", "%[1]s.id::text"},
	{"article_tags", "article_tag", "article_id, tag_id", "%[1]s.article_id::text || ',' || %[1]s.tag_id::text"},
}

// newID is an id of version 7 made by the database.
const newID = `(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' ||
	substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid`

const triggerInsert = `INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, operation,
	model, entity_id, before, after, outcome)
SELECT ` + newID + `, current_setting('bench.trace')::uuid, now(), current_setting('bench.user'),
	current_setting('bench.name'), 'user', `

// rowTriggers writes an entry for each row as it changes.
func rowTriggers(db *gorm.DB) error {
	for _, w := range watched {
		function := `CREATE FUNCTION bench_` + w.table + `() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	` + triggerInsert + `CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE lower(TG_OP) END, lower(TG_OP), '` + w.model + `',
		CASE TG_OP WHEN 'DELETE' THEN ` + fmt.Sprintf(w.entity, "OLD") + ` ELSE ` + fmt.Sprintf(w.entity, "NEW") + ` END,
		CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END, 'success';
	RETURN NULL;
END $$`
		trigger := `CREATE TRIGGER bench AFTER INSERT OR UPDATE OR DELETE ON ` + w.table +
			` FOR EACH ROW EXECUTE FUNCTION bench_` + w.table + `()`
		if err := run(db, function, trigger); err != nil {
			return err
		}
	}
	return nil
}

// statementTriggers writes the entries of all rows of a statement at once.
func statementTriggers(db *gorm.DB) error {
	for _, w := range watched {
		for _, op := range []struct{ verb, tables, event, entity, before, after, from string }{
			{"INSERT", "NEW TABLE AS came", "create", "c", "NULL::jsonb", "to_jsonb(c)", "came AS c"},
			{
				"UPDATE", "OLD TABLE AS gone NEW TABLE AS came", "update", "c", "to_jsonb(g)", "to_jsonb(c)",
				"gone AS g JOIN came AS c USING (" + w.key + ")",
			},
			{"DELETE", "OLD TABLE AS gone", "delete", "g", "to_jsonb(g)", "NULL::jsonb", "gone AS g"},
		} {
			name := "bench_" + w.table + "_" + strings.ToLower(op.verb)
			function := `CREATE FUNCTION ` + name + `() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	` + triggerInsert + `'` + op.event + `', '` + strings.ToLower(op.verb) + `', '` + w.model + `', ` +
				fmt.Sprintf(w.entity, op.entity) + `, ` + op.before + `, ` + op.after + `, 'success' FROM ` + op.from + `;
	RETURN NULL;
END $$`
			trigger := `CREATE TRIGGER ` + name + ` AFTER ` + op.verb + ` ON ` + w.table + ` REFERENCING ` + op.tables +
				` FOR EACH STATEMENT EXECUTE FUNCTION ` + name + `()`
			if err := run(db, function, trigger); err != nil {
				return err
			}
		}
	}
	return nil
}

func run(db *gorm.DB, statements ...string) error {
	for _, s := range statements {
		if err := db.Exec(s).Error; err != nil {
			return err
		}
	}
	return nil
}
