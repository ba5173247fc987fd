package gormhook

import "strings"

// A lexer walks over a SQL text that GORM made, including the caller's
// fragments, and knows what is text, name or comment and what is not. It does
// not need to know the grammar: keywords count only outside of all those.
type lexer struct {
	sql string
	pos int
	// sqlite: the first end of a comment is its end, and brackets quote a name.
	sqlite bool
}

func newLexer(sql, dialect string) *lexer { return &lexer{sql: sql, sqlite: dialect == sqliteName} }

// tokenKind is what stands at a place.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenWord
	tokenName   // a quoted name
	tokenString // a string, however quoted
	tokenNumber
	tokenParam
	tokenSymbol
)

type token struct {
	kind       tokenKind
	start, end int
}

// next returns the next token; white space and comments are skipped.
func (l *lexer) next() token {
	l.skip()
	start := l.pos
	if start >= len(l.sql) {
		return token{tokenEnd, start, start}
	}
	c := l.sql[start]
	switch {
	case c == '\'':
		l.quoted('\'', false)
		return token{tokenString, start, l.pos}
	case (c == 'e' || c == 'E') && l.at(start+1) == '\'':
		l.pos++
		l.quoted('\'', true)
		for l.continued() {
			l.quoted('\'', true)
		}
		return token{tokenString, start, l.pos}
	case (c == 'b' || c == 'B' || c == 'x' || c == 'X' || c == 'n' || c == 'N') && l.at(start+1) == '\'':
		l.pos++
		l.quoted('\'', false)
		return token{tokenString, start, l.pos}
	case c == '"' || c == '`':
		l.quoted(c, false)
		return token{tokenName, start, l.pos}
	case c == '[' && l.sqlite:
		if end := strings.IndexByte(l.sql[start:], ']'); end > 0 {
			l.pos = start + end + 1
			return token{tokenName, start, l.pos}
		}
		l.pos++
		return token{tokenSymbol, start, l.pos}
	case c == '$' && digit(l.at(start+1)):
		l.pos++
		for digit(l.at(l.pos)) {
			l.pos++
		}
		return token{tokenParam, start, l.pos}
	case c == '$' && l.dollar():
		return token{tokenString, start, l.pos}
	case c == '?':
		l.pos++
		for digit(l.at(l.pos)) {
			l.pos++
		}
		return token{tokenParam, start, l.pos}
	case digit(c) || c == '.' && digit(l.at(start+1)):
		for digit(l.at(l.pos)) || wordByte(l.at(l.pos)) || l.at(l.pos) == '.' ||
			(l.at(l.pos) == '+' || l.at(l.pos) == '-') && (l.sql[l.pos-1] == 'e' || l.sql[l.pos-1] == 'E') {
			l.pos++
		}
		return token{tokenNumber, start, l.pos}
	case wordStart(c):
		for wordByte(l.at(l.pos)) {
			l.pos++
		}
		return token{tokenWord, start, l.pos}
	default:
		l.pos++
		return token{tokenSymbol, start, l.pos}
	}
}

// trimmed returns a statement without what is behind its last token: comments,
// in which what is added would be lost, and semicolons.
func trimmed(sql, dialect string) string {
	if sql = strings.TrimRight(sql, " \t\r\n"); !strings.HasSuffix(sql, ";") && !strings.Contains(sql, "--") && !strings.Contains(sql, "/*") {
		return sql // as nearly all are; to read a long one takes a while
	}
	l := newLexer(sql, dialect)
	end := 0
	for {
		t := l.next()
		switch {
		case t.kind == tokenEnd:
			return sql[:end]
		case t.kind != tokenSymbol || sql[t.start] != ';':
			end = t.end
		}
	}
}

func (l *lexer) at(i int) byte {
	if i < len(l.sql) {
		return l.sql[i]
	}
	return 0
}

// skip passes over white space and comments.
func (l *lexer) skip() {
	for l.pos < len(l.sql) {
		switch c := l.sql[l.pos]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f':
			l.pos++
		case c == '-' && l.at(l.pos+1) == '-':
			end := strings.IndexByte(l.sql[l.pos:], '\n')
			if end < 0 {
				l.pos = len(l.sql)
			} else {
				l.pos += end + 1
			}
		case c == '/' && l.at(l.pos+1) == '*':
			depth := 1
			for l.pos += 2; l.pos < len(l.sql) && depth > 0; {
				switch {
				case l.sql[l.pos] == '*' && l.at(l.pos+1) == '/':
					depth--
					l.pos += 2
				case l.sql[l.pos] == '/' && l.at(l.pos+1) == '*' && !l.sqlite:
					depth++
					l.pos += 2
				default:
					l.pos++
				}
			}
		default:
			return
		}
	}
}

// quoted skips what is quoted by q from here, in which q is doubled.
func (l *lexer) quoted(q byte, escapes bool) {
	for l.pos++; l.pos < len(l.sql); l.pos++ {
		switch {
		case escapes && l.sql[l.pos] == '\\':
			l.pos++
		case l.sql[l.pos] == q:
			if l.at(l.pos+1) != q {
				l.pos++
				return
			}
			l.pos++
		}
	}
	l.pos = min(l.pos, len(l.sql))
}

// continued moves on to where a string of PostgreSQL's continues on a later
// line, with the same escapes, if it does.
func (l *lexer) continued() bool {
	end := l.pos
	l.skip()
	if l.at(l.pos) == '\'' && strings.ContainsAny(l.sql[end:l.pos], "\n\r") {
		return true
	}
	l.pos = end
	return false
}

// dollar skips a dollar-quoted string, if one begins here.
func (l *lexer) dollar() bool {
	end := l.pos + 1
	for wordByte(l.at(end)) && l.at(end) != '$' {
		end++
	}
	if l.at(end) != '$' {
		return false
	}
	tag := l.sql[l.pos : end+1]
	if i := strings.Index(l.sql[end+1:], tag); i >= 0 {
		l.pos = end + 1 + i + len(tag)
	} else {
		l.pos = len(l.sql)
	}
	return true
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func wordStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func wordByte(c byte) bool { return wordStart(c) || digit(c) || c == '$' }

// is reports whether the token is the keyword, given in upper case.
func (t token) is(sql, keyword string) bool {
	return t.kind == tokenWord && strings.EqualFold(sql[t.start:t.end], keyword)
}

// name returns the name that a token quotes, or its word as the database takes it:
// PostgreSQL folds a word to lower case, SQLite takes a string for a name where
// only that can stand.
func (l *lexer) name(t token) string {
	s := l.sql[t.start:t.end]
	switch {
	case len(s) > 1 && (t.kind == tokenName || t.kind == tokenString && s[0] == '\''):
		q := string(s[len(s)-1])
		return strings.ReplaceAll(s[1:len(s)-1], q+q, q)
	case !l.sqlite:
		return lower(s)
	default:
		return s
	}
}

// lower folds a word as PostgreSQL does: no letter but those of ASCII.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
