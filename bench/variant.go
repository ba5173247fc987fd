package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
)

// kind is a way of writing. Each variant of it has tables of its own.
type kind struct {
	name string
	what string

	config gorm.Config
	plugin *gormhook.Plugin
	// writer is what writes, plain by default.
	writer func(db *gorm.DB, s *store.Store) (writer, error)
	// triggers creates what the database needs to write entries by itself.
	triggers func(db *gorm.DB) error
	audited  bool
	// slow: rows in bulk take so long that they are measured once.
	slow bool
	// crowd: measured with many goroutines and with a delay as well.
	crowd bool
	// only is the one operation that the kind is measured for, if not all.
	only string
}

// The names that reports refer to.
const (
	nameBase    = "plain GORM"
	nameAudited = "audited"
	nameAction  = "audited, in an action"
	nameLimit   = "one SQL statement by hand"
	nameCopied  = "INSERT … SELECT of the images"
	nameReady   = "a ready entry"
)

func inAction(db *gorm.DB, s *store.Store) (writer, error) { return acting{plain{db}, s}, nil }

func raw(db *gorm.DB) (limit, error) {
	conn, err := db.DB()
	return newLimit(conn), err
}

func postgresKinds() []kind {
	return []kind{
		{name: nameBase, what: "default settings, no audit: the base", crowd: true},
		{name: "plain GORM without transaction", what: "SkipDefaultTransaction, no audit", config: gorm.Config{SkipDefaultTransaction: true}, crowd: true},
		{name: nameAudited, what: "this library with defaults, outside any action", plugin: &gormhook.Plugin{}, audited: true, crowd: true},
		{
			name: nameAction, what: "this library as in a request: each operation is an action with its own entry, begun and ended",
			plugin: &gormhook.Plugin{}, writer: inAction, audited: true, crowd: true,
		},
		{name: "audited, transaction kept", what: "Plugin.KeepTransaction: as for models with hooks", plugin: &gormhook.Plugin{KeepTransaction: true}, audited: true},
		{name: "audited, portable path", what: "Plugin.Portable", plugin: &gormhook.Plugin{Portable: true}, audited: true},
		{name: "audited, best effort", what: "Plugin.BestEffort", plugin: &gormhook.Plugin{BestEffort: true}, audited: true},
		{
			name: "audit by hand", what: "read, change, one INSERT per row, in a transaction, as applications usually do it",
			writer:  func(db *gorm.DB, _ *store.Store) (writer, error) { return byHand{plain{db}}, nil },
			audited: true, slow: true, crowd: true,
		},
		{
			name: "row triggers", what: "user and trace set in the transaction", triggers: rowTriggers,
			writer:  func(db *gorm.DB, _ *store.Store) (writer, error) { return triggered{plain{db}}, nil },
			audited: true, crowd: true,
		},
		{
			name: "statement triggers", what: "the same with transition tables", triggers: statementTriggers,
			writer:  func(db *gorm.DB, _ *store.Store) (writer, error) { return triggered{plain{db}}, nil },
			audited: true,
		},
		{
			name: nameLimit, what: "without GORM: the limit",
			writer:  func(db *gorm.DB, _ *store.Store) (writer, error) { return raw(db) },
			audited: true, crowd: true,
		},
		{
			name: nameCopied, what: "deletes nothing: the base of a bulk delete", only: "delete 10000",
			writer: func(db *gorm.DB, _ *store.Store) (writer, error) {
				l, err := raw(db)
				return copied{l}, err
			},
			audited: true,
		},
	}
}

// variant is a kind at work on its own tables.
type variant struct {
	kind
	sizes  sizes
	db     *gorm.DB
	conn   *sql.DB
	writer writer
	wire   *wire
	schema string
	pids   []int

	updatable, deletable []uuid.UUID
	tags                 []Tag
	nextUpdate           atomic.Int64
	nextDelete           atomic.Int64
	nextTag              atomic.Int64
}

// toUpdate returns the next row to update, cycling through them.
func (v *variant) toUpdate() uuid.UUID {
	return v.updatable[int(v.nextUpdate.Add(1)-1)%len(v.updatable)]
}

// toDelete returns a row that is still there.
func (v *variant) toDelete() uuid.UUID {
	n := int(v.nextDelete.Add(1) - 1)
	if n >= len(v.deletable) {
		panic(fmt.Sprintf("bench: all of the %d rows to delete one by one are gone", n))
	}
	return v.deletable[n]
}

// toTag returns an article and three tags that it does not have.
func (v *variant) toTag() (article int64, list []Tag) {
	n := v.nextTag.Add(1) - 1
	round := n / articles % 2
	return n%articles + 1, v.tags[3*(1-round) : 3*(1-round)+3]
}

// furnish creates the tables and their rows, from those of another variant if
// there is one.
func (v *variant) furnish(ctx context.Context, from *variant) error {
	db := v.db.WithContext(ctx)
	if err := db.AutoMigrate(&Order{}, &Article{}, &Tag{}); err != nil {
		return err
	}
	if v.audited {
		if err := store.Migrate(ctx, v.db); err != nil {
			return err
		}
	}
	var err error
	switch {
	case v.wire == nil:
		err = v.seedSQLite(db)
	case from != nil:
		err = run(db, "INSERT INTO orders SELECT * FROM "+from.schema+".orders ORDER BY number")
	default:
		err = db.Exec(seedOrders, v.sizes.Bulk, v.sizes.Bulk*batches).Error
	}
	if err != nil {
		return fmt.Errorf("seeding: %w", err)
	}
	for i := range int64(tags) {
		v.tags = append(v.tags, Tag{ID: i + 1, Name: fmt.Sprint("tag-", i+1)})
	}
	list := make([]Article, articles)
	for i := range list {
		list[i] = Article{ID: int64(i) + 1, Title: fmt.Sprint("article-", i+1), Tags: v.tags[:3]}
	}
	if err := db.CreateInBatches(v.tags, tags).Error; err != nil {
		return err
	}
	if err := db.CreateInBatches(list, 100).Error; err != nil {
		return err
	}
	if err := db.Model(&Order{}).Where("batch = ?", updated).Order("number").Pluck("id", &v.updatable).Error; err != nil {
		return err
	}
	return db.Model(&Order{}).Where("batch = ?", deleted).Order("number").Pluck("id", &v.deletable).Error
}

// equip installs whatever audits.
func (v *variant) equip() error {
	var s *store.Store
	if v.audited {
		var err error
		if s, err = store.New(v.db); err != nil {
			return err
		}
	}
	if v.plugin != nil {
		if err := v.db.Use(*v.plugin); err != nil {
			return err
		}
	}
	if v.triggers != nil {
		if err := v.triggers(v.db); err != nil {
			return err
		}
	}
	v.writer = plain{v.db}
	if v.kind.writer != nil {
		var err error
		if v.writer, err = v.kind.writer(v.db, s); err != nil {
			return err
		}
	}
	return nil
}

// entries counts what the variant has left so far.
func (v *variant) entries(ctx context.Context) (n int64, err error) {
	if !v.audited {
		return 0, nil
	}
	err = v.conn.QueryRowContext(ctx, "SELECT count(*) FROM audit_logs").Scan(&n)
	return n, err
}

// vacuum leaves the tables as the server's own vacuum would.
func (v *variant) vacuum(ctx context.Context) error {
	if v.wire == nil {
		return nil
	}
	list := "orders, article_tags"
	if v.audited {
		list += ", audit_logs"
	}
	_, err := v.conn.ExecContext(ctx, "VACUUM ANALYZE "+list)
	return err
}

// connections sets how many connections the variant has.
func (v *variant) connections(n int) {
	v.conn.SetMaxOpenConns(n)
	v.conn.SetMaxIdleConns(n)
}

// backends finds the server's processes that serve the variant.
func (v *variant) backends(ctx context.Context) error {
	if v.wire == nil {
		return nil
	}
	var pid int
	if err := v.conn.QueryRowContext(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return err
	}
	v.pids = []int{pid}
	return nil
}

func (v *variant) close() error {
	err := v.conn.Close()
	if err != nil {
		err = fmt.Errorf("closing %s: %w", v.name, err)
	}
	return err
}

func closeAll(variants []*variant) error {
	var errs []error
	for _, v := range variants {
		errs = append(errs, v.close())
	}
	return errors.Join(errs...)
}

// named returns the variant with a name, or nil.
func named(variants []*variant, name string) *variant {
	for _, v := range variants {
		if strings.EqualFold(v.name, name) {
			return v
		}
	}
	return nil
}
