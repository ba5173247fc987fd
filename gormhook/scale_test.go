package gormhook_test

import (
	"fmt"
	"runtime"
	"testing"

	"gorm.io/gorm"
)

// parcelLot is a row of which there are many.
type parcelLot struct {
	ID    int64
	Name  string
	N     int64
	Owner *string
}

const (
	manyRows = 100_000
	fewRows  = 10
)

// A statement changes any number of rows. Where it is one statement for the
// database, the memory that it takes here is the same for all of them.
func TestScale(t *testing.T) {
	keepDefaultRecorder(t)
	for _, path := range replayPaths {
		t.Run(path.name, func(t *testing.T) {
			d := openReplay(t, path, func(db *gorm.DB) error { return db.AutoMigrate(&parcelLot{}) })
			fill := `INSERT INTO parcel_lots (name, n)
				WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < ?) SELECT 'lot ' || i, i FROM s`
			if path.postgres() {
				fill = `INSERT INTO parcel_lots (name, n) SELECT 'lot ' || i, i FROM generate_series(1, ?) AS s(i)`
			}
			if err := d.bare.Exec(fill, manyRows+2*fewRows).Error; err != nil {
				t.Fatal(err)
			}
			const few, many, rest = `n <= ?`, `n > ? AND n <= ?`, `n > ?`
			update := func(rows int64, where string, args ...any) uint64 {
				return d.measure(t, rows, func() *gorm.DB {
					return d.db.Model(&parcelLot{}).Where(where, args...).
						Updates(map[string]any{"n": gorm.Expr("-n"), "name": "changed"})
				})
			}
			remove := func(rows int64, where string, args ...any) uint64 {
				return d.measure(t, rows, func() *gorm.DB { return d.db.Where(where, args...).Delete(&parcelLot{}) })
			}
			// The first of each also learns of the table and prepares its statement.
			update(fewRows, few, fewRows)
			small := update(fewRows, many, fewRows, 2*fewRows)
			large := update(manyRows, rest, 2*fewRows)
			d.constant(t, "update", small, large)
			remove(fewRows, `n >= ?`, -fewRows)
			small = remove(fewRows, `n >= ?`, -2*fewRows)
			large = remove(manyRows, `n >= ?`, -manyRows-2*fewRows)
			d.constant(t, "delete", small, large)
			d.balanced(t)
		})
	}
}

// measure runs a statement of so many rows, and returns how many bytes it
// allocated here.
func (d *replayDatabase) measure(t *testing.T, rows int64, run func() *gorm.DB) uint64 {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	out := run()
	runtime.ReadMemStats(&after)
	if out.Error != nil || out.RowsAffected != rows {
		t.Fatalf("%d rows affected, want %d, error %v", out.RowsAffected, rows, out.Error)
	}
	t.Logf("%7d rows: %8d kB allocated, %8d kB more in the heap", rows,
		kilobytes(after.TotalAlloc-before.TotalAlloc), kilobytes(after.HeapAlloc-min(after.HeapAlloc, before.HeapAlloc)))
	return after.TotalAlloc - before.TotalAlloc
}

func kilobytes(n uint64) uint64 { return n >> 10 }

// constant checks that a single statement takes no memory for its rows: as
// much for many as for few, but for what a connection or the runtime may need
// in passing.
func (d *replayDatabase) constant(t *testing.T, what string, small, large uint64) {
	t.Helper()
	const passing = 256 << 10
	if d.path.postgres() && !d.path.plugin.Portable && large > 2*small+passing {
		t.Errorf("%s: %d bytes for %d rows, and %d for %d", what, small, fewRows, large, manyRows)
	}
}

// balanced checks that each row has its entries, and each what belongs to it.
func (d *replayDatabase) balanced(t *testing.T) {
	t.Helper()
	const rows = manyRows + 2*fewRows
	field := `"%s" ->> '$.%s'`
	if d.path.postgres() {
		field = `"%s" ->> '%s'`
	}
	of := func(image, column string) string { return `CAST(` + fmt.Sprintf(field, image, column) + ` AS bigint)` }
	queries := map[string]string{
		"updates": `SELECT count(DISTINCT entity_id) FROM audit_logs WHERE event = 'update' AND operation = 'update' AND model = 'parcel_lot'
			AND ` + of("before", "n") + ` = CAST(entity_id AS bigint) AND ` + of("after", "n") + ` = -CAST(entity_id AS bigint)`,
		"deletes": `SELECT count(DISTINCT entity_id) FROM audit_logs WHERE event = 'delete' AND operation = 'delete' AND model = 'parcel_lot'
			AND ` + of("before", "n") + ` = -CAST(entity_id AS bigint) AND ` + of("before", "id") + ` = CAST(entity_id AS bigint) AND "after" IS NULL`,
		"entries of half": `SELECT count(*) / 2 FROM audit_logs`,
	}
	for what, query := range queries {
		var n int64
		if err := d.bare.Raw(query).Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		if n != rows {
			t.Errorf("%s: %d, want %d", what, n, rows)
		}
	}
	var left int64
	if err := d.bare.Model(&parcelLot{}).Count(&left).Error; err != nil || left != 0 {
		t.Errorf("%d rows are left, error %v", left, err)
	}
}
