package gormhook

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// summary is what is known about a statement from its text alone.
type summary struct {
	event     trail.Event // empty: it changes no data
	operation trail.Operation
	table     string
	schema    bool // it changes the schema
	rollback  bool // it takes back what came after a savepoint
	uncounted bool // no database says how many rows it changed, as for TRUNCATE
	within    bool // the verb is in a WITH
	script    bool // it ends transactions by itself
	path      bool // PostgreSQL may look for tables elsewhere afterwards
}

// summaryOf reads the verb and the table of a statement that may hold several,
// as WITH does, and of which the first counts that changes data, of a table that
// is not passed over.
func summaryOf(sql, dialect string, passed func(table string) bool) summary {
	var s summary
	l := newLexer(sql, dialect)
	first := true // of a statement
	looking, analyzed := false, false
	creating, as := false, false // CREATE, and the AS before a query
	depth := 0                   // of brackets
	statements := 0
	var body int // of BEGIN and CASE in a trigger or a function, whose content is not run
	var bodied bool
	var before token
	for {
		t := l.next()
		if t.kind == tokenEnd {
			// The row count of the last statement, or of a query over what was
			// written, says nothing about the others.
			s.uncounted = s.uncounted || s.event != "" && (statements > 1 || s.within)
			return s
		}
		if first {
			first, body, bodied = false, 0, false
			statements++
			analyzed = t.is(sql, "EXPLAIN") && analyzes(*l)
			creating = t.is(sql, "CREATE")
			s.script = s.script || scripted(*l, t)
			s.path = s.path || relocates(*l, t)
			switch {
			case creating, t.is(sql, "ALTER"), t.is(sql, "DROP"):
				s.schema = true
				looking = false
			case t.is(sql, "ROLLBACK"):
				s.rollback = true
				looking = false
			case t.is(sql, "EXPLAIN"), t.is(sql, "GRANT"), t.is(sql, "REVOKE"):
				looking = analyzed // they only name writes; EXPLAIN ANALYZE runs them
			case t.is(sql, "SELECT"), t.is(sql, "VALUES"), t.is(sql, "PRAGMA"):
				looking = false
			case t.is(sql, "COPY"):
				s.copies(*l)
				looking = true // it may contain a query
			default:
				looking = true
			}
		}
		switch {
		case t.kind == tokenSymbol && sql[t.start] == '(':
			depth++
		case t.kind == tokenSymbol && sql[t.start] == ')':
			depth--
		case t.kind == tokenSymbol && sql[t.start] == ';' && depth == 0 && body == 0:
			first = true
		case t.is(sql, "TRIGGER"), t.is(sql, "FUNCTION"), t.is(sql, "PROCEDURE"):
			bodied = true
		case bodied && (t.is(sql, "BEGIN") || t.is(sql, "CASE")):
			body++
		case body > 0 && t.is(sql, "END"):
			body--
		}
		if creating && as && t.is(sql, "WITH") {
			looking = true // the query that fills a table may write to others
		}
		as = t.is(sql, "AS") || as && t.kind == tokenSymbol && sql[t.start] == '('
		if looking && s.event == "" {
			s.read(l, before, t)
			if s.event != "" && passed != nil && passed(s.table) {
				s = summary{schema: s.schema, rollback: s.rollback, script: s.script, path: s.path}
			}
			s.within = s.event != "" && depth > 0
			s.uncounted = s.uncounted || s.event != "" && analyzed
		}
		before = t
	}
}

// copies recognizes COPY of a table FROM somewhere as a write.
func (s *summary) copies(l lexer) {
	t := l.next()
	if s.event != "" || t.kind != tokenName && t.kind != tokenWord {
		return
	}
	name := l.name(t)
	for t = l.next(); t.kind == tokenSymbol && l.sql[t.start] == '.'; t = l.next() {
		name = l.name(l.next())
	}
	for t.kind == tokenName || t.kind == tokenSymbol || t.kind == tokenWord && !t.is(l.sql, "TO") {
		if t.is(l.sql, "FROM") {
			s.event, s.operation, s.table = trail.Create, trail.OpInsert, name
			return
		}
		t = l.next()
	}
}

// read takes the verb at t, if there is one that is not part of FOR UPDATE, DO
// UPDATE, ON DELETE and similar.
func (s *summary) read(l *lexer, before, t token) {
	for _, word := range []string{"FOR", "KEY", "DO", "ON"} {
		if before.is(l.sql, word) {
			return
		}
	}
	switch {
	case t.is(l.sql, "INSERT"), t.is(l.sql, "REPLACE"), t.is(l.sql, "MERGE"):
		s.event, s.operation = trail.Create, trail.OpInsert
		if t.is(l.sql, "MERGE") {
			s.event, s.operation = trail.Update, trail.OpUpdate
		}
	case t.is(l.sql, "UPDATE"):
		s.event, s.operation = trail.Update, trail.OpUpdate
	case t.is(l.sql, "DELETE"), t.is(l.sql, "TRUNCATE"):
		s.event, s.operation = trail.Delete, trail.OpDelete
		s.uncounted = t.is(l.sql, "TRUNCATE")
	default:
		return
	}
	at := *l
	n := at.next()
	for n.is(l.sql, "INTO") || n.is(l.sql, "FROM") || n.is(l.sql, "TABLE") || n.is(l.sql, "ONLY") || n.is(l.sql, "OR") ||
		n.is(l.sql, "IGNORE") || n.is(l.sql, "REPLACE") || n.is(l.sql, "ABORT") || n.is(l.sql, "FAIL") || n.is(l.sql, "ROLLBACK") {
		n = at.next()
	}
	if n.kind != tokenName && n.kind != tokenWord && (n.kind != tokenString || !l.sqlite) {
		s.event, s.operation = "", "" // REPLACE(...) is a function
		return
	}
	s.table = l.name(n)
	for {
		if dot := at.next(); dot.kind != tokenSymbol || l.sql[dot.start] != '.' {
			return
		}
		n = at.next()
		s.table = l.name(n)
	}
}

// maxSQL bounds the recorded text of a raw statement, in characters.
const maxSQL = 4096

// withoutLiterals returns the text of a statement with a question mark in
// place of everything that may be a value. Comments are left out. SQLite treats
// text in double quotes as a value if it is not a name, so it stays only where
// a name is required.
func withoutLiterals(sql, dialect string) string {
	var b strings.Builder
	l := newLexer(sql, dialect)
	var before token
	end := 0
	for {
		t := l.next()
		if t.kind == tokenEnd {
			break
		}
		if t.start > end && b.Len() > 0 {
			b.WriteByte(' ')
		}
		end = t.end
		switch {
		case t.kind == tokenString || t.kind == tokenNumber,
			t.kind == tokenName && dialect == sqliteName && sql[t.start] == '"' && !nameFollows(sql, before):
			b.WriteByte('?')
		default:
			b.WriteString(sql[t.start:t.end])
		}
		before = t
	}
	return trail.Printable(b.String(), maxSQL)
}

func nameFollows(sql string, t token) bool {
	if t.kind == tokenSymbol {
		return sql[t.start] == '.'
	}
	for _, word := range []string{"UPDATE", "INTO", "FROM", "JOIN", "TABLE", "SET", "AS"} {
		if t.is(sql, word) {
			return true
		}
	}
	return false
}

// raw looks at raw SQL on its way to the database.
func (h *hook) raw(next func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		stmt := db.Statement
		if stmt.Schema != nil && stmt.Table == stmt.Schema.Table {
			h.subjects.tell(stmt.Schema)
		}
		if h.dialect == sqliteName && db.Error == nil && !db.DryRun { // an application may write only in transactions
			h.prepared.prepare(stmt.Context, stmt.ConnPool)
		}
		if db.Error == nil && !db.DryRun && stmt.SQL.Len() == 0 && preceded(stmt) {
			callbacks.BuildQuerySQL(db)
		}
		if db.Error != nil || db.DryRun || stmt.SQL.Len() == 0 {
			next(db)
			return
		}
		s := summaryOf(stmt.SQL.String(), h.dialect, func(table string) bool {
			return h.subjects.named(&h.plugin, nil, table).excluded
		})
		if h.dialect == postgresName && !h.tables.paths.Load() && (s.path || setsPath(stmt)) {
			h.tables.paths.Store(true)
		}
		if s.schema {
			defer func() { h.tables.changed(transaction(stmt.ConnPool)) }()
		}
		if s.rollback {
			defer h.rolledBack(stmt)
		}
		if s.event == "" || h.plugin.Raw == RawIgnore || trail.Skipped(stmt.Context) || h.moves(s, stmt.SQL.String()) {
			next(db)
			return
		}
		subject := h.subjects.named(&h.plugin, nil, s.table)
		if subject.excluded {
			next(db)
			return
		}
		if h.plugin.Raw == RawRefuse {
			_ = db.AddError(fmt.Errorf("%w: %s", ErrRawSQL, withoutLiterals(stmt.SQL.String(), h.dialect)))
			return
		}
		if !open(db) {
			next(db)
			return
		}
		pool := stmt.ConnPool
		stmt.ConnPool = &rawCapture{ConnPool: beneath(pool), hook: h, subject: subject, summary: s}
		defer func() { stmt.ConnPool = pool }()
		next(db)
	}
}

// preceded reports whether something may come before the SELECT that GORM is
// going to write: a WITH, which may write.
func preceded(stmt *gorm.Statement) bool {
	const name = "SELECT"
	if len(stmt.BuildClauses) == 0 || stmt.BuildClauses[0] != name || stmt.ClauseBuilders[name] != nil {
		return true
	}
	c, ok := stmt.Clauses[name]
	return ok && (c.BeforeExpression != nil || c.Builder != nil || c.Name != "" && c.Name != name)
}

// setsPath reports whether a statement may change where PostgreSQL looks for
// tables, as one that chooses the schema of a tenant.
func setsPath(stmt *gorm.Statement) bool {
	const path, config = "search_path", "set_config"
	text := strings.ToLower(stmt.SQL.String())
	if strings.Contains(text, path) {
		return true
	}
	if !strings.Contains(text, config) {
		return false
	}
	user := []string{path, "role", "session_authorization"}
	return slices.ContainsFunc(user, func(setting string) bool { return strings.Contains(text, "'"+setting+"'") }) ||
		slices.ContainsFunc(stmt.Vars, func(v any) bool {
			setting, ok := v.(string)
			return ok && slices.Contains(user, strings.ToLower(setting))
		})
}

// moves reports whether a statement is one by which GORM's migrator for SQLite
// takes the rows of a table to the copy that will have its place: none of them
// changes.
func (h *hook) moves(s summary, sql string) bool {
	name, temporary := strings.CutSuffix(s.table, "__temp")
	return temporary && h.dialect == sqliteName && s.operation == trail.OpInsert && strings.HasSuffix(sql, " FROM `"+name+"`")
}

// rolledBack tells the trace that a savepoint was gone back to.
func (h *hook) rolledBack(stmt *gorm.Statement) {
	if t, ok := trail.FromContext(stmt.Context); ok {
		if tx := transaction(stmt.ConnPool); tx != nil {
			t.RolledBack(tx)
		}
	}
}

// rawCapture runs one raw statement and records that it was run, in one
// transaction.
type rawCapture struct {
	gorm.ConnPool

	hook    *hook
	subject *subject
	summary summary
}

var _ gorm.ConnPool = (*rawCapture)(nil)

// ExecContext implements [gorm.ConnPool].
func (c *rawCapture) ExecContext(ctx context.Context, query string, args ...any) (result sql.Result, err error) {
	err = c.run(ctx, query, func(pool gorm.ConnPool) (int64, error) {
		var err error
		if result, err = pool.ExecContext(ctx, query, args...); err != nil {
			return 0, err
		}
		return result.RowsAffected()
	})
	if err != nil {
		return nil, err
	}
	return result, nil
}

// QueryContext implements [gorm.ConnPool].
func (c *rawCapture) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := c.collect(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return rows.replay(ctx)
}

// QueryRowContext implements [gorm.ConnPool].
func (c *rawCapture) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	rows, err := c.collect(ctx, query, args)
	if err != nil {
		return failedRow(ctx, err)
	}
	return rows.replayRow(ctx)
}

func (c *rawCapture) collect(ctx context.Context, query string, args []any) (rows *collected, err error) {
	err = c.run(ctx, query, func(pool gorm.ConnPool) (int64, error) {
		var err error
		if rows, err = collect(ctx, pool, query, args); err != nil {
			return 0, err
		}
		return int64(len(rows.values)), nil
	})
	return rows, err
}

func (c *rawCapture) run(ctx context.Context, query string, f func(gorm.ConnPool) (int64, error)) error {
	h := c.hook
	r := &request{ctx: ctx, text: query, subject: c.subject, pool: c.ConnPool}
	if t, ok := trail.FromContext(ctx); ok {
		if _, err := t.Claim(h.work(t, "", "", c.ConnPool)); err != nil { // it has no row of its own
			return h.failure(ctx, err)
		}
		action := t.Action()
		r.attribution = attribution{trace: t, id: t.ID(), at: h.now(), actor: action.Actor, tenant: action.Tenant}
	} else {
		var err error
		if r.attribution, err = h.attribute(ctx, c.subject, "", c.ConnPool); err != nil {
			return err
		}
	}
	if c.summary.script {
		return c.ahead(r, f)
	}
	both := func(pool gorm.ConnPool) error {
		r.pool = pool
		n, err := f(pool)
		if err != nil {
			return err
		}
		return h.summarize(r, c.summary, n)
	}
	if transaction(c.ConnPool) != nil {
		return c.inside(r, both, f)
	}
	err := inTransaction(ctx, c.ConnPool, both)
	if h.plugin.BestEffort && isFailure(err) {
		_, err = f(c.ConnPool)
	}
	return err
}

// inside runs both in the caller's transaction, from a savepoint where a
// failure to record must not spoil it, and where it would outlive one.
func (c *rawCapture) inside(r *request, both func(gorm.ConnPool) error, f func(gorm.ConnPool) (int64, error)) error {
	if !c.hook.plugin.BestEffort && c.hook.dialect == postgresName {
		return both(c.ConnPool)
	}
	intact, err := savepoint(r.ctx, c.ConnPool, func() error { return both(c.ConnPool) })
	if !c.hook.plugin.BestEffort || !intact || !isFailure(err) {
		return err
	}
	_, err = f(c.ConnPool)
	return err
}

// uncounted reports whether rows may have changed although none was counted:
// those of another table, through a view's triggers or a table's rules.
func (h *hook) uncounted(r *request, s summary) bool {
	t, err := h.tables.of(r.ctx, r.pool, h.dialect, tableKey{name: quote(s.table)})
	return err == nil && t.exists && t.elsewhere
}

// summarize writes one entry for a statement that was not imaged: how many
// rows it changed and what it says, without a value.
func (h *hook) summarize(r *request, s summary, rows int64) error {
	if s.event == "" {
		return nil
	}
	if rows == 0 && !s.uncounted && !s.script && !h.uncounted(r, s) {
		return nil // nothing changed
	}
	text, err := json.Marshal(struct {
		Rows  int64  `json:"rows"`
		SQL   string `json:"sql"`
		Table string `json:"table"`
	}{rows, withoutLiterals(r.text, h.dialect), s.table})
	if err != nil {
		return h.failure(r.ctx, err)
	}
	e := trail.Entry{
		ID: trail.NewID(r.at), TraceID: r.id, CreatedAt: r.at, Tenant: r.tenant, Actor: r.actor,
		Event: s.event, Operation: s.operation, Model: r.subject.model, Outcome: trail.Success, Context: text,
	}
	if s.script {
		e.Outcome = trail.Pending
	}
	if r.trace == nil {
		e.ID = r.id
	}
	if err := store.Insert(r.ctx, r.pool, h.dialect, []trail.Entry{e}); err != nil {
		return h.failure(r.ctx, err)
	}
	return nil
}
