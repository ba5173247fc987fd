package gormhook_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// A statement above the bound leaves one summary in the place of images: the
// text without values, and the number of rows. One at the bound is imaged.
func TestMaxRows(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 3}, func(t *testing.T, d *fixture) {
		d.given(t, tags(10))
		must(t, d.db.Model(&Tag{}).Where("id <= ? AND name <> ?", 3, "hunter2").Update("name", "x"))
		d.wants(t, "update tag 1..3")

		tx := d.db.Model(&Tag{}).Where("id <= ? AND name <> 'hunter2'", 4).Update("name", "hunter3")
		must(t, tx)
		if tx.RowsAffected != 4 {
			t.Errorf("%d rows affected, want 4", tx.RowsAffected)
		}
		entries := d.wants(t, "raw update tag 4")
		if len(entries) == 1 {
			e := entries[0]
			if e.id != e.trace || e.before != nil || e.after != nil || e.context["table"] != "tags" {
				t.Errorf("the summary is %s", e)
			}
			if text, ok := e.context["sql"].(string); !ok || !strings.HasPrefix(text, "UPDATE") || strings.Contains(text, "hunter") {
				t.Errorf("the summary's text is %v", e.context["sql"])
			}
		}

		must(t, d.db.Where("id > ?", 5).Delete(&Tag{}))
		d.wants(t, "raw delete tag 5")
		must(t, d.db.Where("id = ?", 5).Delete(&Tag{}))
		d.wants(t, "delete tag 5")
		list := []Tag{{11, "a"}, {12, "b"}, {13, "c"}, {14, "d"}}
		must(t, d.db.Create(&list))
		d.wants(t, "raw insert tag 4")
		must(t, d.db.Create(&[]Tag{{21, "a"}, {22, "b"}, {23, "c"}}))
		d.wants(t, "insert tag 21..23")

		var back []Tag
		must(t, d.db.Model(&back).Clauses(clause.Returning{}).Where("id > 10").Update("name", "y"))
		if len(back) != 7 {
			t.Errorf("%d rows came back, want 7", len(back))
		}
		d.wants(t, "raw update tag 7")

		err := d.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Model(&Tag{}).Where("id > 10").Update("name", "z"), tx.Model(&Tag{ID: 1}).Update("name", "z"))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		d.wants(t, "raw update tag 7", "update tag 1")
	}, "tags")
}

// What is joined to others is counted once.
func TestMaxRowsOfAJoin(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 3, RefuseAbove: true}, func(t *testing.T, d *fixture) {
		d.given(t, tags(10))
		update := func(below int) *gorm.DB {
			return d.db.Model(&Tag{}).Clauses(clause.From{Tables: []clause.Table{{Name: "tags", Alias: "others"}}}).
				Where("tags.id < ? AND others.id > ?", below, 5).Update("name", gorm.Expr("? || 'x'", "y"))
		}
		must(t, update(4))
		d.wants(t, "update tag 1..3")
		if err := update(5).Error; !errors.Is(err, gormhook.ErrTooManyRows) {
			t.Errorf("got %v, want gormhook.ErrTooManyRows", err)
		}
		d.wants(t)
	}, "tags")
}

// A change whose summary cannot be written does not stand, whatever the caller
// does about it.
func TestMaxRowsFailsClosed(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 3}, func(t *testing.T, d *fixture) {
		d.given(t, tags(10))
		d.breakTrail(t, 0)
		for depth := range 2 {
			_ = within(d.db, depth, func(tx *gorm.DB) error {
				d.refused(t, "an update", tx.Model(&Tag{}).Where("id > 0").Update("name", "x").Error, nil)
				return nil
			})
		}
		if n := d.count(t, "tags", "name = 'x'"); n != 0 {
			t.Errorf("%d changes stand that were not recorded", n)
		}
	}, "tags")
}

// A summary in an action is one of its entries and not the action's own: that
// is of an entity.
func TestMaxRowsInAnAction(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 1}, func(t *testing.T, d *fixture) {
		d.given(t, tags(3))
		ctx, trace := d.act(t, trail.Action{Actor: trail.Actor{ID: "u1"}, Event: trail.Enable, Model: "tag", EntityID: "2"})
		must(t, d.db.WithContext(ctx).Model(&Tag{}).Where("id > 0").Update("name", "x"))
		must(t, d.db.WithContext(ctx).Model(&Tag{ID: 2}).Update("name", "y"))
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		entries := d.wants(t, "raw update tag 3", "enable/update tag 2")
		if len(entries) == 2 && (entries[0].trace != trace.ID().String() || entries[0].id == entries[0].trace || entries[1].id != entries[1].trace) {
			t.Errorf("the entries are %s and %s", entries[0], entries[1])
		}
	}, "tags")
}

// Or such a statement is refused, before the change.
func TestRefuseAbove(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 3, RefuseAbove: true}, func(t *testing.T, d *fixture) {
		d.given(t, tags(10))
		failures := gormhook.Failures()
		for name, write := range map[string]func(db *gorm.DB) *gorm.DB{
			"create": func(db *gorm.DB) *gorm.DB { return db.Create(&[]Tag{{11, "a"}, {12, "b"}, {13, "c"}, {14, "d"}}) },
			"update": func(db *gorm.DB) *gorm.DB { return db.Model(&Tag{}).Where("id < ?", 5).Update("name", "x") },
			"delete": func(db *gorm.DB) *gorm.DB { return db.Where("id > ?", 5).Delete(&Tag{}) },
		} {
			for depth := range 2 {
				err := within(d.db, depth, func(tx *gorm.DB) error { return write(tx).Error })
				if !errors.Is(err, gormhook.ErrTooManyRows) || errors.Is(err, gormhook.ErrNotRecorded) {
					t.Errorf("%s: got %v, want gormhook.ErrTooManyRows alone", name, err)
				}
			}
		}
		d.wants(t)
		if n := d.count(t, "tags", "name LIKE 'tag%'"); n != 10 {
			t.Errorf("%d rows are as they were, want 10", n)
		}
		must(t, d.db.Model(&Tag{}).Where("id < ?", 4).Update("name", "x"))
		d.wants(t, "update tag 1..3")
		if got := gormhook.Failures(); got != failures {
			t.Errorf("%d refusals were counted as failures", got-failures)
		}
	}, "tags")
}

// The rows that change along with a statement's own count too.
func TestMaxRowsOfCascades(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 3}, func(t *testing.T, d *fixture) {
		d.run(t, `INSERT INTO parents VALUES (1), (2)`, `INSERT INTO children VALUES (1, 1), (2, 1), (3, 2), (4, 2), (5, 2)`)
		must(t, d.db.Table("parents").Where("id = 1").Delete(nil))
		d.wants(t, "delete parent 1", "delete child 1", "delete child 2")
		err := d.db.Transaction(func(tx *gorm.DB) error {
			gone := tx.Table("parents").Where("id = 2").Delete(nil)
			if gone.RowsAffected != 1 {
				t.Errorf("%d rows affected, want 1", gone.RowsAffected)
			}
			return gone.Error
		})
		if err != nil {
			t.Fatal(err)
		}
		d.wants(t, "raw delete parent 1")
		if n := d.count(t, "children", "TRUE"); n != 0 {
			t.Errorf("%d children are left", n)
		}
	}, "parents", "children")
}

func TestRefuseAboveOfCascades(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaxRows: 2, RefuseAbove: true}, func(t *testing.T, d *fixture) {
		d.run(t, `INSERT INTO parents VALUES (1)`, `INSERT INTO children VALUES (1, 1), (2, 1)`)
		if err := d.db.Table("parents").Where("id = 1").Delete(nil).Error; !errors.Is(err, gormhook.ErrTooManyRows) {
			t.Errorf("the error is %v", err)
		}
		d.wants(t)
		if n := d.count(t, "children", "TRUE"); n != 2 {
			t.Errorf("%d children are left, want 2", n)
		}
	}, "parents", "children")
}
