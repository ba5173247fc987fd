package gormhook

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// cascade is everything that a statement changes beyond its own rows. The rows
// that refer to them are read, under lock, before the statement and again after
// it, so that the entries show what happened.
type cascade struct {
	rows *dependents // of the statement itself
	deps []*dependents
	// followed are the foreign keys on the way, those without rows of their own too.
	followed []*dependents
	// became is what became of the rows that changed, by their names.
	became map[string]*image
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
	deleted bool        // what they refer to is
	removed bool        // so are they, by the foreign key
	to      *dependents // what they refer to
	// referred are the rows of that, byKey the same by what is referred to, once
	// somebody has asked.
	referred []*image
	byKey    map[string]*image
	before   []*image
}

// followers locks and reads what changes along with rows of the statement. It
// is nil if nothing can.
func (w *writer) followers(rows []*image) (*cascade, error) {
	if !w.table.followed(w.parsed) {
		return nil, nil //nolint:nilnil // as documented
	}
	if enforced, err := w.enforced(); !enforced {
		return nil, err //nolint:nilnil // as documented
	}
	c := &cascade{rows: &dependents{writer: w}, became: map[string]*image{}, known: map[string]bool{}, gone: map[string]bool{}}
	for _, r := range rows {
		c.known[w.rowName(r)], c.gone[w.rowName(r)] = true, w.parsed.removes()
	}
	return c, c.follow(c.rows, rows, w.parsed.removes(), w.table.changedBy(w.parsed.sets))
}

// errBeyond says that a statement, which is yet to be run, changes more rows
// than Plugin.MaxRows along with its own.
var errBeyond = errors.New("more rows change along than are imaged")

// enforced reports whether the database acts on foreign keys. SQLite does so
// only if the connection asks for it, and no transaction can change that.
func (w *writer) enforced() (bool, error) {
	if w.postgres() {
		return true, nil
	}
	text, _, err := queryText(w.ctx, w.pool, `PRAGMA foreign_keys`)
	return text == "1", err
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
		d.action, d.deleted, d.removed, d.referred = act, deleted, deleted && act == actionCascade, rows
		c.followed = append(c.followed, d)
		most := d.hook.plugin.MaxRows
		if most > 0 {
			most++ // one more shows that there are too many
		}
		if err := d.read(rows, most); err != nil {
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
		if most > 0 && len(next) > 0 && len(c.known) >= most {
			return errBeyond
		}
		if len(d.before) > 0 {
			c.deps = append(c.deps, d)
		}
		if err := c.follow(d, next, d.removed, d.table.changedBy(ref.has)); err != nil {
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

// rowsOf is the table as it appears in FROM: without the tables that inherit
// from it, to which a foreign key does not apply.
func (d *dependents) rowsOf() string {
	if d.postgres() && !d.table.partitioned {
		return `ONLY ` + d.by.table
	}
	return d.by.table
}

// rowName identifies a row among those of all tables.
func (w *writer) rowName(img *image) string {
	if w.postgres() {
		return img.id // starts with the table's oid
	}
	return strings.ToLower(bareName(w.parsed.table)) + " " + img.id
}

// read locks and reads those that refer to rows, no more than about most of
// them, if that is not zero.
func (d *dependents) read(rows []*image, most int) error {
	for some := range slices.Chunk(rows, maxList) {
		images, err := d.referring(some, most)
		if err != nil {
			return err
		}
		d.before = append(d.before, images...)
		if most > 0 && len(d.before) >= most {
			break // too many already
		}
	}
	d.before = distinct(d.before)
	return nil
}

// referring reads those that refer to some rows, as read does.
func (d *dependents) referring(rows []*image, most int) ([]*image, error) {
	limit := ``
	if most > 0 {
		limit = ` LIMIT ` + strconv.Itoa(most)
	}
	if !d.postgres() {
		args := make([]any, len(rows))
		for i, img := range rows {
			args[i] = img.id
		}
		return d.images(`SELECT `+d.imageList(d.idExpr(""), "")+` FROM `+d.rowsOf()+
			` WHERE (`+quoted(d.by.columns)+`) IN (SELECT `+quoted(d.by.refers)+` FROM `+d.to.parsed.table+
			` WHERE `+d.to.idExpr("")+` IN (?`+strings.Repeat(`, ?`, len(rows)-1)+`))`+limit, args...)
	}
	ids, places := make([]string, len(rows)), make([]string, len(rows))
	for i, img := range rows {
		ids[i], places[i] = img.id, img.place()
	}
	const mine, theirs = `audit__referring`, `audit__referred`
	text := `SELECT ` + d.imageList(d.idExpr(mine), mine) + ` FROM ` + d.rowsOf() + ` AS ` + mine +
		` JOIN ` + d.to.parsed.table + ` AS ` + theirs + ` ON `
	for i, column := range d.by.columns {
		if i > 0 {
			text += ` AND `
		}
		text += mine + `.` + quote(column) + ` = ` + theirs + `.` + quote(d.by.refers[i])
	}
	text += ` WHERE ` + theirs + `.ctid = ANY ($1::text[]::tid[]) AND ` + d.idExpr(theirs) + ` = ANY ($2::text[])` + limit + ` FOR UPDATE OF ` + mine
	return d.images(text, textArray(places), textArray(ids))
}

func quoted(columns []string) string {
	list := make([]string, len(columns))
	for i, name := range columns {
		list[i] = quote(name)
	}
	return strings.Join(list, `, `)
}
