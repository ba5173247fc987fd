package gormhook

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// sqliteTable reads all that capture needs to know about a table, in one row.
const sqliteTable = `
SELECT json_object(
	'sql', (
		SELECT sql FROM (SELECT * FROM sqlite_temp_master UNION ALL SELECT * FROM sqlite_master)
		WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE LIMIT 1
	),
	'columns', (
		SELECT json_group_array(json_object('name', name, 'type', type, 'pk', pk, 'hidden', hidden))
		FROM pragma_table_xinfo(?1)
	),
	'keys', (
		SELECT json_group_array(json_object('partial', partial, 'columns',
			json((SELECT json_group_array(name) FROM pragma_index_info(i.name))), 'collations',
			json((SELECT json_group_array(coll) FROM pragma_index_xinfo(i.name) WHERE "key"))))
		FROM pragma_index_list(?1) i WHERE i."unique"
	),
	'triggers', (
		SELECT json_group_array(sql) FROM (
			SELECT sql, tbl_name FROM sqlite_master WHERE type = 'trigger'
			UNION ALL SELECT sql, tbl_name FROM sqlite_temp_master WHERE type = 'trigger'
		) WHERE tbl_name = ?1 COLLATE NOCASE
	),
	'references', (
		SELECT json_group_array(json_object('table', name, 'id', id, 'column', "from", 'refers', "to",
			'ondelete', on_delete, 'onupdate', on_update))
		FROM (
			SELECT o.name, f.* FROM sqlite_master o, pragma_foreign_key_list(o.name) f
			WHERE o.type = 'table' AND f."table" = ?1 COLLATE NOCASE
				AND (f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') OR f.on_update IN ('CASCADE', 'SET NULL', 'SET DEFAULT'))
			ORDER BY o.name, f.id, f.seq
		)
	)
)`

func (t *table) readSQLite(ctx context.Context, pool gorm.ConnPool, name string) error {
	if in, _, qualified := strings.Cut(name, "."); qualified && !slices.Contains([]string{"main", "temp"}, strings.ToLower(bareName(in))) {
		t.exists = true // in a database that is attached: not read, so not imaged
		return nil
	}
	name = bareName(name)
	text, ok, err := queryText(ctx, pool, sqliteTable, name)
	if err != nil || !ok {
		return err
	}
	var read struct {
		SQL     string
		Columns []struct {
			Name, Type string
			PK, Hidden int
		}
		Keys []struct {
			Partial    int
			Columns    []*string
			Collations []string
		}
		Triggers   []string
		References []sqliteReference
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return err
	}
	t.exists = read.SQL != ""
	t.plain = ordinaryTable(read.SQL)
	t.elsewhere = t.exists && !t.plain
	t.rowid = t.plain && !withoutRowid(read.SQL)
	t.replaces = mentions(read.SQL, "CONFLICT", "REPLACE")
	var integer string
	keyed := map[int]int{} // place in the key -> column
	for _, c := range read.Columns {
		if c.Hidden == 1 {
			continue // of a virtual table
		}
		if c.PK > 0 {
			keyed[c.PK] = len(t.columns)
			if strings.EqualFold(c.Type, "INTEGER") {
				integer = c.Name
			}
		}
		generated := c.Hidden == 2 || c.Hidden == 3
		t.columns = append(t.columns, column{name: c.Name, kind: sqliteKind(c.Type), computed: generated})
		t.rewritten = t.rewritten || generated
	}
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if i, taken := t.column(name); t.rowidName == "" && (!taken || t.columns[i].name == integer && len(keyed) == 1) {
			t.rowidName = name
		}
	}
	t.rowid = t.rowid && t.rowidName != ""
	for place := 1; place <= len(keyed); place++ {
		t.key = append(t.key, keyed[place])
	}
	if len(t.key) == 1 && t.rowid {
		t.rowidAlias = integer
	}
	for _, k := range read.Keys {
		var key []int
		for _, name := range k.Columns {
			if name == nil { // an expression
				key = nil
				break
			}
			if i, ok := t.column(*name); ok {
				key = append(key, i)
			}
		}
		t.conflicts = append(t.conflicts, key)
		t.collations = append(t.collations, k.Collations)
		if k.Partial == 0 && key != nil {
			t.unique = append(t.unique, key)
		}
	}
	t.after = len(read.Triggers) > 0
	t.rewritten = t.rewritten || t.after
	t.refer(read.References)
	t.compute(func(column string) bool {
		return slices.ContainsFunc(read.Triggers, func(sql string) bool { return names(sql, sqliteName, column) })
	})
	return nil
}

// sqliteReference is one column of a foreign key, as SQLite lists them. One that
// names no column of the table refers to its primary key.
type sqliteReference struct {
	Table, Column      string
	ID                 int
	Refers             *string
	OnDelete, OnUpdate string
}

func (t *table) refer(list []sqliteReference) {
	for i, r := range list {
		if i == 0 || r.Table != list[i-1].Table || r.ID != list[i-1].ID {
			t.references = append(t.references, reference{
				table: quote(r.Table), onDelete: actionOf(r.OnDelete), onUpdate: actionOf(r.OnUpdate),
			})
		}
		last := &t.references[len(t.references)-1]
		switch n := len(last.columns); {
		case r.Refers != nil:
			last.refers = append(last.refers, *r.Refers)
		case n < len(t.key):
			last.refers = append(last.refers, t.columns[t.key[n]].name)
		}
		last.columns = append(last.columns, r.Column)
	}
}

// ordinaryTable reports whether sql creates one: a view has no rows of its own,
// a virtual table no RETURNING.
func ordinaryTable(sql string) bool {
	l := newLexer(sql, sqliteName)
	l.next() // CREATE
	t := l.next()
	if t.is(sql, "TEMP") || t.is(sql, "TEMPORARY") {
		t = l.next()
	}
	return t.is(sql, "TABLE")
}

func withoutRowid(sql string) bool { return mentions(sql, "WITHOUT", "ROWID") }

// mentions reports whether two words are adjacent in a text.
func mentions(sql, one, other string) bool {
	l := newLexer(sql, sqliteName)
	var before token
	for {
		t := l.next()
		if t.kind == tokenEnd {
			return false
		}
		if before.is(sql, one) && t.is(sql, other) {
			return true
		}
		before = t
	}
}

// sqliteKind reads a declared type; refine knows more if there is a model.
func sqliteKind(declared string) kind {
	d := strings.ToLower(declared)
	if i := strings.IndexByte(d, '('); i >= 0 {
		d = strings.TrimSpace(d[:i])
	}
	switch d {
	case "boolean", "bool":
		return kindBool
	case "datetime", "timestamp", "timestamptz", "timestamp with time zone":
		return kindTime
	case "date":
		return kindDate
	case "json", "jsonb":
		return kindJSON
	case "decimal", "numeric", "number":
		return kindNumeric
	case "uuid":
		return kindUUID
	default:
		return kindPlain
	}
}

var timeType = reflect.TypeFor[time.Time]()

// fieldOf returns the model's field of a column, whose case does not matter.
func fieldOf(model *schema.Schema, column string) *schema.Field {
	if f := model.FieldsByDBName[column]; f != nil {
		return f
	}
	for name, f := range model.FieldsByDBName {
		if strings.EqualFold(name, column) {
			return f
		}
	}
	return nil
}

// refine takes from the model what a declared type does not say: GORM declares
// a bool as numeric.
func (t *table) refine(model *schema.Schema) {
	for i := range t.columns {
		f := fieldOf(model, t.columns[i].name)
		if f == nil || f.Serializer != nil {
			continue
		}
		switch {
		case f.DataType == schema.Bool:
			t.columns[i].kind = kindBool
		case f.IndirectFieldType == timeType && t.columns[i].kind == kindPlain:
			t.columns[i].kind = kindTime
		}
	}
}
