package gormhook_test

import (
	"context"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// Counted is a value that asks the database what it is, and may leave a trace there.
type Counted struct {
	N      int64
	writes bool
}

func (Counted) GormDataType() string { return "bigint" }

func (c *Counted) Scan(v any) error {
	c.N, _ = v.(int64)
	return nil
}

func (c Counted) GormValue(_ context.Context, db *gorm.DB) clause.Expr {
	fresh := db.Session(&gorm.Session{NewDB: true})
	if c.writes {
		_ = db.AddError(fresh.Create(&Tag{901, "counted"}).Error)
		_ = db.AddError(fresh.Exec(`UPDATE tags SET name = 'recounted' WHERE id = 901`).Error)
	}
	var n int64
	_ = db.AddError(fresh.Raw(`SELECT count(*) FROM tags`).Scan(&n).Error)
	return clause.Expr{SQL: "?", Vars: []any{n}}
}

type Census struct {
	ID    int64
	Total Counted
}

func (Census) TableName() string { return "Census" }

// What a value does with the connection is not the statement that it is of.
func TestValuesThatQuery(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE "Census" (id bigint PRIMARY KEY, total bigint)`)
		d.given(t, rows(tags(3)))
		must(t, d.db.Create(&Census{ID: 1}), d.db.Model(&Census{ID: 1}).Update("total", Counted{writes: true}), d.db.Delete(&Census{ID: 1}))
		entries := d.wants(t, "insert census 1", "insert tag 901", "raw update tag 1", "update census 1", "delete census 1")
		if len(entries) == 5 {
			if got := spelled(entries[4].before)["total"]; got != "4" {
				t.Errorf("the total was %s, want 4", got)
			}
		}
	}, "tags")
}

// A statement that is none of the plain ones is recorded as it was run, and
// what is known of its table stays so.
func TestModifiers(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		modifier := "ONLY"
		if d.engine == sqliteEngine {
			modifier = "OR REPLACE"
		}
		d.given(t, rows(tags(2)))
		must(t, d.db.Clauses(clause.Update{Modifier: modifier}).Model(&Tag{}).Where("id = 1").Update("name", "x"))
		d.wants(t, "raw update tag 1")
		must(t, d.db.Model(&Tag{}).Where("id = 1").Update("name", "y"), d.db.Delete(&Tag{ID: 2}))
		d.wants(t, "update tag 1", "delete tag 2")
		if d.engine == postgresEngine {
			must(t, d.db.Table("ONLY tags").Where("id = 1").Updates(map[string]any{"name": "z"}), d.db.Table("ONLY tags").Where("id = 1").Delete(nil))
			d.wants(t, "raw update tag 1", "raw delete tag 1")
		}
	}, "tags")
}
