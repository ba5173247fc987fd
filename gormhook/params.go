package gormhook

import (
	"strconv"
	"strings"
)

// piece returns a fragment of a statement as a separate text: its parameters
// are numbered (or counted) from first on, and args are the ones that it uses.
// before is the number of ? parameters before the fragment in the statement;
// it does not matter for PostgreSQL's texts, whose parameters are written with $
// and in which ? is an operator.
func piece(dialect, fragment string, all []any, before, first int) (text string, args []any) {
	var b strings.Builder
	l := newLexer(fragment, dialect)
	last := 0
	for {
		t := l.next()
		if t.kind == tokenEnd {
			break
		}
		if t.kind != tokenParam || fragment[t.start] == '?' && dialect == postgresName {
			continue
		}
		i := before
		if fragment[t.start] == '$' {
			i, _ = strconv.Atoi(fragment[t.start+1 : t.end])
			i--
		} else {
			before++
		}
		if i < 0 || i >= len(all) {
			continue // not ours to fix: the database will say so
		}
		args = append(args, all[i])
		b.WriteString(fragment[last:t.start])
		if fragment[t.start] == '$' {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(first))
			first++
		} else {
			b.WriteByte('?')
		}
		last = t.end
	}
	b.WriteString(fragment[last:])
	return b.String(), args
}

// count returns how many parameters stand in a fragment.
func (w *writer) count(fragment string) int {
	n := 0
	for l := newLexer(fragment, w.hook.dialect); ; {
		switch l.next().kind {
		case tokenParam:
			n++
		case tokenEnd:
			return n
		}
	}
}
