package gormhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	cascade  *cascade // what changes along with the rows, or nil
}

func (w *writer) postgres() bool { return w.hook.dialect == postgresName }

// idExpr identifies a row for as long as the transaction holds its lock.
func (w *writer) idExpr(qualifier string) string {
	if qualifier != "" {
		qualifier += `.`
	}
	switch {
	case w.postgres():
		return qualifier + `tableoid::text || ` + qualifier + `ctid::text`
	case w.table.rowid:
		return qualifier + w.table.rowidName
	default: // the key, which a table without rowid always has
		parts := make([]string, 0, len(w.table.key))
		for _, i := range w.table.key {
			parts = append(parts, keyText(qualifier+quote(w.table.columns[i].name)))
		}
		return strings.Join(parts, ` || ',' || `)
	}
}

// keyText is the expression of a column of a key as text that is one value's
// alone. Text is in hex, for quote ends at a NUL, and not all text is UTF-8.
func keyText(column string) string {
	return `CASE typeof(` + column + `) WHEN 'text' THEN 't' || hex(` + column + `) ELSE quote(` + column + `) END`
}

// imageList is the list of what makes an image: the id, and all columns that
// the table has by now, by name: on PostgreSQL in one object, which spells them
// as the trail does.
func (w *writer) imageList(id, qualifier string) string {
	if w.postgres() {
		return id + `, (` + w.table.row(shown, unqualified(w.parsed)) + `)::text`
	}
	if qualifier != "" {
		return id + `, ` + unqualified(w.parsed) + `.*`
	}
	return id + `, *`
}

// shown is the rule of every column of an image that is not masked yet.
func shown(string) rule { return ruleShow }

// images reads images by a query.
func (w *writer) images(text string, args ...any) ([]*image, error) {
	rows, err := gather(w.ctx, w.pool, text, args, false)
	if err != nil {
		return nil, err
	}
	return w.read(rows, 0)
}

// read makes images of rows whose columns from the given one on are those of
// imageList.
func (w *writer) read(rows *collected, from int) ([]*image, error) {
	images := make([]*image, len(rows.values))
	for n, v := range rows.values {
		var err error
		if w.postgres() {
			images[n], err = w.fromObject(textOf(v[from]), textOf(v[from+1]))
		} else {
			images[n], err = w.fromColumns(textOf(v[from]), rows.columns[from+1:], v[from+1:])
		}
		if err != nil {
			return nil, err
		}
	}
	return images, nil
}

// fromObject makes an image of a row of PostgreSQL.
func (w *writer) fromObject(id, object string) (*image, error) {
	var row map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &row); err != nil {
		return nil, fmt.Errorf("reading the image of a row: %w", err)
	}
	for name := range row {
		if _, ok := w.table.column(name); !ok {
			if err := w.refreshTable(); err != nil {
				return nil, err
			}
			break
		}
	}
	img := &image{id: id, values: make([]string, len(w.table.columns))}
	for i := range w.table.columns {
		if img.values[i] = string(row[w.table.columns[i].name]); img.values[i] == "" {
			img.values[i] = "null"
		}
	}
	return w.finished(img), nil
}

// fromColumns makes an image of a row of SQLite.
func (w *writer) fromColumns(id string, names []string, values []any) (*image, error) {
	if !w.table.named(names) {
		if err := w.refreshTable(); err != nil {
			return nil, err
		}
	}
	img := &image{id: id, values: make([]string, len(w.table.columns))}
	for i := range w.table.columns {
		img.values[i] = "null"
		if i < len(names) && names[i] == w.table.columns[i].name {
			img.values[i] = w.table.columns[i].spell(values[i])
		}
	}
	return w.finished(img), nil
}

// named reports whether the columns have these names, in this order.
func (t *table) named(names []string) bool {
	if len(names) != len(t.columns) {
		return false
	}
	for i, name := range names {
		if name != t.columns[i].name {
			return false
		}
	}
	return true
}

// refreshTable reads the table again: somebody else has changed the schema.
func (w *writer) refreshTable() error {
	w.hook.tables.forget()
	t, err := w.hook.tables.of(w.ctx, w.pool, w.hook.dialect, w.hook.tableKey(w.subject, w.parsed.table))
	if err != nil {
		return err
	}
	w.table = t
	return nil
}

// finished sets the entity id of an image, and masks it.
func (w *writer) finished(img *image) *image {
	img.entity = w.table.entityOf(w.subject, img)
	img.mask(w.table, w.subject)
	return img
}

// update locks and reads the rows, changes them, and reads what they became.
func (w *writer) update() ([]change, *collected, error) {
	if w.table.replaces && !w.parsed.abort {
		return w.updateAlone()
	}
	before, err := w.lock()
	if err != nil {
		return nil, nil, err
	}
	if w.cascade, err = w.followers(before); err != nil {
		return nil, nil, err
	}
	text := w.parsed.body
	var rows *collected
	each := !w.postgres() && len(before) > 1 && w.setsID()
	switch {
	case w.postgres():
		rows, err = w.runLocked(before)
	case each:
		rows, err = w.updateEach(before)
	case computed(w.parsed.where, w.hook.dialect):
		rows, err = w.runFound(before)
	default:
		rows, err = w.run(text, w.idExpr(""), "", w.args)
	}
	if err == nil && !each {
		err = w.reread()
	}
	if err != nil {
		return nil, nil, err
	}
	changes := slices.DeleteFunc(pair(before, w.affected), func(ch change) bool {
		return ch.after == nil // a trigger left the row as it was
	})
	return changes, rows, nil
}

// unqualified is the name of the table's row without a qualifier, also of the
// conflicting row of an upsert.
func unqualified(p *parsed) string {
	if p.alias != "" {
		return p.alias
	}
	return quote(p.names[len(p.names)-1])
}

// run runs the change with RETURNING: what the caller wants, then the images.
// It returns the caller's part.
func (w *writer) run(text, id, qualifier string, args []any) (*collected, error) {
	text += ` RETURNING `
	if w.parsed.returning != "" {
		text += w.parsed.returning + `, `
	}
	if !w.postgres() {
		id += ` AS ` + imageID
	}
	text += w.imageList(id, qualifier)
	rows, err := gather(w.ctx, w.pool, text, args, w.query)
	if err != nil {
		return nil, err
	}
	mine := w.own(rows)
	w.affected, err = w.read(rows, mine)
	return rows.first(mine), err
}

// own returns the position of the first column of imageList, which comes last.
// On SQLite the id has a unique name.
func (w *writer) own(rows *collected) int {
	if w.postgres() {
		return len(rows.columns) - 2
	}
	return slices.Index(rows.columns, imageID)
}

// imageID names the first column of an image on SQLite.
const imageID = `audit__image_id`

// delete changes and reads in one: what is deleted is returned as it was.
// If more is deleted with it, its rows are locked first.
func (w *writer) delete() ([]change, *collected, error) {
	if w.table.followed(w.parsed) {
		before, err := w.lock()
		if err != nil {
			return nil, nil, err
		}
		if w.cascade, err = w.followers(before); err != nil {
			return nil, nil, err
		}
		var rows *collected
		if w.postgres() {
			rows, err = w.runLocked(before)
		} else {
			rows, err = w.runFound(before)
		}
		return deleted(w.affected), rows, err
	}
	qualifier := "" // SQLite's RETURNING takes none
	if w.postgres() {
		qualifier = w.parsed.qualifier()
	}
	rows, err := w.run(w.parsed.body, w.idExpr(qualifier), qualifier, w.args)
	return deleted(w.affected), rows, err
}

func deleted(images []*image) []change {
	changes := make([]change, len(images))
	for i, img := range images {
		changes[i].before = img
	}
	return changes
}

// insert inserts and reads what was inserted; an upsert also returns what it
// updated.
func (w *writer) insert() ([]change, *collected, error) {
	if w.parsed.conflictUpdate && w.postgres() {
		return w.upsertPostgres()
	}
	text := w.parsed.body
	if w.table.replaces && !w.parsed.or {
		replacing := *w.parsed // it is shared
		replacing.or = true
		w.parsed = &replacing
	}
	upsert := w.parsed.conflictUpdate || w.parsed.or
	var before []*image
	if upsert {
		var err error
		if before, err = w.inTheWay(text); err != nil {
			return nil, nil, err
		}
		if w.cascade, err = w.followers(before); err != nil {
			return nil, nil, err
		}
	}
	qualifier := ""
	if w.postgres() {
		qualifier = w.parsed.qualifier()
	}
	rows, err := w.run(text, w.idExpr(qualifier), qualifier, w.args)
	if err != nil {
		return nil, nil, err
	}
	if n := len(w.affected); n > 0 && !w.postgres() && w.table.rowid {
		if last, err := strconv.ParseInt(w.affected[n-1].id, 10, 64); err == nil {
			w.lastID = &last
		}
	}
	if err := w.reread(); err != nil {
		return nil, nil, err
	}
	if upsert {
		changes, err := w.upserted(before)
		return changes, rows, err
	}
	return pair(nil, w.affected), rows, nil
}

// pair finds for each row what it became. A row that exists only before or only
// after is a delete or an insert.
func pair(before, after []*image) []change {
	if len(before) == 1 && len(after) == 1 {
		return []change{{before[0], after[0]}}
	}
	was := make(map[string]*image, len(before))
	for _, b := range before {
		was[b.id] = b
	}
	changes := make([]change, 0, len(after))
	found := make(map[string]int, len(after))
	for _, a := range after {
		if n, again := found[a.id]; again { // an upsert may reach a row twice
			changes[n].after = a
			continue
		}
		found[a.id] = len(changes)
		changes = append(changes, change{was[a.id], a})
	}
	for _, b := range before {
		if _, there := found[b.id]; !there {
			changes = append(changes, change{before: b})
		}
	}
	return changes
}

// lockSQLite takes the write lock before the first read: a transaction that has
// read cannot become a writer once another has written.
func (h *hook) lockSQLite(ctx context.Context, pool gorm.ConnPool) error {
	if _, err := pool.ExecContext(ctx, `UPDATE audit_outcomes SET status = status WHERE 0`); err != nil {
		return h.classify(ctx, err)
	}
	return nil
}
