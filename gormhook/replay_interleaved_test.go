package gormhook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// interleaving is two transactions in one order: the second waits for what the
// first has done, which is then committed or taken back.
type interleaving struct {
	name, why     string
	first, second func(db *gorm.DB) *gorm.DB
}

var interleavings = []interleaving{
	{
		name: "update, update", why: "what was read ahead of the lock is not what is changed",
		first:  func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("n", 7) },
		second: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("n", gorm.Expr("n + 1")) },
	},
	{
		name: "update, update that no longer matches", why: "the condition is of the row as it is under the lock",
		first:  func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("bucket", 9) },
		second: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{}).Where("bucket = ?", 1).Update("n", 5) },
	},
	{
		name: "update, delete", why: "what is deleted is the row as the other left it",
		first:  func(db *gorm.DB) *gorm.DB { return db.Model(&tally{}).Where("id < ?", 3).Update("n", 7) },
		second: func(db *gorm.DB) *gorm.DB { return db.Where("n < ?", 100).Delete(&tally{}) },
	},
	{
		name: "delete, update", why: "a row that has gone is not changed",
		first:  func(db *gorm.DB) *gorm.DB { return db.Delete(&tally{ID: 1}) },
		second: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{}).Where("id < ?", 3).Update("n", 5) },
	},
	{
		name: "delete, delete", why: "a row goes once",
		first:  func(db *gorm.DB) *gorm.DB { return db.Delete(&tally{ID: 2}) },
		second: func(db *gorm.DB) *gorm.DB { return db.Where("id < ?", 4).Delete(&tally{}) },
	},
	{
		name: "delete, upsert", why: "what was to be updated is inserted",
		first:  func(db *gorm.DB) *gorm.DB { return db.Delete(&tally{ID: 1}) },
		second: func(db *gorm.DB) *gorm.DB { return upsertTallies(db, 1, 2, 5) },
	},
	{
		name: "insert, upsert", why: "the row in the way is not in the snapshot",
		first:  func(db *gorm.DB) *gorm.DB { return db.Create(newTally(5, 0)) },
		second: func(db *gorm.DB) *gorm.DB { return upsertTallies(db, 6, 5, 1) },
	},
	{
		name: "insert, insert unless there", why: "a row that is passed over leaves no entry",
		first: func(db *gorm.DB) *gorm.DB { return db.Create(newTally(5, 0)) },
		second: func(db *gorm.DB) *gorm.DB {
			return db.Clauses(clause.OnConflict{DoNothing: true}).Create(&[]*tally{newTally(5, 0), newTally(6, 0)})
		},
	},
	{
		name: "insert, insert", why: "a failed statement leaves no entry",
		first:  func(db *gorm.DB) *gorm.DB { return db.Create(newTally(5, 0)) },
		second: func(db *gorm.DB) *gorm.DB { return db.Create(&[]*tally{newTally(6, 0), newTally(5, 1)}) },
	},
	{
		name: "update, update of all with what they become", why: "the caller's rows are those that were changed",
		first: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 2}).Update("n", 7) },
		second: func(db *gorm.DB) *gorm.DB {
			var rows []tally
			return db.Model(&rows).Clauses(clause.Returning{}).Where("bucket < ?", 8).Update("n", gorm.Expr("n + 1"))
		},
	},
	{
		name: "change of a key, update", why: "the row is found under its lock by another key than in the snapshot",
		first: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("id", 11) },
		second: func(db *gorm.DB) *gorm.DB {
			return db.Model(&tally{}).Where("n < ?", 100).Update("n", gorm.Expr("n + 1"))
		},
	},
	{
		name: "change of a key, delete", why: "the same, of a row that goes",
		first:  func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("id", 11) },
		second: func(db *gorm.DB) *gorm.DB { return db.Where("bucket = ?", 1).Delete(&tally{}) },
	},
	{
		name: "change of a code, upsert by code", why: "the key in the way is another's, or nobody's",
		first: func(db *gorm.DB) *gorm.DB { return db.Model(&tally{ID: 1}).Update("code", "new") },
		second: func(db *gorm.DB) *gorm.DB {
			return db.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"bucket"}),
			}).Create(&[]tally{{ID: 21, Code: "new", Bucket: 3}, {ID: 22, Code: "1 of 0", Bucket: 4}})
		},
	},
}

func upsertTallies(db *gorm.DB, ids ...int64) *gorm.DB {
	var rows []*tally
	for _, id := range ids {
		rows = append(rows, newTally(id, 0))
	}
	return db.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"n": gorm.Expr("tallies.n + 1")}),
	}).Create(&rows)
}

// What comes of two transactions that meet is what comes of them without
// auditing, and the entries tell it. SQLite has one writer: nothing meets there.
func TestInterleaved(t *testing.T) {
	keepDefaultRecorder(t)
	for _, path := range replayPaths {
		if !path.postgres() {
			continue
		}
		d := openReplay(t, path, func(db *gorm.DB) error { return db.AutoMigrate(&tally{}) })
		plain := path.open(t)
		if err := plain.AutoMigrate(&tally{}); err != nil {
			t.Fatal(err)
		}
		schema, err := readReplaySchema(d.bare, map[string]string{"tally": "tallies"})
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range interleavings {
			for _, commit := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/commit=%t", path.name, i.name, commit), func(t *testing.T) {
					want, bare := i.run(t, plain, plain, schema, commit)
					var last int64
					if err := d.bare.Raw(`SELECT coalesce(max(seq), 0) FROM audit_logs`).Scan(&last).Error; err != nil {
						t.Fatal(err)
					}
					got, audited := i.run(t, d.db, d.bare, schema, commit)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s: the caller's results without auditing (-) and with (+):\n%s", i.why, diff)
					}
					if diff := cmp.Diff(bare, audited); diff != "" {
						t.Errorf("%s: the table without auditing (-) and with (+):\n%s", i.why, diff)
					}
					entries, err := schema.entriesAfter(d.bare, last)
					if err != nil {
						t.Fatal(err)
					}
					state := i.begin(schema)
					if err := schema.fold(state, entries); err != nil {
						t.Errorf("%s: %v", i.why, err)
					}
					if diff := cmp.Diff(audited, state); diff != "" {
						t.Errorf("%s: the table (-) and what the entries make of it (+):\n%s", i.why, diff)
					}
				})
			}
		}
	}
}

// begin is the state in which each begins: rows 1 to 4.
func (i interleaving) begin(schema *replaySchema) replayState {
	state := schema.empty()
	for id := range int64(4) {
		state["tallies"][fmt.Sprint(1+id)] = replayRow{
			"id": fmt.Sprint(1 + id), "code": jsonText(newTally(1+id, 0).Code), "bucket": fmt.Sprint((1 + id) % 2), "n": "0",
		}
	}
	return state
}

// run runs the two. It returns what the callers see and the table at the end.
func (i interleaving) run(t *testing.T, db, bare *gorm.DB, schema *replaySchema, commit bool) ([]string, replayState) {
	t.Helper()
	if err := bare.Exec(`DELETE FROM tallies`).Error; err != nil {
		t.Fatal(err)
	}
	for id := range int64(4) {
		if err := bare.Create(newTally(1+id, 0)).Error; err != nil {
			t.Fatal(err)
		}
	}
	tx := db.Begin()
	defer tx.Rollback()
	seen := []string{outcome(i.first(tx))}
	second := make(chan string, 1)
	go func() { second <- outcome(i.second(db.Session(&gorm.Session{}))) }()
	awaitWaiter(t, bare, second)
	end := tx.Rollback
	if commit {
		end = tx.Commit
	}
	if err := end().Error; err != nil {
		t.Fatal(err)
	}
	seen = append(seen, <-second)
	state, err := schema.read(bare)
	if err != nil {
		t.Fatal(err)
	}
	return seen, state
}

func outcome(db *gorm.DB) string { return fmt.Sprintf("%d rows, error %v", db.RowsAffected, db.Error) }

// awaitWaiter returns once a connection of the database waits for a lock, or
// there is nothing to wait for.
func awaitWaiter(t *testing.T, db *gorm.DB, done <-chan string) {
	t.Helper()
	for len(done) == 0 {
		var waiting int64
		if err := db.Raw(`SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting).Error; err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
