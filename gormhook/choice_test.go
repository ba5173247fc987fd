package gormhook_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// Include and Exclude know a model by its name, its table's and its type's.
func TestIncludeAndExclude(t *testing.T) {
	cases := []struct {
		name   string
		plugin gormhook.Plugin
		want   []string
	}{
		{"excluded by model", gormhook.Plugin{Exclude: []string{"tag", "renamed"}}, []string{"insert echo 1"}},
		{"excluded by table", gormhook.Plugin{Exclude: []string{"relabelled", "echos"}}, []string{"insert tag 1"}},
		{"excluded by type", gormhook.Plugin{Exclude: []string{"Tag", "Renamed"}}, []string{"insert echo 1"}},
		{"included by model", gormhook.Plugin{Include: []string{"renamed"}}, []string{"insert renamed k"}},
		{"included by table and type", gormhook.Plugin{Include: []string{"relabelled", "Echo"}}, []string{"insert renamed k", "insert echo 1"}},
		{"included and excluded", gormhook.Plugin{Include: []string{"tag", "echo"}, Exclude: []string{"tag"}}, []string{"insert echo 1"}},
		{"included: nothing there is", gormhook.Plugin{Include: []string{"nothing"}}, nil},
	}
	for _, r := range routes() {
		t.Run(r.name, func(t *testing.T) {
			d := newFixture(t, r, "tags", "relabelled", "echos")
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					d.run(t, "DELETE FROM tags", "DELETE FROM relabelled", "DELETE FROM echos")
					db := d.dial(byDefault)
					c.plugin.Portable = r.plugin.Portable
					if err := db.Use(c.plugin); err != nil {
						t.Fatal(err)
					}
					must(t, db.Create(&Tag{1, "a"}), db.Create(&Renamed{"k", "a"}), db.Create(&Echo{1, "a"}))
					d.wants(t, c.want...)
				})
			}
		})
	}
}

// Raw SQL is of the table that it names, which may be excluded.
func TestExcludeHoldsForRawSQL(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Exclude: []string{"tag"}}, func(t *testing.T, d *fixture) {
		must(t, d.db.Exec("INSERT INTO tags (id, name) VALUES (1, 'a')"), d.db.Table("tags").Where("id = 1").Updates(map[string]any{"name": "b"}))
		must(t, d.db.Table("tags AS t").Where("t.id = 1").Updates(map[string]any{"name": "c"}))
		d.wants(t)
	}, "tags")
}

// Muted says itself that it is not audited, Quiet by its name, Renowned has
// another name than its type, and labels.
type (
	Muted struct {
		_    struct{} `audit:"-"`
		ID   int64
		Name string
	}
	Quiet struct {
		ID   int64
		Name string
	}
	Renowned struct {
		ID   int64
		Name string
		Fail bool `gorm:"-"`
	}
	Labelled struct {
		ID     int64
		Title  string `audit:"name"`
		Secret string
	}
)

func (Quiet) AuditModel() string     { return "" }
func (*Renowned) AuditModel() string { return "celebrity" }

func (r *Renowned) AuditName() string {
	if r.Fail {
		panic("no name")
	}
	return "the " + r.Name
}

func migrated(t *testing.T, d *fixture, models ...any) {
	t.Helper()
	if err := d.bare.AutoMigrate(models...); err != nil {
		t.Fatal(err)
	}
}

func TestModelsSayTheyAreNotAudited(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Muted{}, &Quiet{})
		must(t, d.db.Create(&Muted{ID: 1}), d.db.Create(&Quiet{ID: 1}), d.db.Model(&Muted{ID: 1}).Update("name", "x"),
			d.db.Delete(&Quiet{}, 1), d.db.Save(&Muted{ID: 1}))
		d.wants(t)
	})
}

// Gone marks a row as deleted by any text at all, GORM's own way of a time
// with another type.
type Gone sql.NullString

func (g *Gone) Scan(v any) error                            { return (*sql.NullString)(g).Scan(v) }
func (g Gone) Value() (driver.Value, error)                 { return sql.NullString(g).Value() }
func (Gone) GormDataType() string                           { return "text" }
func (Gone) DeleteClauses(*schema.Field) []clause.Interface { return nil }

// Of a text, null is a row that is there, whatever route is taken: the empty
// text is not.
func TestSoftDeleteByText(t *testing.T) {
	type Paper struct {
		ID   int64
		Gone Gone
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Paper{})
		must(t, d.db.Create(&Paper{ID: 1}))
		for _, gone := range []any{"x", "", nil, ""} {
			must(t, d.db.Model(&Paper{ID: 1}).Updates(map[string]any{"gone": gone}))
		}
		d.wants(t, "insert paper 1", "softdelete paper 1", "update paper 1", "restore paper 1", "softdelete paper 1")
	})
}

// AuditModel names the model; AuditName labels rows, of one row or of several.
func TestModelsNameThemselves(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Renowned{})
		list := []Renowned{{ID: 1, Name: "Ann"}, {ID: 2, Name: "Bob"}}
		must(t, d.db.Create(&list))
		list[0].Name = "Cid"
		must(t, d.db.Save(&list[0]))
		must(t, d.db.Model(&list[1]).Update("name", "Dot"))
		must(t, d.db.Model(&Renowned{}).Where("id > 0").Update("name", "Eve")) // nobody knows their labels
		must(t, d.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Renowned{ID: 1, Name: "Fay"}))
		must(t, d.db.Delete(&list[0]))
		entries := d.wants(t, "insert celebrity 1..2", "update celebrity 1", "update celebrity 2", "update celebrity 1..2", "update celebrity 1", "delete celebrity 1")
		var names []string
		for _, e := range entries {
			names = append(names, e.entity+" "+e.name)
		}
		want := "1 the Ann|2 the Bob|1 the Cid|2 the Dot|1 |2 |1 the Fay|1 the Cid"
		if got := strings.Join(names, "|"); got != want {
			t.Errorf("the labels are %q, want %q", got, want)
		}
	})
}

// A column can be the label: that of the row, also where nobody has read it.
// A masked column never is.
func TestColumnIsTheLabel(t *testing.T) {
	onRoutes(t, gormhook.Plugin{MaskColumns: nil}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Labelled{})
		must(t, d.db.Create(&[]Labelled{{1, `"a"`, "x"}, {2, "b", "y"}}), d.db.Model(&Labelled{}).Where("id > 0").Update("secret", "z"),
			d.db.Model(&Labelled{ID: 1}).Update("title", "c"), d.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Labelled{2, "d", "z"}),
			d.db.Where("id = 1").Delete(&Labelled{}))
		var names []string
		for _, e := range d.wants(t, "insert labelled 1..2", "update labelled 1..2", "update labelled 1", "update labelled 2", "delete labelled 1") {
			names = append(names, e.entity+" "+e.name)
		}
		want := `1 "a"|2 b|1 "a"|2 b|1 c|2 d|1 c`
		if got := strings.Join(names, "|"); got != want {
			t.Errorf("the labels are %q, want %q", got, want)
		}
	})
}

// A panic in AuditName is an error of the write, which does not stand; the
// connection of the implicit transaction is not lost.
func TestPanicInAuditName(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Renowned{})
		pool, err := d.db.DB()
		if err != nil {
			t.Fatal(err)
		}
		pool.SetMaxOpenConns(1)
		for range 3 {
			err := d.db.Create(&Renowned{ID: 1, Name: "Ann", Fail: true}).Error
			if !errors.Is(err, gormhook.ErrNotRecorded) || !strings.Contains(err.Error(), "no name") {
				t.Fatalf("got %v, want gormhook.ErrNotRecorded with the panic's value", err)
			}
		}
		if n := d.count(t, "renowneds", "1 = 1"); n != 0 {
			t.Errorf("%d rows stand that were not recorded", n)
		}
		must(t, d.db.Create(&Renowned{ID: 1, Name: "Ann"}))
		d.wants(t, "insert celebrity 1")
	})
}

// A write outside any action is refused where the application wants it so,
// ahead of the database; within one it is not.
func TestRequireActor(t *testing.T) {
	onRoutes(t, gormhook.Plugin{RequireActor: true}, func(t *testing.T, d *fixture) {
		d.given(t, tags(2))
		failures := gormhook.Failures()
		writes := func(db *gorm.DB) []*gorm.DB {
			return []*gorm.DB{
				db.Create(&Tag{9, "a"}), db.Model(&Tag{ID: 1}).Update("name", "x"), db.Delete(&Tag{ID: 2}),
				db.Exec("UPDATE tags SET name = 'y' WHERE id = 1"), db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Tag{1, "z"}),
			}
		}
		for _, tx := range writes(d.db) {
			if !errors.Is(tx.Error, gormhook.ErrNoActor) {
				t.Errorf("got %v, want gormhook.ErrNoActor", tx.Error)
			}
			if errors.Is(tx.Error, gormhook.ErrNotRecorded) {
				t.Errorf("a refusal counts as a failure: %v", tx.Error)
			}
		}
		d.wants(t)
		if n := d.count(t, "tags", "name LIKE 'tag%'"); n != 2 {
			t.Errorf("%d rows are as they were, want 2", n)
		}
		must(t, writes(d.db.WithContext(trail.Skip(t.Context())))...)
		d.wants(t)
		d.run(t, "DELETE FROM tags", "INSERT INTO tags (id, name) VALUES (1, 'a'), (2, 'b')")
		ctx, trace := d.act(t, trail.Action{Actor: trail.Actor{ID: "u1"}, Event: trail.Sync})
		must(t, writes(d.db.WithContext(ctx))...)
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		d.wants(t, "sync  ", "insert tag 9", "update tag 1", "delete tag 2", "raw update tag 1", "update tag 1")
		if got := gormhook.Failures(); got != failures {
			t.Errorf("%d failures were counted", got-failures)
		}
	}, "tags")
}

// Raw SQL that changes data is refused before it is run, or passes unseen.
func TestRawPolicies(t *testing.T) {
	statements := []string{
		"UPDATE tags SET name = 'x' WHERE id = 1", "INSERT INTO tags (id, name) VALUES (7, 'x')", "DELETE FROM tags WHERE id = 2",
		"WITH a AS (SELECT 1) DELETE FROM tags WHERE id = 2",
	}
	t.Run("refuse", func(t *testing.T) {
		onRoutes(t, gormhook.Plugin{Raw: gormhook.RawRefuse}, func(t *testing.T, d *fixture) {
			d.given(t, tags(2))
			for _, s := range statements {
				err := d.db.Exec(s).Error
				if !errors.Is(err, gormhook.ErrRawSQL) || strings.Contains(err.Error(), "'x'") {
					t.Errorf("%s: got %v, want gormhook.ErrRawSQL without a literal", s, err)
				}
			}
			var id int64
			if err := d.db.Raw("DELETE FROM tags RETURNING id").Scan(&id).Error; !errors.Is(err, gormhook.ErrRawSQL) {
				t.Errorf("Raw: got %v, want gormhook.ErrRawSQL", err)
			}
			if _, err := d.db.Raw("DELETE FROM tags RETURNING id").Rows(); !errors.Is(err, gormhook.ErrRawSQL) { //nolint:rowserrcheck,sqlclosecheck // there are none
				t.Errorf("Rows: got %v, want gormhook.ErrRawSQL", err)
			}
			must(t, d.db.Raw("SELECT count(*) FROM tags").Scan(&id), d.db.Exec("CREATE TABLE other (id bigint)"))
			must(t, d.db.WithContext(trail.Skip(t.Context())).Exec("UPDATE tags SET name = name"))
			if n := d.count(t, "tags", "name LIKE 'tag%'"); id != 2 || n != 2 {
				t.Errorf("%d rows are as they were, want 2", n)
			}
			must(t, d.db.Create(&Tag{5, "a"}))
			d.wants(t, "insert tag 5")
		}, "tags")
	})
	t.Run("ignore", func(t *testing.T) {
		onRoutes(t, gormhook.Plugin{Raw: gormhook.RawIgnore}, func(t *testing.T, d *fixture) {
			d.given(t, tags(2))
			for _, s := range statements {
				must(t, d.db.Exec(s))
			}
			d.wants(t)
		}, "tags")
	})
}

// A request may spell the key of its entity otherwise than the database does,
// and its route the model: the row is the action's own all the same.
func TestOwnEntityOfAnotherSpelling(t *testing.T) {
	type Drive struct {
		ID   int64
		Name string
	}
	type Disk struct {
		ID   uuid.UUID `gorm:"type:uuid"`
		Name string
	}
	id := uuid.MustParse("7bae1d1c-3fd2-4122-b61f-fb78e65a711a")
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Drive{}, &Disk{})
		must(t, d.db.Create(&Drive{1, "a"}), d.db.Create(&Disk{id, "a"}))
		d.wants(t, "insert drive 1", "insert disk "+id.String())
		n := 0
		for _, c := range []struct {
			row                 any
			model, entity, want string
		}{
			{&Drive{}, "drive", "01", "approve/update drive 1"},
			{&Drive{}, "drive", " +1", "approve/update drive 1"},
			{&Drive{}, "drife", "1", "approve/update drive 1"}, // as GORM's inflection has it
			{&Disk{}, "disk", strings.ToUpper(id.String()), "approve/update disk " + id.String()},
		} {
			n++
			ctx, trace := d.act(t, trail.Action{Event: trail.Approve, Model: c.model, EntityID: c.entity})
			must(t, d.db.WithContext(ctx).Model(c.row).Where("name <> ''").Update("name", fmt.Sprint(n)))
			if err := trace.End(nil); err != nil {
				t.Error(err)
			}
			d.wants(t, c.want)
		}
	})
}
