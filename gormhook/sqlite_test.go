package gormhook_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/plugin/dbresolver"

	"github.com/infrakitchen/audit/gormhook"
)

// A key of SQLite's may say itself what becomes of the rows in the way.
func TestConflictClauseOfATable(t *testing.T) {
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE seats (id integer PRIMARY KEY, code text UNIQUE ON CONFLICT REPLACE, n int)`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	for id, code := range []string{"a", "b", "a"} {
		must(t, d.db.Table("seats").Create(map[string]any{"id": id + 1, "code": code, "n": 1}))
	}
	d.wants(t, "insert seat 1", "insert seat 2", "delete seat 1", "insert seat 3")
	must(t, d.db.Table("seats").Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.Assignments(map[string]any{"n": 2})}).
		Create([]map[string]any{{"id": 3, "code": "c", "n": 1}, {"id": 4, "code": "b", "n": 1}}))
	d.wants(t, "delete seat 2", "update seat 3", "insert seat 4")
}

// Of rows that replace each other in one statement, what is left counts.
func TestRowsThatReplaceEachOther(t *testing.T) {
	type Seat struct {
		ID   int64
		Code string
	}
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE seats (id integer PRIMARY KEY, code text UNIQUE)`, `INSERT INTO seats VALUES (8, 'old'), (9, 'x')`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	replace := d.db.Clauses(clause.Insert{Modifier: "OR REPLACE"})
	tx := replace.Create(&[]Seat{{8, "a"}, {8, "b"}, {2, "x"}, {5, "x"}, {9, "y"}, {10, "y"}})
	must(t, tx)
	if tx.RowsAffected != 6 {
		t.Errorf("%d rows affected, want 6", tx.RowsAffected)
	}
	entries := d.wants(t, "delete seat 9", "update seat 8", "insert seat 5", "insert seat 10")
	if got := spelled(entries[1].after)["code"]; got != `"b"` {
		t.Errorf("seat 8 became %s", entries[1])
	}
}

// A key compares texts as it says, not as its column does.
func TestCollationOfAKey(t *testing.T) {
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE nicks (id integer PRIMARY KEY, name text, n int)`, `CREATE UNIQUE INDEX nick ON nicks (name COLLATE NOCASE)`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	must(t, d.db.Table("nicks").Create(map[string]any{"id": 1, "name": "ann", "n": 1}))
	target := []clause.Column{{Name: "name COLLATE NOCASE", Raw: true}}
	must(t, d.db.Table("nicks").Clauses(clause.OnConflict{Columns: target, DoUpdates: clause.Assignments(map[string]any{"n": 2})}).
		Create(map[string]any{"id": 2, "name": "ANN", "n": 5}))
	must(t, d.db.Table("nicks").Clauses(clause.Insert{Modifier: "OR REPLACE"}).Create(map[string]any{"id": 3, "name": "Ann", "n": 6}))
	d.wants(t, "insert nick 1", "update nick 1", "delete nick 1", "insert nick 3")
}

// A driver that is not told how writes times as Go prints them, also in a zone
// that has no name.
func TestTimesAsGoPrintsThem(t *testing.T) {
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE stamps (id integer PRIMARY KEY, at datetime)`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 5*3600+1800))
	for id, zone := range []*time.Location{at.Location(), time.FixedZone("IST", 5*3600+1800), time.UTC} {
		must(t, d.db.Table("stamps").Create(map[string]any{"id": id + 1, "at": at.In(zone).String()}))
	}
	for _, e := range d.wants(t, "insert stamp 1", "insert stamp 2", "insert stamp 3") {
		if got := spelled(e.after)["at"]; got != `"2026-01-01T21:34:05.678901Z"` {
			t.Errorf("the time is spelled %s", got)
		}
	}
}

// The first end of a comment is its end, whatever begins in it: what follows is
// a change that must be seen.
func TestCommentInAComment(t *testing.T) {
	d := newFixture(t, routes()[0], "tags")
	refusing := d.handle(byDefault)
	must(t, refusing.Create(&Tag{1, "a"}))
	d.db = d.dial(byDefault)
	if err := errors.Join(d.db.Use(d.plugin), refusing.Use(gormhook.Plugin{Raw: gormhook.RawRefuse})); err != nil {
		t.Fatal(err)
	}
	const text = "/* see /* below */ UPDATE tags SET name = 'x'"
	must(t, d.db.Exec(text))
	d.wants(t, "raw update tag 1")
	if err := refusing.Exec(text).Error; !errors.Is(err, gormhook.ErrRawSQL) {
		t.Errorf("got %v, want gormhook.ErrRawSQL", err)
	}
}

// Rows of a table without rowid are told apart by keys that hold anything.
func TestKeysOfAnyBytes(t *testing.T) {
	d := newFixture(t, routes()[0])
	d.run(t, `CREATE TABLE marks (k text PRIMARY KEY, n int) WITHOUT ROWID`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	keys := []any{"a\x00b", "a\x00c", "a\xff"}
	for n, k := range keys {
		must(t, d.db.Table("marks").Create(map[string]any{"k": k, "n": 10 + n}))
	}
	must(t, d.db.Table("marks").Where("abs(n) > 10").Updates(map[string]any{"n": 20}), d.db.Table("marks").Where("n > 0").Updates(map[string]any{"n": gorm.Expr("n + 1")}))
	must(t, d.db.Table("marks").Where("n > 0").Delete(nil))
	count := map[string]int{}
	for _, e := range readEntries(t, d.desk, 0) {
		count[e.operation]++
	}
	if count["insert"] != 3 || count["update"] != 5 || count["delete"] != 3 {
		t.Errorf("the entries are %v, want 3, 5 and 3", count)
	}
}

// A table of a database that is attached is not read, so that one of the same
// name is not taken for it.
func TestAttachedDatabase(t *testing.T) {
	d := newFixture(t, routes()[0])
	conn, err := d.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxOpenConns(1)
	must(t, d.db.Exec(`ATTACH ? AS annex`, filepath.Join(t.TempDir(), "annex.db")), d.db.Exec(`CREATE TABLE annex.twice (id integer PRIMARY KEY, name text)`),
		d.db.Exec(`CREATE TABLE main.twice (id integer PRIMARY KEY, other text)`), d.db.Exec(`INSERT INTO annex.twice VALUES (1, 'a')`))
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	must(t, d.db.Table("annex.twice").Where("id = 1").Updates(map[string]any{"name": "b"}), d.db.Table("annex.twice").Where("id = 1").Delete(nil))
	d.wants(t, "raw update twice 1", "raw delete twice 1")
	must(t, d.db.Table("main.twice").Create(map[string]any{"id": 1, "other": "a"}))
	d.wants(t, "insert twice 1")
}

// A statement is prepared for one database, and a handle may have several.
func TestPreparedForAnotherDatabase(t *testing.T) {
	d := newFixture(t, routes()[0], "tags", "companies")
	other := newFixture(t, routes()[0], "tags", "companies")
	conn, err := other.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(
		d.db.Use(dbresolver.Register(dbresolver.Config{Sources: []gorm.Dialector{sqlite.New(sqlite.Config{Conn: conn})}}, &Company{})),
		d.db.Use(d.plugin),
	); err != nil {
		t.Fatal(err)
	}
	for id := range int64(6) {
		must(t, d.db.Create(&Tag{id + 1, "a"}), d.db.Create(&Company{id + 1, "a"}),
			d.db.Model(&Company{ID: id + 1}).Update("name", "b"), d.db.Model(&Tag{ID: id + 1}).Update("name", "b"))
	}
	if here, there := len(readEntries(t, d.desk, 0)), len(readEntries(t, other.desk, 0)); here != 12 || there != 12 {
		t.Errorf("%d and %d entries, want 12 and 12", here, there)
	}
}

// A transaction that has read cannot become a writer once another has written:
// the capture's own reads come behind the lock.
func TestUpsertsOfManyAtOnce(t *testing.T) {
	d := newFixture(t, routes()[0], "tags")
	conn, err := sql.Open("sqlite", strings.ReplaceAll(d.dsn, "_txlock=immediate", "_txlock=deferred"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), config(byDefault))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for n := range 15 {
				if err := db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Tag{int64(n), strconv.Itoa(g)}).Error; err != nil {
					t.Errorf("an upsert: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// GORM's migrator makes a table anew and takes its rows along: none has changed.
func TestTableThatIsMadeAnew(t *testing.T) {
	type Gadget struct {
		ID   int64
		Name string
		Old  string
	}
	d := newFixture(t, routes()[0])
	for _, policy := range []gormhook.RawPolicy{gormhook.RawRecord, gormhook.RawRefuse} {
		db := d.dial(byDefault)
		if err := errors.Join(db.Use(gormhook.Plugin{Raw: policy}), db.AutoMigrate(&Gadget{})); err != nil {
			t.Fatal(err)
		}
		must(t, db.Create(&Gadget{Name: "a"}))
		if err := errors.Join(db.Migrator().AlterColumn(&Gadget{}, "Name"), db.Migrator().DropColumn(&Gadget{}, "Old"), db.Migrator().AddColumn(&Gadget{}, "Old")); err != nil {
			t.Error(err)
		}
	}
	d.wants(t, "insert gadget 1..2")
}
