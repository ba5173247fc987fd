package gormhook

import "strings"

// changed are the expressions that make an entry of a row of a CTE.
type changed struct {
	from, where      string
	operation, event string
	entity, name     string
	before, after    string
	// each: every row that is affected leaves an entry.
	each bool
	// locked: audit__old has as many rows as from, or the statement fails.
	locked bool
}

// keyChanged is in the error of a statement that found a locked row with another
// key than it had when the statement began: its change would skip the row.
const keyChanged = `audit: a key was changed meanwhile`

// allChanged is a LIMIT that limits nothing, and fails if a row that was locked
// has not been changed. It is a LIMIT because that is evaluated once, even if
// there is no row.
const allChanged = "\nLIMIT CASE WHEN (SELECT count(*) FROM audit__old) <> (SELECT count(*) FROM audit__new) THEN ('" + keyChanged +
	", of rows: ' || (SELECT count(*) FROM audit__old))::bigint END"

// shapeOf returns the shape of the result: rows if the caller wants rows, else
// the command tag, if each affected row leaves an entry. If that does not show
// whether one was the action's own, another shape does.
func (p *planner) shapeOf(each bool) shape {
	tells := !p.variant.claimed || each && p.variant.own == ownFirst && !p.variant.contested
	switch {
	case p.variant.query && tells:
		return shapeRows
	case p.variant.query:
		return shapeOwned
	case each && tells:
		return shapeTag
	default:
		return shapeCount
	}
}

// finish writes the INSERT of the entries after the CTEs, and what the
// statement returns.
func (p *planner) finish(out *plan, b *strings.Builder, row changed) *plan {
	owned := `FALSE`
	if p.variant.contested {
		owned = p.contested(out, b, row)
	} else {
		entriesLast := out.shape == shapeTag && row.each
		if !entriesLast {
			b.WriteString(", audit__entry AS (")
		}
		event, context := `audit__event`, `NULL::jsonb`
		if p.variant.claimed {
			event, context = p.ownOr(out, p.param(paramEvent, "text"), event), p.ownOr(out, p.param(paramContext, "jsonb"), context)
		}
		b.WriteString("\n" + p.insertion(p.id(out), event, context) + "\nFROM (" + p.rows(out, row) + ") AS audit__rows")
		if entriesLast {
			out.text = b.String()
			return out
		}
		if out.shape == shapeCount || out.shape == shapeOwned {
			b.WriteString("\nRETURNING id = " + p.param(paramTrace, "uuid") + " AS audit__is_own")
			owned = `EXISTS (SELECT 1 FROM audit__entry WHERE audit__is_own)`
		}
		b.WriteString("\n)")
	}
	b.WriteString("\nSELECT ")
	switch out.shape {
	case shapeTag: // of at most one row, with or without an entry
		b.WriteString(`FROM ` + row.from)
	case shapeCount:
		b.WriteString(`count(*), ` + owned + ` FROM ` + row.from)
	case shapeRows:
		b.WriteString(p.returned() + ` FROM ` + row.from + ` AS ` + unqualified(p.parsed))
	case shapeOwned:
		b.WriteString(p.returned() + `, ` + owned + ` FROM ` + row.from + ` AS ` + unqualified(p.parsed))
	}
	if row.locked {
		b.WriteString(allChanged)
	}
	out.text = b.String()
	return out
}

// returned is what the caller wants returned. A star means the table's columns,
// not those added by the capture.
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

// contested writes the INSERT of the entries if somebody else may have written
// the action's own, which only the index can tell; the row then gets an entry
// with another id. It returns the condition that it was written here.
func (p *planner) contested(out *plan, b *strings.Builder, row changed) (owned string) {
	owned = `EXISTS (SELECT 1 FROM audit__own)`
	own := p.own()
	b.WriteString(", audit__rows AS MATERIALIZED (\n" + p.rows(out, row) + "\n), audit__own AS (\n" +
		p.insertion(p.param(paramTrace, "uuid"), p.param(paramEvent, "text"), p.param(paramContext, "jsonb")) +
		"\nFROM audit__rows WHERE " + own + "\nON CONFLICT (id) DO NOTHING RETURNING id\n), audit__entry AS (\n" +
		p.insertion(p.freshID(), `audit__event`, `NULL::jsonb`) +
		"\nFROM audit__rows WHERE NOT " + own + " OR NOT " + owned + "\n)")
	return owned
}

// own returns the condition that a row is the action's own.
func (p *planner) own() string {
	if p.variant.own == ownEntity {
		return `(audit__entity = ` + p.param(paramEntity, "text") + `)`
	}
	return `(audit__number = 1)`
}

// ownOr returns one expression for the action's own entry, another for others.
func (p *planner) ownOr(out *plan, own, other string) string {
	switch {
	case p.variant.own == ownNone:
		return other
	case p.variant.own == ownFirst && out.sole:
		return own
	default:
		return `CASE WHEN ` + p.own() + ` THEN ` + own + ` ELSE ` + other + ` END`
	}
}

// freshID returns the expression of the id of one entry of several, as rowIDs
// makes them.
func (p *planner) freshID() string {
	return `overlay(` + p.param(paramID, "text") + ` placing overlay(to_hex(2147483648 + audit__number) placing '-' from 5 for 0) from 20 for 0)::uuid`
}

// id returns the expression of an entry's id.
func (p *planner) id(out *plan) string {
	given := p.param(paramID, "uuid")
	switch {
	case !out.sole:
		return p.ownOr(out, p.param(paramTrace, "uuid"), p.freshID())
	case p.variant.own == ownEntity:
		return p.ownOr(out, p.param(paramTrace, "uuid"), given)
	default:
		return given
	}
}

// rows returns the query of what the entries say of each row.
func (p *planner) rows(out *plan, row changed) string {
	name := row.name
	if name == "" {
		name = `NULL`
	}
	number := ``
	if !out.sole {
		number = `row_number() OVER () AS audit__number, `
	}
	if p.variant.names {
		place := `row_number() OVER ()`
		if out.sole {
			place = `1`
		}
		name = `(` + p.param(paramNames, "text[]") + `)[` + place + `]`
	}
	query := `SELECT ` + number + row.entity + ` AS audit__entity, ` + name + ` AS audit__label, ` +
		row.event + ` AS audit__event, ` + row.operation + ` AS audit__operation, ` +
		row.before + ` AS audit__b, ` + row.after + ` AS audit__a FROM ` + row.from
	if row.where != "" {
		query += ` WHERE ` + row.where
	}
	return query
}

// insertion returns the INSERT of entries from audit__rows, up to its FROM.
// Their seq is assigned as they are inserted, which is after their rows were
// locked.
func (p *planner) insertion(id, event, context string) string {
	return `INSERT INTO audit_logs (id, trace_id, created_at, tenant_id, user_id, user_name, user_kind, on_behalf_of,
	event, operation, model, entity_id, entity_name, before, after, outcome, context)
SELECT ` + id + `, ` + p.param(paramTrace, "uuid") + `, ` + p.param(paramAt, "timestamptz") + `, ` +
		p.param(paramTenant, "text") + `, ` + p.param(paramUserID, "text") + `, ` + p.param(paramUserName, "text") + `, ` +
		p.param(paramUserKind, "text") + `, ` + p.param(paramOnBehalfOf, "text") + `,
	` + event + `, audit__operation, ` + p.param(paramModel, "text") + `, audit__entity, audit__label, audit__b, audit__a, 'success', ` + context
}
