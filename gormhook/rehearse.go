package gormhook

import "strings"

// rehearse finds what an upsert of SQLite is about to update, by running it
// and taking it back: there is one writer, so the second run does what the
// first did. It returns the rows that are in the way, as they are.
func (w *writer) rehearse(text string) ([]*image, error) {
	const point = `audit_rehearsal`
	if _, err := w.pool.ExecContext(w.ctx, `SAVEPOINT `+point); err != nil {
		return nil, err
	}
	rows, err := collect(w.ctx, w.pool, text+` RETURNING `+w.sqliteID(), w.args)
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

// byID reads rows by what identifies them.
func (w *writer) byID(ids []string) ([]*image, error) {
	var images []*image
	for len(ids) > 0 {
		n := min(len(ids), maxList)
		args := make([]any, n)
		for i, id := range ids[:n] {
			args[i] = id
		}
		text := `SELECT ` + w.imageList(w.sqliteID(), "") + ` FROM ` + w.parsed.table + ` WHERE ` + w.sqliteID() +
			` IN (?` + strings.Repeat(`, ?`, n-1) + `)`
		rows, err := collect(w.ctx, w.pool, text, args)
		if err != nil {
			return nil, err
		}
		images = append(images, w.read(rows)...)
		ids = ids[n:]
	}
	return images, nil
}

// again reads the rows once more where a trigger may have changed them behind
// RETURNING.
func (w *writer) again() error {
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

// byEntity reads the affected rows of PostgreSQL by their key. Their place has
// changed if a trigger has changed them, so they keep the ids they had.
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
	rows, err := collect(w.ctx, w.pool, text+` WHERE `+expr+` = ANY ($1::text[])`, []any{textArray(entities)})
	if err != nil {
		return nil, err
	}
	images := w.read(rows)
	for _, img := range images {
		img.id = ids[img.entity]
	}
	return images, nil
}

// upsertPostgres runs an upsert that leaves the row in the way in a setting,
// as the plan of one statement does: no read ahead of it could know the row of
// a transaction that commits meanwhile.
func (w *writer) upsertPostgres() ([]change, *collected, error) {
	p := &planner{parsed: w.parsed, subject: w.subject, table: w.table, params: len(w.args)}
	where := `TRUE`
	if w.parsed.conflictWhere != "" {
		where = w.parsed.conflictWhere
	}
	existing := p.existing()
	list := make([]string, 0, len(w.table.columns))
	for i := range w.table.columns {
		image, _ := w.table.columns[i].imageOf(existing+"."+quote(w.table.columns[i].name), ruleShow)
		list = append(list, `to_jsonb(`+image+`)::text`)
	}
	table := w.parsed.table
	if w.parsed.alias != "" {
		table += ` AS ` + w.parsed.alias
	}
	text := `INSERT INTO ` + table + ` ` + w.parsed.insert + ` ` + w.parsed.conflict +
		` WHERE CASE WHEN (` + where + `) THEN set_config('audit.before', ARRAY[` + joinList(list) +
		`]::text, true) IS NOT NULL ELSE FALSE END`
	const stash = `to_jsonb(nullif(current_setting('audit.before', true), '')::text[])::text, set_config('audit.before', '', true)`
	text += ` RETURNING `
	if w.parsed.returning != "" {
		text += w.parsed.returning + `, `
	}
	text += stash + `, ` + w.imageList(w.idExpr(existing), existing)
	rows, err := collect(w.ctx, w.pool, text, w.args)
	if err != nil {
		return nil, nil, err
	}
	w.affected = w.read(rows)
	if err := w.again(); err != nil {
		return nil, nil, err
	}
	mine := len(rows.columns) - len(w.table.columns) - 3
	changes := make([]change, len(rows.values))
	for n, v := range rows.values {
		changes[n].after = w.affected[n]
		if v[mine] == nil {
			continue
		}
		before, err := w.stashed(textOf(v[mine]))
		if err != nil {
			return nil, nil, err
		}
		changes[n].before = before
	}
	return changes, rows.first(mine), nil
}
