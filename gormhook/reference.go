package gormhook

import (
	"slices"
	"strings"
)

// reference is a foreign key through which rows of a table change along with
// those that they refer to: ON DELETE or ON UPDATE CASCADE, SET NULL, SET DEFAULT.
type reference struct {
	table    string   // whose rows change, qualified and quoted
	columns  []string // of those rows
	refers   []string // the columns they refer to
	onDelete action
	onUpdate action
	// nulled are the columns that ON DELETE sets, if not all of them.
	nulled []string
}

// action is what happens to the referring rows.
type action string

const (
	actionNone       action = ""
	actionCascade    action = "CASCADE"
	actionSetNull    action = "SET NULL"
	actionSetDefault action = "SET DEFAULT"
)

// actionOf reads an action by a database's name for it. One that only forbids a
// change counts as none.
func actionOf(name string) action {
	switch name {
	case "c", string(actionCascade):
		return actionCascade
	case "n", string(actionSetNull):
		return actionSetNull
	case "d", string(actionSetDefault):
		return actionSetDefault
	default:
		return actionNone
	}
}

// moved returns what happens to rows that refer to rows which are deleted, or
// else whose columns reported by changes are set.
func (r *reference) moved(deleted bool, changes func(column string) bool) action {
	switch {
	case deleted:
		return r.onDelete
	case slices.ContainsFunc(r.refers, changes):
		return r.onUpdate
	default:
		return actionNone
	}
}

// has reports whether the foreign key is of a column.
func (r *reference) has(column string) bool {
	return slices.ContainsFunc(r.columns, func(name string) bool { return strings.EqualFold(name, column) })
}

// nulls reports whether ON DELETE SET NULL or SET DEFAULT sets a column.
func (r *reference) nulls(column string) bool {
	return len(r.nulled) == 0 || slices.Contains(r.nulled, column)
}

// followed reports whether other rows change along with those of a statement.
// An upsert does not count: the keys of what it updates are not known before.
func (t *table) followed(p *parsed) bool {
	if p.verb == verbInsert && !p.or {
		return false
	}
	return slices.ContainsFunc(t.references, func(r reference) bool {
		return r.moved(p.removes(), t.changedBy(p.sets)) != actionNone
	})
}

// changedBy reports whether a column may change along with those that are set.
func (t *table) changedBy(sets func(column string) bool) func(column string) bool {
	return func(column string) bool {
		i, ok := t.column(column)
		return ok && t.columns[i].computed || sets(column)
	}
}

// removes reports whether the statement deletes rows, or may to make room.
func (p *parsed) removes() bool { return p.verb == verbDelete || p.or }

// sets reports whether an update sets the column by name, or might.
func (p *parsed) sets(column string) bool {
	return p.columns == nil || slices.ContainsFunc(p.columns, func(name string) bool {
		return strings.EqualFold(name, column)
	})
}
