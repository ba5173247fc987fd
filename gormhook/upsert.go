package gormhook

import (
	"slices"
	"strconv"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// inTheWay returns the rows that an upsert of SQLite may update or replace, as
// they are: those that have a unique key in common with a row of VALUES. If not
// all the keys can be read there, the statement is also run and rolled back:
// there is one writer, so it will do the same again.
func (w *writer) inTheWay(text string) ([]*image, error) {
	if err := w.hook.lockSQLite(w.ctx, w.pool); err != nil {
		return nil, err
	}
	columns, values, ok := w.valued()
	if !ok {
		return w.rehearse(text)
	}
	t := w.parsed.table
	id := w.rowKey(t)
	var found []string // by key, from VALUES: the table may be large
	whole := true
	for k, key := range append([][]int{w.table.key}, w.table.conflicts...) {
		var on []string
		whole = whole && key != nil
		for n, i := range key {
			name := w.table.columns[i].name
			if !columns[strings.ToLower(name)] {
				whole = whole && name == w.table.rowidAlias
				on = nil
				break
			}
			equal := t + `.` + quote(name) + ` = audit__values.` + quote(name)
			if k > 0 && n < len(w.table.collations[k-1]) {
				equal += ` COLLATE ` + quote(w.table.collations[k-1][n])
			}
			on = append(on, equal)
		}
		if len(on) > 0 {
			found = append(found, `SELECT `+id+` FROM audit__values CROSS JOIN `+t+` WHERE `+strings.Join(on, ` AND `))
		}
	}
	var images []*image
	if len(found) > 0 {
		var err error
		images, err = w.images(`WITH audit__values`+values+` SELECT `+w.imageList(w.idExpr(""), "")+` FROM `+t+
			` WHERE (`+w.rowKey(t)+`) IN (`+strings.Join(found, ` UNION `)+`)`, w.args[:w.count(w.parsed.insert)]...)
		if err != nil {
			return nil, err
		}
	}
	if !whole {
		more, err := w.rehearse(text)
		if err != nil {
			return nil, err
		}
		images = distinct(append(images, more...))
	}
	return images, nil
}

// rowKey is the list of columns by which SQLite stores rows.
func (w *writer) rowKey(qualifier string) string {
	if w.table.rowid {
		return qualifier + `.` + w.table.rowidName
	}
	list := make([]string, len(w.table.key))
	for n, i := range w.table.key {
		list[n] = qualifier + `.` + quote(w.table.columns[i].name)
	}
	return strings.Join(list, `, `)
}

// valued splits the columns and the VALUES of an insert, as the head of a CTE.
func (w *writer) valued() (columns map[string]bool, values string, ok bool) {
	l := newLexer(w.parsed.insert, w.hook.dialect)
	if t := l.next(); w.parsed.tuples == 0 || t.kind != tokenSymbol || w.parsed.insert[t.start] != '(' {
		return nil, "", false
	}
	columns = make(map[string]bool)
	for {
		switch t := l.next(); {
		case t.kind == tokenName || t.kind == tokenWord:
			columns[strings.ToLower(l.name(t))] = true
		case t.kind == tokenSymbol && l.sql[t.start] == ')':
			return columns, l.sql[:t.end] + ` AS (` + l.sql[t.end:] + `)`, true
		case t.kind == tokenEnd:
			return nil, "", false
		}
	}
}

// upserted finds what an upsert did to the conflicting rows: those it returned,
// it updated; of the others some are gone, replaced or under another key, and
// some were not touched.
func (w *writer) upserted(before []*image) ([]change, error) {
	affected := w.affected
	if w.parsed.or && len(affected) > 1 { // some may have made room for others
		there, err := w.there(affected)
		if err != nil {
			return nil, err
		}
		affected = slices.DeleteFunc(slices.Clone(affected), func(a *image) bool { return !there[a.id] })
	}
	after := make(map[string]bool, len(affected))
	for _, a := range affected {
		after[a.id] = true
	}
	there, err := w.there(slices.DeleteFunc(slices.Clone(before), func(b *image) bool { return after[b.id] }))
	if err != nil {
		return nil, err
	}
	touched := slices.DeleteFunc(before, func(b *image) bool { return there[b.id] })
	if !w.parsed.or {
		return pair(touched, affected), nil
	}
	var changes []change
	for _, b := range touched {
		if !after[b.id] {
			changes = append(changes, change{before: b}) // room is made first
		}
	}
	return append(changes, pair(slices.DeleteFunc(touched, func(b *image) bool { return !after[b.id] }), affected)...), nil
}

// there returns the ids of those of the rows that are in the table.
func (w *writer) there(rows []*image) (map[string]bool, error) {
	ids := make([]string, len(rows))
	for i, img := range rows {
		ids[i] = img.id
	}
	images, err := w.byID(ids)
	there := make(map[string]bool, len(images))
	for _, img := range images {
		there[img.id] = true
	}
	return there, err
}

// rehearse runs a statement, rolls it back, and returns the rows that it
// changed, as they are.
func (w *writer) rehearse(text string) ([]*image, error) {
	const point = `audit_rehearsal`
	if _, err := w.pool.ExecContext(w.ctx, `SAVEPOINT `+point); err != nil {
		return nil, err
	}
	rows, err := gather(w.ctx, w.pool, text+` RETURNING `+w.idExpr(""), w.args, false)
	if _, e := w.pool.ExecContext(w.ctx, `ROLLBACK TO `+point); e != nil && err == nil {
		err = e
	}
	if _, e := w.pool.ExecContext(w.ctx, `RELEASE `+point); e != nil && err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(rows.values))
	for i, v := range rows.values {
		ids[i] = textOf(v[0])
	}
	return w.byID(ids)
}

// maxList bounds the parameters of one query.
const maxList = 500

// byID reads rows by their ids.
func (w *writer) byID(ids []string) ([]*image, error) {
	var images []*image
	for len(ids) > 0 {
		n := min(len(ids), maxList)
		args := make([]any, n)
		for i, id := range ids[:n] {
			args[i] = id
		}
		text := `SELECT ` + w.imageList(w.idExpr(""), "") + ` FROM ` + w.parsed.table + ` WHERE ` + w.idExpr("") +
			` IN (?` + strings.Repeat(`, ?`, n-1) + `)`
		read, err := w.images(text, args...)
		if err != nil {
			return nil, err
		}
		images = append(images, read...)
		ids = ids[n:]
	}
	return images, nil
}

// reread reads the rows once more if a trigger may have changed them after
// RETURNING.
func (w *writer) reread() error {
	if !w.table.after || len(w.affected) == 0 {
		return nil
	}
	ids := make([]string, len(w.affected))
	for i, a := range w.affected {
		ids[i] = a.id
	}
	var images []*image
	var err error
	if w.postgres() {
		images, err = w.byEntity()
	} else {
		images, err = w.byID(ids)
	}
	if err != nil {
		return err
	}
	now := make(map[string]*image, len(images))
	for _, img := range images {
		now[img.id] = img
	}
	for i, a := range w.affected {
		if img, ok := now[a.id]; ok {
			w.affected[i] = img
		}
	}
	return nil
}

// byEntity reads the affected rows of PostgreSQL by their key. If a trigger has
// changed them their place has changed too, so they keep the ids they had.
func (w *writer) byEntity() ([]*image, error) {
	key := w.table.identity(w.subject)
	if key == nil {
		return nil, nil
	}
	q := w.parsed.qualifier()
	expr := w.table.entityID(w.subject, key, func(i int) string {
		return q + "." + quote(w.table.columns[i].name)
	})
	entities := make([]string, len(w.affected))
	ids := make(map[string]string, len(w.affected))
	for i, a := range w.affected {
		entities[i] = a.entity
		ids[a.entity] = a.id
	}
	text := `SELECT ` + w.imageList(w.idExpr(q), q) + ` FROM ` + w.parsed.table
	if w.parsed.alias != "" {
		text += ` AS ` + w.parsed.alias
	}
	images, err := w.images(text+` WHERE `+expr+` = ANY ($1::text[])`, textArray(entities))
	for _, img := range images {
		img.id = ids[img.entity]
	}
	return images, err
}

// upsertPostgres runs an upsert that leaves the conflicting row in a setting,
// as the plan of one statement does: no read before it could know the row of
// a transaction that commits meanwhile.
func (w *writer) upsertPostgres() ([]change, *collected, error) {
	where := `TRUE`
	if w.parsed.conflictWhere != "" {
		where = w.parsed.conflictWhere
	}
	existing := unqualified(w.parsed)
	table := w.parsed.table
	if w.parsed.alias != "" {
		table += ` AS ` + w.parsed.alias
	}
	statement := trail.NewID(w.at).String()
	args, mark := append(slices.Clip(w.args), statement), `$`+strconv.Itoa(len(w.args)+1)+`::text`
	if len(args) > maxParams {
		args, mark = w.args, literal(statement)
	}
	text := `INSERT INTO ` + table + ` ` + w.parsed.insert + ` ` + w.parsed.conflict +
		` WHERE CASE WHEN (` + where + `) THEN set_config('audit.before', ` + mark + ` || (` +
		w.table.row(shown, existing) + `)::text, true) IS NOT NULL ELSE FALSE END`
	const stash = `nullif(current_setting('audit.before', true), ''), set_config('audit.before', '', true)`
	text += ` RETURNING `
	if w.parsed.returning != "" {
		text += w.parsed.returning + `, `
	}
	text += stash + `, ` + w.imageList(w.idExpr(existing), existing)
	rows, err := gather(w.ctx, w.pool, text, args, w.query)
	if err != nil {
		return nil, nil, err
	}
	mine := w.own(rows) - 2
	if w.affected, err = w.read(rows, mine+2); err != nil {
		return nil, nil, err
	}
	if err := w.reread(); err != nil {
		return nil, nil, err
	}
	changes := make([]change, len(rows.values))
	for n, v := range rows.values {
		changes[n].after = w.affected[n]
		row, ours := strings.CutPrefix(textOf(v[mine]), statement)
		if !ours { // none, or of a statement whose row a trigger has left as it is
			continue
		}
		before, err := w.fromObject("", row)
		if err != nil {
			return nil, nil, err
		}
		if w.table.before && before.entity != w.affected[n].entity {
			continue // nor of another row of this one
		}
		changes[n].before = before
	}
	return changes, rows.first(mine), nil
}
