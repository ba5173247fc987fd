package gormhook_test

import (
	"database/sql"
	"flag"
	"math"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
)

var update = flag.Bool("update", false, "write docs/capture.md")

// route is a way from a statement to its entries.
type route struct {
	name   string
	engine string
	plugin gormhook.Plugin
}

const (
	sqliteEngine   = "sqlite"
	postgresEngine = "postgres"
)

func routes() []route {
	return []route{
		{"sqlite", sqliteEngine, gormhook.Plugin{}},
		{"postgres", postgresEngine, gormhook.Plugin{}},
		{"postgres portable", postgresEngine, gormhook.Plugin{Portable: true}},
	}
}

// handle is how a database was opened.
type handle int

const (
	byDefault handle = iota
	withoutTransaction
	prepared
	handles
)

// now is the time of every handle: with it, a statement that is run twice
// changes nothing the second time. It is in a zone of its own, for the trail
// is in UTC.
var now = time.Date(2026, 3, 4, 5, 6, 7, 891_234_000, time.FixedZone("", 5*3600+1800))

func config(h handle) *gorm.Config {
	return &gorm.Config{
		Logger:                 logger.Discard,
		NowFunc:                func() time.Time { return now },
		SkipDefaultTransaction: h == withoutTransaction,
		PrepareStmt:            h == prepared,
	}
}

// side is one database: that of the audited run, or that of its twin.
type side struct {
	bare  *gorm.DB // without the plugin
	desk  *sql.DB  // for setting up and reading
	dsn   string
	dial  func(h handle) *gorm.DB
	known [handles]*gorm.DB
	used  []string // the tables of the trial that was run last
	store *store.Store
}

// world is a database with the plugin, and the engine's twin without.
type world struct {
	route
	audited *side
	twin    *twin
	shapes  map[string]*shape
	given   map[string]content // what the tables of a trial hold before it
}

func newWorld(tb testing.TB, r route, tw *twin) *world {
	tb.Helper()
	w := &world{route: r, audited: newSide(tb, r.engine), twin: tw, shapes: map[string]*shape{}, given: map[string]content{}}
	var err error
	if err = store.Migrate(tb.Context(), w.audited.bare); err != nil {
		tb.Fatal(err)
	}
	if w.audited.store, err = store.New(w.audited.bare); err != nil {
		tb.Fatal(err)
	}
	w.audited.furnish(tb, r.engine)
	// The suite reads what comes after the last entry it has seen.
	if _, err := w.audited.desk.ExecContext(tb.Context(), `CREATE INDEX seen ON audit_logs (seq)`); err != nil {
		tb.Fatal(err)
	}
	for h := range handles {
		if err := w.audited.handle(h).Use(r.plugin); err != nil {
			tb.Fatal(err)
		}
	}
	for _, rel := range relations() {
		if rel.on == "" || rel.on == r.engine {
			w.shapes[rel.table] = readShape(tb, w.audited, r.engine, rel)
		}
	}
	return w
}

// The application's sessions are in another zone than the desk, which no
// image may show.
const zone = "Asia/Kolkata"

func newSide(tb testing.TB, engine string) *side {
	tb.Helper()
	s := &side{}
	var err error
	if engine == sqliteEngine {
		path := testdb.SQLite(tb)
		s.dsn = testdb.SQLiteDSN(path)
		s.dial = func(h handle) *gorm.DB { return openSQLite(tb, s.dsn, config(h)) }
		s.bare = s.dial(byDefault)
		s.desk, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)")
	} else {
		s.dsn = testdb.Postgres(tb)
		s.dial = func(h handle) *gorm.DB { return openPostgres(tb, s.dsn+"&TimeZone="+zone, config(h)) }
		s.bare = s.dial(byDefault)
		s.desk, err = sql.Open("pgx", s.dsn+"&TimeZone=UTC&default_query_exec_mode=simple_protocol")
	}
	if err != nil {
		tb.Fatal(err)
	}
	s.desk.SetMaxOpenConns(1)
	tb.Cleanup(func() { shut(tb, s.desk) })
	return s
}

// handle returns the handle of a kind, which is opened when it is asked for.
func (s *side) handle(h handle) *gorm.DB {
	if s.known[h] == nil {
		s.known[h] = s.dial(h)
	}
	return s.known[h]
}

// furnish makes the tables of the suite.
func (s *side) furnish(tb testing.TB, engine string) {
	tb.Helper()
	for _, rel := range relations() {
		if rel.on != "" && rel.on != engine {
			continue
		}
		if err := rel.make(s.bare, engine); err != nil {
			tb.Fatalf("%s: %v", rel.table, err)
		}
	}
}

func shut(tb testing.TB, conn *sql.DB) {
	if err := conn.Close(); err != nil {
		tb.Error(err)
	}
}

func openSQLite(tb testing.TB, dsn string, c *gorm.Config) *gorm.DB {
	tb.Helper()
	conn, err := sql.Open("sqlite", dsn)
	if err != nil {
		tb.Fatal(err)
	}
	return opened(tb, sqlite.New(sqlite.Config{Conn: conn}), c)
}

func openPostgres(tb testing.TB, dsn string, c *gorm.Config) *gorm.DB {
	tb.Helper()
	return opened(tb, postgres.Open(dsn), c)
}

func opened(tb testing.TB, d gorm.Dialector, c *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(d, c)
	if err != nil {
		tb.Fatal(err)
	}
	conn, err := db.DB()
	if err != nil {
		tb.Fatal(err)
	}
	conn.SetMaxIdleConns(4)
	tb.Cleanup(func() { shut(tb, conn) })
	return db
}

// acting is the action under which a mode runs its trials.
type acting int

const (
	outside  acting = iota // of any action
	another                // an action of another entity
	ofEntity               // the action is of the trial's first entity
	ofModel                // the action names the model only
)

// mode is a way in which an application may call what a trial does.
type mode struct {
	name   string
	handle handle
	depth  int // of transactions around it
	acting acting
	brief  bool // trials that take their time run in it, too
}

func modes() []mode {
	return []mode{
		{"default", byDefault, 0, outside, true},
		{"SkipDefaultTransaction", withoutTransaction, 0, outside, false},
		{"PrepareStmt", prepared, 0, outside, false},
		{"Transaction", byDefault, 1, outside, false},
		{"savepoint", prepared, 2, outside, false},
		{"another action", byDefault, 0, another, false},
		{"the entity's action", byDefault, 0, ofEntity, false},
		{"the model's action", withoutTransaction, 1, ofModel, true},
	}
}

// within calls f in as many transactions, one in the other, as depth says.
func within(db *gorm.DB, depth int, f func(*gorm.DB) error) error {
	if depth == 0 {
		return f(db)
	}
	return db.Transaction(func(tx *gorm.DB) error { return within(tx, depth-1, f) })
}

// TestConformance runs every trial on every engine, by every path, in every
// mode, and beside it what the caller would get without the plugin.
func TestConformance(t *testing.T) {
	schema.RegisterSerializer("shout", shout{})
	t.Run("docs/capture.md", documented)
	twins := map[string]*twin{}
	for _, r := range routes() {
		if twins[r.engine] == nil {
			twins[r.engine] = newTwin(t, r.engine)
		}
	}
	for _, r := range routes() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, r, twins[r.engine])
			for _, chapter := range chapters() {
				for _, tr := range chapter.trials {
					if tr.on != "" && tr.on != r.engine {
						continue
					}
					t.Run(tr.name, func(t *testing.T) {
						for _, m := range modes() {
							if tr.long && !m.brief {
								continue
							}
							t.Run(m.name, func(t *testing.T) { w.try(t, tr, m) })
						}
					})
				}
			}
		})
	}
}

// try runs one trial in one mode on both databases, and compares.
func (w *world) try(t *testing.T, tr *trial, m mode) {
	ctx := t.Context()
	plain := w.twin.run(t, w, tr, m)

	empty(t, w, w.audited, tr)
	mark := lastSeq(t, w.audited.desk)
	before, ok := w.given[tr.name]
	if !ok {
		before = w.snapshot(t, w.audited, tr)
		w.given[tr.name] = before
	}
	expect := tr.expected(t, w, m)
	r := &run{ctx: expect.start(t, ctx, w.audited.store), engine: w.engine}
	var steps []step
	if m == modes()[0] && !tr.opaque && !tr.long {
		r.noted = func() { steps = append(steps, step{lastSeq(t, w.audited.desk), w.snapshot(t, w.audited, tr)}) }
	}
	audited := tr.run(r, w.audited.handle(m.handle), m.depth)
	expect.end(t)
	after := w.snapshot(t, w.audited, tr)
	entries := readEntries(t, w.audited.desk, mark)

	compare(t, plain.run, audited, tr)
	compareTables(t, plain.after, after, tr)
	if audited.ended != nil {
		expect.labels = parseWant(t, tr.undone)
	}
	expect.check(t, entries)
	if tr.verify != nil && audited.ended == nil {
		tr.verify(t, entries)
	}
	if !tr.opaque {
		w.fold(t, tr, before.clone(), entries, append(steps, step{math.MaxInt64, after}))
	}
	if tr.long && w.engine == postgresEngine {
		for _, s := range []*side{w.audited, w.twin.side} { // many dead rows would slow down what follows
			if _, err := s.desk.ExecContext(ctx, `VACUUM `+quoted(tr.tables[0])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if t.Failed() {
		t.Logf("why: %s", tr.why)
		for _, n := range audited.notes {
			if n.Error != "" {
				t.Logf("the caller's error: %s", n.Error)
			}
		}
		for i, e := range entries {
			if i == 20 {
				t.Logf("and %d more", len(entries)-i)
				break
			}
			t.Logf("%s", e)
		}
	}
}
