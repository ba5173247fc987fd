package gormhook_test

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// costRow is what the cost is measured with: a model without anything that
// has a cost of its own.
type costRow struct {
	ID        int64 `gorm:"autoIncrement:false"`
	Batch     int
	Status    string
	Total     float64
	UpdatedAt time.Time
}

// TableName implements GORM's Tabler.
func (costRow) TableName() string { return "cost_rows" }

// costWire counts the writes of a connection. Each of them waits for an answer, so
// that their number is that of the round trips.
type costWire struct{ writes atomic.Int64 }

type costConn struct {
	net.Conn
	wire *costWire
}

func (w *costWire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return costConn{c, w}, err
}

func (c costConn) Write(b []byte) (int, error) {
	c.wire.writes.Add(1)
	return c.Conn.Write(b)
}

// costDatabase is a database of its own, on one connection that counts.
type costDatabase struct {
	*costWire
	db    *gorm.DB
	store *store.Store // nil without a plugin
	next  int64
}

func newCostDatabase(tb testing.TB, plugin *gormhook.Plugin) *costDatabase {
	tb.Helper()
	config, err := pgx.ParseConfig(testdb.Postgres(tb))
	if err != nil {
		tb.Fatal(err)
	}
	d := &costDatabase{costWire: new(costWire)}
	config.DialFunc = d.dial
	conn := stdlib.OpenDB(*config)
	conn.SetMaxOpenConns(1)
	tb.Cleanup(func() { shut(tb, conn) })
	if d.db, err = gorm.Open(postgres.New(postgres.Config{Conn: conn}), &gorm.Config{Logger: logger.Discard}); err != nil {
		tb.Fatal(err)
	}
	if err := d.db.AutoMigrate(&costRow{}); err != nil {
		tb.Fatal(err)
	}
	if plugin != nil {
		if err := store.Migrate(tb.Context(), d.db); err != nil {
			tb.Fatal(err)
		}
		if d.store, err = store.New(d.db); err != nil {
			tb.Fatal(err)
		}
		if err := d.db.Use(*plugin); err != nil {
			tb.Fatal(err)
		}
	}
	return d
}

// fresh returns a row that is not there yet.
func (d *costDatabase) fresh() *costRow {
	d.next++
	return &costRow{ID: d.next, Batch: 1, Status: "new", Total: 12.5}
}

// seed makes n rows of a batch and returns the first.
func (d *costDatabase) seed(tb testing.TB, batch, n int) int64 {
	tb.Helper()
	first := d.next + 1
	d.next += int64(n)
	if err := d.db.WithContext(trail.Skip(tb.Context())).Exec(`INSERT INTO cost_rows (id, batch, status, total, updated_at)
SELECT i, ?, 'new', 12.5, now() FROM generate_series(?::bigint, ?::bigint) AS i`, batch, first, d.next).Error; err != nil {
		tb.Fatal(err)
	}
	return first
}

// costCalls bounds how often a prepared operation may be called.
const costCalls = 120

// costWarm is how often an operation is run before it is measured, so that
// statements are prepared and all is known that is looked up once.
const costWarm = 3

// costOperation is a statement whose cost is exact.
type costOperation struct {
	name string
	// prepare returns the statement, which changes so many rows each time.
	prepare func(tb testing.TB, d *costDatabase, rows int) func(*gorm.DB) error
}

func costOperations() []costOperation {
	return []costOperation{
		{"create", func(_ testing.TB, d *costDatabase, rows int) func(*gorm.DB) error {
			if rows == 1 {
				return func(db *gorm.DB) error { return db.Create(d.fresh()).Error }
			}
			return func(db *gorm.DB) error {
				list := make([]*costRow, rows)
				for i := range list {
					list[i] = d.fresh()
				}
				return db.Create(list).Error
			}
		}},
		{"update", func(tb testing.TB, d *costDatabase, rows int) func(*gorm.DB) error {
			batch := int(d.next) + 10
			first, n := d.seed(tb, batch, rows), 0
			return func(db *gorm.DB) error {
				n++
				if rows == 1 {
					db = db.Model(&costRow{ID: first})
				} else {
					db = db.Model(&costRow{}).Where("batch = ?", batch)
				}
				return db.Updates(map[string]any{"status": strconv.Itoa(n), "total": float64(n)}).Error
			}
		}},
		{"delete", func(tb testing.TB, d *costDatabase, rows int) func(*gorm.DB) error {
			batch := int(d.next) + 10
			first, n := d.next+1, 0
			for k := range costCalls {
				d.seed(tb, batch+k, rows)
			}
			return func(db *gorm.DB) error {
				n++
				if rows == 1 {
					return db.Delete(&costRow{ID: first + int64(n) - 1}).Error
				}
				return db.Where("batch = ?", batch+n-1).Delete(&costRow{}).Error
			}
		}},
		{"upsert", func(tb testing.TB, d *costDatabase, rows int) func(*gorm.DB) error {
			first, n := d.seed(tb, 1, rows), 0
			return func(db *gorm.DB) error {
				n++
				list := make([]*costRow, rows)
				for i := range list {
					list[i] = &costRow{ID: first + int64(i), Batch: 1, Status: strconv.Itoa(n)}
				}
				return db.Clauses(clause.OnConflict{
					Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"status"}),
				}).Create(list).Error
			}
		}},
	}
}

// costAction returns a context with an action of the rows' model. Each
// statement is the first of its own action, as in a request.
func costAction(tb testing.TB, d *costDatabase, event trail.Event) context.Context {
	tb.Helper()
	scope := new(trail.Scope)
	if err := scope.Start(tb.Context(), trail.Action{
		Actor: trail.Actor{ID: "u-1", Name: "Ada Lovelace"}, Event: event, Model: "cost_row",
	}, trail.Options{Recorder: d.store}); err != nil {
		tb.Fatal(err)
	}
	return scope
}

// TestRoundTrips holds what reaches the server: an audited statement is one
// round trip, and BEGIN and COMMIT are gone where it stands alone.
func TestRoundTrips(t *testing.T) {
	alone := func(db *gorm.DB, do func(*gorm.DB) error) error { return do(db) }
	within := func(db *gorm.DB, do func(*gorm.DB) error) error { return db.Transaction(do) }
	for _, c := range []struct {
		name   string
		plugin *gormhook.Plugin
		action bool
		run    func(*gorm.DB, func(*gorm.DB) error) error
		want   int64
	}{
		{"default GORM", nil, false, alone, 3},
		{"audited", &gormhook.Plugin{}, false, alone, 1},
		{"audited, in an action", &gormhook.Plugin{}, true, alone, 1},
		{"audited, transaction kept", &gormhook.Plugin{KeepTransaction: true}, false, alone, 3},
		{"default GORM, in a transaction", nil, false, within, 3},
		{"audited, in a transaction", &gormhook.Plugin{}, false, within, 3},
		{"audited, in an action and a transaction", &gormhook.Plugin{}, true, within, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newCostDatabase(t, c.plugin)
			for _, o := range costOperations() {
				for _, rows := range []int{1, 50} {
					do := o.prepare(t, d, rows)
					for n := range costWarm + 1 {
						ctx := t.Context()
						if c.action {
							ctx = costAction(t, d, trail.Update)
						}
						before := d.writes.Load()
						if err := c.run(d.db.WithContext(ctx), do); err != nil {
							t.Fatal(err)
						}
						if got := d.writes.Load() - before; n == costWarm && got != c.want {
							t.Errorf("%s of %d rows: %d round trips, want %d", o.name, rows, got, c.want)
						}
					}
				}
			}
		})
	}
}
