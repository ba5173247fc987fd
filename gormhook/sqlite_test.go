package gormhook_test

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm/clause"

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
