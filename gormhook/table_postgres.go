package gormhook

import (
	"context"
	"encoding/json"
	"slices"

	"gorm.io/gorm"
)

// postgresTable reads all that capture needs to know about a table, in one row:
// its columns with their types (beneath all domains), its unique keys,
// its triggers (pg_trigger.tgtype: 1 row, 2 before, 4 insert, 16 update, 64
// instead) and rules, and the foreign keys that change rows along with its own,
// except those that partitions of the other table have inherited from it. The
// columns that ON DELETE sets are known since PostgreSQL 15. A trigger may belong
// to a partition, or to an inheriting table, alone.
const postgresTable = `
WITH RECURSIVE tree(oid) AS (
	SELECT to_regclass($1::text)::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid
)
SELECT json_build_object(
	'partitioned', c.relkind = 'p',
	'plain', c.relkind IN ('r', 'p') AND NOT c.relhasrules,
	'inherited', c.relkind <> 'p' AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhparent = c.oid),
	'ruled', EXISTS (SELECT 1 FROM pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type <> '1'),
	'columns', (
		SELECT json_agg(json_build_object(
			'name', a.attname,
			'type', (
				WITH RECURSIVE base(oid, depth, arrays) AS (
					SELECT a.atttypid, 0, 0
					UNION ALL
					SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END, depth + 1,
						arrays + CASE WHEN t.typtype = 'd' THEN 0 ELSE 1 END
					FROM base JOIN pg_type t ON t.oid = base.oid
					WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0
				)
				SELECT t.typname || repeat('[]', arrays)
				FROM base JOIN pg_type t ON t.oid = base.oid ORDER BY depth DESC LIMIT 1
			),
			'generated', a.attgenerated <> ''
		) ORDER BY a.attnum)
		FROM pg_attribute a
		WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	),
	'keys', (
		SELECT json_agg(json_build_object(
			'primary', i.indisprimary,
			'columns', (
				SELECT json_agg(a.attname ORDER BY k.n)
				FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
				WHERE k.n <= i.indnkeyatts
			)
		))
		FROM pg_index i
		WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
			AND i.indpred IS NULL AND i.indexprs IS NULL
			AND NOT EXISTS (
				SELECT 1 FROM unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
				WHERE k.n <= i.indnkeyatts AND NOT a.attnotnull
			)
	),
	'strong', (
		SELECT json_agg(DISTINCT a.attname)
		FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
		WHERE i.indrelid = c.oid AND i.indisunique
	),
	'deferred', EXISTS (SELECT 1 FROM pg_constraint k WHERE (k.conrelid = c.oid OR k.confrelid = c.oid) AND k.condeferrable)
		OR EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal AND g.tgdeferrable),
	'before', EXISTS (
		SELECT 1 FROM pg_trigger g
		WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
			AND g.tgtype & 3 = 3 AND g.tgtype & 20 <> 0
	),
	'after', EXISTS (
		SELECT 1 FROM pg_trigger g
		WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal AND g.tgenabled <> 'D'
			AND g.tgtype & 66 = 0 AND g.tgtype & 20 <> 0
	),
	'functions', (
		SELECT json_agg(DISTINCT CASE WHEN l.lanname = 'plpgsql' THEN p.prosrc ELSE '' END)
		FROM pg_trigger g JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_language l ON l.oid = p.prolang
		WHERE g.tgrelid IN (SELECT oid FROM tree) AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 <> 0
	),
	'references', (
		SELECT json_agg(json_build_object(
			'table', format('%I.%I', n.nspname, o.relname),
			'columns', (
				SELECT json_agg(a.attname ORDER BY k.n)
				FROM unnest(f.conkey) WITH ORDINALITY AS k(attnum, n)
				JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
			),
			'refers', (
				SELECT json_agg(a.attname ORDER BY k.n)
				FROM unnest(f.confkey) WITH ORDINALITY AS k(attnum, n)
				JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
			),
			'nulled', (
				SELECT json_agg(a.attname)
				FROM jsonb_array_elements_text(nullif(to_jsonb(f.*) -> 'confdelsetcols', 'null')) AS k(attnum)
				JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum::int
			),
			'ondelete', f.confdeltype,
			'onupdate', f.confupdtype
		) ORDER BY f.oid)
		FROM pg_constraint f
		JOIN pg_class o ON o.oid = f.conrelid
		JOIN pg_namespace n ON n.oid = o.relnamespace
		WHERE f.confrelid = c.oid AND f.contype = 'f' AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))
			AND NOT EXISTS (SELECT 1 FROM pg_constraint whole WHERE whole.oid = f.conparentid AND whole.confrelid = f.confrelid)
	)
)::text
FROM pg_class c
WHERE c.oid = to_regclass($1::text)`

func (t *table) readPostgres(ctx context.Context, pool gorm.ConnPool, name string) error {
	text, ok, err := queryText(ctx, pool, postgresTable, name)
	if err != nil || !ok {
		return err
	}
	var read struct {
		Plain, Partitioned bool
		Inherited, Ruled   bool
		Columns            []struct {
			Name, Type string
			Generated  bool
		}
		Keys []struct {
			Primary bool
			Columns []string
		}
		Strong        []string
		Before, After bool
		Deferred      bool
		Functions     []string
		References    []struct {
			Table              string
			Columns, Refers    []string
			Nulled             []string
			OnDelete, OnUpdate string
		}
	}
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return err
	}
	t.exists, t.plain, t.elsewhere = true, read.Plain, read.Ruled
	t.partitioned, t.inherited = read.Partitioned, read.Inherited
	t.before, t.rewritten, t.after, t.deferred = read.Before, read.Before, read.After, read.Deferred
	for _, c := range read.Columns {
		k, text := postgresKind(c.Type)
		t.columns = append(t.columns, column{name: c.Name, kind: k, text: text, computed: c.Generated})
		t.rewritten = t.rewritten || c.Generated
	}
	for _, k := range read.Keys {
		var key []int
		for _, name := range k.Columns {
			if i, ok := t.column(name); ok {
				key = append(key, i)
			}
		}
		if k.Primary {
			t.key = key
		}
		t.unique = append(t.unique, key)
	}
	for _, r := range read.References {
		t.references = append(t.references, reference{
			table: r.Table, columns: r.Columns, refers: r.Refers, nulled: r.Nulled,
			onDelete: actionOf(r.OnDelete), onUpdate: actionOf(r.OnUpdate),
		})
	}
	t.compute(func(column string) bool {
		return slices.ContainsFunc(read.Functions, func(source string) bool { return assigns(source, column) })
	})
	t.strong = make(map[string]bool, len(read.Strong))
	for _, name := range read.Strong {
		t.strong[name] = true
	}
	return nil
}

// postgresKind returns how values of a type are spelled, and whether ::text is
// the spelling of their JSON string or number.
func postgresKind(typ string) (kind, bool) {
	switch typ {
	case "timestamptz":
		return kindTime, false
	case "timestamp":
		return kindTimestamp, false
	case "bytea":
		return kindBytes, false
	case "tstzrange":
		return kindTimeRange, false
	case "timestamptz[]":
		return kindTimes, false
	case "timestamp[]":
		return kindTimestamps, false
	case "bytea[]":
		return kindBytesArray, false
	case "float4", "float8":
		return kindFloat, false
	case "json", "jsonb":
		return kindJSON, false
	case "int2", "int4", "int8", "text", "varchar", "uuid", "name", "oid":
		return kindPlain, true
	default:
		return kindPlain, false
	}
}
