package gormhook_test

import (
	"fmt"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
)

// oneConnection returns a SQLite database over one connection, with a table of
// tags that is audited.
func oneConnection(t *testing.T) *gorm.DB {
	t.Helper()
	db := testdb.OpenSQLite(t)
	conn, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetMaxOpenConns(1)
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	must(t, db.Exec(`CREATE TABLE tags (id integer PRIMARY KEY, name text)`))
	if err := db.Use(gormhook.Plugin{}); err != nil {
		t.Fatal(err)
	}
	return db
}

// Statements of SQLite that come again are prepared through the pool. Where
// that has one connection, which another goroutine holds, neither may wait for
// the other; and of many texts only some are kept.
func TestPreparedOverOneConnection(t *testing.T) {
	db := oneConnection(t)
	const writers, rounds = 4, 90
	var group sync.WaitGroup
	for g := range writers {
		group.Go(func() {
			for n := range rounds {
				tag := Tag{ID: int64(g*rounds + n + 1), Name: "a"}
				err := db.Transaction(func(tx *gorm.DB) error { return tx.Create(&tag).Error })
				if err == nil {
					// A text of its own in each round, twice.
					where := fmt.Sprintf("id = ? AND %d = %d", n, n)
					for range 2 {
						if err == nil {
							err = db.Model(&Tag{}).Where(where, tag.ID).Update("name", gorm.Expr("name || 'b'")).Error
						}
					}
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	var entries, wrong int64
	must(t, db.Raw(`SELECT count(*) FROM audit_logs WHERE model = 'tag'`).Scan(&entries),
		db.Raw(`SELECT count(*) FROM tags WHERE name <> 'abb'`).Scan(&wrong))
	if entries != 3*writers*rounds || wrong != 0 {
		t.Errorf("%d entries, want %d; %d rows are wrong", entries, 3*writers*rounds, wrong)
	}
}

// A statement that was prepared ahead of a change of the schema, by somebody
// else, gives the columns that there are now.
func TestPreparedAheadOfASchemaChange(t *testing.T) {
	path := testdb.SQLite(t)
	open := func() *gorm.DB { return openSQLite(t, testdb.SQLiteDSN(path), config(byDefault)) }
	db, other := open(), open()
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	must(t, other.Exec(`CREATE TABLE tags (id integer PRIMARY KEY, name text)`))
	if err := db.Use(gormhook.Plugin{}); err != nil {
		t.Fatal(err)
	}
	write := func(id int64) {
		t.Helper()
		must(t, db.Create(&Tag{id, "a"}), db.Model(&Tag{ID: id}).Update("name", "b"), db.Delete(&Tag{ID: id}))
	}
	for id := range int64(4) {
		write(id + 1)
	}
	must(t, other.Exec(`ALTER TABLE tags ADD COLUMN shade text DEFAULT 'red'`))
	write(5)
	must(t, other.Exec(`ALTER TABLE tags DROP COLUMN shade`))
	write(6)
	for id, want := range map[int]string{4: `{"id":4,"name":"b"}`, 5: `{"id":5,"name":"b","shade":"red"}`, 6: `{"id":6,"name":"b"}`} {
		var got string
		must(t, db.Raw(`SELECT "before" FROM audit_logs WHERE operation = 'delete' AND entity_id = ?`, fmt.Sprint(id)).Scan(&got))
		if got != want {
			t.Errorf("the image of %d is %s, want %s", id, got, want)
		}
	}
}
