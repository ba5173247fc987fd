package gormhook

import (
	"slices"
	"strconv"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// planner writes the one statement of PostgreSQL around a parsed one. What it
// adds has names that begin with audit__, so that the unqualified columns of
// the caller's own expressions stay unambiguous. Its parameters follow the
// caller's, in the order of parameters in attribution.
type planner struct {
	*parsed
	subject *subject
	table   *table
	variant variant
	params  int // of the caller
}

// The parameters of a plan, counted from the last of the caller's.
const (
	paramTrace = 1 + iota
	paramAt
	paramID // of the only entry, or what all ids have in common, see rowIDs
	paramTenant
	paramUserID
	paramUserName
	paramUserKind
	paramOnBehalfOf
	paramModel
	paramNames   // only with variant.names
	paramEvent   // only with variant.claimed, and all that follows
	paramContext //
	paramEntity  // only with ownEntity
)

// param writes one of the plan's own parameters.
func (p *planner) param(n int, typ string) string {
	if n > paramNames && !p.variant.names {
		n--
	}
	return "$" + strconv.Itoa(p.params+n) + "::" + typ
}

// planPostgres returns the plan of a statement, or one that is not ok.
func planPostgres(query string, params int, s *subject, t *table, v variant) *plan {
	parsed, ok := parse(query, postgresName)
	if !ok || !t.plain || t.after || parsed.from != "" || t.followed(parsed) {
		return &plan{}
	}
	if t.inherited && parsed.verb != verbInsert {
		return &plan{} // a key may be that of several rows
	}
	p := &planner{parsed: parsed, subject: s, table: t, variant: v, params: params}
	if strings.Contains(parsed.table, ".") && strings.Contains(parsed.returning, parsed.table) {
		return &plan{} // RETURNING "s"."t"."c" is not possible with a CTE
	}
	if p.returnsMore() {
		return &plan{}
	}
	switch parsed.verb {
	case verbInsert:
		return p.insertPlan()
	case verbUpdate:
		return p.updatePlan()
	case verbDelete:
		return p.deletePlan()
	default:
		return &plan{}
	}
}

// returnsMore reports whether RETURNING asks for what a CTE does not have
// (system columns), or for the row as such, which has more in the CTE.
func (p *planner) returnsMore() bool {
	row := p.names[len(p.names)-1]
	if p.alias != "" {
		row = strings.Trim(p.alias, `"`)
	}
	l := newLexer(p.returning, postgresName)
	for t := l.next(); t.kind != tokenEnd; {
		name := ""
		if t.kind == tokenWord || t.kind == tokenName {
			name = l.name(t)
		}
		t = l.next()
		switch strings.ToLower(name) {
		case "":
		case "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid":
			return true
		case strings.ToLower(row):
			if t.kind != tokenSymbol || l.sql[t.start] != '.' {
				if _, column := p.table.column(name); !column {
					return true
				}
				continue
			}
			if t = l.next(); t.kind == tokenSymbol {
				return true // all of it
			}
		}
	}
	return false
}

func (p *planner) insertPlan() *plan {
	if p.or || p.tuples == 0 {
		return &plan{}
	}
	out := p.planned(true, p.tuples == 1)
	var b strings.Builder
	b.WriteString("WITH audit__new AS (\nINSERT INTO " + p.parsed.table)
	if p.alias != "" {
		b.WriteString(" AS " + p.alias)
	}
	b.WriteString(" " + p.insert)
	row := changed{
		each: true, operation: `'insert'`, event: `'create'`, from: `audit__new`,
		entity: p.table.entityID(p.subject, p.table.label(p.subject), p.of("audit__new")),
		before: `NULL::jsonb`, after: p.table.row(p.subject.rule, `audit__new`), name: p.name("audit__new"),
	}
	if p.conflict != "" {
		b.WriteString(" " + p.conflict)
	}
	if !p.conflictUpdate {
		b.WriteString("\nRETURNING *\n)")
		return p.finish(out, &b, row)
	}

	// DO UPDATE: the condition is evaluated on the conflicting row, under its
	// lock. It leaves the row's image in a setting of the transaction, from
	// which RETURNING of the same row takes it: exact even if the row did not
	// exist when the statement began. It says which statement it is of: if a
	// trigger leaves the row as it is, nobody takes it.
	where := `TRUE`
	if p.conflictWhere != "" {
		where = p.conflictWhere
	}
	existing := unqualified(p.parsed)
	key := p.table.label(p.subject)
	b.WriteString("\nWHERE CASE WHEN (" + where + ") THEN set_config('audit.before', jsonb_build_object('statement', " +
		p.param(paramID, "text") + ", 'entity', " +
		p.table.entityID(p.subject, key, p.of(existing)) + ", 'row', " + p.table.row(p.subject.digested, existing) +
		")::text, true) IS NOT NULL ELSE FALSE END")
	mine := `audit__stash ->> 'statement' = ` + p.param(paramID, "text")
	if p.table.before { // or of another row of this one
		mine += ` AND audit__stash ->> 'entity' = ` + p.table.entityID(p.subject, key, p.of("audit__new"))
	}
	before := `CASE WHEN ` + mine + ` THEN audit__stash -> 'row' END`
	b.WriteString("\nRETURNING *, nullif(current_setting('audit.before', true), '')::jsonb AS audit__stash," +
		" set_config('audit.before', '', true) AS audit__reset\n), audit__row AS (\nSELECT audit__new.*," +
		" " + before + " AS audit__before, ")
	hidden := []string{"audit__stash", "audit__reset"}
	b.WriteString(p.table.row(p.subject.digested, `audit__new`, hidden...) + " AS audit__after, ")
	b.WriteString(p.table.row(p.subject.rule, `audit__new`, hidden...) + " AS audit__image FROM audit__new\n)")
	row.from = `audit__row`
	row.entity = "coalesce(CASE WHEN audit__before IS NOT NULL THEN audit__stash ->> 'entity' END, " + p.table.entityID(p.subject, key, p.of("audit__row")) + ")"
	row.name = p.name("audit__row")
	row.operation = `CASE WHEN audit__before IS NULL THEN 'insert' ELSE 'update' END`
	row.event = `CASE WHEN audit__before IS NULL THEN 'create' ELSE ` + p.jsonEvent() + ` END`
	masked := p.subject.masked(p.table)
	row.before = diffOf(`audit__before`, `audit__after`, masked)
	row.after = `CASE WHEN audit__before IS NULL THEN audit__image ELSE ` + diffOf(`audit__after`, `audit__before`, masked) + ` END`
	row.where = `audit__before IS NULL OR audit__before::text <> audit__after::text`
	row.each = false
	if out.shape = p.shapeOf(false); out.shape == shapeCount && !p.variant.claimed && p.tuples == 1 {
		out.shape = shapeTag
	}
	return p.finish(out, &b, row)
}

// diffOf returns the expression of the columns of one image that differ in
// another. Text is compared: 1.0 and 1.00 are not the same value.
// The digests of masked columns are replaced by the mask.
func diffOf(image, other string, masked []string) string {
	value := `value`
	if len(masked) > 0 {
		value = `CASE WHEN jsonb_typeof(value) = 'string' AND key IN (`
		for i, name := range masked {
			if i > 0 {
				value += `, `
			}
			value += literal(name)
		}
		value += `) THEN to_jsonb(` + literal(trail.Masked) + `::text) ELSE value END`
	}
	return `(SELECT jsonb_object_agg(key, ` + value + `) FROM jsonb_each(` + image + `) WHERE value::text IS DISTINCT FROM (` +
		other + ` -> key)::text)`
}

func (p *planner) updatePlan() *plan {
	key := p.table.identity(p.subject)
	if key == nil {
		return &plan{}
	}
	columns, known := p.compared()
	if len(columns) == 0 || !known {
		return &plan{stale: !known}
	}
	t := p.qualifier()
	strong := false // FOR NO KEY UPDATE, as UPDATE itself takes, lets foreign keys be checked meanwhile
	var b strings.Builder
	b.WriteString("WITH audit__old AS MATERIALIZED (\nSELECT ")
	for n, i := range key {
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t + "." + quote(p.table.columns[i].name) + " AS audit__k" + strconv.Itoa(n))
	}
	for _, i := range columns {
		b.WriteString(", " + t + "." + quote(p.table.columns[i].name) + " AS audit__o" + strconv.Itoa(i))
		strong = strong || p.table.strong[p.table.columns[i].name] && p.sets(p.table.columns[i].name)
	}
	b.WriteString("\nFROM " + p.aliased())
	if p.where != "" {
		b.WriteString("\nWHERE " + p.where)
	}
	if strong {
		b.WriteString("\nFOR UPDATE")
	} else {
		b.WriteString("\nFOR NO KEY UPDATE")
	}
	b.WriteString("\n), audit__new AS (\nUPDATE " + p.aliased() + " SET " + p.set + "\nFROM audit__old WHERE ")
	keys := map[int]string{}
	for n, i := range key {
		keys[i] = "audit__old.audit__k" + strconv.Itoa(n)
	}
	found := p.table.uniqueIn(key) // a model's key may have more columns, which may be null
	for n, i := range found {
		if n > 0 {
			b.WriteString(" AND ")
		}
		b.WriteString(t + "." + quote(p.table.columns[i].name) + " = " + keys[i])
	}
	old := func(i int) string { return "audit__old.audit__o" + strconv.Itoa(i) }
	now := p.of(t)
	b.WriteString("\nRETURNING ")
	if p.returning != "" {
		b.WriteString(t + ".*, ")
	}
	b.WriteString(p.table.entityID(p.subject, key, func(i int) string { return keys[i] }) + " AS audit__entity")
	b.WriteString(",\n" + p.rowOf(columns, old) + " *<> " + p.rowOf(columns, now) + " AS audit__changed")
	b.WriteString(",\n" + p.table.object(p.subject, columns, old) + " AS audit__before")
	b.WriteString(",\n" + p.table.object(p.subject, columns, now) + " AS audit__after")
	row := changed{
		operation: `'update'`, from: `audit__new`, entity: `audit__entity`,
		before: `audit__before`, after: `audit__after`, where: `audit__changed`,
	}
	if len(columns) > 1 {
		b.WriteString(",\narray_remove(ARRAY[")
		for n, i := range columns {
			if n > 0 {
				b.WriteString(", ")
			}
			one := []int{i}
			b.WriteString("CASE WHEN " + p.rowOf(one, old) + " *= " + p.rowOf(one, now) + " THEN " + literal(p.table.columns[i].name) + "::text END")
		}
		b.WriteString("], NULL) AS audit__same")
		row.before, row.after = `audit__before - audit__same`, `audit__after - audit__same`
	}
	row.event = p.updateEvent(&b, columns, old, now)
	if name := p.name(t); name != `NULL` && name != `` {
		b.WriteString(",\n" + name + " AS audit__name")
		row.name = `audit__name`
	}
	b.WriteString("\n)")
	one := p.ofOne(found)
	// A trigger may leave a row as it is. And no key but the one that the
	// condition names can be locked.
	row.locked = !p.table.rewritten && !one
	out := p.planned(false, one)
	if out.shape == shapeCount && !p.variant.claimed && one {
		out.shape = shapeTag // of the one row that may be selected
	}
	return p.finish(out, &b, row)
}

// planned returns a plan without its text: whether each affected row leaves an
// entry, and whether there is at most one.
func (p *planner) planned(each, one bool) *plan {
	return &plan{ok: true, shape: p.shapeOf(each), sole: one && !p.variant.contested}
}

// ofOne reports whether the condition names the whole key, each column with =
// and a parameter, joined only by AND: then there is at most one row.
func (p *planner) ofOne(key []int) bool {
	named := map[string]bool{}
	l := newLexer(p.where, postgresName)
	var condition []token // since the last AND
	depth := 0
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			if name := l.equal(condition); name != "" {
				named[name] = true
			}
			return len(key) > 0 && !slices.ContainsFunc(key, func(i int) bool { return !named[p.table.columns[i].name] })
		case t.is(l.sql, "OR"), t.is(l.sql, "NOT"), t.is(l.sql, "CASE"), t.is(l.sql, "BETWEEN"):
			return false
		case t.is(l.sql, "AND") && depth == 0:
			if name := l.equal(condition); name != "" {
				named[name] = true
			}
			condition = condition[:0]
			continue
		case t.kind == tokenSymbol && l.sql[t.start] == '(':
			depth++
		case t.kind == tokenSymbol && l.sql[t.start] == ')':
			depth--
		}
		condition = append(condition, t)
	}
}

// equal returns the column of a condition that says of one that it equals a
// parameter, and nothing else; else nothing.
func (l *lexer) equal(condition []token) string {
	n := len(condition) - 3
	if n < 0 || condition[n].kind != tokenName || condition[n+2].kind != tokenParam ||
		condition[n+1].kind != tokenSymbol || l.sql[condition[n+1].start] != '=' {
		return ""
	}
	for _, t := range condition[:n] { // of a qualifier
		if t.kind != tokenName && (t.kind != tokenSymbol || l.sql[t.start] != '.') {
			return ""
		}
	}
	return l.name(condition[n])
}

// compared returns the columns that an update may change: those it sets, or all
// if the database changes others along with them. It reports whether it knows
// them all.
func (p *planner) compared() ([]int, bool) {
	var columns []int
	if p.columns == nil || p.table.rewritten {
		for i := range p.table.columns {
			columns = append(columns, i)
		}
	} else {
		seen := map[int]bool{}
		for _, name := range p.columns {
			i, ok := p.table.column(name)
			if !ok {
				return nil, false
			}
			if !seen[i] {
				seen[i] = true
				columns = append(columns, i)
			}
		}
	}
	kept := columns[:0]
	for _, i := range columns {
		if p.subject.rule(p.table.columns[i].name) != ruleOmit {
			kept = append(kept, i)
		}
	}
	return kept, true
}

// updateEvent returns the event of an updated row: a row that comes back from
// its soft delete is restored, one that is soft-deleted is deleted.
func (p *planner) updateEvent(b *strings.Builder, columns []int, old, now func(int) string) string {
	if p.variant.deleted {
		return `'delete'`
	}
	for _, i := range columns {
		if !strings.EqualFold(p.table.columns[i].name, p.subject.softDelete) {
			continue
		}
		b.WriteString(",\nCASE WHEN " + live(now(i)) + " = " + live(old(i)) + " THEN 'update' WHEN " + live(now(i)) +
			" THEN 'restore' ELSE 'delete' END AS audit__event")
		return `audit__event`
	}
	return `'update'`
}

// jsonEvent is updateEvent for images.
func (p *planner) jsonEvent() string {
	if p.subject.softDelete == "" {
		return `'update'`
	}
	name := literal(p.subject.softDelete)
	now, old := live(`(audit__after ->> `+name+`)`), live(`(audit__before ->> `+name+`)`)
	return `CASE WHEN ` + now + ` = ` + old + ` THEN 'update' WHEN ` + now + ` THEN 'restore' ELSE 'delete' END`
}

// live returns the condition that a soft-delete column says that the row is not
// deleted: null, or zero if it is a number or a flag.
func live(expr string) string {
	return `(coalesce(` + expr + `::text, '0') IN ('0', 'false'))`
}

func (p *planner) deletePlan() *plan {
	var b strings.Builder
	b.WriteString("WITH audit__old AS (\nDELETE FROM " + p.aliased())
	if p.where != "" {
		b.WriteString("\nWHERE " + p.where)
	}
	b.WriteString("\nRETURNING *\n)")
	key := p.table.identity(p.subject)
	return p.finish(p.planned(true, key != nil && p.ofOne(p.table.uniqueIn(key))), &b, changed{
		each: true, operation: `'delete'`, event: `'delete'`, from: `audit__old`,
		entity: p.table.entityID(p.subject, p.table.label(p.subject), p.of("audit__old")),
		before: p.table.row(p.subject.rule, `audit__old`), after: `NULL::jsonb`, name: p.name("audit__old"),
	})
}

// aliased is the table as it appears in FROM.
func (p *planner) aliased() string {
	if p.alias != "" {
		return p.parsed.table + " AS " + p.alias
	}
	return p.parsed.table
}

// of returns how to name a column of alias.
func (p *planner) of(alias string) func(i int) string {
	return func(i int) string { return alias + "." + quote(p.table.columns[i].name) }
}

// rowOf makes a record of columns, to be compared by *<>, which distinguishes
// equal from identical and accepts types without equality. Without the cast
// PostgreSQL would compare the columns one by one.
// JSON and floats are compared as they are spelled: neither white space nor
// the sign of zero makes another value.
func (p *planner) rowOf(columns []int, expr func(int) string) string {
	var b strings.Builder
	b.WriteString("ROW(")
	for n, i := range columns {
		if n > 0 {
			b.WriteString(", ")
		}
		switch p.table.columns[i].kind {
		case kindJSON:
			b.WriteString("coalesce((" + expr(i) + ")::jsonb::text, 'null')")
		case kindFloat:
			b.WriteString(expr(i) + " + 0")
		default:
			b.WriteString(expr(i))
		}
	}
	return b.String() + ")::record"
}

// name returns the expression of a row's label.
func (p *planner) name(alias string) string {
	if p.variant.names {
		return `` // given by position, see rows
	}
	if i, ok := p.table.column(p.subject.name); ok && p.subject.rule(p.subject.name) == ruleShow {
		return alias + "." + quote(p.table.columns[i].name) + "::text"
	}
	return `NULL`
}
