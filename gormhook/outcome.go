package gormhook

import (
	"slices"
	"strconv"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// entries makes the entries of what changed along with what the statement did
// to its own rows.
func (c *cascade) entries(by *capture, own []change) ([]trail.Entry, error) {
	if c == nil {
		return nil, nil
	}
	c.keep(c.rows, own)
	var entries []trail.Entry
	for _, d := range c.deps {
		after, err := c.outcome(d)
		if err != nil {
			return nil, err
		}
		changes := make([]change, len(d.before))
		for i, b := range d.before {
			changes[i] = change{b, after[b.id]}
		}
		c.keep(d, changes)
		if d.subject.excluded {
			continue
		}
		made, _, err := by.entries(d.request, d.parsed, changes)
		if err != nil {
			return nil, err
		}
		entries = append(entries, made...)
	}
	return entries, nil
}

// keep notes what became of rows, for those that refer to them.
func (c *cascade) keep(d *dependents, changes []change) {
	for _, ch := range changes {
		if ch.before != nil && ch.after != nil {
			c.became[d.rowName(ch.before)] = ch.after
		}
	}
}

// outcome reads what became of the rows, by the ids that they had: those that
// no longer exist are deleted. A row that has moved to where only its new key
// says is looked for by that, and if it has none, it is what the foreign keys
// make of it.
func (c *cascade) outcome(d *dependents) (map[string]*image, error) {
	after := make(map[string]*image, len(d.before))
	if d.postgres() || d.stays() {
		for some := range slices.Chunk(d.before, maxList) {
			images, err := d.latest(some)
			if err != nil {
				return nil, err
			}
			for _, img := range images {
				after[img.id] = img
			}
		}
		if d.removed || !d.table.partitioned {
			return after, nil
		}
	}
	for some := range slices.Chunk(d.before, maxList) {
		if err := c.seek(d, some, after); err != nil {
			return nil, err
		}
	}
	return after, nil
}

// stays reports whether SQLite knows the rows by the same as before.
func (d *dependents) stays() bool {
	switch {
	case d.removed:
		return true
	case !d.table.rowid:
		return !slices.ContainsFunc(d.table.key, func(i int) bool { return d.by.has(d.table.columns[i].name) })
	default:
		return d.table.rowidAlias == "" || !d.by.has(d.table.rowidAlias)
	}
}

// latest reads rows where they are by now. PostgreSQL knows the latest version
// of a row by the place of an earlier one; a row that was moved to another
// partition has none there, and neither has one of a partition that the caller
// may not read by itself.
func (d *dependents) latest(rows []*image) ([]*image, error) {
	ids := make([]string, len(rows))
	for i, img := range rows {
		ids[i] = img.id
	}
	if !d.postgres() {
		return d.byID(ids)
	}
	const mine = `audit__referring`
	return d.images(`WITH audit__was AS MATERIALIZED (
SELECT audit__id, audit__oid, CASE WHEN has_table_privilege(audit__oid, 'SELECT')
	THEN currtid2(audit__oid::regclass::text, substring(audit__id FROM '[(].*')::tid) END AS audit__place
FROM (SELECT audit__id, substring(audit__id FROM '^[0-9]+')::oid AS audit__oid FROM unnest($1::text[]) AS u(audit__id)) AS audit__rows
)
SELECT `+d.imageList(`audit__id`, mine)+` FROM `+d.rowsOf()+` AS `+mine+` JOIN audit__was
	ON `+mine+`.tableoid = audit__oid AND `+mine+`.ctid = audit__place
WHERE `+mine+`.ctid = ANY (ARRAY(SELECT audit__place FROM audit__was))`, textArray(ids))
}

// seek looks for those of the rows that are not in after, by the key that the
// foreign keys make of theirs.
func (c *cascade) seek(d *dependents, rows []*image, after map[string]*image) error {
	key := d.table.key
	if d.postgres() {
		key = d.table.identity(d.subject)
	}
	sought := map[string]*image{} // by key
	var tuples []string
	var args []any
	for _, b := range rows {
		if after[b.id] != nil || c.gone[d.rowName(b)] {
			continue
		}
		img := c.foretell(d, b)
		values, ok := d.keyValues(img, key)
		if !ok {
			after[b.id] = d.finished(img)
			continue
		}
		places := make([]string, len(values))
		for i := range values {
			places[i] = `?`
			if d.postgres() {
				places[i] = `$` + strconv.Itoa(len(args)+i+1)
			}
		}
		tuples, args = append(tuples, `(`+strings.Join(places, `, `)+`)`), append(args, values...)
		sought[d.table.bare(img, key)] = b
	}
	if len(tuples) == 0 {
		return nil
	}
	const mine = `audit__referring`
	columns, id, list := make([]string, len(key)), d.idExpr(""), `VALUES `
	if d.postgres() {
		id, list = d.idExpr(mine), `` // a parameter is of its column's type there
	}
	for n, i := range key {
		columns[n] = mine + `.` + quote(d.table.columns[i].name)
	}
	images, err := d.images(`SELECT `+d.imageList(id, ``)+` FROM `+d.rowsOf()+` AS `+mine+
		` WHERE (`+strings.Join(columns, `, `)+`) IN (`+list+strings.Join(tuples, `, `)+`)`, args...)
	if err != nil {
		return err
	}
	for _, img := range images {
		if b := sought[d.table.bare(img, key)]; b != nil {
			after[b.id] = img
		}
	}
	return nil
}

// keyValues returns the values of a key as parameters, if it has them all.
func (d *dependents) keyValues(img *image, key []int) (values []any, ok bool) {
	for _, i := range key {
		text := img.bare(i)
		switch {
		case text == "" || text == "null":
			return nil, false
		case d.postgres() || strings.HasPrefix(text, `"`):
			values = append(values, unquoteJSON(text))
		case text == "true" || text == "false":
			values = append(values, text == "true")
		default:
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				values = append(values, n)
			} else if f, err := strconv.ParseFloat(text, 64); err == nil {
				values = append(values, f)
			} else {
				values = append(values, text)
			}
		}
	}
	return values, len(key) > 0
}

// foretell computes what the foreign keys make of a row, all that it refers by.
// It is neither finished nor masked.
func (c *cascade) foretell(d *dependents, b *image) *image {
	img := &image{id: b.id, values: make([]string, len(b.values))}
	for i := range b.values {
		img.values[i] = b.bare(i)
	}
	for _, f := range c.followed {
		if f.by.table != d.by.table || f.removed {
			continue
		}
		columns, refers := d.table.places(f.by.columns), f.to.table.places(f.by.refers)
		if f.byKey == nil {
			f.byKey = make(map[string]*image, len(f.referred))
			for _, r := range f.referred {
				f.byKey[f.to.table.bare(r, refers)] = r
			}
		}
		r := f.byKey[d.table.bare(b, columns)]
		if r == nil {
			continue
		}
		now := c.became[f.to.rowName(r)]
		for n, name := range f.by.columns {
			switch {
			case f.action == actionSetNull && (!f.deleted || f.by.nulls(name)):
				img.values[columns[n]] = "null"
			case f.action == actionCascade && now != nil:
				img.values[columns[n]] = now.bare(refers[n])
			}
		}
	}
	return img
}

// places returns the places of columns by their names.
func (t *table) places(names []string) []int {
	list := make([]int, len(names))
	for n, name := range names {
		list[n], _ = t.column(name)
	}
	return list
}

// bare returns the values of columns as they are beneath their masks.
func (t *table) bare(img *image, columns []int) string {
	values := make([]string, len(columns))
	for n, i := range columns {
		values[n] = img.bare(i)
	}
	return strings.Join(values, ",")
}

// bare returns the ith value as it is beneath its mask.
func (img *image) bare(i int) string {
	if secret, masked := img.secrets[i]; masked {
		return secret
	}
	return img.values[i]
}
