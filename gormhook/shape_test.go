package gormhook_test

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// relation is a table of the suite: that of a model, or one that is made by
// hand, by a statement for each engine or one for both.
type relation struct {
	table, model    string
	on              string   // the one engine, empty for all
	of              any      // the model
	ahead           []string // statements ahead of the model's table
	ddl             []string
	ddlOn           map[string][]string
	key             []string // where it is not the primary key
	masked, omitted []string
	view            bool // it holds no rows of its own
}

// make makes the table.
func (rel *relation) make(db *gorm.DB, engine string) error {
	// Past GORM, which takes a question mark for a parameter.
	exec := func(list []string) error {
		for _, statement := range list {
			if _, err := db.Statement.ConnPool.ExecContext(context.Background(), statement); err != nil {
				return err
			}
		}
		return nil
	}
	if err := exec(rel.ahead); err != nil {
		return err
	}
	if rel.of != nil {
		if err := db.AutoMigrate(rel.of); err != nil {
			return err
		}
	}
	return exec(append(slices.Clone(rel.ddl), rel.ddlOn[engine]...))
}

// shape is what the suite knows of a table.
type shape struct {
	*relation
	engine  string
	columns []columnShape
	key     []string
	query   string
	resets  []string // statements that empty it
}

type columnShape struct {
	name string
	typ  string // PostgreSQL
	sort sort   // SQLite
}

func (c columnShape) spell(t *testing.T, value any) string {
	t.Helper()
	if c.typ == "" {
		return spellOfSQLite(t, c.sort, value)
	}
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return spellOfPostgres(t, c.typ, v)
	default:
		t.Fatalf("%s: a %T where text was asked for", c.name, value)
		return ""
	}
}

// names are the columns of an image of the whole row, sorted.
func (sh *shape) names() []string {
	var names []string
	for _, c := range sh.columns {
		if !slices.Contains(sh.omitted, c.name) {
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	return names
}

// quoted writes a name.
func quoted(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// qualified writes the name of a table, which may have a schema.
func qualified(table string) string {
	if schema, table, ok := strings.Cut(table, "."); ok {
		return quoted(schema) + "." + quoted(table)
	}
	return quoted(table)
}

func unquoted(v string) (s string) {
	if err := json.Unmarshal([]byte(v), &s); err != nil {
		panic(err)
	}
	return s
}

func readShape(tb testing.TB, s *side, engine string, rel *relation) *shape {
	tb.Helper()
	sh := &shape{relation: rel, engine: engine, key: rel.key}
	if engine == sqliteEngine {
		sh.readSQLite(tb, s)
	} else {
		sh.readPostgres(tb, s)
	}
	return sh
}

func (sh *shape) readPostgres(tb testing.TB, s *side) {
	tb.Helper()
	var list []string
	scan(tb, s, func(get func(...any)) {
		var c columnShape
		get(&c.name, &c.typ)
		sh.columns = append(sh.columns, c)
		q := quoted(c.name)
		list = append(list, `CASE WHEN `+q+` IS NOT NULL THEN format('%s', `+q+`) END`)
	}, `SELECT a.attname, format_type(CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END, NULL)
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = '`+qualified(sh.table)+`'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`)
	if sh.key == nil {
		scan(tb, s, func(get func(...any)) {
			var name string
			get(&name)
			sh.key = append(sh.key, name)
		}, `SELECT a.attname FROM pg_index i
			CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
			JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
			WHERE i.indrelid = '`+qualified(sh.table)+`'::regclass AND i.indisprimary ORDER BY k.n`)
	}
	sh.query = `SELECT ` + strings.Join(list, `, `) + ` FROM ` + qualified(sh.table)
	sh.resets = []string{`DELETE FROM ` + qualified(sh.table)}
	scan(tb, s, func(get func(...any)) {
		var name string
		get(&name)
		// Keys that the database makes begin behind those of what is given.
		sh.resets = append(sh.resets, `SELECT setval('`+name+`', 101, false)`)
	}, `SELECT d.objid::regclass::text FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
		WHERE d.refobjid = '`+qualified(sh.table)+`'::regclass AND d.classid = 'pg_class'::regclass AND c.relkind = 'S'`)
}

func (sh *shape) readSQLite(tb testing.TB, s *side) {
	tb.Helper()
	sorts := map[string]sort{}
	if sh.of != nil {
		parsed, err := schema.Parse(sh.of, new(sync.Map), schema.NamingStrategy{})
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range parsed.Fields {
			switch {
			case f.DBName == "" || f.Serializer != nil:
			case f.GORMDataType == schema.Bool:
				sorts[f.DBName] = isBool
			case f.IndirectFieldType == reflect.TypeFor[time.Time]():
				sorts[f.DBName] = isTime
			}
		}
	}
	var list []string
	keys := map[int]string{}
	scan(tb, s, func(get func(...any)) {
		var c columnShape
		var place int
		get(&c.name, &c.typ, &place)
		declared, _, _ := strings.Cut(strings.ToLower(c.typ), "(")
		c.typ = ""
		c.sort = map[string]sort{
			"boolean": isBool, "datetime": isTime, "timestamp": isTime, "timestamptz": isTime, "timestamp with time zone": isTime, "date": isDate,
			"json": isJSON, "jsonb": isJSON, "decimal": isDecimal, "numeric": isDecimal, "uuid": isUUID,
		}[declared]
		if of, ok := sorts[c.name]; ok && (of == isBool || c.sort == asIs) {
			c.sort = of
		}
		sh.columns = append(sh.columns, c)
		if place > 0 {
			keys[place] = c.name
		}
		// The sign takes the declared type away, by which the driver would
		// make times of what is stored.
		list = append(list, `+`+quoted(c.name))
	}, `SELECT name, type, pk FROM pragma_table_xinfo('`+strings.ReplaceAll(sh.table, `'`, `''`)+`')`)
	if sh.key == nil {
		for place := 1; place <= len(keys); place++ {
			sh.key = append(sh.key, keys[place])
		}
	}
	sh.query = `SELECT ` + strings.Join(list, `, `) + ` FROM ` + qualified(sh.table)
	name := `'` + strings.ReplaceAll(sh.table, `'`, `''`) + `'`
	sh.resets = []string{
		`DELETE FROM ` + qualified(sh.table), `DELETE FROM sqlite_sequence WHERE name = ` + name,
		`INSERT INTO sqlite_sequence (name, seq) SELECT ` + name +
			`, 100 FROM sqlite_master WHERE name = ` + name + ` AND sql LIKE '%AUTOINCREMENT%'`,
	}
}

// scan calls f for each row of a query.
func scan(tb testing.TB, s *side, f func(get func(...any)), query string) {
	tb.Helper()
	rows, err := s.desk.QueryContext(tb.Context(), query)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			tb.Error(err)
		}
	}()
	for rows.Next() {
		f(func(into ...any) {
			if err := rows.Scan(into...); err != nil {
				tb.Fatal(err)
			}
		})
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
}

// empty makes the tables of a trial hold what is given, and nothing else.
func empty(t *testing.T, w *world, s *side, tr *trial) {
	t.Helper()
	var b strings.Builder
	if w.engine == postgresEngine {
		b.WriteString("SET session_replication_role = replica;\n") // foreign keys and triggers stand aside
	}
	tables := slices.Clone(tr.tables)
	for _, table := range s.used { // rows of the trial before may refer to these
		if !slices.Contains(tables, table) {
			tables = append(tables, table)
		}
	}
	s.used = tr.tables
	for _, table := range tables {
		sh := w.shape(t, table)
		if sh.view {
			continue
		}
		for _, statement := range sh.resets {
			b.WriteString(statement + ";\n")
		}
	}
	if w.engine == postgresEngine {
		b.WriteString("RESET session_replication_role")
	}
	if _, err := s.desk.ExecContext(t.Context(), b.String()); err != nil {
		t.Fatal(err)
	}
	if tr.given == nil {
		return
	}
	if err := tr.given(s.bare); err != nil {
		t.Fatal(err)
	}
}
