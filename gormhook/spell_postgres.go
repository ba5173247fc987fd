package gormhook

import (
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// quote writes an identifier for PostgreSQL and SQLite.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal writes a constant text. It is only for column names and our own
// words: a value of the application is never part of a text.
func literal(s string) string {
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `'`, `''`) + `'`
	}
	return `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
}

// timeFormat spells a timestamp as RFC 3339 with microseconds. A timestamp
// without zone is read as UTC, which is how pgx writes it.
const timeFormat = `'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'`

// imageOf returns the expression of a column's value in an image, as an argument
// of jsonb_build_object, and whether that differs from what to_jsonb of the row
// has anyway.
func (c *column) imageOf(expr string, r rule) (image string, differs bool) {
	switch r {
	case ruleDigest:
		return `CASE WHEN ` + expr + ` IS NOT NULL THEN encode(sha256(convert_to(` + expr + `::text, 'UTF8')), 'hex') END`, true
	case ruleMask:
		return `CASE WHEN ` + expr + ` IS NOT NULL THEN ` + literal(trail.Masked) + `::text END`, true
	}
	switch c.kind {
	case kindTime, kindTimestamp:
		return spellTime(expr, c.kind), true
	case kindBytes:
		return spellBytes(expr), true
	case kindTimeRange:
		return spellRange(expr), true
	case kindTimes:
		return spellArray(expr, spellTime("e", kindTime)), true
	case kindTimestamps:
		return spellArray(expr, spellTime("e", kindTimestamp)), true
	case kindBytesArray:
		return spellArray(expr, spellBytes("e")), true
	default:
		return expr, false
	}
}

// spellArray spells each element of an array. An empty array has no elements
// to aggregate, and a multidimensional one would lose its dimensions: that one
// is left as the database spells it.
func spellArray(expr, element string) string {
	return `CASE WHEN array_ndims(` + expr + `) > 1 THEN to_jsonb(` + expr + `) WHEN ` + expr + ` IS NOT NULL THEN coalesce((SELECT jsonb_agg(` +
		element + ` ORDER BY n) FROM unnest(` + expr + `) WITH ORDINALITY AS u(e, n)), '[]'::jsonb) END`
}

// spellTime leaves to the database what to_char has no word for: infinity, and
// the years before Christ.
func spellTime(expr string, k kind) string {
	at := expr
	if k == kindTime {
		at = expr + ` AT TIME ZONE 'UTC'`
	}
	return `CASE WHEN isfinite(` + expr + `) AND ` + at + ` >= '0001-01-01' THEN to_char(` + at + `, ` + timeFormat + `) ELSE (` + at + `)::text END`
}

// spellRange spells a tstzrange, whose own text is in the zone of the session.
func spellRange(expr string) string {
	bound := func(f string) string { return `coalesce(` + spellTime(f+`(`+expr+`)`, kindTime) + `, '')` }
	return `CASE WHEN isempty(` + expr + `) THEN 'empty' WHEN ` + expr + ` IS NOT NULL THEN CASE WHEN lower_inc(` + expr +
		`) THEN '[' ELSE '(' END || ` + bound("lower") + ` || ',' || ` + bound("upper") + ` || CASE WHEN upper_inc(` + expr +
		`) THEN ']' ELSE ')' END END`
}

func spellBytes(expr string) string { return literal(`\x`) + ` || encode(` + expr + `, 'hex')` }

// keyOf returns the expression of the ith column's text in an entity id. The key
// of a masked column is its digest: it still tells rows apart. One without a
// value, which is in a key that the database does not know of, is called null.
func (t *table) keyOf(i int, expr string, r rule) string {
	c := &t.columns[i]
	image, _ := c.imageOf(expr, ruleShow)
	text := `(to_jsonb(` + image + `) #>> '{}')`
	if c.text {
		text = expr + `::text`
	} else if c.kind == kindTime || c.kind == kindTimestamp || c.kind == kindBytes {
		text = `(` + image + `)`
	}
	if t.nullable(i) {
		text = `coalesce(` + text + `, 'null')`
	}
	if r == ruleMask || r == ruleOmit {
		return `'sha256:' || encode(sha256(convert_to(` + text + `, 'UTF8')), 'hex')`
	}
	return text
}

// entityID returns the expression of the entity id, see trail.JoinKey.
func (t *table) entityID(s *subject, key []int, expr func(i int) string) string {
	switch len(key) {
	case 0:
		return `''`
	case 1:
		i := key[0]
		return t.keyOf(i, expr(i), s.rule(t.columns[i].name))
	}
	var b strings.Builder
	for n, i := range key {
		if n > 0 {
			b.WriteString(` || ',' || `)
		}
		b.WriteString(`replace(replace(` + t.keyOf(i, expr(i), s.rule(t.columns[i].name)) + `,` + literal(`\`) + `,` + literal(`\\`) + `), ',',` + literal(`\,`) + `)`)
	}
	return b.String()
}

// object returns the expression of a JSON object of the given columns.
// jsonb_build_object takes at most a hundred arguments.
func (t *table) object(s *subject, columns []int, expr func(i int) string) string {
	const most = 48
	var b strings.Builder
	n := 0
	for _, i := range columns {
		c := &t.columns[i]
		r := s.rule(c.name)
		if r == ruleOmit {
			continue
		}
		switch {
		case n == 0:
			b.WriteString(`jsonb_build_object(`)
		case n%most == 0:
			b.WriteString(`) || jsonb_build_object(`)
		default:
			b.WriteString(`, `)
		}
		image, _ := c.imageOf(expr(i), r)
		b.WriteString(literal(c.name) + `, ` + image)
		n++
	}
	if n == 0 {
		return `'{}'::jsonb`
	}
	return b.String() + `)`
}

// row returns the expression of the image of a whole row, named by alias:
// everything that to_jsonb has of it, in the spelling of the trail. A column
// added to the table since it was read is included.
func (t *table) row(rules func(column string) rule, alias string, without ...string) string {
	omit := without
	var respelled []int
	for i := range t.columns {
		c := &t.columns[i]
		switch r := rules(c.name); {
		case r == ruleOmit:
			omit = append(omit, c.name)
		default:
			if _, differs := c.imageOf("", r); differs {
				respelled = append(respelled, i)
			}
		}
	}
	text := `to_jsonb(` + alias + `.*)` // without the star a column of that name would be meant
	if len(respelled) > 0 {
		// Of two columns with one name jsonb keeps the last. That costs less than
		// joining two objects.
		var b strings.Builder
		for _, i := range respelled {
			c := &t.columns[i]
			image, _ := c.imageOf(alias+`.`+quote(c.name), rules(c.name))
			b.WriteString(`, ` + image + ` AS ` + quote(c.name))
		}
		text = `(SELECT to_jsonb(audit__image.*) FROM (SELECT ` + alias + `.*` + b.String() + `) AS audit__image)`
	}
	for _, name := range omit {
		text = `(` + text + ` - ` + literal(name) + `)`
	}
	return text
}
