package gormhook

import (
	"slices"
	"strconv"
	"strings"
)

// runLocked changes the rows that were locked and no others, which may have been
// added since, and returns for each the id it was locked by.
func (w *writer) runLocked(before []*image) (*collected, error) {
	locked, places := make([]string, len(before)), make([]string, len(before))
	for i, b := range before {
		locked[i], places[i] = b.id, b.place()
	}
	p, q := w.parsed, w.parsed.qualifier()
	set, where, args := p.set, p.where, w.args
	if p.from == "" && w.count(p.returning) == 0 {
		// The rows were found by the condition, which may find others when it
		// is evaluated again, if it uses random() or now().
		set, args = piece(w.hook.dialect, p.set, w.args, 0, 1)
		where = ""
	}
	n := len(args)
	text := `DELETE FROM ` + p.table
	if p.verb == verbUpdate {
		text = `UPDATE ` + p.table
	}
	if p.alias != "" {
		text += ` AS ` + p.alias
	}
	if p.verb == verbUpdate {
		text += ` SET ` + set + ` FROM `
	} else {
		text += ` USING `
	}
	text += `unnest($` + strconv.Itoa(n+1) + `::text[]) AS audit__locked(audit__id)`
	if p.from != "" {
		text += `, ` + p.from
	}
	text += ` WHERE ` + q + `.ctid = ANY ($` + strconv.Itoa(n+2) + `::text[]::tid[]) AND ` + w.idExpr(q) + ` = audit__id`
	if where != "" {
		text += ` AND (` + where + `)`
	}
	return w.run(text, `audit__id`, q, append(args[:n:n], textArray(locked), textArray(places)))
}

// place is the part of a row's id on PostgreSQL by which it is found directly; a
// row in another partition may have the same.
func (img *image) place() string { return img.id[strings.IndexByte(img.id, '('):] }

// computed reports whether a condition calls functions or queries tables, so
// that it may find other rows when it is asked again: those at random, or of now.
func computed(where, dialect string) bool {
	l := newLexer(where, dialect)
	var before token
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			return false
		case t.is(where, "SELECT"), t.is(where, "CURRENT_TIMESTAMP"), t.is(where, "CURRENT_DATE"), t.is(where, "CURRENT_TIME"):
			return true
		case t.kind == tokenSymbol && where[t.start] == '(' && before.kind == tokenWord:
			if !before.is(where, "AND") && !before.is(where, "OR") && !before.is(where, "NOT") && !before.is(where, "IN") {
				return true
			}
		}
		before = t
	}
}

// runFound changes the rows that were found on SQLite, and no others.
func (w *writer) runFound(before []*image) (*collected, error) {
	list := make([]string, len(before))
	for i, b := range before {
		list[i] = quoteJSON(b.id)
		if w.table.rowid {
			list[i] = b.id
		}
	}
	ids := `[` + strings.Join(list, `,`) + `]`
	text, args := w.sqliteText(`IN (SELECT value FROM json_each(?))`, ids)
	return w.run(text, w.idExpr(""), "", args)
}

// setsID reports whether the statement sets what SQLite identifies rows by.
func (w *writer) setsID() bool {
	for _, name := range w.parsed.columns {
		i, ok := w.table.column(name)
		if !ok {
			continue
		}
		if w.table.rowid && w.table.columns[i].name == w.table.rowidAlias {
			return true
		}
		if !w.table.rowid && slices.Contains(w.table.key, i) {
			return true
		}
	}
	return w.parsed.columns == nil
}

// updateEach changes the rows one by one, so that each is known by what it was.
func (w *writer) updateEach(before []*image) (*collected, error) {
	var all *collected
	var affected []*image
	for _, b := range before {
		text, args := w.sqliteText(`= ?`, b.id)
		rows, err := w.run(text, w.idExpr(""), "", args)
		if err != nil {
			return nil, err
		}
		if err := w.reread(); err != nil {
			return nil, err
		}
		for _, a := range w.affected {
			a.id = b.id
		}
		affected = append(affected, w.affected...)
		if all == nil {
			all = rows
		} else {
			all.values = append(all.values, rows.values...)
		}
	}
	w.affected = affected
	return all, nil
}

// sqliteText returns the statement of SQLite on the rows whose id meets a
// condition of one parameter. They were found by the statement's own condition,
// which is evaluated again only to find what they are joined to.
func (w *writer) sqliteText(condition string, id any) (text string, args []any) {
	p := w.parsed
	text = p.table
	if p.alias != "" {
		text += ` AS ` + p.alias
	}
	if p.verb == verbDelete {
		text = `DELETE FROM ` + text
	} else {
		text = updateWord(p) + text + ` SET ` + p.set
	}
	n := w.count(p.set)
	if p.from != "" {
		text += ` FROM ` + p.from
		n += w.count(p.from)
	}
	text += ` WHERE ` + w.idExpr(p.qualifier()) + ` ` + condition
	args = append(append([]any{}, w.args[:n]...), id)
	if p.from != "" && p.where != "" {
		text += ` AND (` + p.where + `)`
	} else {
		n += w.count(p.where)
	}
	return text, append(args, w.args[n:]...)
}

// lock reads the rows that the statement is about to change, under lock.
func (w *writer) lock() ([]*image, error) {
	if !w.postgres() {
		if err := w.hook.lockSQLite(w.ctx, w.pool); err != nil {
			return nil, err
		}
	}
	text, args := w.selection(w.imageList(w.idExpr(w.parsed.qualifier()), w.parsed.qualifier()))
	if w.postgres() {
		text += ` FOR UPDATE OF ` + unqualified(w.parsed)
	}
	images, err := w.images(text, args...)
	return distinct(images), err
}

// selection returns the query of a list for the rows that the statement meets,
// once for each row that they are joined to.
func (w *writer) selection(list string) (text string, args []any) {
	p := w.parsed
	text = `SELECT ` + list + ` FROM ` + p.table
	if p.alias != "" {
		text += ` AS ` + p.alias
	}
	from, args := piece(w.hook.dialect, p.from, w.args, w.count(p.set), 1)
	if from != "" {
		text += `, ` + from
	}
	where, more := piece(w.hook.dialect, p.where, w.args, w.count(p.set)+w.count(p.from), 1+len(args))
	if where != "" {
		text += ` WHERE ` + where
	}
	return text, append(args, more...)
}

// distinct returns each row once: a join may have found it often.
func distinct(images []*image) []*image {
	seen := make(map[string]bool, len(images))
	return slices.DeleteFunc(images, func(img *image) bool {
		was := seen[img.id]
		seen[img.id] = true
		return was
	})
}
