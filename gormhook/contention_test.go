package gormhook_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/trail"
)

const (
	contenders = 16
	increments = 200 // of each of them
)

// tally is a row that many write at once.
type tally struct {
	ID     int64  `gorm:"primaryKey"`
	Code   string `gorm:"uniqueIndex;not null"`
	Bucket int64  `gorm:"not null"`
	N      int64  `gorm:"not null"`
}

// newTally returns one whose code is no other contender's: PostgreSQL lets an
// upsert fail that collides in a second key as well.
func newTally(id, contender int64) *tally {
	return &tally{ID: id, Code: fmt.Sprintf("%d of %d", id, contender), Bucket: id % 2}
}

// rivalry is a way to write the same rows at once. write is one increment of
// one contender, and is run again where it failed for the sake of another.
type rivalry struct {
	name, why string
	tallies   int64 // how many there are to begin with
	write     func(db *gorm.DB, contender, increment int64) *gorm.DB
	// exact: each row that a write affects leaves an entry. Otherwise a row may
	// be written that stays as it is.
	exact bool
}

var rivalries = []rivalry{
	{
		name: "expression", why: "the database reads and writes in one: the before is nobody's but its own to know",
		tallies: 4, exact: true,
		write: func(db *gorm.DB, _, i int64) *gorm.DB {
			return db.Model(&tally{ID: 1 + i%4}).Update("n", gorm.Expr("n + ?", 1))
		},
	},
	{
		name: "save", why: "the application reads under a lock and writes what it read",
		tallies: 4, exact: true,
		write: func(db *gorm.DB, _, i int64) (out *gorm.DB) {
			err := db.Transaction(func(tx *gorm.DB) error {
				var t tally
				if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).First(&t, 1+i%4).Error; err != nil {
					return err
				}
				t.N++
				out = tx.Save(&t)
				return out.Error
			})
			if err != nil {
				return &gorm.DB{Error: err}
			}
			return out
		},
	},
	{
		name: "condition", why: "whether the row is one of those shows only under its lock",
		tallies: 4, exact: true,
		write: func(db *gorm.DB, c, i int64) *gorm.DB {
			return db.Model(&tally{}).Where("id = ? AND n % 2 = ?", 1+i%4, c%2).
				Updates(map[string]any{"n": gorm.Expr("n + ?", 1+c%3), "bucket": c})
		},
	},
	{
		name: "bucket", why: "several rows, in whatever order; some leave the condition while others wait for them",
		tallies: 3, exact: true,
		write: func(db *gorm.DB, c, i int64) *gorm.DB {
			return db.Model(&tally{}).Where("bucket = ?", i%2).
				Updates(map[string]any{"n": gorm.Expr("n + 1"), "bucket": gorm.Expr("(bucket + n + ?) % 2", c%2)})
		},
	},
	{
		name: "upsert", why: "a snapshot that was taken before another's insert has no row before",
		exact: true,
		write: func(db *gorm.DB, c, i int64) *gorm.DB {
			t := newTally(1+i, c)
			t.N = 1
			return db.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "id"}},
				DoUpdates: clause.Assignments(map[string]any{"n": gorm.Expr("tallies.n + 1")}),
			}).Create(t)
		},
	},
	{
		name: "upsert by code", why: "the row in the way has another key than the one that was to be inserted",
		exact: true,
		write: func(db *gorm.DB, c, i int64) *gorm.DB {
			return db.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "code"}},
				DoUpdates: clause.Assignments(map[string]any{
					"n": gorm.Expr("tallies.n + 1"), "bucket": gorm.Expr("excluded.bucket"),
				}),
			}).Create(&[]tally{{Code: fmt.Sprint("first ", i/2), Bucket: c}, {Code: fmt.Sprint("second ", i/2), Bucket: i}})
		},
	},
	{
		name: "churn", why: "rows come, change and go under everybody's hands",
		write: func(db *gorm.DB, c, i int64) *gorm.DB {
			id := 1 + i%3
			switch (c + i) % 5 {
			case 0:
				return db.Delete(&tally{ID: id})
			case 1:
				return db.Model(&tally{}).Where("id = ?", id).Update("n", gorm.Expr("n % 1000 * 2 + 1"))
			case 2:
				return db.Where("n > ? AND id = ?", 50, id).Delete(&tally{})
			default:
				t := newTally(id, c)
				t.N = c
				return db.Clauses(clause.OnConflict{UpdateAll: true}).Create(t)
			}
		},
	},
}

// Invariant 3: in the order of seq, the before of an entry is the after of the
// one that preceded it, and none is missing, however many write at once and
// however long ago the action began in which they do.
func TestContention(t *testing.T) {
	keepDefaultRecorder(t)
	for _, path := range replayPaths {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()
			for _, r := range rivalries {
				t.Run(r.name, func(t *testing.T) { r.run(t, path) })
			}
		})
	}
}

func (r rivalry) run(t *testing.T, path replayPath) {
	d := openReplay(t, path, func(db *gorm.DB) error {
		if err := db.AutoMigrate(&tally{}); err != nil {
			return err
		}
		for id := range r.tallies {
			if err := db.Create(newTally(1+id, 0)).Error; err != nil {
				return err
			}
		}
		return nil
	})
	d.hurryDeadlocks(t)
	conn, err := d.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxIdleConns(contenders)
	schema, err := readReplaySchema(d.bare, map[string]string{"tally": "tallies"})
	if err != nil {
		t.Fatal(err)
	}
	state, err := schema.read(d.bare)
	if err != nil {
		t.Fatal(err)
	}

	// Every other contender acts in one action, begun before anything changes.
	contexts := make([]context.Context, contenders)
	traces := make([]*trail.Trace, contenders)
	for c := range contexts {
		contexts[c] = t.Context()
		if c%2 == 0 {
			continue
		}
		contexts[c], traces[c], err = d.act(t.Context(), trail.Action{
			Actor: trail.Actor{ID: fmt.Sprint("contender ", c)}, Event: trail.Update, Model: "tally",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var affected, again atomic.Int64
	var all sync.WaitGroup
	for c, ctx := range contexts {
		all.Go(func() {
			for i := range int64(increments) {
				n, times, err := persist(func() *gorm.DB { return r.write(d.db.WithContext(ctx), int64(c), i) })
				if err != nil {
					t.Errorf("contender %d, increment %d: %v", c, i, err)
					return
				}
				affected.Add(n)
				again.Add(times)
			}
			if traces[c] != nil {
				if err := traces[c].End(nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}

	entries, err := schema.entriesAfter(d.bare, 0)
	if err != nil {
		t.Fatal(err)
	}
	changes := int64(0)
	for i := range entries {
		if entries[i].operation != "" {
			changes++
		}
	}
	if n := affected.Load(); changes > n || r.exact && changes < n || changes == 0 {
		t.Errorf("%d entries of rows, and %d rows affected", changes, n)
	}
	if err := schema.fold(state, entries); err != nil {
		t.Errorf("%s: %v", r.why, err)
	}
	if err := resolves(entries); err != nil {
		t.Error(err)
	}
	table, err := schema.read(d.bare)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, state); diff != "" {
		t.Errorf("the table (-) and what the entries make of it (+):\n%s", diff)
	}
	t.Logf("%d changes in order; %d writes gave way to others and were run again", changes, again.Load())
}

// persist writes until that does not fail for the sake of another's write, as
// an application must. It returns the rows affected and how often the write
// had to be run again.
func persist(write func() *gorm.DB) (affected, again int64, err error) {
	const patience = 1000
	for again = range int64(patience) {
		out := write()
		if err = out.Error; !gaveWay(err) {
			return out.RowsAffected, again, err
		}
	}
	return 0, again, err
}

// gaveWay reports whether a statement failed for no fault of its own: a
// deadlock, or SQLite's lock that did not come in time.
func gaveWay(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40P01"
	}
	return err != nil && strings.Contains(err.Error(), "SQLITE_BUSY")
}

// hurryDeadlocks has the server look for deadlocks at once. A role that may
// not say so waits a second for each.
func (d *replayDatabase) hurryDeadlocks(t *testing.T) {
	if !d.path.postgres() {
		return
	}
	const hurry = `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''20ms''', current_database());
	EXCEPTION WHEN insufficient_privilege THEN NULL; END $$`
	if err := d.bare.Exec(hurry).Error; err != nil {
		t.Fatal(err)
	}
	conn, err := d.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxIdleConns(0) // the connections that there are do not know it
}
