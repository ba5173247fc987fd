package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Widget is the entity that the actions under test are about; Box is another.
type Widget struct {
	ID    int64
	Name  string
	BoxID *int64
}

type Box struct {
	ID      int64
	Label   string
	Widgets []Widget
}

// Seal is on a box, which the database looks at when a transaction commits.
type Seal struct{ ID, BoxID int64 }

// engine is a database in one of the set-ups that write differently.
type engine struct {
	name   string
	open   func(testing.TB, ...gorm.Option) *gorm.DB
	config gorm.Config
	plugin gormhook.Plugin
	pool   int // the largest number of connections, if it is not zero
}

var (
	plainSQLite   = engine{name: "sqlite", open: testdb.OpenSQLite}
	plainPostgres = engine{name: "postgres", open: testdb.OpenPostgres}
)

// both are the engines with nothing said, all the ways to set them up that
// change how entries are written.
var (
	both = []engine{plainSQLite, plainPostgres}
	all  = []engine{
		plainSQLite,
		{name: "sqlite, prepared", open: testdb.OpenSQLite, config: gorm.Config{PrepareStmt: true}},
		{name: "sqlite, one connection", open: testdb.OpenSQLite, pool: 1},
		plainPostgres,
		{name: "postgres, portable", open: testdb.OpenPostgres, plugin: gormhook.Plugin{Portable: true}},
		{name: "postgres, prepared", open: testdb.OpenPostgres, config: gorm.Config{PrepareStmt: true}},
		{name: "postgres, no transactions", open: testdb.OpenPostgres, config: gorm.Config{SkipDefaultTransaction: true}},
		{name: "postgres, best effort", open: testdb.OpenPostgres, plugin: gormhook.Plugin{BestEffort: true}},
	}
)

// world is a database with the trail and the tables of the tests.
type world struct {
	db    *gorm.DB
	store *store.Store

	mu   sync.Mutex
	last int64 // the ids up to this one are taken
}

func (e engine) world(t testing.TB) *world {
	t.Helper()
	db := e.open(t, &e.config)
	if e.pool > 0 {
		conn, err := db.DB()
		if err != nil {
			t.Fatal(err)
		}
		conn.SetMaxOpenConns(e.pool)
	}
	return furnish(t, db, e.plugin)
}

func furnish(t testing.TB, db *gorm.DB, plugin gormhook.Plugin) *world {
	t.Helper()
	ctx := context.Background()
	if err := store.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`CREATE TABLE boxes (id integer PRIMARY KEY, label text NOT NULL)`,
		`CREATE TABLE widgets (id integer PRIMARY KEY, name text NOT NULL, box_id integer)`,
		`CREATE TABLE seals (id integer PRIMARY KEY, box_id integer REFERENCES boxes (id) DEFERRABLE INITIALLY DEFERRED)`,
	} {
		if err := db.Exec(text).Error; err != nil {
			t.Fatal(err)
		}
	}
	trail.SetDefault(nil)
	t.Cleanup(func() { trail.SetDefault(nil) })
	if err := db.Use(plugin); err != nil {
		t.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	return &world{db: db, store: st}
}

// things are the rows that one case is about: three widgets, of which a is the
// entity of its action, a box, and an id that no row has.
type things struct{ a, b, c, box, fresh int64 }

// things makes rows whose name and label is old, without a trace in the trail.
func (w *world) things(t testing.TB) things {
	t.Helper()
	w.mu.Lock()
	n := w.last
	w.last += 100
	w.mu.Unlock()
	f := things{a: n + 1, b: n + 2, c: n + 3, box: n + 4, fresh: n + 5}
	db := w.db.WithContext(trail.Skip(context.Background()))
	for _, rows := range []any{
		&[]Widget{{ID: f.a, Name: "old"}, {ID: f.b, Name: "old"}, {ID: f.c, Name: "old"}},
		&Box{ID: f.box, Label: "old"},
	} {
		if err := db.Create(rows).Error; err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// change is one row that an entry says has changed.
type change struct {
	Model, ID     string
	Operation     trail.Operation
	Before, After string // JSON with its keys in order, or empty
}

func changeOf(t testing.TB, e store.Entry) change {
	t.Helper()
	return change{e.Model, e.EntityID, e.Operation, canonical(t, e.Before), canonical(t, e.After)}
}

func canonical(t testing.TB, raw json.RawMessage) string {
	t.Helper()
	if raw == nil {
		return ""
	}
	var v map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func updated(model string, id int64, before, after string) change {
	return change{model, fmt.Sprint(id), trail.OpUpdate, before, after}
}

func renamed(id int64, before, after string) change {
	return updated("widget", id, fmt.Sprintf(`{"name":%q}`, before), fmt.Sprintf(`{"name":%q}`, after))
}

func relabelled(id int64, label string) change {
	return updated("box", id, `{"label":"old"}`, fmt.Sprintf(`{"label":%q}`, label))
}

func boxed(id, box int64) change {
	return updated("widget", id, `{"box_id":null}`, fmt.Sprintf(`{"box_id":%d}`, box))
}

func inserted(id int64, name string) change {
	return change{"widget", fmt.Sprint(id), trail.OpInsert, "", fmt.Sprintf(`{"box_id":null,"id":%d,"name":%q}`, id, name)}
}

func deleted(id int64) change {
	return change{"widget", fmt.Sprint(id), trail.OpDelete, fmt.Sprintf(`{"box_id":null,"id":%d,"name":"old"}`, id), ""}
}

// raw is what a statement leaves that could not be imaged: no row by name.
func raw(op trail.Operation) change { return change{Model: "widget", Operation: op} }

func sorted(list []change) []change {
	return slices.SortedFunc(slices.Values(list), func(x, y change) int {
		return strings.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}

// byOperation is the event of an entry that is not its action's own.
var byOperation = map[trail.Operation]trail.Event{
	trail.OpInsert: trail.Create, trail.OpUpdate: trail.Update, trail.OpDelete: trail.Delete,
}

// trace reads a trace and holds it to what every trace must be: one own entry,
// and others that are changes by the same actor.
func (w *world) trace(t testing.TB, id uuid.UUID) (own store.Entry, changes []change) {
	t.Helper()
	tr, err := w.store.Trace(context.Background(), id)
	if err != nil {
		t.Fatalf("trace %s: %v", id, err)
	}
	if tr.Action == nil {
		t.Fatalf("trace %s has no entry of its own, but %d others", id, len(tr.Entries))
	}
	for _, e := range tr.Entries {
		if e.Operation != "" {
			changes = append(changes, changeOf(t, e))
		}
		if e.ID == id {
			continue
		}
		if want := byOperation[e.Operation]; e.Event != want {
			t.Errorf("an entry that is not the action's own has the event %q, want %q", e.Event, want)
		}
		if diff := cmp.Diff(tr.Action.Actor, e.Actor); diff != "" {
			t.Errorf("an entry has another actor than its action (-action +entry):\n%s", diff)
		}
	}
	return *tr.Action, changes
}

// accounted holds the whole table to invariant 4: every trace id in it is the
// id of exactly one entry. It is read as it is, past the store.
func (w *world) accounted(t testing.TB) {
	t.Helper()
	// Beside what goes on behind an action, its end may have to wait.
	if err := trail.Wait(context.Background()); err != nil {
		t.Fatal(err)
	}
	var bad []struct {
		TraceID      string
		Entries, Own int
	}
	err := w.db.WithContext(context.Background()).Raw(`SELECT CAST(trace_id AS text) AS trace_id, count(*) AS entries,
	sum(CASE WHEN id = trace_id THEN 1 ELSE 0 END) AS own
FROM audit_logs GROUP BY trace_id HAVING sum(CASE WHEN id = trace_id THEN 1 ELSE 0 END) <> 1`).Scan(&bad).Error
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Errorf("trace %s has %d entries with its id among %d, want 1", b.TraceID, b.Own, b.Entries)
	}
}

// names returns what the widgets are called by now.
func (w *world) names(t testing.TB, ids ...int64) []string {
	t.Helper()
	var found []Widget
	if err := w.db.WithContext(context.Background()).Order("id").Find(&found, ids).Error; err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
	}
	return names
}
