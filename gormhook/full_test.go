package gormhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
)

// Where the disk is full, a change and its entry are there together or not at
// all, whichever of the two finds no room; and once there is room again all goes
// on. SQLite's bound on the pages of a file stands for the disk's.
func TestFullDisk(t *testing.T) {
	db := oneConnection(t)
	bound := func(extra int) {
		t.Helper()
		var pages int
		must(t, db.Raw(`PRAGMA page_count`).Scan(&pages), db.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages+extra)))
	}
	together := func() {
		t.Helper()
		var rows, entries int64
		must(t, db.Raw(`SELECT count(*) FROM tags`).Scan(&rows),
			db.Raw(`SELECT count(DISTINCT entity_id) FROM audit_logs WHERE model = 'tag' AND operation = 'insert'`).Scan(&entries))
		if rows != entries || rows == 0 {
			t.Fatalf("%d rows, %d of them have entries", rows, entries)
		}
	}
	// Of rows of many sizes, some change and some entry will be the first without room.
	var changes, recordings, id int64
	for size := 100; size < 6000; size += 450 {
		bound(6)
		for {
			id++
			err := db.Create(&Tag{id, strings.Repeat("x", size)}).Error
			if err == nil {
				continue
			}
			if !strings.Contains(err.Error(), "full") {
				t.Fatalf("got %v, want that the disk is full", err)
			}
			if errors.Is(err, gormhook.ErrNotRecorded) {
				recordings++
			} else {
				changes++
			}
			break
		}
		together()
		err := db.Transaction(func(tx *gorm.DB) error {
			for n := range int64(50) {
				if err := tx.Create(&Tag{id + 1000 + n, strings.Repeat("x", size)}).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			t.Fatal("fifty rows found room")
		}
		together()
		bound(1000)
		id++
		must(t, db.Create(&Tag{id, "there is room again"}))
		together()
	}
	if changes == 0 || recordings == 0 {
		t.Errorf("%d changes and %d entries found no room, want some of both", changes, recordings)
	}
}
