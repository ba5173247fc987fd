package gormhook

import "strings"

// verb is what a statement does.
type verb uint8

const (
	verbNone verb = iota
	verbInsert
	verbUpdate
	verbDelete
)

// parsed is a statement split into parts, as pieces of its own text. All parts
// are without their keyword; a missing part is empty.
type parsed struct {
	verb  verb
	table string // as written, quoted and qualified
	names []string
	alias string // as written

	insert string // INSERT: the text after the table up to ON CONFLICT or RETURNING
	tuples int    // INSERT: the number of rows in VALUES; 0 if they come from elsewhere
	or     bool   // SQLite's INSERT OR ...
	abort  bool   // SQLite's UPDATE OR ABORT, which replaces no row

	conflict       string // INSERT: from ON CONFLICT up to its WHERE or RETURNING
	conflictUpdate bool   // it is DO UPDATE
	conflictWhere  string

	set     string
	columns []string // UPDATE: the columns in SET; nil if they could not be read
	from    string
	where   string

	body      string // the statement without its RETURNING
	returning string
}

// parse reads one INSERT, UPDATE or DELETE. It reports false for anything
// else, WITH and several statements included.
func parse(sql, dialect string) (*parsed, bool) {
	l := newLexer(sql, dialect)
	p := &parsed{body: sql}
	ok := false
	switch t := l.next(); {
	case t.is(sql, "INSERT"):
		p.verb = verbInsert
		ok = p.readInsert(l)
	case t.is(sql, "UPDATE"):
		p.verb = verbUpdate
		ok = !l.narrowed() && p.readUpdate(l)
	case t.is(sql, "DELETE"):
		p.verb = verbDelete
		ok = l.next().is(sql, "FROM") && !l.narrowed() && p.readDelete(l)
	}
	return p, ok
}

// maxParse bounds the texts whose parse is cached, in bytes: longer ones take far
// longer to run than to parse.
const maxParse = 8 << 10

// parse is the function parse with a cache. What it returns is shared.
func (h *hook) parse(text string) (*parsed, bool) {
	if len(text) > maxParse {
		return parse(text, h.dialect)
	}
	p, ok := h.parses.load(text)
	if !ok {
		if p, ok = parse(text, h.dialect); !ok {
			p = nil
		}
		h.parses.keep(text, p, len(text))
	}
	return p, p != nil
}

// narrowed reports whether the next word makes this another statement:
// PostgreSQL's UPDATE ONLY, SQLite's UPDATE OR REPLACE.
func (l *lexer) narrowed() bool {
	ahead := *l
	t := ahead.next()
	return t.is(l.sql, "OR") || t.is(l.sql, "ONLY")
}

// readTable reads the name of the table and returns the token after it.
func (p *parsed) readTable(l *lexer) (token, bool) {
	t := l.next()
	start, end := t.start, 0
	for {
		if t.kind != tokenWord && t.kind != tokenName {
			return t, false
		}
		p.names = append(p.names, l.name(t))
		end = t.end
		if t = l.next(); t.kind != tokenSymbol || l.sql[t.start] != '.' {
			break
		}
		t = l.next()
	}
	p.table = l.sql[start:end]
	if t.is(l.sql, "AS") {
		t = l.next()
	} else if t.kind == tokenWord && reserved(l.sql[t.start:t.end]) || t.kind != tokenWord && t.kind != tokenName {
		return t, true
	}
	p.alias = l.sql[t.start:t.end]
	return l.next(), true
}

func reserved(word string) bool {
	switch strings.ToUpper(word) {
	case "SET", "WHERE", "FROM", "USING", "RETURNING", "VALUES", "DEFAULT", "SELECT", "ON", "OVERRIDING", "ORDER", "LIMIT":
		return true
	default:
		return false
	}
}

// qualifier is what a column of the table is qualified with.
func (p *parsed) qualifier() string {
	if p.alias != "" {
		return p.alias
	}
	return p.table
}

// until advances to the first of the keywords outside all parentheses, and
// returns its token (of kind tokenEnd at the end) and where the text before it
// ends.
func (l *lexer) until(each func(t token, depth int), keywords ...string) (token, int) {
	depth, last := 0, l.pos
	distinct := false // after IS [NOT] DISTINCT comes a FROM that is not a clause
	for {
		t := l.next()
		if t.kind == tokenEnd {
			return t, last
		}
		if t.kind == tokenSymbol {
			switch l.sql[t.start] {
			case '(', '[':
				depth++
			case ')', ']':
				depth--
			}
		}
		if depth == 0 && t.kind == tokenWord && !distinct {
			for _, k := range keywords {
				if t.is(l.sql, k) {
					return t, last
				}
			}
		}
		if each != nil {
			each(t, depth)
		}
		distinct = t.is(l.sql, "DISTINCT")
		last = t.end
	}
}

func (p *parsed) readUpdate(l *lexer) bool {
	t, ok := p.readTable(l)
	if !ok || !t.is(l.sql, "SET") {
		return false
	}
	start := l.pos
	item := true // a new assignment begins
	readable := true
	t, end := l.until(func(t token, depth int) {
		if item {
			item = false
			if t.kind == tokenName || t.kind == tokenWord {
				p.columns = append(p.columns, l.name(t))
			} else {
				readable = false // (a, b) = ...
			}
		}
		if depth == 0 && t.kind == tokenSymbol && l.sql[t.start] == ',' {
			item = true
		}
	}, "FROM", "WHERE", "RETURNING")
	p.set = strings.TrimSpace(l.sql[start:end])
	if !readable {
		p.columns = nil
	}
	if t.is(l.sql, "FROM") {
		start = l.pos
		t, end = l.until(nil, "WHERE", "RETURNING")
		p.from = strings.TrimSpace(l.sql[start:end])
	}
	return p.readTail(l, t)
}

func (p *parsed) readDelete(l *lexer) bool {
	t, ok := p.readTable(l)
	if !ok {
		return false
	}
	if t.is(l.sql, "USING") {
		start := l.pos
		var end int
		t, end = l.until(nil, "WHERE", "RETURNING")
		p.from = strings.TrimSpace(l.sql[start:end])
	}
	return p.readTail(l, t)
}

// readTail reads WHERE and RETURNING, from the token that begins them.
func (p *parsed) readTail(l *lexer, t token) bool {
	if t.is(l.sql, "WHERE") {
		start := l.pos
		var end int
		t, end = l.until(nil, "RETURNING")
		p.where = strings.TrimSpace(l.sql[start:end])
	}
	return p.readReturning(l, t)
}

func (p *parsed) readReturning(l *lexer, t token) bool {
	if t.is(l.sql, "RETURNING") {
		p.body = strings.TrimSpace(l.sql[:t.start])
		p.returning = strings.TrimSpace(l.sql[l.pos:])
		return !strings.Contains(p.returning, ";")
	}
	return t.kind == tokenEnd
}

func (p *parsed) readInsert(l *lexer) bool {
	t := l.next()
	if t.is(l.sql, "OR") {
		p.or = true
		l.next()
		t = l.next()
	}
	if !t.is(l.sql, "INTO") {
		return false
	}
	t, ok := p.readTable(l)
	if !ok {
		return false
	}
	start := t.start
	values := t.is(l.sql, "VALUES")
	l.pos = t.start
	count := func(t token, depth int) {
		switch {
		case t.is(l.sql, "VALUES") && depth == 0:
			values = true
		case values && depth == 1 && t.kind == tokenSymbol && l.sql[t.start] == '(':
			p.tuples++
		case t.is(l.sql, "DEFAULT") && depth == 0 && !values:
			p.tuples, values = 1, false
		}
	}
	t, end := l.until(count, "ON", "RETURNING")
	p.insert = strings.TrimSpace(l.sql[start:end])
	if t.is(l.sql, "ON") {
		start = t.start
		if !l.next().is(l.sql, "CONFLICT") {
			return false // the ON of a join: the rows come from a query
		}
		t, _ = l.until(nil, "DO")
		if !t.is(l.sql, "DO") {
			return false
		}
		action := l.next()
		p.conflictUpdate = action.is(l.sql, "UPDATE")
		t, end = l.until(nil, "WHERE", "RETURNING", "ON")
		p.conflict = strings.TrimSpace(l.sql[start:end])
		if t.is(l.sql, "ON") {
			return false // several clauses, as SQLite allows: treated as opaque
		}
		if t.is(l.sql, "WHERE") {
			start = l.pos
			t, end = l.until(nil, "RETURNING")
			p.conflictWhere = strings.TrimSpace(l.sql[start:end])
		}
	}
	return p.readReturning(l, t)
}
