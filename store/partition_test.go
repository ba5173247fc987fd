package store_test

import (
	"bytes"
	"errors"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// month returns the first instant of a month, counted from the one it is now
// for the database.
func month(tb testing.TB, db *gorm.DB, ahead int) time.Time {
	tb.Helper()
	var now time.Time
	if err := db.Raw("SELECT clock_timestamp()").Row().Scan(&now); err != nil {
		tb.Fatal(err)
	}
	now = now.UTC()
	return time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
}

func named(table string, month time.Time) string { return table + month.Format("_y2006m01") }

// where tells the partition that an entry is in.
func where(tb testing.TB, db *gorm.DB, e trail.Entry) string {
	tb.Helper()
	var name string
	if err := db.Raw("SELECT tableoid::regclass::text FROM audit_logs WHERE id = ?", e.ID.String()).Scan(&name).Error; err != nil {
		tb.Fatal(err)
	}
	return name
}

func makePartitions(tb testing.TB, db *gorm.DB, ahead int) {
	tb.Helper()
	if err := db.Exec("SELECT audit_make_partitions(?)", ahead).Error; err != nil {
		tb.Fatal(err)
	}
}

func TestPartitionsOfMonths(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	for _, table := range []string{"audit_logs", "audit_outcomes", "execution_logs"} {
		want := []string{table + "_default"}
		for ahead := range 4 {
			want = append(want, named(table, month(t, db, ahead)))
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, partitions(t, db, table)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", table, diff)
		}
	}
	next := month(t, db, 1)
	for name, c := range map[string]struct {
		at   time.Time
		want string
	}{
		"first instant of a month": {next, named("audit_logs", next)},
		"last instant of a month":  {next.Add(-time.Microsecond), named("audit_logs", month(t, db, 0))},
		"long ago":                 {time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC), "audit_logs_default"},
		"far ahead":                {next.AddDate(5, 0, 0), "audit_logs_default"},
		"beginning of time":        {time.UnixMicro(0), "audit_logs_default"},
	} {
		t.Run(name, func(t *testing.T) {
			e := entry(c.at)
			record(t, s, e)
			if got := where(t, db, e); got != c.want {
				t.Errorf("the entry is in %s, %s expected", got, c.want)
			}
			if got, err := s.Entry(t.Context(), e.ID); err != nil || !got.CreatedAt.Equal(c.at) {
				t.Errorf("got %v, %v", got.CreatedAt, err)
			}
		})
	}
}

// A month whose rows lie in the default partition stays there; those around it
// get partitions.
func TestMakePartitionsPassesOverDefault(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	early, late := entry(month(t, db, 5)), entry(month(t, db, 6).Add(-time.Microsecond))
	record(t, s, early)
	makePartitions(t, db, 6)
	record(t, s, late)
	for _, e := range []trail.Entry{early, late} {
		if got := where(t, db, e); got != "audit_logs_default" {
			t.Errorf("the entry is in %s", got)
		}
	}
	names := partitions(t, db, "audit_logs")
	for ahead, want := range map[int]bool{4: true, 5: false, 6: true} {
		if name := named("audit_logs", month(t, db, ahead)); slices.Contains(names, name) != want {
			t.Errorf("%s: %v expected of %q", name, want, names)
		}
	}
}

// Partitions that cannot be made are named, by whoever may only read as well,
// and entries are kept all the same.
func TestMissingPartitionsAreNamed(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	next := month(t, db, 1)
	for _, table := range []string{"audit_logs", "audit_outcomes", "execution_logs"} {
		if err := db.Exec("DROP TABLE " + named(table, next)).Error; err != nil {
			t.Fatal(err)
		}
	}
	e := entry(next)
	record(t, s, e)
	only := func(text string) bool {
		return strings.Contains(text, ": "+named("audit_logs", next)) &&
			!strings.Contains(text, "audit_outcomes_") && !strings.Contains(text, "execution_logs_")
	}
	if err := store.MakePartitions(t.Context(), db); !errors.Is(err, store.ErrPartition) || !only(err.Error()) {
		t.Errorf("got %v, want an error that names %s alone", err, named("audit_logs", next))
	}
	// No service must fail to start for it.
	var warned bytes.Buffer
	warning := logger.New(log.New(&warned, "", 0), logger.Config{LogLevel: logger.Warn})
	if err := store.Migrate(t.Context(), db.Session(&gorm.Session{Logger: warning})); err != nil || !only(warned.String()) {
		t.Errorf("Migrate returns %v, and warns %q", err, warned.String())
	}
	record(t, s, entry(next.Add(time.Hour)))
	if found := entries(t, s, store.Query{}); len(found) != 2 {
		t.Errorf("%d entries, 2 expected", len(found))
	}
	// What the comment on the error says to do.
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Transaction(func(tx *gorm.DB) error {
		n := 0
		for line := range strings.Lines(string(source)) {
			statement, ok := strings.CutPrefix(line, "\t//\t")
			if !ok {
				continue
			}
			n++
			if strings.HasPrefix(statement, "CREATE TRIGGER") {
				statement += " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()"
			} else if strings.HasPrefix(statement, " ") {
				continue
			}
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		if n != 8 {
			t.Errorf("%d lines of SQL, 8 expected", n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := where(t, db, e); got != named("audit_logs", next) {
		t.Errorf("the entry is in %s", got)
	}
	if err := store.MakePartitions(t.Context(), db); err != nil {
		t.Error(err)
	}
	if err := db.Exec("TRUNCATE audit_logs_default").Error; err == nil {
		t.Error("the new default partition is not guarded")
	}
}

func TestMakePartitionsBounds(t *testing.T) {
	db := testdb.OpenPostgres(t)
	migrated(t, db)
	for _, ahead := range []any{nil, -1, 0} {
		if err := db.Exec("SELECT audit_make_partitions(?::int)", ahead).Error; err != nil {
			t.Fatal(err)
		}
	}
	makePartitions(t, db, 1_000_000)
	if n := len(partitions(t, db, "audit_logs")); n != 26 { // this month, 24 ahead, default
		t.Errorf("%d partitions, 26 expected", n)
	}
}

// New partitions are guarded like those that were there first.
func TestMakePartitionsGuards(t *testing.T) {
	db := testdb.OpenPostgres(t)
	migrated(t, db)
	makePartitions(t, db, 4)
	for _, table := range []string{"audit_logs", "audit_outcomes"} {
		name := named(table, month(t, db, 4))
		for _, change := range []string{"TRUNCATE " + name, "DELETE FROM " + name, "UPDATE " + name + " SET outcome = 'x'"} {
			if err := db.Exec(change).Error; err == nil || !strings.Contains(err.Error(), "is append-only") {
				t.Errorf("%s: got %v, want a refusal", change, err)
			}
		}
	}
	if err := db.Exec("TRUNCATE " + named("execution_logs", month(t, db, 4))).Error; err != nil {
		t.Error(err)
	}
}

func TestMakePartitionsByManyAtOnce(t *testing.T) {
	const pools = 8
	dsn := testdb.Postgres(t)
	e := engines[1]
	db := e.open(t, dsn)
	migrated(t, db)
	for _, table := range []string{"audit_logs", "audit_outcomes", "execution_logs"} {
		for ahead := range 4 {
			if err := db.Exec("DROP TABLE " + named(table, month(t, db, ahead))).Error; err != nil {
				t.Fatal(err)
			}
		}
	}
	var all sync.WaitGroup
	errs := make([]error, pools)
	for i := range pools {
		db := e.open(t, dsn)
		all.Go(func() { errs[i] = store.MakePartitions(t.Context(), db) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"audit_logs", "audit_outcomes", "execution_logs"} {
		if names := partitions(t, db, table); len(names) != 5 {
			t.Errorf("%s has the partitions %q", table, names)
		}
	}
}

// Making partitions waits for nobody who writes entries, nor they for it.
func TestMakePartitionsWhileOthersWrite(t *testing.T) {
	dsn := testdb.Postgres(t)
	db, other := engines[1].open(t, dsn), engines[1].open(t, dsn)
	s := migrated(t, db)
	err := other.Transaction(func(tx *gorm.DB) error {
		now := month(t, db, 0)
		if err := store.Insert(t.Context(), tx.Statement.ConnPool, "postgres", []trail.Entry{entry(now)}); err != nil {
			return err
		}
		return db.Transaction(func(maker *gorm.DB) error {
			makePartitions(t, maker, 4)
			record(t, s, entry(now)) // while the maker's locks are held
			return store.Insert(t.Context(), tx.Statement.ConnPool, "postgres", []trail.Entry{entry(now)})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if name := named("audit_logs", month(t, db, 4)); !slices.Contains(partitions(t, db, "audit_logs"), name) {
		t.Errorf("%s was not made", name)
	}
}

// Somebody who holds the default partition keeps one month of one table from
// being made, and nothing else.
func TestMakePartitionsGivesUpOnLocks(t *testing.T) {
	dsn := testdb.Postgres(t)
	db, other := engines[1].open(t, dsn), engines[1].open(t, dsn)
	migrated(t, db)
	err := other.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec("LOCK TABLE audit_logs_default IN ACCESS SHARE MODE").Error; err != nil {
			return err
		}
		return db.Exec("SELECT audit_make_partitions(4)").Error
	})
	if err != nil {
		t.Fatal(err)
	}
	ahead := month(t, db, 4)
	if slices.Contains(partitions(t, db, "audit_logs"), named("audit_logs", ahead)) {
		t.Error("the month was made under a lock")
	}
	if !slices.Contains(partitions(t, db, "audit_outcomes"), named("audit_outcomes", ahead)) {
		t.Error("the other tables' month was not made")
	}
	makePartitions(t, db, 4)
	if !slices.Contains(partitions(t, db, "audit_logs"), named("audit_logs", ahead)) {
		t.Error("the month was not made later")
	}
}

// The tables may be in any schema: the function works on that one, whatever
// the path of who calls it, and whatever tables of that name are elsewhere.
func TestMakePartitionsInSchema(t *testing.T) {
	dsn := testdb.Postgres(t)
	db := engines[1].open(t, dsn)
	if err := db.Exec(`CREATE SCHEMA "My audit"`).Error; err != nil {
		t.Fatal(err)
	}
	inSchema := engines[1].open(t, dsn+`&search_path=%22My%20audit%22`)
	s := migrated(t, inSchema)
	record(t, s, entry(noon))
	migrated(t, db) // a second trail, in public

	if err := db.Exec(`SELECT "My audit".audit_make_partitions(4)`).Error; err != nil {
		t.Fatal(err)
	}
	names := partitions(t, inSchema, "audit_logs")
	if len(names) != 6 || len(partitions(t, db, "audit_logs")) != 5 {
		t.Errorf("partitions %q, and %q in public", names, partitions(t, db, "audit_logs"))
	}
	if n := count(t, db, "audit_logs"); n != 0 {
		t.Errorf("%d entries in public, 0 expected", n)
	}
}

func TestMakePartitionsOnSQLite(t *testing.T) {
	if err := store.MakePartitions(t.Context(), testdb.OpenSQLite(t)); err != nil {
		t.Error(err)
	}
}
