package testdb

import (
	"maps"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Each runs f as the subtests "sqlite" and "postgres", each with a fresh
// database that is closed and removed when the subtest ends. Without a logger
// among opts the databases log nothing. The options are used for both, so one
// that is not a *gorm.Config must not hold what belongs to one database.
func Each(t *testing.T, f func(t *testing.T, db *gorm.DB), opts ...gorm.Option) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, OpenSQLite(t, opts...)) })
	t.Run("postgres", func(t *testing.T) { f(t, OpenPostgres(t, opts...)) })
}

// open opens GORM over a database that it closes when the test ends.
func open(tb testing.TB, dialector gorm.Dialector, opts []gorm.Option) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(dialector, settings(opts)...)
	if err != nil {
		tb.Fatalf("testdb: opening %s: %v", dialector.Name(), err)
	}
	conn, err := db.DB()
	if err != nil {
		tb.Fatalf("testdb: opening %s: %v", dialector.Name(), err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(); err != nil {
			tb.Errorf("testdb: closing %s: %v", dialector.Name(), err)
		}
	})
	return db
}

// settings returns opts for gorm.Open, which keeps the *gorm.Config that it is
// given and writes into it, so each database gets a copy.
func settings(opts []gorm.Option) []gorm.Option {
	config := &gorm.Config{}
	var rest []gorm.Option
	for _, o := range opts {
		if given, ok := o.(*gorm.Config); ok {
			own := *given
			own.Plugins = maps.Clone(own.Plugins)
			own.ClauseBuilders = maps.Clone(own.ClauseBuilders)
			config = &own
			continue
		}
		rest = append(rest, o)
	}
	return append([]gorm.Option{config}, append(rest, quiet{})...)
}

// quiet discards the log of a database without a logger.
type quiet struct{}

var _ gorm.Option = quiet{}

func (quiet) Apply(c *gorm.Config) error {
	if c.Logger == nil {
		c.Logger = logger.Discard
	}
	return nil
}

func (quiet) AfterInitialize(*gorm.DB) error { return nil }
