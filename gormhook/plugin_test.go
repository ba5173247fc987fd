package gormhook_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Impossible settings are refused by the field's name, before anything is
// registered.
func TestSettingsRefused(t *testing.T) {
	for field, p := range map[string]gormhook.Plugin{
		"MaxRows":     {MaxRows: -1},
		"RefuseAbove": {RefuseAbove: true},
		"Raw":         {Raw: 9},
		"Models[1]":   {Models: []any{&Tag{}, 7}},
	} {
		t.Run(field, func(t *testing.T) {
			db := newSide(t, sqliteEngine).handle(byDefault)
			if err := db.Use(p); err == nil || !strings.Contains(err.Error(), "Plugin."+field) {
				t.Errorf("got %v, want an error that names Plugin.%s", err, field)
			}
			if err := db.Use(gormhook.Plugin{}); err != nil {
				t.Errorf("a plugin that was refused is in the way of a right one: %v", err)
			}
		})
	}
}

// A second plugin on one handle would record everything twice.
func TestSecondUseRefused(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		if err := d.db.Use(gormhook.Plugin{}); !errors.Is(err, gorm.ErrRegistered) {
			t.Errorf("got %v, want gorm.ErrRegistered", err)
		}
		must(t, d.db.Create(&Tag{1, "a"}))
		d.wants(t, "insert tag 1")
	}, "tags")
}

// Handles of one database have a plugin each; none records for another.
func TestTwoHandlesOfOneDatabase(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		other := d.handle(prepared)
		if err := other.Use(gormhook.Plugin{Exclude: []string{"item"}, Portable: !d.plugin.Portable}); err != nil {
			t.Fatal(err)
		}
		must(t, d.db.Create(&Tag{1, "a"}), other.Model(&Tag{ID: 1}).Update("name", "b"), d.db.Model(&Tag{ID: 1}).Update("name", "c"))
		must(t, other.Create(ptr(item(1))), d.db.Delete(&Item{}, 1))
		d.wants(t, "insert tag 1", "update tag 1", "update tag 1", "softdelete item 1")
	}, "tags", "items")
}

// Two databases have a trail each.
func TestTwoDatabases(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		other := newFixture(t, routes()[0], "tags")
		if err := other.db.Use(gormhook.Plugin{}); err != nil {
			t.Fatal(err)
		}
		must(t, d.db.Create(&Tag{1, "a"}), other.db.Create(&Tag{2, "b"}))
		d.wants(t, "insert tag 1")
		other.wants(t, "insert tag 2")
	}, "tags")
}

// dialect is one that the plugin does not know.
type dialect struct{ gorm.Dialector }

func (dialect) Name() string { return "mysql" }

func TestDialectRefused(t *testing.T) {
	inner := newSide(t, sqliteEngine).handle(byDefault)
	db, err := gorm.Open(dialect{inner.Dialector}, &gorm.Config{ConnPool: inner.ConnPool, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Use(gormhook.Plugin{}); err == nil || !strings.Contains(err.Error(), `"mysql"`) {
		t.Errorf("got %v, want an error that names the dialect", err)
	}
}

// An entry that is written behind the commit is in no transaction with its
// change: the plugin refuses such a place.
func TestPlaceBehindTheCommitRefused(t *testing.T) {
	for name, move := range map[string]func(*gorm.DB) error{
		"gorm:create": func(db *gorm.DB) error {
			cb := db.Callback().Create()
			fn := cb.Get("gorm:create")
			if err := cb.Remove("gorm:create"); err != nil {
				return err
			}
			return cb.After("gorm:commit_or_rollback_transaction").Register("gorm:create", fn)
		},
		"gorm:update": func(db *gorm.DB) error {
			cb := db.Callback().Update()
			fn := cb.Get("gorm:update")
			if err := cb.Remove("gorm:update"); err != nil {
				return err
			}
			return cb.Before("gorm:begin_transaction").Register("gorm:update", fn)
		},
		"gorm:delete": func(db *gorm.DB) error { return db.Callback().Delete().Remove("gorm:delete") },
	} {
		t.Run(name, func(t *testing.T) {
			db := newSide(t, sqliteEngine).handle(byDefault)
			if err := move(db); err != nil {
				t.Fatal(err)
			}
			if err := db.Use(gormhook.Plugin{}); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("got %v, want an error that names %s", err, name)
			}
		})
	}
}

// A callback of somebody else that fails behind the write takes the change
// and its entry back: the implicit transaction is there for it, whatever the
// callback is called, and where it has the place of one of GORM's.
func TestForeignCallbackFails(t *testing.T) {
	type processor interface {
		Get(name string) func(*gorm.DB)
		Replace(name string, fn func(*gorm.DB)) error
	}
	fail := func(db *gorm.DB) {
		if _, ok := db.Get("app:fail"); ok {
			_ = db.AddError(errRefused)
		}
	}
	named := func(name string) func(*gorm.DB) error {
		return func(db *gorm.DB) error {
			cb := db.Callback()
			return errors.Join(
				cb.Create().After("gorm:create").Before("gorm:commit_or_rollback_transaction").Register(name, fail),
				cb.Update().After("gorm:update").Before("gorm:commit_or_rollback_transaction").Register(name, fail),
				cb.Delete().After("gorm:delete").Before("gorm:commit_or_rollback_transaction").Register(name, fail),
			)
		}
	}
	replaced := func(db *gorm.DB) error {
		replace := func(p processor, name string) error {
			its := p.Get(name)
			return p.Replace(name, func(db *gorm.DB) { its(db); fail(db) })
		}
		cb := db.Callback()
		return errors.Join(replace(cb.Create(), "gorm:after_create"), replace(cb.Update(), "gorm:after_update"), replace(cb.Delete(), "gorm:after_delete"))
	}
	for name, register := range map[string]func(*gorm.DB) error{
		"app:audit": named("app:audit"), "gorm:check": named("gorm:check"), "otel:check": named("otel:check"), "replaced": replaced,
	} {
		t.Run(name, func(t *testing.T) {
			onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
				d.given(t, tags(2))
				must(t, d.db.Create(&Tag{7, "a"}), d.db.Model(&Tag{ID: 7}).Update("name", "b"), d.db.Delete(&Tag{ID: 7}))
				d.wants(t, "insert tag 7", "update tag 7", "delete tag 7") // the table is known
				if err := register(d.db); err != nil {
					t.Fatal(err)
				}
				write := func(db *gorm.DB) []*gorm.DB {
					return []*gorm.DB{
						db.Create(&Tag{9, "a"}), db.Model(&Tag{ID: 1}).Update("name", "x"), db.Delete(&Tag{ID: 2}),
					}
				}
				for _, tx := range write(d.db.Set("app:fail", true).Session(&gorm.Session{})) {
					if !errors.Is(tx.Error, errRefused) {
						t.Errorf("got %v, want the callback's error", tx.Error)
					}
				}
				d.wants(t)
				if n := d.count(t, "tags", "id = 9 OR name = 'x'"); n != 0 {
					t.Errorf("%d changes stand that were refused", n)
				}
				must(t, write(d.db)...)
				d.wants(t, "insert tag 9", "update tag 1", "delete tag 2")
			}, "tags")
		})
	}
}

// The plugin's database becomes the default recorder where there is none, and
// only there.
func TestDefaultRecorder(t *testing.T) {
	before := trail.Default()
	t.Cleanup(func() { trail.SetDefault(before) })
	trail.SetDefault(nil)
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, _ *fixture) {
		if _, ok := trail.Default().(*store.Store); !ok {
			t.Fatalf("the default recorder is a %T", trail.Default())
		}
		first := trail.Default()
		if err := newFixture(t, routes()[0]).db.Use(gormhook.Plugin{}); err != nil {
			t.Fatal(err)
		}
		if trail.Default() != first {
			t.Error("a second plugin took the place of the first")
		}
		trail.SetDefault(nil)
	})
}

// An action that names no recorder is kept where the plugin is.
func TestActionWithTheDefaultRecorder(t *testing.T) {
	before := trail.Default()
	t.Cleanup(func() { trail.SetDefault(before) })
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		trail.SetDefault(d.store)
		ctx, trace, err := trail.Start(t.Context(), trail.Action{
			Actor: trail.Actor{ID: "u1"}, Event: trail.Approve, Model: "tag", EntityID: "2", Reason: "because",
		})
		if err != nil {
			t.Fatal(err)
		}
		must(t, d.db.WithContext(ctx).Create(&[]Tag{{1, "a"}, {2, "b"}}))
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		entries := readEntries(t, d.desk, 0)
		slices.SortFunc(entries, func(a, b *record) int { return strings.Compare(a.entity, b.entity) })
		if len(entries) != 2 {
			t.Fatalf("%d entries, 2 expected", len(entries))
		}
		if own := entries[1]; own.label() != "approve/insert tag 2" || own.id != trace.ID().String() || own.context["reason"] != "because" {
			t.Errorf("the action's own entry is %s", own)
		}
		if other := entries[0]; other.label() != "insert tag 1" || other.trace != trace.ID().String() || other.context != nil {
			t.Errorf("the other row's entry is %s", other)
		}
	}, "tags")
}
