package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/infrakitchen/audit/trail"
)

// Names of the supported dialects, as GORM has them.
const (
	postgres = "postgres"
	sqlite   = "sqlite"
)

// Store writes and reads the trail of one database. It holds no connection open,
// except one while lines are followed, and need not be closed. It is safe for
// concurrent use.
type Store struct {
	db     *gorm.DB // writes, never in a caller's transaction
	reader *gorm.DB // reads
	seen   seen

	retention retention
	followers followers
}

var _ trail.Recorder = (*Store)(nil)

// Option changes what [New] makes.
type Option interface{ apply(*Store) error }

type optionFunc func(*Store) error

func (f optionFunc) apply(s *Store) error { return f(s) }

// WithReader makes the store read through db, for example a replica or a role
// that may only SELECT. By default it reads where it writes. Both must be of
// the same dialect.
func WithReader(db *gorm.DB) Option {
	return optionFunc(func(s *Store) error {
		reader, err := session(db)
		if err != nil {
			return fmt.Errorf("store: WithReader: %w", err)
		}
		if reader.Name() != s.db.Name() {
			return fmt.Errorf("store: WithReader: dialect %s, the writer's is %s", reader.Name(), s.db.Name())
		}
		s.reader = reader
		return nil
	})
}

// New returns a store over db, whose tables [Migrate] has created. It does not
// touch the database. Its statements run with the plugins of db, and with the
// settings and the logger that it has at this call, but outside any transaction
// that db is in, and are not audited. A pool of one connection is enough as long as nobody calls the store
// from within a transaction on that connection.
//
// A nil db, or a dialect other than postgres and sqlite, is refused.
func New(db *gorm.DB, opts ...Option) (*Store, error) {
	writer, err := session(db)
	if err != nil {
		return nil, fmt.Errorf("store: New: %w", err)
	}
	s := &Store{db: writer, reader: writer}
	s.retention.rules = DefaultRetention()
	for _, o := range opts {
		if err := o.apply(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Over reports whether the store writes through the connections of db.
func (s *Store) Over(db *gorm.DB) bool {
	mine, err := s.db.DB()
	if err != nil {
		return false
	}
	conn, err := db.DB()
	return err == nil && mine == conn
}

// Closed reports whether the database that the store writes to was closed. It
// does not ask the database.
func (s *Store) Closed() bool {
	conn, err := s.db.DB()
	if err != nil {
		return false // a pool that does not say
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel() // which keeps an open one from being asked
	err = conn.PingContext(ended)
	return err != nil && !errors.Is(err, context.Canceled)
}

// session returns db as the store uses it: without what a caller has chained
// to it, and outside its transaction.
func session(db *gorm.DB) (*gorm.DB, error) {
	if db == nil || db.Config == nil || db.Statement == nil {
		return nil, errors.New("the *gorm.DB is nil")
	}
	if err := known(db); err != nil {
		return nil, err
	}
	s := db.Session(&gorm.Session{NewDB: true, SkipDefaultTransaction: true})
	s.Error = nil
	s.DryRun = false // or entries would only seem to be stored
	s.Statement = &gorm.Statement{
		DB: s, ConnPool: s.ConnPool, Context: db.Statement.Context, Clauses: map[string]clause.Clause{},
	}
	return s, nil
}

// known refuses the dialects that the package has no SQL for.
func known(db *gorm.DB) error {
	if db.Dialector == nil {
		return errors.New("the *gorm.DB has no dialect")
	}
	switch name := db.Name(); name {
	case postgres, sqlite:
		return nil
	default:
		return fmt.Errorf("dialect %q is not supported, postgres and sqlite are", name)
	}
}

// write returns the handle for one statement or transaction that writes.
func (s *Store) write(ctx context.Context) *gorm.DB { return s.db.WithContext(trail.Skip(ctx)) }

// read returns the handle for one statement that reads.
func (s *Store) read(ctx context.Context) *gorm.DB { return s.reader.WithContext(trail.Skip(ctx)) }
