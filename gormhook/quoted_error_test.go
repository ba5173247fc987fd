package gormhook_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// An error of the caller's own change is the caller's, also where it quotes a
// value that is the name of the trail's table.
func TestErrorThatQuotesATable(t *testing.T) {
	writes := map[string]func(db *gorm.DB, value string) *gorm.DB{
		"update": func(db *gorm.DB, value string) *gorm.DB {
			return db.Model(&Tag{ID: 1}).Update("name", failing(db, value))
		},
		"update many": func(db *gorm.DB, value string) *gorm.DB {
			return db.Model(&Tag{}).Where("id < 4").Update("name", failing(db, value))
		},
		"update returning": func(db *gorm.DB, value string) *gorm.DB {
			return db.Model(&[]Tag{}).Clauses(clause.Returning{}).Where("id < 4").Update("name", failing(db, value))
		},
		"delete": func(db *gorm.DB, value string) *gorm.DB {
			return db.Where("name = ?", failing(db, value)).Delete(&Tag{})
		},
		"create": func(db *gorm.DB, value string) *gorm.DB {
			return db.Model(&Tag{}).Create(map[string]any{"id": 9, "name": failing(db, value)})
		},
		"upsert": func(db *gorm.DB, value string) *gorm.DB {
			return db.Model(&Tag{}).Clauses(clause.OnConflict{UpdateAll: true}).Create(map[string]any{"id": 1, "name": failing(db, value)})
		},
		"raw": func(db *gorm.DB, value string) *gorm.DB {
			return db.Exec("UPDATE tags SET name = ?", failing(db, value))
		},
	}
	for name, p := range map[string]gormhook.Plugin{"zero": {}, "BestEffort": {BestEffort: true}, "MaxRows": {MaxRows: 2}} {
		t.Run(name, func(t *testing.T) {
			failures := gormhook.Failures()
			onRoutes(t, p, func(t *testing.T, d *fixture) {
				d.given(t, tags(4))
				for name, write := range writes {
					for _, value := range []string{"audit_logs", "abc"} {
						for depth := range 2 {
							do := func(tx *gorm.DB) error { return write(tx, value).Error }
							want := within(d.bare, depth, do)
							got := within(d.db, depth, do)
							if got == nil || errors.Is(got, gormhook.ErrNotRecorded) || errorText(got) != errorText(want) {
								t.Errorf("%s of %s in %d transactions: got %v, and %v without the plugin", name, value, depth, got, want)
							}
						}
					}
				}
				d.wants(t)
			}, "tags")
			if n := gormhook.Failures() - failures; n != 0 {
				t.Errorf("%d failures were counted", n)
			}
		})
	}
}

// failing is an expression whose error quotes a value.
func failing(db *gorm.DB, value string) clause.Expr {
	if db.Name() == sqliteEngine {
		return gorm.Expr("json_extract('{}', ?)", value)
	}
	return gorm.Expr("CAST(CAST(CAST(? AS text) AS int) AS text)", value)
}
