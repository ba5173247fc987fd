package gormhook_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// sequencesVariable names the environment variable that says how many
// sequences are drawn for each engine and path.
const sequencesVariable = "AUDIT_REPLAY_SEQUENCES"

const sequences = 2000

// replayOperations are all that sequences are made of, by what they are done
// with.
var replayOperations = [][]replayOperation{
	replayNotes.operations(), replayDrafts.operations(), replayPlaces.operations(), replayContacts.operations(),
	replayParcels.operations(), replayTreasures.operations(), replayOrders.operations(), replayLines.operations(),
	replayStamps.operations(), replayEchoes.operations(), replayAssociations,
}

// Invariant 2: folding the entries of a table in the order of seq rebuilds its
// rows exactly, whatever sequence of operations made them. And 3 and 4 with it:
// the before of each entry is what the entries before it made, and each trace
// has one entry of its id.
func TestReplay(t *testing.T) {
	n := sequences
	if text := os.Getenv(sequencesVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n <= 0 {
			t.Fatalf("%s is %q: a number of sequences expected", sequencesVariable, text)
		}
	}
	set(t, "rapid.checks", strconv.Itoa(n))
	keepDefaultRecorder(t)
	for _, path := range replayPaths {
		t.Run(path.name, func(t *testing.T) {
			t.Parallel()
			r := newReplay(t, path)
			rapid.Check(t, r.sequence)
			t.Logf("%d sequences: %d operations, %d of them refused by the database, %d entries",
				r.sequences.Load(), r.operations.Load(), r.refused.Load(), r.entries.Load())
		})
	}
}

// set gives a flag of the test binary a value until the test ends.
func set(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, before); err != nil {
			t.Error(err)
		}
	})
}

// replay runs sequences on one database, one after the other.
type replay struct {
	*replayDatabase
	schema *replaySchema
	clear  string

	sequences, operations, refused, entries atomic.Int64
}

func newReplay(t *testing.T, path replayPath) *replay {
	d := openReplay(t, path, migrateReplay)
	schema, err := readReplaySchema(d.bare, replayModels)
	if err != nil {
		t.Fatal(err)
	}
	return &replay{replayDatabase: d, schema: schema, clear: clearing(path.postgres())}
}

// clearing is what makes all tables as they were in the beginning.
func clearing(postgres bool) string {
	var b strings.Builder
	for _, name := range []string{"replay_post_tags", "replay_attachments", "replay_comments", "replay_covers", "replay_posts"} {
		b.WriteString(`DELETE FROM ` + name + `; `)
	}
	for _, name := range slices.Sorted(maps.Values(replayModels)) {
		b.WriteString(`DELETE FROM "` + name + `"; `)
	}
	first := strconv.Itoa(firstID)
	if !postgres {
		b.WriteString(`UPDATE sqlite_sequence SET seq = ` + first)
		return b.String()
	}
	b.WriteString(`SELECT setval(c.oid, ` + first + `) FROM pg_class c WHERE c.relkind = 'S' AND c.relname ~ '^(replay|order)_'`)
	return b.String()
}

// sequence runs one sequence and holds the trail against the tables.
func (r *replay) sequence(t *rapid.T) {
	r.sequences.Add(1)
	if err := r.bare.Exec(r.clear).Error; err != nil {
		t.Fatalf("clearing the tables: %v", err)
	}
	var last int64
	if err := r.bare.Raw(`SELECT coalesce(max(seq), 0) FROM audit_logs`).Scan(&last).Error; err != nil {
		t.Fatal(err)
	}
	// Few kinds of rows in each sequence, so that they meet.
	drawKind := rapid.IntRange(0, len(replayOperations)-1)
	from := replayOperations[drawKind.Draw(t, "rows")]
	if rapid.Bool().Draw(t, "and others") {
		from = slices.Concat(from, replayOperations[drawKind.Draw(t, "rows")])
	}
	for range rapid.IntRange(1, 4).Draw(t, "steps") {
		r.step(t, from)
	}

	if err := r.compare(last); err != nil {
		// Apart, because a sequence is made smaller for as long as it fails with
		// the same words.
		t.Log(err)
		t.Fatal("the trail is not the history of the tables")
	}
}

// compare holds the entries behind last, since when all tables were empty,
// against the tables.
func (r *replay) compare(last int64) error {
	entries, err := r.schema.entriesAfter(r.bare, last)
	if err != nil {
		return err
	}
	r.entries.Add(int64(len(entries)))
	if err := resolves(entries); err != nil {
		return err
	}
	folded := r.schema.empty()
	if err := r.schema.fold(folded, entries); err != nil {
		return err
	}
	tables, err := r.schema.read(r.bare)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(tables, folded); diff != "" {
		return fmt.Errorf("the tables (-) and what the entries make of them (+):\n%s", diff)
	}
	return nil
}

// step is a part of a sequence: operations in or out of an action.
func (r *replay) step(t *rapid.T, from []replayOperation) {
	if rapid.IntRange(0, 2).Draw(t, "action") > 0 {
		_ = r.operate(t, r.db.WithContext(context.Background()), from, 0) // refused, or rolled back
		return
	}
	actor := "somebody"
	if rapid.IntRange(0, 7).Draw(t, "unwelcome") == 0 {
		actor = unwelcome
	}
	ctx, trace, err := r.act(context.Background(), trail.Action{
		Actor: trail.Actor{ID: actor}, Event: rapid.SampledFrom(trail.Events()).Draw(t, "event"),
		Model:    rapid.SampledFrom(sortedKeys(replayModels)).Draw(t, "model"),
		EntityID: rapid.SampledFrom([]string{"", "", "1", "2", "101"}).Draw(t, "entity"),
	})
	if actor == unwelcome && err != nil {
		return // what is written ahead cannot be
	}
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(1, 3).Draw(t, "operations") {
		_ = r.operate(t, r.db.WithContext(ctx), from, 0)
	}
	if rapid.Bool().Draw(t, "fails") {
		err = errors.New("the work failed")
	}
	if err = trace.End(err); (err != nil) != (actor == unwelcome) {
		t.Fatalf("the end of an action of %s: %v", actor, err)
	}
}

// errRollback rolls back a transaction of which nothing failed.
var errRollback = errors.New("rolled back")

// operate does one operation, or several in a transaction, or, where there is
// one, in a savepoint.
func (r *replay) operate(t *rapid.T, db *gorm.DB, from []replayOperation, depth int) error {
	if depth >= 3 || rapid.IntRange(0, 2).Draw(t, "transaction") > 0 {
		return r.operation(t, db, from)
	}
	several := func(tx *gorm.DB) error {
		for range rapid.IntRange(1, 4).Draw(t, "operations") {
			err := r.operate(t, tx, from, depth+1)
			if err != nil && (r.path.postgres() || rapid.Bool().Draw(t, "return")) {
				return err
			} // else SQLite continues as if the statement had not been
		}
		if rapid.IntRange(0, 3).Draw(t, "roll back") == 0 {
			return errRollback
		}
		return nil
	}
	var err error
	if depth == 0 && rapid.IntRange(0, 3).Draw(t, "by hand") == 0 {
		err = byHand(t, db, several)
	} else {
		err = db.Transaction(several)
	}
	if depth > 0 && rapid.Bool().Draw(t, "go on") {
		return nil // what a savepoint has taken back need not fail the whole
	}
	return err
}

// byHand is a transaction whose ends and savepoints are the application's own.
func byHand(t *rapid.T, db *gorm.DB, several func(*gorm.DB) error) error {
	tx := db.Begin()
	if tx.Error != nil {
		return tx.Error
	}
	ended := false
	defer func() {
		if !ended { // a failed test leaves by a panic
			tx.Rollback()
		}
	}()
	for range rapid.IntRange(1, 2).Draw(t, "savepoints") {
		if err := tx.SavePoint("here").Error; err != nil {
			return err
		}
		if several(tx) != nil {
			if err := tx.RollbackTo("here").Error; err != nil {
				return err
			}
		}
	}
	ended = true
	return tx.Commit().Error
}

// operation does one operation. Its error is one that applications must
// expect; any other fails the test.
func (r *replay) operation(t *rapid.T, db *gorm.DB, from []replayOperation) error {
	o := rapid.SampledFrom(from).Draw(t, "operation")
	s := gorm.Session{
		PrepareStmt:            rapid.IntRange(0, 3).Draw(t, "prepare") == 0,
		SkipDefaultTransaction: rapid.IntRange(0, 3).Draw(t, "skip transaction") == 0,
		SkipHooks:              rapid.IntRange(0, 7).Draw(t, "skip hooks") == 0,
	}
	r.operations.Add(1)
	err := o.run(t, db.Session(&s))
	if err != nil {
		if !refused(err) {
			t.Log(err)
			t.Fatal("the operation failed: ", o.name)
		}
		r.refused.Add(1)
	}
	return err
}

// refused reports whether a statement was refused for what it says, or for who
// says it.
func refused(err error) bool {
	var pg *pgconn.PgError
	switch {
	case strings.Contains(err.Error(), "no entry of "+unwelcome):
		return true
	case errors.Is(err, gormhook.ErrNotRecorded):
		return false
	case errors.As(err, &pg):
		return strings.HasPrefix(pg.Code, "23") || // a constraint
			pg.Code == "21000" // an upsert that meets the same row twice
	default:
		return errors.Is(err, errVetoed) || errors.Is(err, context.Canceled) ||
			errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, gorm.ErrMissingWhereClause) ||
			strings.Contains(err.Error(), "constraint failed") ||
			strings.Contains(err.Error(), `near "DEFAULT"`) // what GORM writes of rows of which some have a value, SQLite cannot read
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
