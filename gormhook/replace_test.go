package gormhook_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
)

// Where a table has ON CONFLICT REPLACE, an update that replaces no row is
// imaged, and one that does leaves a summary, for it deletes rows that nobody
// has named.
func TestUpdateThatReplaces(t *testing.T) {
	d := newFixture(t, routes()[0])
	if err := d.db.Use(gormhook.Plugin{}); err != nil {
		t.Fatal(err)
	}
	d.run(t, `CREATE TABLE berths (id integer PRIMARY KEY, code text UNIQUE ON CONFLICT REPLACE, n integer CHECK (n < 100))`,
		`INSERT INTO berths VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)`)
	must(t, d.db.Table("berths").Where("id = 1").Updates(map[string]any{"code": "d", "n": 2}),
		d.db.Table("berths").Where("id < 3").Update("n", gorm.Expr("n + 1")),
		d.db.Table("berths").Where("id IN ?", []int{1, 2}).Update("id", gorm.Expr("id + 10")))
	d.wants(t, "update berth 1", "update berth 1", "update berth 2", "update berth 1", "update berth 2")

	tx := d.db.Table("berths").Where("id = 11").Update("code", "c")
	must(t, tx)
	if tx.RowsAffected != 1 {
		t.Errorf("%d rows affected, want 1", tx.RowsAffected)
	}
	d.wants(t, "raw update berth 1")
	if n := d.count(t, "berths", "id = 3"); n != 0 {
		t.Error("the row in the way is still there")
	}

	if err := d.db.Table("berths").Where("id = 11").Update("n", 100).Error; err == nil {
		t.Error("the check was passed over")
	}
	d.wants(t)
}
