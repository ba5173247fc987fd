package gormhook

import (
	"slices"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// cascade is everything that a statement changes beyond its own rows. The rows
// that refer to them are read, under lock, before the statement and again after
// it, so that the entries show what happened.
type cascade struct {
	rows *dependents // of the statement itself
	deps []*dependents
	// known are the rows that were read; gone are those of them that will be
	// deleted.
	known, gone map[string]bool
}

// dependents are rows that the database changes through a foreign key, along
// with those that they refer to.
type dependents struct {
	*writer // of their table
	by      reference
	action  action
	removed bool        // by the foreign key
	to      *dependents // what they refer to
	before  []*image
	changes []change
}

// followers locks and reads what changes along with rows of the statement. It
// is nil if nothing can.
func (w *writer) followers(rows []*image) (*cascade, error) {
	if !w.table.followed(w.parsed) {
		return nil, nil //nolint:nilnil // as documented
	}
	c := &cascade{rows: &dependents{writer: w}, known: map[string]bool{}, gone: map[string]bool{}}
	for _, r := range rows {
		c.known[w.rowName(r)], c.gone[w.rowName(r)] = true, w.parsed.removes()
	}
	return c, c.follow(c.rows, rows, w.parsed.removes(), w.parsed.sets)
}

// follow continues from rows that are deleted, or whose columns change.
func (c *cascade) follow(to *dependents, rows []*image, deleted bool, changes func(column string) bool) error {
	for _, ref := range to.table.references {
		act := ref.moved(deleted, changes)
		if act == actionNone || len(rows) == 0 {
			continue
		}
		d, err := newDependents(to, ref)
		if err != nil {
			return err
		}
		d.action, d.removed = act, deleted && act == actionCascade
		if err := d.read(rows); err != nil {
			return err
		}
		// Rows may be reached more than once: to be changed, then to be deleted.
		next := slices.DeleteFunc(slices.Clone(d.before), func(img *image) bool {
			if d.removed {
				return c.gone[d.rowName(img)]
			}
			return c.known[d.rowName(img)]
		})
		d.before = slices.DeleteFunc(d.before, func(img *image) bool { return c.known[d.rowName(img)] })
		for _, img := range next {
			c.known[d.rowName(img)], c.gone[d.rowName(img)] = true, d.removed
		}
		if len(d.before) > 0 {
			c.deps = append(c.deps, d)
		}
		if err := c.follow(d, next, d.removed, ref.has); err != nil {
			return err
		}
	}
	return nil
}

// newDependents returns the rows of a foreign key, none of them read yet.
func newDependents(to *dependents, ref reference) (*dependents, error) {
	h := to.hook
	sub := h.subjects.named(&h.plugin, h.subjects.seen(ref.table), ref.table)
	t, err := h.tables.of(to.ctx, to.pool, h.dialect, h.tableKey(sub, ref.table))
	if err != nil {
		return nil, err
	}
	r := *to.request
	r.subject, r.table, r.names, r.mode = sub, t, nil, ownNone
	p := &parsed{table: ref.table, names: []string{bareName(ref.table)}, alias: `audit__referring`}
	return &dependents{writer: &writer{request: &r, parsed: p, hook: h}, by: ref, to: to}, nil
}

// rowName identifies a row among those of all tables.
func (w *writer) rowName(img *image) string {
	if w.postgres() {
		return img.id // starts with the table's oid
	}
	return strings.ToLower(bareName(w.parsed.table)) + " " + img.id
}

// read locks and reads those that refer to rows.
func (d *dependents) read(rows []*image) error {
	for some := range slices.Chunk(rows, maxList) {
		images, err := d.referring(some)
		if err != nil {
			return err
		}
		d.before = append(d.before, images...)
	}
	d.before = distinct(d.before)
	return nil
}

// referring reads those that refer to some rows.
func (d *dependents) referring(rows []*image) ([]*image, error) {
	if !d.postgres() {
		args := make([]any, len(rows))
		for i, img := range rows {
			args[i] = img.id
		}
		return d.images(`SELECT `+d.imageList(d.idExpr(""), "")+` FROM `+d.by.table+
			` WHERE (`+quoted(d.by.columns)+`) IN (SELECT `+quoted(d.by.refers)+` FROM `+d.to.parsed.table+
			` WHERE `+d.to.idExpr("")+` IN (?`+strings.Repeat(`, ?`, len(rows)-1)+`))`, args...)
	}
	ids, places := make([]string, len(rows)), make([]string, len(rows))
	for i, img := range rows {
		ids[i], places[i] = img.id, img.place()
	}
	const mine, theirs = `audit__referring`, `audit__referred`
	text := `SELECT ` + d.imageList(d.idExpr(mine), mine) + ` FROM ` + d.by.table + ` AS ` + mine +
		` JOIN ` + d.to.parsed.table + ` AS ` + theirs + ` ON `
	for i, column := range d.by.columns {
		if i > 0 {
			text += ` AND `
		}
		text += mine + `.` + quote(column) + ` = ` + theirs + `.` + quote(d.by.refers[i])
	}
	text += ` WHERE ` + theirs + `.ctid = ANY ($1::text[]::tid[]) AND ` + d.idExpr(theirs) + ` = ANY ($2::text[]) FOR UPDATE OF ` + mine
	return d.images(text, textArray(places), textArray(ids))
}

func quoted(columns []string) string {
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = quote(name)
	}
	return strings.Join(list, `, `)
}

// entries makes the entries of what changed along with what the statement did
// to its own rows.
func (c *cascade) entries(by *capture, own []change) ([]trail.Entry, error) {
	if c == nil {
		return nil, nil
	}
	c.rows.changes = own
	var entries []trail.Entry
	for _, d := range c.deps {
		if err := d.became(); err != nil {
			return nil, err
		}
		if d.subject.excluded {
			continue
		}
		made, _, err := by.entries(d.request, d.parsed, d.changes)
		if err != nil {
			return nil, err
		}
		entries = append(entries, made...)
	}
	return entries, nil
}

// became finds out what became of the rows: those that no longer exist are
// deleted. If nothing identifies a row, it is what the foreign key makes of it.
func (d *dependents) became() error {
	after := make(map[string]*image, len(d.before))
	same := func(img *image) string { return img.id }
	switch {
	case !d.recognised():
		d.predict(after)
	default:
		if d.postgres() { // its place has changed there
			same = func(img *image) string { return img.entity }
		}
		for some := range slices.Chunk(d.before, maxList) {
			images, err := d.reread(some)
			if err != nil {
				return err
			}
			for _, img := range images {
				after[same(img)] = img
			}
		}
	}
	for _, b := range d.before {
		d.changes = append(d.changes, change{b, after[same(b)]})
	}
	return nil
}

// recognised reports whether rows can be found again after they have changed.
func (d *dependents) recognised() bool {
	key := d.table.key
	if d.postgres() {
		key = d.table.identity(d.subject)
	} else if d.table.rowid {
		i, _ := d.table.column(d.table.rowidAlias)
		return d.removed || d.table.rowidAlias == "" || !d.by.has(d.table.columns[i].name)
	}
	return key != nil && !slices.ContainsFunc(key, func(i int) bool {
		name := d.table.columns[i].name
		return !d.removed && d.by.has(name) || d.subject.rule(name) == ruleOmit
	})
}

// reread reads rows that have changed.
func (d *dependents) reread(rows []*image) ([]*image, error) {
	if !d.postgres() {
		ids := make([]string, len(rows))
		for i, img := range rows {
			ids[i] = img.id
		}
		return d.byID(ids)
	}
	const mine, key = `audit__referring`, `audit__key`
	text := `SELECT ` + d.imageList(d.idExpr(mine), mine) + ` FROM ` + d.by.table + ` AS ` + mine +
		` JOIN json_populate_recordset(NULL::` + d.by.table + `, $1::json) AS ` + key + ` ON `
	columns := d.table.identity(d.subject)
	for n, i := range columns {
		if n > 0 {
			text += ` AND `
		}
		name := quote(d.table.columns[i].name)
		text += mine + `.` + name + ` = ` + key + `.` + name
	}
	records := make([]string, len(rows))
	for n, img := range rows {
		var b jsonObject
		for _, i := range columns {
			b.add(d.table.columns[i].name, img.bare(i))
		}
		records[n] = string(b.end())
	}
	return d.images(text, `[`+strings.Join(records, `,`)+`]`)
}

// predict computes what the foreign key makes of the rows, except those that it
// deletes.
func (d *dependents) predict(after map[string]*image) {
	if d.removed {
		return
	}
	now := map[string]*image{} // by what was referred to
	for _, ch := range d.to.changes {
		if ch.before != nil && ch.after != nil {
			now[d.to.table.bare(ch.before, d.by.refers)] = ch.after
		}
	}
	for _, b := range d.before {
		img := &image{id: b.id, values: make([]string, len(b.values))}
		for i := range b.values {
			img.values[i] = b.bare(i)
		}
		to := now[d.table.bare(b, d.by.columns)]
		for n, name := range d.by.columns {
			i, _ := d.table.column(name)
			switch {
			case d.action == actionSetNull:
				img.values[i] = "null"
			case d.action == actionCascade && to != nil:
				j, _ := d.to.table.column(d.by.refers[n])
				img.values[i] = to.bare(j)
			}
		}
		after[img.id] = d.finished(img)
	}
}

// bare returns the values of columns as they are beneath their masks.
func (t *table) bare(img *image, columns []string) string {
	values := make([]string, len(columns))
	for n, name := range columns {
		if i, ok := t.column(name); ok {
			values[n] = img.bare(i)
		}
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
