package gormhook

import (
	"context"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// writer runs one statement for the portable path and reads the rows around it.
type writer struct {
	*request
	parsed *parsed
	hook   *hook

	affected []*image // one for each row that RETURNING gave
	lastID   *int64
}

func (w *writer) postgres() bool { return w.hook.dialect == postgresName }

// idExpr identifies a row for as long as the transaction holds its lock.
func (w *writer) idExpr(qualifier string) string {
	switch {
	case w.postgres():
		return qualifier + `.tableoid::text || ` + qualifier + `.ctid::text`
	case w.table.rowid:
		return qualifier + `.rowid`
	default: // the key, which a table without rowid always has
		parts := make([]string, 0, len(w.table.key))
		for _, i := range w.table.key {
			parts = append(parts, `quote(`+qualifier+`.`+quote(w.table.columns[i].name)+`)`)
		}
		return strings.Join(parts, ` || ',' || `)
	}
}

// imageList is the list of what makes an image: the id, and each column.
func (w *writer) imageList(id, qualifier string) string {
	list := make([]string, 0, len(w.table.columns)+1)
	list = append(list, id)
	for i := range w.table.columns {
		c := &w.table.columns[i]
		expr := quote(c.name)
		if qualifier != "" {
			expr = qualifier + "." + expr
		}
		if w.postgres() {
			image, _ := c.imageOf(expr, ruleShow)
			expr = `to_jsonb(` + image + `)::text`
		}
		list = append(list, expr)
	}
	return joinList(list)
}

// read makes images of rows whose last columns are those of imageList.
func (w *writer) read(rows *collected) []*image {
	skip := len(rows.columns) - len(w.table.columns) - 1
	images := make([]*image, len(rows.values))
	for n, v := range rows.values {
		images[n] = w.imageOf(v[skip:])
	}
	return images
}

func (w *writer) imageOf(values []any) *image {
	img := &image{id: textOf(values[0]), values: make([]string, len(w.table.columns))}
	for i, v := range values[1:] {
		c := &w.table.columns[i]
		if w.postgres() {
			img.values[i] = "null"
			if v != nil {
				img.values[i] = textOf(v)
			}
		} else {
			img.values[i] = c.spell(v)
		}
	}
	img.entity = w.table.entityOf(w.subject, img)
	img.mask(w.table, w.subject)
	return img
}

// update locks and reads the rows, changes them, and reads what they became.
func (w *writer) update() ([]change, *collected, error) {
	before, err := w.lock()
	if err != nil {
		return nil, nil, err
	}
	q := w.parsed.qualifier()
	text := w.text[:len(w.text)-len(w.tail())]
	args := w.args
	id, qualifier := w.sqliteID(), ""
	if w.postgres() {
		id, qualifier = w.idExpr(q), q
	}
	if w.postgres() && w.parsed.from == "" {
		// Only the rows that were locked: others may have come since.
		locked := make([]string, len(before))
		for i, b := range before {
			locked[i] = b.id
		}
		n := len(args)
		head := `UPDATE ` + w.parsed.table
		if w.parsed.alias != "" {
			head += ` AS ` + w.parsed.alias
		}
		text = head + ` SET ` + w.parsed.set +
			` FROM unnest($` + strconv.Itoa(n+1) + `::text[]) AS audit_locked(audit_id) WHERE ` + id + ` = audit_id`
		if w.parsed.where != "" {
			text += ` AND (` + w.parsed.where + `)`
		}
		args = append(args[:n:n], textArray(locked))
		id = `audit_id`
	}
	rows, err := w.run(text, id, qualifier, args)
	if err != nil {
		return nil, nil, err
	}
	if err := w.again(); err != nil {
		return nil, nil, err
	}
	return pair(before, w.affected), rows, nil
}

// lock reads the rows that the statement is about to change, under their lock.
func (w *writer) lock() ([]*image, error) {
	if !w.postgres() {
		if err := w.hook.lockSQLite(w.ctx, w.pool); err != nil {
			return nil, err
		}
	}
	p := w.parsed
	from := p.table
	if p.alias != "" {
		from += ` AS ` + p.alias
	}
	if p.from != "" {
		from += `, ` + p.from
	}
	text := `SELECT ` + w.imageList(w.idExpr(p.qualifier()), p.qualifier()) + ` FROM ` + from
	var args []any
	if p.from != "" || p.where != "" {
		tail := ``
		if p.from != "" {
			tail = p.from
		}
		fragment, used := piece(tail, w.args, count(p.set), 1)
		if p.from != "" {
			text = strings.TrimSuffix(text, p.from) + fragment
		}
		where, more := piece(p.where, w.args, count(p.set)+count(p.from), 1+len(used))
		args = append(args, used...)
		args = append(args, more...)
		if p.where != "" {
			text += ` WHERE ` + where
		}
	}
	if w.postgres() {
		text += ` FOR UPDATE OF ` + unqualified(p)
	}
	rows, err := collect(w.ctx, w.pool, text, args)
	if err != nil {
		return nil, err
	}
	return w.read(rows), nil
}

func unqualified(p *parsed) string {
	if p.alias != "" {
		return p.alias
	}
	return quote(p.names[len(p.names)-1])
}

// tail is the statement's own RETURNING, with its keyword.
func (w *writer) tail() string {
	if w.parsed.returning == "" {
		return ""
	}
	i := strings.LastIndex(w.text, w.parsed.returning)
	j := strings.LastIndex(strings.ToUpper(w.text[:i]), "RETURNING")
	return w.text[j:]
}

// run runs the change with RETURNING: what the caller wants, then the images.
// It returns the caller's part.
func (w *writer) run(text, id, qualifier string, args []any) (*collected, error) {
	text += ` RETURNING `
	if w.parsed.returning != "" {
		text += w.parsed.returning + `, `
	}
	text += w.imageList(id, qualifier)
	rows, err := collect(w.ctx, w.pool, text, args)
	if err != nil {
		return nil, err
	}
	w.affected = w.read(rows)
	return rows.first(len(rows.columns) - len(w.table.columns) - 1), nil
}

// delete changes and reads in one: what is deleted is returned as it was.
func (w *writer) delete() ([]change, *collected, error) {
	text := w.text[:len(w.text)-len(w.tail())]
	q := w.parsed.qualifier()
	if w.postgres() {
		rows, err := w.run(text, w.idExpr(q), q, w.args)
		return deleted(w.affected), rows, err
	}
	rows, err := w.run(text, w.sqliteID(), "", w.args)
	return deleted(w.affected), rows, err
}

func deleted(images []*image) []change {
	changes := make([]change, len(images))
	for i, img := range images {
		changes[i].before = img
	}
	return changes
}

// sqliteID is idExpr as RETURNING of SQLite has it, unqualified.
func (w *writer) sqliteID() string {
	if w.table.rowid {
		return `rowid`
	}
	parts := make([]string, 0, len(w.table.key))
	for _, i := range w.table.key {
		parts = append(parts, `quote(`+quote(w.table.columns[i].name)+`)`)
	}
	return strings.Join(parts, ` || ',' || `)
}

// insert inserts and reads what was inserted; an upsert also tells what it
// updated.
func (w *writer) insert() ([]change, *collected, error) {
	text := w.text[:len(w.text)-len(w.tail())]
	var before []*image
	var err error
	switch {
	case w.parsed.conflictUpdate && w.postgres():
		return w.upsertPostgres()
	case w.parsed.conflictUpdate || w.parsed.or:
		if before, err = w.rehearse(text); err != nil {
			return nil, nil, err
		}
	}
	id, qualifier := w.sqliteID(), ""
	if w.postgres() {
		qualifier = w.parsed.qualifier()
		id = w.idExpr(qualifier)
	}
	rows, err := w.run(text, id, qualifier, w.args)
	if err != nil {
		return nil, nil, err
	}
	if err := w.again(); err != nil {
		return nil, nil, err
	}
	if n := len(w.affected); n > 0 && !w.postgres() && w.table.rowid {
		if last, err := strconv.ParseInt(w.affected[n-1].id, 10, 64); err == nil {
			w.lastID = &last
		}
	}
	return pair(before, w.affected), rows, nil
}

// pair finds for each row before what it became. A row that is only there
// before or after is a delete or an insert.
func pair(before, after []*image) []change {
	if len(before) == 1 && len(after) == 1 {
		return []change{{before[0], after[0]}}
	}
	was := make(map[string]*image, len(before))
	for _, b := range before {
		was[b.id] = b
	}
	changes := make([]change, 0, len(after))
	for _, a := range after {
		changes = append(changes, change{was[a.id], a})
		delete(was, a.id)
	}
	for _, b := range before {
		if _, gone := was[b.id]; gone {
			changes = append(changes, change{before: b})
		}
	}
	return changes
}

// lockSQLite takes the lock of the one writer ahead of the first read: a
// transaction that has read cannot become a writer once another has written.
func (h *hook) lockSQLite(ctx context.Context, pool gorm.ConnPool) error {
	_, err := pool.ExecContext(ctx, `UPDATE audit_outcomes SET status = status WHERE 0`)
	return err
}
