package store

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// part is a set of entries that are found by an index. The parts of a query have
// no entry in common.
type part struct {
	from  string // the entries are its l
	id    string // the entry's id, in the column that the index has
	where []string
	args  []any
	// gathered says that the index does not have them in the order of the query:
	// all are read, and sorted.
	gathered bool
}

// and returns p with one more condition.
func (p part) and(condition string, values ...any) part {
	p.where = append(slices.Clone(p.where), condition)
	p.args = append(slices.Clone(p.args), values...)
	return p
}

func (p part) sql() string { return `SELECT l.* FROM ` + p.from + p.conditions() }

func (p part) conditions() string {
	if len(p.where) == 0 {
		return ""
	}
	return ` WHERE ` + strings.Join(p.where, ` AND `)
}

// columns returns those of a sort, as p has them.
func (p part) columns(sort Sort) []string {
	var list []string
	for _, name := range sorts[sort] {
		if name == `id` {
			list = append(list, p.id)
		} else {
			list = append(list, `l.`+name)
		}
	}
	return list
}

// behind returns what of p comes behind the entry with these keys. Behind (a, b)
// means: a equal and b behind, or a behind. Each is a part by itself, as
// PostgreSQL estimates the size of such a part well and then reads an index in
// order; comparing rows it may read and sort the whole table.
func (p part) behind(sort Sort, than string, keys []string) []part {
	columns := p.columns(sort)
	if p.gathered { // all is read and sorted anyway
		var values []any
		for _, k := range keys {
			values = append(values, k)
		}
		return []part{p.and(`(`+strings.Join(columns, `, `)+`)`+than+`(?`+strings.Repeat(`, ?`, len(keys)-1)+`)`, values...)}
	}
	var list []part
	for last := len(columns) - 1; last >= 0; last-- {
		some := p
		for c := range last {
			some = some.and(columns[c]+` = ?`, keys[c])
		}
		list = append(list, some.and(columns[last]+than+`?`, keys[last]))
	}
	return list
}

// sql returns the statement for the page at a position, with one entry more
// than the page has, and in reverse order if the position asks for the page
// before it.
func (q *Query) sql(dialect string, at position, n narrow) (string, []any) {
	direction, than := ` DESC`, ` < `
	if q.Ascending != at.Back {
		direction, than = ` ASC`, ` > `
	}
	order := func(p part) string {
		return ` ORDER BY ` + strings.Join(p.columns(q.Sort), direction+`, `) + direction
	}
	var texts []string
	var args []any
	for _, p := range q.parts(dialect, n) {
		if p.gathered {
			p = part{from: `(` + p.sql() + fence(dialect) + `) l`, id: `l.id`, args: p.args, gathered: true}
		}
		pieces := []part{p}
		if at.Keys != nil {
			pieces = p.behind(q.Sort, than, at.Keys)
		}
		for _, piece := range pieces {
			texts = append(texts, piece.sql()+order(piece)+` LIMIT ?`)
			args = append(append(args, piece.args...), q.Limit+1)
		}
	}
	whole := order(part{id: `l.id`})
	page := texts[0]
	if len(texts) > 1 {
		page = `SELECT l.* FROM (SELECT * FROM (` + strings.Join(texts, `) a UNION ALL SELECT * FROM (`) + `) a) l` + whole + ` LIMIT ?`
		args = append(args, q.Limit+1)
	}
	fields := selectEntries
	if q.Brief {
		fields = selectBrief
	}
	// The page is limited before the outcomes are looked up.
	return fields + `(` + page + `) l` + joinOutcomes(dialect) + whole, args
}

// fence ends a subquery that shall be carried out as it is, whatever is asked
// of its result.
func fence(dialect string) string {
	if dialect == postgres {
		return ` OFFSET 0`
	}
	return ` LIMIT -1`
}

// parts returns the entries that q asks for, by the index that promises the
// fewest of them.
func (q *Query) parts(dialect string, n narrow) []part {
	all := part{from: `audit_logs l`, id: `l.id`, gathered: n == narrowColumn}
	failed := q.Outcome != "" && q.Outcome != trail.Success && n != narrowColumn
	var list []part
	switch {
	case q.TraceID != uuid.Nil:
		id := q.TraceID.String() // spelled so that the partial index applies
		others := all.and(`l.trace_id = ? AND l.trace_id <> l.id`, id)
		others.gathered = true
		list = q.ended(dialect, all.and(`l.id = ? AND l.trace_id = ?`, id, id), others)
	case q.EntityID != "" && q.Model == "":
		list = q.ended(dialect, q.ofAnyModel(dialect))
	case q.EntityID == "" && failed && (q.Sort == SortTime || q.Outcome == trail.Pending || n == narrowOutcome):
		list = q.failed(dialect, all)
	default:
		list = q.ended(dialect, all)
	}
	for i, p := range list {
		list[i] = q.filter(p)
	}
	return list
}

// ofAnyModel returns the entries of an entity id, from the index that has the
// models ahead of it: each is looked up, from the one before.
func (q *Query) ofAnyModel(dialect string) part {
	p := part{from: `(
  WITH RECURSIVE models (model) AS (
    SELECT min(model) FROM audit_logs
    UNION ALL
    SELECT (SELECT min(l.model) FROM audit_logs l WHERE l.model > models.model) FROM models WHERE models.model IS NOT NULL
  )
  SELECT model FROM models WHERE model IS NOT NULL
) m CROSS JOIN `, id: `l.id`, gathered: true}
	if dialect == postgres {
		p.from += `LATERAL (SELECT * FROM audit_logs WHERE model = m.model AND entity_id = ? OFFSET 0) l`
		p.args = []any{q.EntityID}
		return p
	}
	p.from += `audit_logs l`
	return p.and(`l.model = m.model`)
}

// often spells a condition so that PostgreSQL expects half of the rows to meet
// it. Of an equation it expects so few that it would read everything and sort
// what is left, instead of reading in order up to the limit.
func often(condition string) string { return `CASE WHEN ` + condition + ` THEN true ELSE false END` }

// ended looks at the outcome of each entry of some parts.
func (q *Query) ended(dialect string, list ...part) []part {
	if q.Outcome == "" {
		return list
	}
	condition := `coalesce(o.outcome, l.outcome) = ?`
	if q.TraceID == uuid.Nil {
		condition += ` AND l.trace_id = l.id`
	}
	for i, p := range list {
		p.from += joinOutcomes(dialect)
		list[i] = p.and(often(condition), string(q.Outcome))
	}
	return list
}

// unsuccessful is the condition on a column that the result is one other than
// success. Results are part of the text so that the partial indexes apply, and
// no plan for a rare one is kept for a frequent one.
func unsuccessful(column string, r trail.Result) string {
	results := map[trail.Result]string{trail.Failure: `'failure'`, trail.Denied: `'denied'`, trail.Pending: `'pending'`}
	return column + ` <> 'success' AND ` + column + ` = ` + results[r]
}

// failed returns the own entries of the actions that did not succeed but ended
// as asked: those whose outcome says so, and those that say so and have none.
func (q *Query) failed(dialect string, all part) []part {
	said := all.and(unsuccessful(`l.outcome`, q.Outcome))
	said.gathered = q.Sort != SortTime
	// The OFFSET makes it a lookup for each entry: PostgreSQL would hash a whole table.
	said = said.and(often(`l.trace_id = l.id AND NOT EXISTS (SELECT 1 FROM audit_outcomes WHERE trace_id = l.id LIMIT 1 OFFSET 0)`))
	if q.Outcome == trail.Pending { // which no outcome is
		return []part{said}
	}
	written := part{from: `audit_outcomes o CROSS JOIN audit_logs l`, id: `o.trace_id`, gathered: said.gathered}
	if dialect == postgres { // it would choose the order of a join by itself
		written.from = `audit_outcomes o
CROSS JOIN LATERAL (SELECT * FROM audit_logs WHERE id = o.trace_id AND trace_id = o.trace_id LIMIT 1) l`
	} else {
		written = written.and(`l.id = o.trace_id AND l.trace_id = o.trace_id`)
	}
	return []part{written.and(unsuccessful(`o.outcome`, q.Outcome)), said}
}

// filter adds the conditions on single columns.
func (q *Query) filter(p part) part {
	if len(q.Events) > 0 {
		var events []any
		for _, e := range q.Events {
			events = append(events, string(e))
		}
		p = p.and(`l.event IN (?`+strings.Repeat(`, ?`, len(events)-1)+`)`, events...)
	}
	for _, f := range []struct{ column, value string }{
		{`l.model`, q.Model}, {`l.entity_id`, q.EntityID}, {`l.user_id`, q.UserID}, {`l.tenant_id`, q.Tenant},
	} {
		if f.value != "" {
			p = p.and(f.column+` = ?`, f.value)
		}
	}
	return q.bound(p)
}

// bound adds the conditions on the time.
func (q *Query) bound(p part) part {
	if !q.From.IsZero() {
		p = p.and(p.id+` >= ?`, firstID(q.From).String())
	}
	if !q.To.IsZero() {
		p = p.and(p.id+` < ?`, firstID(q.To).String())
	}
	return p
}
