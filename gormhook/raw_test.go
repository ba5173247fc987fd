package gormhook_test

import (
	"errors"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/gormhook"
)

// What the database counts is the rows of the last statement, or those of the
// query over what was written; of a view's rows and of a table's rules it counts
// nothing. None of that is taken for nothing.
func TestRawThatIsNotCounted(t *testing.T) {
	of := map[string][][2]string{
		sqliteEngine: {
			{`UPDATE tags SET name = 'x'; DELETE FROM tags WHERE id = 999`, "raw update tag 0"},
			{`UPDATE front SET name = 'y' WHERE id = 1`, "raw update front 0"},
			{`DELETE FROM tags WHERE id = 999`, ""},
		},
		postgresEngine: {
			{`WITH d AS (DELETE FROM tags WHERE id = 1 RETURNING id) SELECT 1 FROM d WHERE false`, "raw delete tag 0"},
			{`WITH d AS (DELETE FROM tags WHERE id = 2 RETURNING *) INSERT INTO companies SELECT * FROM d WHERE false`, "raw delete tag 0"},
			{`DELETE FROM kept WHERE id = 1`, "raw delete kept 0"},
			{`COPY tags (id, name) TO PROGRAM 'cat >/dev/null'`, ""},
			{`COPY public."tags" (id, name) FROM PROGRAM 'echo "7\tx"'`, "raw insert tag 1"},
			{`DELETE FROM "tags" WHERE id = 999`, ""},
		},
	}
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		d.given(t, rows(tags(3)))
		if d.engine == sqliteEngine {
			d.run(t, `CREATE VIEW front AS SELECT * FROM tags`,
				`CREATE TRIGGER ahead INSTEAD OF UPDATE ON front BEGIN UPDATE tags SET name = NEW.name WHERE id = OLD.id; END`)
		} else {
			d.run(t, `CREATE TABLE kept (id bigint PRIMARY KEY, gone boolean)`, `INSERT INTO kept VALUES (1, false), (2, false)`,
				`CREATE RULE softly AS ON DELETE TO kept DO INSTEAD UPDATE kept SET gone = true WHERE id = OLD.id`)
		}
		for _, c := range of[d.engine] {
			must(t, d.db.Exec(c[0]))
			if c[1] == "" {
				d.wants(t)
				continue
			}
			d.wants(t, c[1])
		}
		if d.engine == postgresEngine {
			must(t, d.db.Table("kept").Where("id = 2").Delete(nil))
			d.wants(t, "raw delete kept 0")
		}
	}, "tags", "companies")
}

// What stands in the body of a trigger or of a function is said, not done.
func TestBodiesAreNotRun(t *testing.T) {
	bodies := func(t *testing.T, policy gormhook.RawPolicy) {
		onRoutes(t, gormhook.Plugin{Raw: policy}, func(t *testing.T, d *fixture) {
			statements := []string{
				`CREATE TRIGGER again AFTER UPDATE ON tags WHEN NEW.id < 0 BEGIN UPDATE tags SET name = CASE WHEN id > 1 THEN 'a' ELSE 'b' END; DELETE FROM tags; END`,
			}
			if d.engine == postgresEngine {
				statements = []string{
					`CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE tags SET name = CASE WHEN id > 1 THEN 'a' ELSE 'b' END; DELETE FROM tags; END`,
					`CREATE RULE twice AS ON DELETE TO tags DO ALSO (UPDATE tags SET name = 'a' WHERE id < 0; DELETE FROM companies WHERE id < 0)`,
				}
			}
			must(t, d.db.Create(&Tag{1, "a"}))
			d.wants(t, "insert tag 1")
			for _, s := range statements {
				must(t, d.db.Exec(s))
			}
			d.wants(t)
			if policy == gormhook.RawRecord && d.engine == sqliteEngine {
				must(t, d.db.Exec("CREATE TRIGGER once_"+statements[0][len("CREATE TRIGGER "):]+`; UPDATE tags SET name = 'c'`))
				d.wants(t, "raw update tag 1")
			}
		}, "tags", "companies")
	}
	t.Run("recorded", func(t *testing.T) { bodies(t, gormhook.RawRecord) })
	t.Run("refused", func(t *testing.T) { bodies(t, gormhook.RawRefuse) })
}

// Of the tables of one text, those count that are not passed over.
func TestRawBehindAnExcludedTable(t *testing.T) {
	onRoutes(t, gormhook.Plugin{Exclude: []string{"companies"}}, func(t *testing.T, d *fixture) {
		d.given(t, tags(2))
		text := "DELETE FROM companies; UPDATE tags SET name = 'x'"
		if d.engine == postgresEngine {
			text = "WITH gone AS (DELETE FROM companies RETURNING id) UPDATE tags SET name = 'x'"
		}
		must(t, d.db.Exec(text), d.db.Exec("DELETE FROM companies"))
		entries := readEntries(t, d.desk, 0)
		if len(entries) != 1 || entries[0].model != "tag" || entries[0].operation != "update" {
			t.Errorf("the entries are %v, want an update of tags", entries)
		}
	}, "tags", "companies")
}

// EXPLAIN ANALYZE runs what it explains.
func TestExplainAnalyze(t *testing.T) {
	d := newFixture(t, routes()[1], "tags")
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	for _, run := range []string{"ANALYZE", "ANALYSE VERBOSE", "(ANALYZE)", "(costs off, analyse)", "(ANALYZE true)", "(ANALYZE off, ANALYZE 'on')"} {
		d.given(t, tags(2))
		must(t, d.db.Exec("EXPLAIN "+run+" DELETE FROM tags"))
		d.wants(t, "raw delete tag 0")
	}
	d.given(t, tags(2))
	for _, only := range []string{"", "VERBOSE", "(ANALYZE false)", "(ANALYZE, ANALYZE 0)", "(analyze 'off', costs)"} {
		must(t, d.db.Exec("EXPLAIN "+only+" DELETE FROM tags"))
	}
	d.wants(t)
	if n := d.count(t, "tags", "true"); n != 2 {
		t.Errorf("%d tags are left, want 2", n)
	}
}

// A table may be filled by a query that writes to others.
func TestTableOfAQueryThatWrites(t *testing.T) {
	d := newFixture(t, routes()[1], "tags")
	if err := d.db.Use(d.plugin); err != nil {
		t.Fatal(err)
	}
	d.given(t, tags(4))
	must(t, d.db.Exec("CREATE TABLE first AS WITH d AS (DELETE FROM tags WHERE id = 1 RETURNING *) SELECT * FROM d"))
	must(t, d.db.Exec("CREATE TEMP TABLE second (id) ON COMMIT DELETE ROWS AS (WITH d AS (DELETE FROM tags WHERE id < 4 RETURNING *) SELECT id FROM d)"))
	d.wants(t, "raw delete tag 1", "raw delete tag 2")
	must(t, d.db.Exec("CREATE TEMP TABLE third (id bigint GENERATED ALWAYS AS IDENTITY) WITH (fillfactor = 70) ON COMMIT DELETE ROWS"),
		d.db.Exec("CREATE TABLE fourth AS WITH t AS (SELECT * FROM tags) SELECT * FROM t"))
	d.wants(t)
}

// ahead is a clause that writes something before one of GORM's.
type ahead struct{ clause, sql string }

func (a ahead) Build(clause.Builder) {}

func (a ahead) ModifyStatement(stmt *gorm.Statement) {
	c := stmt.Clauses[a.clause]
	c.Name, c.BeforeExpression = a.clause, clause.Expr{SQL: a.sql}
	stmt.Clauses[a.clause] = c
}

// What comes before the SELECT that GORM writes may write, too.
func TestWithBeforeAQuery(t *testing.T) {
	const gone = "WITH d AS (DELETE FROM tags WHERE id < 3 RETURNING *)"
	for _, r := range routes()[1:] {
		for _, policy := range []gormhook.RawPolicy{gormhook.RawRecord, gormhook.RawRefuse} {
			d := newFixture(t, r, "tags")
			r.plugin.Raw = policy
			if err := d.db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			d.given(t, tags(3))
			var list []Tag
			query := func(sql string) *gorm.DB { return d.db.Table("d").Clauses(ahead{"SELECT", sql}) }
			must(t, query("WITH d AS (SELECT * FROM tags) /* of no use */").Find(&list))
			if len(list) != 3 {
				t.Errorf("the query has found %d tags, want 3", len(list))
			}
			found := query(gone).Find(&list)
			if policy == gormhook.RawRefuse {
				err := query(gone).Select("id").Scan(&list).Error
				if !errors.Is(found.Error, gormhook.ErrRawSQL) || !errors.Is(err, gormhook.ErrRawSQL) || d.count(t, "tags", "true") != 3 {
					t.Errorf("%s: not refused: %v, %v", r.name, found.Error, err)
				}
				d.wants(t)
				continue
			}
			must(t, found)
			if len(list) != 2 {
				t.Errorf("the query has found %d tags, want 2", len(list))
			}
			d.wants(t, "raw delete tag 2")
		}
	}
}
