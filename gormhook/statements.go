package gormhook

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"

	"gorm.io/gorm"
)

// statements keeps what the portable path sends to SQLite prepared: for one row
// it takes longer to parse a statement than to run it. A text is prepared once
// it has come twice, before a transaction: a statement prepared within one
// belongs to that transaction.
type statements struct {
	mu    sync.RWMutex
	ready map[string]*sql.Stmt
	known map[string]bool // texts that have come; true: to be prepared
	due   bool            // some are to be prepared
}

const (
	maxStatements = 128     // that are prepared
	maxTexts      = 1024    // that are known
	maxStatement  = 8 << 10 // bytes of one
)

// prepare prepares what is due, through a connection of the pool, for which it
// may have to wait without blocking others. What cannot be prepared is sent as it
// is, and the database says why not.
func (s *statements) prepare(ctx context.Context, pool gorm.ConnPool) {
	db, ok := pool.(*sql.DB)
	if !ok {
		return
	}
	for _, text := range s.take() {
		if stmt, err := db.PrepareContext(ctx, text); err == nil {
			for _, old := range s.keep(text, stmt) {
				_ = old.Close() // it stays usable for whoever is running it
			}
		}
	}
}

// take returns the texts that are due, which are the caller's to prepare.
func (s *statements) take() (texts []string) {
	s.mu.RLock()
	due := s.due
	s.mu.RUnlock()
	if !due {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for text, wanted := range s.known {
		if wanted {
			texts = append(texts, text)
			delete(s.known, text)
		}
	}
	s.due = false
	return texts
}

// keep keeps a statement, and returns those that are no longer kept.
func (s *statements) keep(text string, stmt *sql.Stmt) (old []*sql.Stmt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, twice := s.ready[text]; twice {
		old = append(old, before)
	} else if len(s.ready) >= maxStatements {
		old = slices.Collect(maps.Values(s.ready))
		clear(s.ready)
	}
	if s.ready == nil {
		s.ready = map[string]*sql.Stmt{}
	}
	s.ready[text] = stmt
	return old
}

// of returns the prepared statement of a text, nil if there is none yet.
func (s *statements) of(text string) *sql.Stmt {
	s.mu.RLock()
	stmt := s.ready[text]
	s.mu.RUnlock()
	if stmt != nil || len(text) > maxStatement {
		return stmt
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.known[text]; again {
		s.known[text], s.due = true, true
		return nil
	}
	if s.known == nil || len(s.known) >= maxTexts {
		s.known = map[string]bool{}
	}
	s.known[text] = false
	return nil
}

// over returns a transaction whose statements are taken from the prepared ones.
// GORM's own statement cache does the same.
func (s *statements) over(pool gorm.ConnPool) gorm.ConnPool {
	tx, ok := pool.(*sql.Tx)
	if !ok {
		return pool
	}
	return &preparedTx{Tx: tx, statements: s}
}

// preparedTx is a transaction with prepared statements.
type preparedTx struct {
	*sql.Tx
	statements *statements
}

var _ gorm.ConnPool = (*preparedTx)(nil)

// otherDatabase reports whether a statement was prepared for another database,
// of which one handle may have several. database/sql says so ahead of doing
// anything.
func otherDatabase(err error) bool {
	return err != nil && err.Error() == "sql: Tx.Stmt: statement from different database used"
}

// ExecContext implements [gorm.ConnPool].
func (p *preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := p.statements.of(query); stmt != nil {
		result, err := p.StmtContext(ctx, stmt).ExecContext(ctx, args...) //nolint:sqlclosecheck // the transaction closes it
		if !otherDatabase(err) {
			return result, err
		}
	}
	return p.Tx.ExecContext(ctx, query, args...)
}

// QueryContext implements [gorm.ConnPool].
func (p *preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.statements.of(query); stmt != nil {
		rows, err := p.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:sqlclosecheck // as above
		if !otherDatabase(err) {
			return rows, err
		}
	}
	return p.Tx.QueryContext(ctx, query, args...)
}
