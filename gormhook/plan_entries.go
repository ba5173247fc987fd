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
// nobody needs to know whether one was the action's own.
func (p *planner) shapeOf(each bool) shape {
	switch {
	case p.variant.query && p.variant.claimed:
		return shapeOwned
	case p.variant.query:
		return shapeRows
	case each && !p.variant.claimed:
		return shapeTag
	default:
		return shapeCount
	}
}

// finish writes the INSERT of the entries behind the CTEs, and what the
// statement returns. An entry whose id is a trace's is inserted where nobody
// else has written it, which only the index can tell; the row gets an entry
// with an id of its own otherwise.
func (p *planner) finish(out *plan, b *strings.Builder, row changed) *plan {
	owned := `FALSE`
	if p.variant.claimed {
		owned = `EXISTS (SELECT 1 FROM audit_own)`
		own := p.own()
		b.WriteString(", audit_rows AS MATERIALIZED (\n" + p.rows(out, row) + "\n), audit_own AS (\n" +
			p.insertion(p.param(paramTrace, "uuid"), p.param(paramEvent, "text"), p.param(paramContext, "jsonb")) +
			"\nFROM audit_rows WHERE " + own + "\nON CONFLICT (id) DO NOTHING RETURNING id\n), audit_entry AS (\n" +
			p.insertion(p.freshID(), `audit_event`, `NULL::jsonb`) +
			"\nFROM audit_rows WHERE NOT " + own + " OR NOT " + owned + "\n)")
	} else {
		if out.shape != shapeTag {
			b.WriteString(", audit_entry AS (")
		}
		b.WriteString("\n" + p.insertion(p.id(out), `audit_event`, `NULL::jsonb`) + "\nFROM (" + p.rows(out, row) + ") AS audit_rows")
		if out.shape == shapeTag {
			out.text = b.String()
			return out
		}
		b.WriteString("\n)")
	}
	b.WriteString("\nSELECT ")
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

// own returns the condition that a row is the action's own.
func (p *planner) own() string {
	if p.variant.own == ownEntity {
		return `(audit_entity = ` + p.param(paramEntity, "text") + `)`
	}
	return `(audit_number = 1)`
}

// freshID returns the expression of an id that begins with the statement's
// instant; what is random in it is taken from an id of version 4, whose
// variant is the same.
func (p *planner) freshID() string {
	return `(` + p.param(paramID, "text") + ` || substr(gen_random_uuid()::text, 20))::uuid`
}

// id returns the expression of an entry's id outside any action: the first row
// of the statement has the id of its trace.
func (p *planner) id(out *plan) string {
	switch {
	case out.sole:
		return p.param(paramID, "uuid")
	case p.variant.own == ownFirst:
		return `CASE WHEN audit_number = 1 THEN ` + p.param(paramTrace, "uuid") + ` ELSE ` + p.freshID() + ` END`
	default:
		return p.freshID()
	}
}

// rows returns the query of what the entries say of each row.
func (p *planner) rows(out *plan, row changed) string {
	name := row.name
	if name == "" {
		name = `NULL`
	}
	number := ``
	if p.variant.own == ownFirst && !out.sole {
		number = `row_number() OVER () AS audit_number, `
	}
	if p.variant.names {
		name = `(` + p.param(paramNames, "text[]") + `)[row_number() OVER ()]`
	}
	query := `SELECT ` + number + row.entity + ` AS audit_entity, ` + name + ` AS audit_label, ` +
		row.event + ` AS audit_event, ` + row.operation + ` AS audit_operation, ` +
		row.before + ` AS audit_b, ` + row.after + ` AS audit_a FROM ` + row.from
	if row.where != "" {
		query += ` WHERE ` + row.where
	}
	return query
}

// insertion returns the INSERT of entries from audit_rows, up to its FROM.
// Their seq is drawn as they are inserted, which is behind the lock of the
// rows they are of.
func (p *planner) insertion(id, event, context string) string {
	return `INSERT INTO audit_logs (id, trace_id, created_at, tenant_id, user_id, user_name, user_kind, on_behalf_of,
	event, operation, model, entity_id, entity_name, before, after, outcome, context)
SELECT ` + id + `, ` + p.param(paramTrace, "uuid") + `, ` + p.param(paramAt, "timestamptz") + `, ` +
		p.param(paramTenant, "text") + `, ` + p.param(paramUserID, "text") + `, ` + p.param(paramUserName, "text") + `, ` +
		p.param(paramUserKind, "text") + `, ` + p.param(paramOnBehalfOf, "text") + `,
	` + event + `, audit_operation, ` + p.param(paramModel, "text") + `, audit_entity, audit_label, audit_b, audit_a, 'success', ` + context
}
