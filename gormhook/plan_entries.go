package gormhook

import "strings"

// changed are the expressions that make an entry of a row of a CTE.
type changed struct {
	from, where      string
	operation, event string
	entity, name     string
	before, after    string
}

// shapeOf returns the shape of the result: rows where the caller wants rows,
// else the command tag, if each row that is affected leaves an entry and
// nobody needs to know more.
func (p *planner) shapeOf(each bool) shape {
	switch {
	case p.variant.query && (p.variant.own == ownEntity || p.variant.absent || p.variant.own != ownNone && !each):
		return shapeOwned
	case p.variant.query:
		return shapeRows
	case each && p.variant.own != ownEntity && !p.variant.absent:
		return shapeTag
	default:
		return shapeCount
	}
}

// finish writes the INSERT of the entries behind the CTEs, and what the
// statement returns.
func (p *planner) finish(out *plan, b *strings.Builder, row changed) *plan {
	own := p.own()
	entries := p.entries(out, row, own)
	if out.shape == shapeTag {
		b.WriteString("\n" + entries)
		out.text = b.String()
		return out
	}
	b.WriteString(", audit_entry AS (\n" + entries)
	if out.shape != shapeRows {
		owned := `FALSE`
		if own != "" {
			owned = `id = ` + p.param(paramTrace, "uuid")
		}
		b.WriteString("\nRETURNING " + owned + " AS audit_owned")
	}
	b.WriteString("\n)\nSELECT ")
	const owned = `coalesce((SELECT bool_or(audit_owned) FROM audit_entry), FALSE)`
	if out.shape == shapeCount {
		b.WriteString(`count(*), ` + owned + ` FROM ` + row.from)
		out.text = b.String()
		return out
	}
	b.WriteString(p.returned())
	if out.shape == shapeOwned {
		b.WriteString(`, ` + owned)
	}
	b.WriteString(` FROM ` + row.from + ` AS `)
	if p.alias != "" {
		b.WriteString(p.alias)
	} else {
		b.WriteString(quote(p.names[len(p.names)-1]))
	}
	out.text = b.String()
	return out
}

// returned is what the caller wants returned. A star is the table's columns,
// not what the capture has beside them.
func (p *planner) returned() string {
	if strings.TrimSpace(p.returning) != "*" {
		return p.returning
	}
	var b strings.Builder
	for i := range p.table.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(p.table.columns[i].name))
	}
	return b.String()
}

// own returns the condition that a row is the action's own; empty for none.
func (p *planner) own() string {
	var own string
	switch p.variant.own {
	case ownFirst:
		own = `audit_number = 1`
	case ownEntity:
		own = `audit_entity = ` + p.param(paramEntity, "text")
	default:
		return ""
	}
	if p.variant.absent {
		own += ` AND NOT EXISTS (SELECT 1 FROM audit_logs WHERE id = ` + p.param(paramTrace, "uuid") + `)`
	}
	return `(` + own + `)`
}

// entries returns the INSERT of the entries. Their seq is drawn as they are
// inserted, which is behind the lock of the rows they are of.
func (p *planner) entries(out *plan, row changed, own string) string {
	id := `(` + p.param(paramID, "text") + ` || substr(gen_random_uuid()::text, 20))::uuid`
	event, context := `audit_event`, `NULL::jsonb`
	switch {
	case out.sole:
		id = p.param(paramID, "uuid")
		if own != "" {
			event = `coalesce(` + p.param(paramEvent, "text") + `, audit_event)`
			context = p.param(paramContext, "jsonb")
		}
	case own != "":
		id = `CASE WHEN ` + own + ` THEN ` + p.param(paramTrace, "uuid") + ` ELSE ` + id + ` END`
		event = `CASE WHEN ` + own + ` THEN coalesce(` + p.param(paramEvent, "text") + `, audit_event) ELSE audit_event END`
		context = `CASE WHEN ` + own + ` THEN ` + p.param(paramContext, "jsonb") + ` END`
	}
	name := row.name
	if name == "" && !p.variant.names {
		name = `NULL`
	}
	number := ``
	if p.variant.names || p.variant.own == ownFirst && !out.sole {
		number = `row_number() OVER () AS audit_number, `
	}
	if p.variant.names {
		name = `(` + p.param(paramNames, "text[]") + `)[row_number() OVER ()]`
	}
	inner := `SELECT ` + number + row.entity + ` AS audit_entity, ` + name + ` AS audit_label, ` +
		row.event + ` AS audit_event, ` + row.operation + ` AS audit_operation, ` +
		row.before + ` AS audit_b, ` + row.after + ` AS audit_a FROM ` + row.from
	if row.where != "" {
		inner += ` WHERE ` + row.where
	}
	return `INSERT INTO audit_logs (id, trace_id, created_at, tenant_id, user_id, user_name, user_kind, on_behalf_of,
	event, operation, model, entity_id, entity_name, before, after, outcome, context)
SELECT ` + id + `, ` + p.param(paramTrace, "uuid") + `, ` + p.param(paramAt, "timestamptz") + `, ` +
		p.param(paramTenant, "text") + `, ` + p.param(paramUserID, "text") + `, ` + p.param(paramUserName, "text") + `, ` +
		p.param(paramUserKind, "text") + `, ` + p.param(paramOnBehalfOf, "text") + `,
	` + event + `, audit_operation, ` + p.param(paramModel, "text") + `, audit_entity, audit_label, audit_b, audit_a, 'success', ` + context + `
FROM (` + inner + `) AS audit_rows`
}
