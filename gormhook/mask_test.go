package gormhook_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// A name of the plugin's lists is that of a column, or of a model's column.
func TestColumnsMaskedShownAndOmitted(t *testing.T) {
	p := gormhook.Plugin{
		MaskColumns: []string{"email", "tag.name"}, ShowColumns: []string{"login.password"}, OmitColumns: []string{"token_count"},
	}
	onRoutes(t, p, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Login{ID: 1, Email: "a@b", Password: "shown", PasswordHash: []byte("x"), TokenCount: 1}))
		must(t, d.db.Create(&Tag{1, "a"}), d.db.Create(&Company{1, "a"}))
		entries := d.wants(t, "insert login 1", "insert tag 1", "insert company 1")
		login := spelled(entries[0].after)
		for column, want := range map[string]string{
			"email": `"***"`, "password": `"shown"`, "password_hash": `"***"`, "token_count": "", "api_key": "null", "pin": `"***"`, "scratch": "",
		} {
			if got := login[column]; got != want {
				t.Errorf("%s is %s, want %s", column, got, want)
			}
		}
		if got := spelled(entries[1].after)["name"]; got != `"***"` {
			t.Errorf("the tag's name is %s", got)
		}
		if got := spelled(entries[2].after)["name"]; got != `"a"` {
			t.Errorf("the company's name is %s", got)
		}
	}, "logins", "tags", "companies")
}

// Where a tag and the plugin's lists disagree, the stricter holds.
func TestTheStricterRuleHolds(t *testing.T) {
	type Ruled struct {
		ID       int64
		Masked   string `audit:"mask"`
		Shown    string `audit:"show"`
		Password string `audit:"show"`
		Left     string `audit:"-"`
	}
	p := gormhook.Plugin{ShowColumns: []string{"masked", "left"}, MaskColumns: []string{"shown", "left"}, OmitColumns: []string{"ruled.id"}}
	onRoutes(t, p, func(t *testing.T, d *fixture) {
		migrated(t, d, &Ruled{})
		must(t, d.db.Create(&Ruled{1, "a", "b", "c", "d"}))
		after := spelled(readEntries(t, d.desk, 0)[0].after)
		for column, want := range map[string]string{"id": "", "masked": `"***"`, "shown": `"***"`, "password": `"c"`, "left": ""} {
			if after[column] != want {
				t.Errorf("%s is %s, want %s", column, after[column], want)
			}
		}
	})
}

// A tag that was misspelled is an error, for nobody knows what it was to hide.
func TestTagRefused(t *testing.T) {
	type Misspelled struct {
		ID  int64
		Pin string `audit:"masked"`
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Misspelled{})
		must(t, d.db.Table("misspelleds").Create(map[string]any{"id": 1, "pin": "hunter2"})) // no model has been seen yet
		d.wants(t, "insert misspelled 1")
		for name, err := range map[string]error{
			"create": d.db.Create(&Misspelled{2, "hunter2"}).Error,
			"update": d.db.Model(&Misspelled{ID: 1}).Update("pin", "hunter3").Error,
			"delete": d.db.Delete(&Misspelled{ID: 1}).Error,
		} {
			if !errors.Is(err, gormhook.ErrNotRecorded) || !strings.Contains(err.Error(), `audit:"masked" of Misspelled.Pin`) {
				t.Errorf("%s: got %v, want gormhook.ErrNotRecorded with the tag and the field", name, err)
			}
		}
		if n := d.count(t, "misspelleds", "pin = 'hunter2'"); n != 1 {
			t.Errorf("%d rows are as they were, want 1", n)
		}

		told := d.dial(byDefault)
		if err := told.Use(gormhook.Plugin{Models: []any{&Misspelled{}}}); err == nil || !strings.Contains(err.Error(), "Misspelled.Pin") {
			t.Errorf("the plugin was used: %v", err)
		}
		lenient := d.dial(byDefault)
		if err := lenient.Use(gormhook.Plugin{BestEffort: true, Portable: d.plugin.Portable}); err != nil {
			t.Fatal(err)
		}
		must(t, lenient.Create(&Misspelled{3, "hunter2"}))
		d.wants(t)
	})
}

// Secrets are nowhere in the trail, whatever way they come in: this looks at
// all there is.
func TestSecretsAreNowhere(t *testing.T) {
	const secret = "hunter2"
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		l := Login{ID: 1, Email: "a@b", Password: secret, APIKey: ptr(secret), PasswordHash: []byte(secret), Pin: secret, Scratch: secret}
		must(t, d.db.Create(&l), d.db.Create(&Vault{Token: secret, Name: "a"}))
		must(t, d.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Login{ID: 1, Password: secret + "b", Pin: secret}))
		must(t, d.db.Model(&Login{}).Where("password = ?", secret+"b").Updates(map[string]any{"pin": secret + "c", "scratch": secret + "d"}))
		must(t, d.db.Exec("UPDATE logins SET password = '"+secret+"', api_key = ? WHERE pin = '"+secret+"c'", secret))
		must(t, d.db.Save(&Vault{Token: secret, Name: "b"}), d.db.Delete(&Vault{Token: secret}), d.db.Delete(&l))
		d.wants(t, "insert login 1", "insert vault "+digest(secret), "update login 1", "update login 1", "raw update login 1",
			"update vault "+digest(secret), "delete vault "+digest(secret), "delete login 1")
		for _, e := range readEntries(t, d.desk, 0) {
			all := strings.ToLower(e.String())
			if strings.Contains(all, secret) || strings.Contains(all, "68756e74657232") { // in hex
				t.Errorf("the secret is in %s", e)
			}
		}
	}, "logins", "vaults")
}

// Whatever form a literal has in raw SQL, it is not kept.
func TestLiteralsAreNotKept(t *testing.T) {
	common := []string{
		`UPDATE tags SET name = 'hunter2'`, `UPDATE tags SET name='it''s hunter2'`, `UPDATE tags SET name = /* hunter2 */ 'x' -- hunter2`,
		`INSERT INTO tags (id, name) VALUES (902, 'hunter2'), (903, 'a' || 'hunter2')`, `DELETE FROM tags WHERE name = 'hunter2'`,
		`UPDATE tags SET name = 'x' WHERE id < 8.75e3 AND id <> -8751`, `UPDATE tags SET name = 'a' WHERE name IN ('hunter2','x')`,
		"UPDATE tags SET name = 'hunter2\n\\' WHERE 1 = 1",
	}
	of := map[string][]string{
		sqliteEngine: append([]string{
			`UPDATE tags SET name = x'68756e74657232'`, `UPDATE tags SET name = 'y' WHERE "hunter2" <> name`,
			`UPDATE tags SET name = "hunter2"`, `UPDATE tags SET name = 'a' WHERE name = "hunter2" OR "hunter2" = name`, `UPDATE tags SET name = 0x8751`,
			`UPDATE tags SET name = CASE WHEN "hunter2" > name THEN "hunter2" ELSE "hunter2" END`,
		}, common...),
		postgresEngine: append([]string{
			`UPDATE tags SET name = $$hunter2$$`, `UPDATE tags SET name = $a$ it's $$ hunter2 $a$`, `UPDATE tags SET name = E'\'hunter2'`,
			`UPDATE tags SET name = U&'hunter2\0041'`, `UPDATE tags SET name = text 'hunter2'`, `UPDATE tags SET name = ('{"a":"hunter2"}'::jsonb ->> 'a')`,
			`UPDATE tags SET name = B'1001'::text || X'8751'::text`, `UPDATE tags SET name = 'hun'
				'ter2'`, "UPDATE tags SET name = e'x' -- and\n 'it\\'s hunter2' -- more\n\t'\\'hunter2 hunter2'", `/* hunter2 /* nested */ hunter2 */ UPDATE tags SET name = name || '!'`,
		}, common...),
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		for _, statement := range of[d.engine] {
			d.run(t, "DELETE FROM tags")
			d.given(t, rows(tags(2), &Tag{901, "hunter2"}))
			if err := d.db.Session(&gorm.Session{}).Exec(statement).Error; err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
			entries := readEntries(t, d.desk, d.mark)
			if len(entries) != 1 {
				t.Fatalf("%s: %d entries, want 1", statement, len(entries))
			}
			d.mark = entries[0].seq
			kept := strings.ToLower(entries[0].contextText.String)
			for _, secret := range []string{"hunter2", "ter2", "68756e74", "8751", "8.75", "1001"} {
				if strings.Contains(kept, secret) {
					t.Errorf("%s: %q is in %s", statement, secret, kept)
				}
			}
		}
	}, "tags")
}

// SQLite does not tell names apart by case: a mask is found all the same.
func TestMaskOfAnotherCase(t *testing.T) {
	type Cased struct {
		ID   int64
		Pin  string `gorm:"column:PIN" audit:"mask"`
		Gone string `gorm:"column:GONE" audit:"-"`
	}
	for _, r := range routes()[:1] {
		d := newFixture(t, r)
		d.run(t, `CREATE TABLE caseds (id integer PRIMARY KEY, pin text, gone text)`)
		if err := d.db.Use(r.plugin); err != nil {
			t.Fatal(err)
		}
		must(t, d.db.Create(&Cased{1, "hunter2", "hunter3"}), d.db.Model(&Cased{ID: 1}).Update("pin", "hunter4"), d.db.Delete(&Cased{ID: 1}))
		for _, e := range d.wants(t, "insert cased 1", "update cased 1", "delete cased 1") {
			if strings.Contains(e.String(), "hunter") {
				t.Errorf("the secret is in %s", e)
			}
		}
	}
}

// A table's secrets are secrets whoever writes to it: by its name alone, with
// values of another type, or through another model. The name of its model is
// one, too.
func TestSecretsByTheNameOfTheTable(t *testing.T) {
	type Patch struct{ Pin, Scratch string }
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		must(t, d.db.Table("logins").Create(map[string]any{"id": 1, "email": "a"})) // no model has been seen yet
		must(t, d.db.Create(&Login{ID: 2, Pin: "hunter2", Scratch: "hunter3"}))
		d.wants(t, "insert login 1", "insert login 2")
		values := map[string]any{"pin": "hunter4", "scratch": "hunter5"}
		must(t, d.db.Table("logins").Where("id = 1").Updates(values), d.db.Table("logins").Where("id = 2").Updates(Patch{"hunter6", "hunter7"}))
		must(t, d.db.Model(&LoginPin{ID: 2}).Updates(LoginPin{Pin: "hunter8", Scratch: "hunter9"}))
		must(t, d.db.Table("logins").Create(map[string]any{"id": 3, "email": "b", "pin": "hunter4", "scratch": "hunter5"}))
		must(t, d.db.Table("logins").Where("id > 0").Delete(nil))
		for _, e := range d.wants(t, "update login 1", "update login 2", "update login_pin 2", "insert login 3", "delete login 1..3") {
			if strings.Contains(e.String(), "hunter") {
				t.Errorf("the secret is in %s", e)
			}
		}
	}, "logins")
}

// A model need not be written with to be known: it may be named, or read.
func TestSecretsOfModelsThatAreNotWritten(t *testing.T) {
	for name, c := range map[string]struct {
		plugin gormhook.Plugin
		ahead  func(*gorm.DB) *gorm.DB
	}{
		"named": {gormhook.Plugin{Models: []any{&Login{}}}, func(db *gorm.DB) *gorm.DB { return db }},
		"read":  {gormhook.Plugin{}, func(db *gorm.DB) *gorm.DB { return db.Find(&[]Login{}) }},
	} {
		t.Run(name, func(t *testing.T) {
			onRoutes(t, c.plugin, func(t *testing.T, d *fixture) {
				must(t, c.ahead(d.db), d.db.Table("logins").Create(map[string]any{"id": 1, "pin": "hunter2", "scratch": "hunter3"}))
				for _, e := range d.wants(t, "insert login 1") {
					if strings.Contains(e.String(), "hunter") {
						t.Errorf("the secret is in %s", e)
					}
				}
			}, "logins")
		})
	}
}

// LoginPin is a second model of a table, which says nothing of its secrets.
type LoginPin struct {
	ID           int64
	Pin, Scratch string
}

func (LoginPin) TableName() string { return "logins" }

// The model of a table names its rows, also where a statement says no more
// than the table's name, or the values are of another type.
func TestModelByTheNameOfTheTable(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		must(t, d.db.Create(&Renamed{"k", "a"}), d.db.Table("relabelled").Where("1 = 1").Updates(map[string]any{"caption": "b"}))
		must(t, d.db.Exec(`UPDATE relabelled SET caption = 'c'`), d.db.Table("relabelled").Where("1 = 1").Delete(nil))
		d.wants(t, "insert renamed k", "update renamed k", "raw update renamed 1", "delete renamed k")
	}, "relabelled")
}

// Rows of another table of the same shape are not the model's: a key that is in
// both is not one entity. Its secrets are secrets there, too.
func TestAnotherTableOfAModel(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.run(t, `CREATE TABLE old_logins AS SELECT * FROM logins`)
		must(t, d.db.Create(&Login{ID: 1, Pin: "hunter2"}), d.db.Table("old_logins").Create(&Login{ID: 1, Pin: "hunter2"}))
		must(t, d.db.Delete(&Login{ID: 1}), d.db.Table("old_logins").Where("id = 1").Delete(&Login{}))
		for _, e := range d.wants(t, "insert login 1", "insert old_login 1", "delete login 1", "delete old_login 1") {
			if strings.Contains(e.String(), "hunter") {
				t.Errorf("the secret is in %s", e)
			}
		}
	}, "logins")
}

// Names of tables that an application makes up are not kept without bound; what
// a model masks is masked in its tables all the same, also where a statement
// says no more than the name.
func TestSecretsOfMadeUpTables(t *testing.T) {
	const most = 20
	gormhook.SetMaxNames(t, most)
	made := make([]string, 2*most)
	for i := range made {
		made[i] = fmt.Sprintf("logins_%d", i)
	}
	if n := gormhook.NamesKept(t, &Login{}, made); n > most+2 {
		t.Errorf("%d names are kept of %d", n, len(made))
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		last := made[len(made)-1]
		d.given(t, func(db *gorm.DB) error { return db.Table(last).AutoMigrate(&Login{}) })
		must(t, d.db.Table(last).Create(map[string]any{"id": 1, "email": "a"})) // no model has been seen yet
		for _, table := range made {
			err := d.db.Table(table).Create(&Login{ID: 2, Pin: "hunter2", Scratch: "hunter3"}).Error
			if (err == nil) != (table == last) {
				t.Fatalf("%s: %v", table, err)
			}
		}
		values := map[string]any{"pin": "hunter4", "scratch": "hunter5"}
		must(t, d.db.Table(last).Where("id = 2").Updates(values), d.db.Table(last).Where("id = 2").Delete(nil))
		must(t, d.db.Model(&Tag{}).Create(&Tag{1, "a"}))
		model := "logins_" + fmt.Sprint(len(made)-1)
		for _, e := range d.wants(t, "insert "+model+" 1", "insert "+model+" 2", "update "+model+" 2", "delete "+model+" 2", "insert tag 1") {
			if strings.Contains(e.String(), "hunter") {
				t.Errorf("the secret is in %s", e)
			}
		}
	}, "tags")
}
