package gormhook_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
)

// Lot is a model whose key has more columns than that of its table, one of
// which may be null.
type Lot struct {
	ID       int64  `gorm:"primaryKey;autoIncrement:false"`
	TenantID *int64 `gorm:"primaryKey"`
	Name     string
}

// Slip is a model with a key of which its table knows nothing.
type Slip struct {
	Code *string `gorm:"primaryKey"`
	N    int
}

// A part of a key that is null is called so, by every path.
func TestNullInAKey(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE lots (id bigint PRIMARY KEY, tenant_id bigint, name text)`, `CREATE TABLE slips (code text, n int)`)
		five := int64(5)
		for range 2 { // before and after the tables are known
			must(t, d.db.Create([]*Lot{{1, nil, "a"}, {2, &five, "b"}}))
			must(t, d.db.Model(&Lot{ID: 1}).Update("name", "x"), d.db.Model(&Lot{ID: 2, TenantID: &five}).Update("name", "x"))
			must(t, d.db.Model(&Lot{}).Where("name = ?", "x").Update("name", "y"), d.db.Model(&Lot{}).Where("id = 2").Update("tenant_id", nil))
			must(t, d.db.Where("name = ?", "y").Delete(&Lot{}))
			d.wants(t, "insert lot 1,null", "insert lot 2,5", "update lot 1,null", "update lot 2,5", "update lot 1,null", "update lot 2,5",
				"update lot 2,5", "delete lot 1,null", "delete lot 2,null")

			must(t, d.db.Create(&Slip{N: 1}), d.db.Model(&Slip{}).Where("code IS NULL").Update("n", 2))
			must(t, d.db.Where("code IS NULL").Delete(&Slip{}))
			d.wants(t, "insert slip null", "update slip null", "delete slip null")
		}
	})
}

// A key that changes under an update each time it is tried is told in the end. Here it
// seems to, for nothing equals anything.
func TestKeyThatChangesEachTime(t *testing.T) {
	d := newFixture(t, routes()[1], "tags")
	d.run(t, `CREATE SCHEMA odd`, `CREATE FUNCTION odd.never(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false'`,
		`CREATE OPERATOR odd.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = odd.never)`)
	d.given(t, tags(2))
	db := openPostgres(t, d.dsn+"&search_path=odd,pg_catalog,public", config(byDefault))
	if err := db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	update := func(tx *gorm.DB) error { return tx.Model(&Tag{}).Where("name <> ?", "").Update("name", "x").Error }
	for range 2 {
		for depth := range 2 {
			if err := within(db, depth, update); !errors.Is(err, gormhook.ErrKeyChanged) || errors.Is(err, gormhook.ErrNotRecorded) {
				t.Errorf("got %v, want gormhook.ErrKeyChanged", err)
			}
		}
	}
	d.wants(t)
}
