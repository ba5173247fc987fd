package gormhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// Statement caches of the driver hold the plugin's statements as they hold
// others, and outlive a change of the schema as they do without it.
func TestSchemaChanges(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Tag{1, "a"}), d.db.Model(&Tag{ID: 1}).Update("name", "b"))
		d.wants(t, "insert tag 1", "update tag 1")

		// Through this handle: what was known of the table is forgotten.
		if err := d.db.Exec(`ALTER TABLE tags ADD COLUMN colour text DEFAULT 'red'`).Error; err != nil {
			t.Fatal(err)
		}
		must(t, d.db.Table("tags").Where("id = 1").Updates(map[string]any{"colour": "blue"}), d.db.Create(&Tag{2, "b"}), d.db.Delete(&Tag{ID: 1}))
		entries := d.wants(t, "update tag 1", "insert tag 2", "delete tag 1")
		if len(entries) != 3 {
			return
		}
		for n, want := range []string{`"red"`, "", `"blue"`} {
			if got := spelled(entries[n].before)["colour"]; got != want {
				t.Errorf("the before image of entry %d has the colour %s, want %s", n, got, want)
			}
		}
		if got := spelled(entries[1].after)["colour"]; got != `"red"` {
			t.Errorf("the row was inserted with the colour %s", got)
		}

		// By somebody else, while this process runs.
		d.run(t, `ALTER TABLE tags ADD COLUMN size integer DEFAULT 4`)
		must(t, d.db.Table("tags").Where("id = 2").Updates(map[string]any{"size": 5}), d.db.Delete(&Tag{ID: 2}))
		entries = d.wants(t, "update tag 2", "delete tag 2")
		if len(entries) == 2 {
			if b, a := spelled(entries[0].before)["size"], spelled(entries[0].after)["size"]; b != "4" || a != "5" {
				t.Errorf("the size went from %s to %s, want from 4 to 5", b, a)
			}
			if got := spelled(entries[1].before)["size"]; got != "5" {
				t.Errorf("the row was deleted with the size %s, want 5", got)
			}
		}
		d.run(t, `ALTER TABLE tags DROP COLUMN size`, `ALTER TABLE tags RENAME COLUMN colour TO hue`)
		must(t, d.db.Create(&Tag{3, "c"}), d.db.Model(&Tag{ID: 3}).Update("name", "d"), d.db.Delete(&Tag{ID: 3}))
		entries = d.wants(t, "insert tag 3", "update tag 3", "delete tag 3")
		if len(entries) == 3 {
			if got := spelled(entries[2].before); got["hue"] != `"red"` || got["size"] != "" || got["colour"] != "" {
				t.Errorf("the row was deleted as %v", got)
			}
		}
	}, "tags")
}

// A schema for each tenant: the same name is another table, as the search
// path of the transaction says.
func TestSearchPath(t *testing.T) {
	for _, r := range routes()[1:] {
		if r.plugin.Portable {
			continue // it remembers a table by its name alone
		}
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r, "tags")
			for _, tenant := range []string{"one", "two"} {
				d.run(t, `CREATE SCHEMA `+tenant, `CREATE TABLE `+tenant+`.tags (id bigint PRIMARY KEY, name text)`)
			}
			d.run(t, `ALTER TABLE two.tags ADD COLUMN colour text DEFAULT 'red'`) // of a later version
			if err := d.db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time the tables are known
				for n, tenant := range []string{"one", "two", "public"} {
					err := d.db.Transaction(func(tx *gorm.DB) error {
						must(t, tx.Exec(`SET LOCAL search_path = `+tenant+`, public`))
						must(t, tx.Create(&Tag{1, tenant}), tx.Model(&Tag{ID: 1}).Update("name", "x"))
						must(t, tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Tag{1, "y"}), tx.Delete(&Tag{ID: 1}))
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
					entries := d.wants(t, "insert tag 1", "update tag 1", "update tag 1", "delete tag 1")
					want := row{"id": "1", "name": `"y"`}
					if n == 1 {
						want["colour"] = `"red"`
					}
					if len(entries) == 4 {
						if diff := cmp.Diff(want, spelled(entries[3].before)); diff != "" {
							t.Errorf("%s: the row was deleted otherwise (-want +got):\n%s", tenant, diff)
						}
					}
				}
			}
		})
	}
}

// Tables of a session, and of a database that is attached to it, are tables.
func TestTablesOfASession(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		pool, err := d.db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1) // it is one session
		names := []string{"fleeting"}
		must(t, d.db.Exec(`CREATE TEMPORARY TABLE fleeting (id bigint PRIMARY KEY, name text)`))
		for _, name := range names {
			model := strings.TrimSuffix(strings.TrimPrefix(name, "annex."), "s")
			must(t, d.db.Table(name).Create(map[string]any{"id": 1, "name": "a"}), d.db.Table(name).Where("id = 1").Updates(map[string]any{"name": "b"}),
				d.db.Table(name).Where("id = 1").Delete(nil))
			entries := d.wants(t, "insert "+model+" 1", "update "+model+" 1", "delete "+model+" 1")
			if len(entries) == 3 {
				if diff := cmp.Diff(row{"id": "1", "name": `"b"`}, spelled(entries[2].before)); diff != "" {
					t.Errorf("%s: the row was deleted otherwise (-want +got):\n%s", name, diff)
				}
			}
		}
	})
}

// What GORM's migrator does to the schema leaves no entries, through whatever
// handle it goes.
func TestMigrator(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Raw: gormhook.RawRefuse}, func(t *testing.T, d *fixture) {
		type Gadget struct {
			ID   int64
			Name string
		}
		if err := d.db.AutoMigrate(&Gadget{}, &Author{}); err != nil {
			t.Fatal(err)
		}
		must(t, d.db.Create(&Gadget{1, "a"}))
		m := d.db.Migrator()
		if err := errors.Join(m.AddColumn(&Author{}, "Name"), m.RenameColumn(&Gadget{}, "name", "label"), m.CreateIndex(&Author{}, "Name")); err != nil {
			t.Log(err) // whether GORM can do all of it is not the question
		}
		must(t, d.db.Table("gadgets").Where("id = 1").Updates(map[string]any{"label": "b"}))
		if err := errors.Join(m.DropTable(&Gadget{}), m.DropTable(&Profile{}, &Author{})); err != nil {
			t.Fatal(err)
		}
		d.wants(t, "insert gadget 1", "update gadget 1")
	})
}

// A schema for each tenant: foreign keys and triggers are of the table that the
// name means at the time.
func TestSearchPathOfForeignKeys(t *testing.T) {
	d := newFixture(t, routes()[1])
	for _, tenant := range []string{"one", "two"} {
		d.run(t, `CREATE SCHEMA `+tenant, `CREATE TABLE `+tenant+`.parents (id bigint PRIMARY KEY, name text)`,
			`CREATE TABLE `+tenant+`.kids (id bigint PRIMARY KEY, parent_id bigint REFERENCES `+tenant+`.parents ON DELETE CASCADE)`,
			`INSERT INTO `+tenant+`.parents VALUES (1, 'a'), (2, 'b')`, `INSERT INTO `+tenant+`.kids VALUES (10, 1)`)
	}
	d.run(t, `CREATE FUNCTION named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'named'; RETURN NEW; END $$`,
		`CREATE TRIGGER named BEFORE INSERT ON two.parents FOR EACH ROW EXECUTE FUNCTION named()`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	type Parent struct {
		ID   int64
		Name string
	}
	for _, set := range []string{"SET LOCAL search_path = %s, public", "SELECT set_config('search_path', '%s, public', true)"} {
		for n, tenant := range []string{"one", "two"} {
			if err := d.db.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Exec(fmt.Sprintf(set, tenant)), tx.Delete(&Parent{}, "id > 0"), tx.Create(&Parent{1, "c"}))
				return tx.Exec("INSERT INTO kids VALUES (10, 1)").Error
			}); err != nil {
				t.Fatal(err)
			}
			entries := readEntries(t, d.desk, d.mark)
			d.mark = entries[len(entries)-1].seq
			var kids, named int
			for _, e := range entries {
				if e.model == "kid" && e.operation == "delete" {
					kids++
				}
				if e.operation == "insert" && spelled(e.after)["name"] == `"named"` {
					named++
				}
			}
			if kids != 1 || named != n {
				t.Errorf("of %s %d kids are gone and %d rows were named, want 1 and %d", tenant, kids, named, n)
			}
		}
	}
}

// A change of the schema by another process, which nothing tells of, does not go
// unnoticed for long.
func TestSchemaChangesOfOthers(t *testing.T) {
	gormhook.SetMaxTableAge(t, 0)
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE parents (id bigint PRIMARY KEY, name text)`, `CREATE TABLE kids (id bigint PRIMARY KEY, parent_id bigint)`,
			`INSERT INTO parents VALUES (1, 'a'), (2, 'b')`)
		type Parent struct {
			ID   int64
			Name string
		}
		must(t, d.db.Model(&Parent{ID: 2}).Update("name", "c"), d.db.Delete(&Parent{ID: 3}))
		if d.engine == postgresEngine {
			d.run(t, `ALTER TABLE kids ADD FOREIGN KEY (parent_id) REFERENCES parents ON DELETE CASCADE`,
				`ALTER TABLE parents ADD COLUMN upper text GENERATED ALWAYS AS (upper(name)) STORED`)
		} else {
			d.run(t, `DROP TABLE kids`, `CREATE TABLE kids (id bigint PRIMARY KEY, parent_id bigint REFERENCES parents ON DELETE CASCADE)`,
				`ALTER TABLE parents ADD COLUMN upper text AS (upper(name))`)
		}
		d.run(t, `INSERT INTO kids VALUES (10, 1)`)
		must(t, d.db.Model(&Parent{ID: 2}).Update("name", "d"), d.db.Delete(&Parent{ID: 1}))
		entries := d.wants(t, "update parent 2", "update parent 2", "delete parent 1", "delete kid 10")
		if got := spelled(entries[1].after)["upper"]; got != `"D"` {
			t.Errorf("the computed column is %s", got)
		}
	})
}

// The years before Christ are no others than those after.
func TestYearsBeforeChrist(t *testing.T) {
	for _, r := range routes()[1:] {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r)
			d.run(t, `CREATE TABLE ides (id bigint PRIMARY KEY, at timestamptz, plain timestamp)`,
				`INSERT INTO ides VALUES (1, '0044-03-15 12:00+00 BC', '0044-03-15 12:00 BC')`)
			if err := d.db.Use(d.plugin); err != nil {
				t.Fatal(err)
			}
			must(t, d.db.Table("ides").Where("id = 1").Updates(map[string]any{"at": gorm.Expr("timestamptz '0044-03-15 12:00+00'"), "plain": gorm.Expr("timestamp '0044-03-15 12:00'")}))
			entries := d.wants(t, "update ide 1")
			before, after := spelled(entries[0].before), spelled(entries[0].after)
			for _, column := range []string{"at", "plain"} {
				if before[column] != `"0044-03-15 12:00:00 BC"` || after[column] != `"0044-03-15T12:00:00.000000Z"` {
					t.Errorf("%s is %s and then %s", column, before[column], after[column])
				}
			}
		})
	}
}

// No time.Time is infinite: what comes back of the database's default is an
// error, and GORM then takes the row back.
func TestDefaultThatCannotBeRead(t *testing.T) {
	type Term struct {
		ID    int64     `gorm:"autoIncrement:false"`
		Until time.Time `gorm:"default:infinity"`
	}
	for _, r := range routes()[1:] {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r)
			d.run(t, `CREATE TABLE terms (id bigint PRIMARY KEY, until timestamptz NOT NULL DEFAULT 'infinity')`)
			if err := d.db.Use(d.plugin); err != nil {
				t.Fatal(err)
			}
			for id := range int64(3) {
				if err := d.db.Create(&Term{ID: id + 1}).Error; err == nil {
					t.Error("infinity was read")
				}
			}
			d.wants(t)
			if n := d.count(t, "terms", "id > 0"); n != 0 {
				t.Errorf("%d rows stand", n)
			}
		})
	}
}

// Another process changes the type of a column, in a way that the plan for it
// does not fit any more: outside of a transaction nobody notices.
func TestColumnOfAnotherType(t *testing.T) {
	d := newFixture(t, routes()[1])
	d.run(t, `CREATE TABLE stamps (id bigint PRIMARY KEY, at timestamptz)`)
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	type Stamp struct{ ID, At string }
	change := func(at string) *gorm.DB { return d.db.Model(&Stamp{ID: "1"}).Update("at", at) }
	must(t, d.db.Create(&Stamp{"1", "2026-01-02 03:04:05+00"}), change("2026-01-02 04:04:05+00"))
	d.run(t, `ALTER TABLE stamps ALTER COLUMN at TYPE text USING 'then'`)
	must(t, change("now"))
	d.run(t, `ALTER TABLE stamps ALTER COLUMN at TYPE timestamptz USING '2026-01-02 03:04:05+00'`)
	must(t, change("2026-01-02 04:04:05+00"))
	entries := d.wants(t, "insert stamp 1", "update stamp 1", "update stamp 1", "update stamp 1")
	if got := spelled(entries[2].before)["at"] + spelled(entries[2].after)["at"] + spelled(entries[3].before)["at"]; got != `"then""now""2026-01-02T03:04:05.000000Z"` {
		t.Errorf("the times are spelled %s", got)
	}
}

// A change of the schema that is rolled back did not happen, whatever was
// learned of it meanwhile.
func TestSchemaChangesRolledBack(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Tag{1, "a"}))
		d.wants(t, "insert tag 1")
		kind := map[string]string{sqliteEngine: "datetime", postgresEngine: "timestamptz"}[d.engine]
		for n := range 2 {
			err := d.db.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Exec(`ALTER TABLE tags ADD COLUMN since `+kind+` DEFAULT '2026-01-02 03:04:05+00:00'`), tx.Create(&Tag{2, "b"}), tx.Delete(&Tag{ID: 2}))
				if n == 0 {
					return errRefused
				}
				return nil
			})
			if n == 0 && !errors.Is(err, errRefused) || n == 1 && err != nil {
				t.Fatal(err)
			}
			if n == 1 {
				d.wants(t, "insert tag 2", "delete tag 2")
			}
			must(t, d.db.Create(&Tag{int64(3 + n), "c"}))
			entries := d.wants(t, fmt.Sprint("insert tag ", 3+n))
			want := []string{"", `"2026-01-02T03:04:05.000000Z"`}[n]
			if got := spelled(entries[0].after)["since"]; got != want {
				t.Errorf("the tag is since %s, want %s", got, want)
			}
		}
	}, "tags")
}
