package gormhook

import "strings"

// compute notes which columns the database computes besides those that are
// generated: those of which triggered says that a trigger may set them.
func (t *table) compute(triggered func(column string) bool) {
	for i := range t.columns {
		c := &t.columns[i]
		c.computed = c.computed || triggered(c.name)
	}
}

// assigns reports whether the function of a trigger of PostgreSQL may change a
// column of its row. A source in PL/pgSQL that does not name the column, and
// uses the row only to return it or for other columns, leaves it as it is; of
// any other, and of one in another language, which has no source here, nobody
// knows.
func assigns(source, column string) bool {
	if source == "" || names(source, postgresName, column) {
		return true
	}
	l := newLexer(source, postgresName)
	var before token
	for {
		t := l.next()
		ahead := *l
		after := ahead.next()
		switch {
		case t.kind == tokenEnd:
			return false
		case t.is(source, "EXECUTE"):
			return true
		case t.is(source, "RETURN"):
			if !after.is(source, "NEW") && !after.is(source, "OLD") && !after.is(source, "NULL") {
				return true
			}
		case t.is(source, "NEW"):
			returned := before.is(source, "RETURN") && isSymbol(source, after, ';')
			if !returned && !isSymbol(source, after, '.') {
				return true
			}
		}
		before = t
	}
}

// names reports whether a column is named in a text.
func names(sql, dialect, column string) bool {
	l := newLexer(sql, dialect)
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			return false
		case (t.kind == tokenWord || t.kind == tokenName) && strings.EqualFold(l.name(t), column):
			return true
		}
	}
}

func isSymbol(sql string, t token, symbol byte) bool {
	return t.kind == tokenSymbol && sql[t.start] == symbol
}
