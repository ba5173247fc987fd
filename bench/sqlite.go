package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func sqliteKinds() []kind {
	return []kind{
		{name: nameBase, what: "default settings, no audit: the base"},
		{name: "plain GORM without transaction", what: "SkipDefaultTransaction, no audit", config: gorm.Config{SkipDefaultTransaction: true}},
		{name: nameAudited, what: "this library with defaults, outside any action", plugin: &gormhook.Plugin{}, audited: true},
		{name: nameAction, what: "this library as in a request", plugin: &gormhook.Plugin{}, writer: inAction, audited: true},
		{
			name: "audit by hand", what: "read, change, one INSERT per row, in a transaction",
			writer:  func(db *gorm.DB, _ *store.Store) (writer, error) { return byHand{plain{db}}, nil },
			audited: true, slow: true,
		},
		{name: "row triggers", what: "of the database; the user is a constant", triggers: sqliteTriggers, audited: true},
		{
			name: nameReady, what: "a prepared INSERT of an entry prepared in advance, in the transaction of the change: the limit",
			writer: withReadyEntries, audited: true, only: "create",
		},
	}
}

// withReadyEntries inserts an entry with each created row, of which it uses only
// the key.
func withReadyEntries(db *gorm.DB, _ *store.Store) (writer, error) {
	conn, err := db.DB()
	if err != nil {
		return nil, err
	}
	insert, err := conn.PrepareContext(db.Statement.Context, `INSERT INTO audit_logs
	(id, trace_id, created_at, user_id, user_name, user_kind, event, operation, model, entity_id, after, outcome)
VALUES (?, ?1, '2026-01-02T03:04:05.678901Z', ?, ?, 'user', 'create', 'insert', 'order', ?, ?, 'success')`)
	if err != nil {
		return nil, err
	}
	image, err := imageOf(Order{})
	if err != nil {
		return nil, err
	}
	return plain{db}, db.Callback().Create().After("gorm:after_create").Before("gorm:commit_or_rollback_transaction").
		Register("bench:entry", func(db *gorm.DB) {
			tx, inside := db.Statement.ConnPool.(*sql.Tx)
			o, one := db.Statement.Dest.(*Order)
			if db.Error == nil && inside && one {
				own := tx.StmtContext(db.Statement.Context, insert) //nolint:sqlclosecheck // the transaction closes it
				_, err := own.ExecContext(db.Statement.Context,
					trail.NewID(time.Now()).String(), user.ID, user.Name, o.ID.String(), image)
				_ = db.AddError(err)
			}
		})
}

// sqlitePart measures the operations on a SQLite file with a write-ahead log.
func (b *bench) sqlitePart(ctx context.Context) (err error) {
	b.progress("SQLite: making the tables")
	folder, err := os.MkdirTemp("", "audit-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	variants, err := sqliteVariants(ctx, folder, sqliteKinds(), b.sizes)
	defer func() { err = errors.Join(err, closeAll(variants)) }()
	if err != nil {
		return err
	}
	b.report.printf("## SQLite\n\nA file with a write-ahead log, synchronous NORMAL, one connection, driver modernc.org/sqlite.\n\n")
	for _, o := range b.chosen() {
		b.progress("SQLite, %s", o.name)
		samples, err := interleave(ctx, variants, o, b.effort)
		if err != nil {
			return err
		}
		b.report.table(o, variants, samples)
		b.judge(variants, o, samples)
	}
	return nil
}

// sqliteNow is the time as the trail's tables have it.
const sqliteNow = `strftime('%Y-%m-%dT%H:%M:%fZ', 'now')`

// sqliteID is an id of version 7 made by the database.
const sqliteID = `(SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(r, 1, 3) || '-8' || substr(r, 4, 3) || '-' || substr(r, 7, 12)
	FROM (SELECT printf('%012x', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)) AS h, lower(hex(randomblob(9))) AS r))`

// sqliteTriggers writes an entry for each row as it changes.
func sqliteTriggers(db *gorm.DB) error {
	for _, w := range []struct {
		table, model, entity string
		columns              []string
	}{
		{"orders", "order", "%[1]s.id", strings.Split("id,number,customer,batch,status,note,street,city,country,total,tax,paid,created_at,updated_at", ",")},
		{"article_tags", "article_tag", "%[1]s.article_id || ',' || %[1]s.tag_id", []string{"article_id", "tag_id"}},
	} {
		image := func(of string) string {
			list := make([]string, len(w.columns))
			for i, c := range w.columns {
				list[i] = "'" + c + "', " + of + "." + c
			}
			return "json_object(" + strings.Join(list, ", ") + ")"
		}
		for _, op := range []struct{ verb, event, row, before, after string }{
			{"INSERT", "create", "NEW", "NULL", image("NEW")},
			{"UPDATE", "update", "NEW", image("OLD"), image("NEW")},
			{"DELETE", "delete", "OLD", image("OLD"), "NULL"},
		} {
			verb := strings.ToLower(op.verb)
			if err := run(db, `CREATE TRIGGER bench_`+w.table+`_`+verb+` AFTER `+op.verb+` ON `+w.table+` BEGIN
	INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, operation, model, entity_id,
		before, after, outcome)
	SELECT id, id, `+sqliteNow+`, '`+user.ID+`', '`+user.Name+`', 'user', '`+op.event+`', '`+verb+`', '`+w.model+`', `+
				fmt.Sprintf(w.entity, op.row)+`, `+op.before+`, `+op.after+`, 'success' FROM (SELECT `+sqliteID+` AS id);
END`); err != nil {
				return err
			}
		}
	}
	return nil
}
