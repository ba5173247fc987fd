package gormhook

import (
	"slices"
	"strings"

	"gorm.io/gorm"
)

// A script is raw SQL that begins or ends transactions, or sets what cannot be set
// within one. It runs as it is: in a transaction of the capture it would do
// something else. What it commits is its own affair, so its entry comes first.

// scripted reports whether a statement, whose first word is t, makes a script of a
// text in which others change data.
func scripted(l lexer, t token) bool {
	is := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return t.is(l.sql, w) })
	}
	switch {
	case l.sqlite && is("PRAGMA", "VACUUM", "ATTACH", "DETACH"):
		return true
	case is("BEGIN", "START", "COMMIT", "END", "ABORT"):
		return true
	case is("PREPARE"):
		return l.next().is(l.sql, "TRANSACTION")
	case is("ROLLBACK"):
		for t = l.next(); is("WORK", "TRANSACTION"); {
			t = l.next()
		}
		return !is("TO")
	default:
		return false
	}
}

// relocates reports whether a statement, whose first word is t, may change where
// PostgreSQL looks for tables: as another user it does in another schema.
func relocates(l lexer, t token) bool {
	if l.sqlite || !t.is(l.sql, "SET") && !t.is(l.sql, "RESET") && !t.is(l.sql, "DISCARD") {
		return false
	}
	for t = l.next(); t.is(l.sql, "LOCAL") || t.is(l.sql, "SESSION"); {
		t = l.next()
	}
	if t.kind != tokenWord && t.kind != tokenName {
		return false
	}
	return slices.Contains([]string{"role", "authorization", "session_authorization", "schema", "all"}, strings.ToLower(l.name(t)))
}

// analyzes reports whether an EXPLAIN, whose first word has been read, runs what
// it explains.
func analyzes(l lexer) (yes bool) {
	asks := func(t token) bool { return t.is(l.sql, "ANALYZE") || t.is(l.sql, "ANALYSE") }
	t := l.next()
	if l.sqlite || t.kind != tokenSymbol || l.sql[t.start] != '(' {
		return !l.sqlite && asks(t)
	}
	for t.kind != tokenEnd && (t.kind != tokenSymbol || l.sql[t.start] != ')') {
		if t = l.next(); !asks(t) {
			continue
		}
		t = l.next()
		yes = !slices.Contains([]string{"false", "off", "0"}, strings.ToLower(strings.Trim(l.sql[t.start:t.end], `'"`)))
	}
	return yes
}

// ahead records a script, and runs it. The entry says that it was begun, for it
// may have ended in parts. In a transaction of the caller's it is of that
// transaction, as far as the script leaves it.
func (c *rawCapture) ahead(r *request, f func(gorm.ConnPool) (int64, error)) error {
	record := func() error { return c.hook.summarize(r, c.summary, 0) }
	var err error
	intact := true
	if c.hook.plugin.BestEffort && transaction(r.pool) != nil {
		intact, err = savepoint(r.ctx, r.pool, record)
	} else {
		err = record()
	}
	if err != nil && !(c.hook.plugin.BestEffort && intact) {
		return err
	}
	_, err = f(r.pool)
	return err
}
