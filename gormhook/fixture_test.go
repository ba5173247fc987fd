package gormhook_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// fixture is a database of its own, with the tables of the suite that a test
// asks for.
type fixture struct {
	route
	*side
	db   *gorm.DB // with the plugin
	mark int64
}

// onRoutes runs f on a database of each route, with the plugin p.
func onRoutes(t *testing.T, p gormhook.Plugin, f func(t *testing.T, d *fixture), tables ...string) {
	t.Helper()
	on(t, routes(), p, f, tables...)
}

// onPostgres is onRoutes for what PostgreSQL alone has.
func onPostgres(t *testing.T, p gormhook.Plugin, f func(t *testing.T, d *fixture), tables ...string) {
	t.Helper()
	on(t, slices.DeleteFunc(routes(), func(r route) bool { return r.engine != postgresEngine }), p, f, tables...)
}

func on(t *testing.T, list []route, p gormhook.Plugin, f func(t *testing.T, d *fixture), tables ...string) {
	t.Helper()
	for _, r := range list {
		t.Run(r.name, func(t *testing.T) {
			portable := r.plugin.Portable
			r.plugin = p
			r.plugin.Portable = portable
			d := newFixture(t, r, tables...)
			if err := d.db.Use(r.plugin); err != nil {
				t.Fatal(err)
			}
			f(t, d)
		})
	}
}

// newFixture makes the database and the tables. The plugin is not used yet.
func newFixture(tb testing.TB, r route, tables ...string) *fixture {
	tb.Helper()
	d := &fixture{route: r, side: newSide(tb, r.engine)}
	d.db = d.handle(byDefault)
	if err := store.Migrate(tb.Context(), d.bare); err != nil {
		tb.Fatal(err)
	}
	var err error
	if d.store, err = store.New(d.bare); err != nil {
		tb.Fatal(err)
	}
	for _, rel := range relations() {
		for _, table := range tables {
			if rel.table != table {
				continue
			}
			if err := rel.make(d.bare, r.engine); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return d
}

// wants checks the entries since the last call, and returns them.
func (d *fixture) wants(t *testing.T, want ...string) []*record {
	t.Helper()
	entries := readEntries(t, d.desk, d.mark)
	var got []string
	for _, e := range entries {
		got = append(got, e.label())
		d.mark = e.seq
	}
	want = parseWant(t, want)
	sortRuns(got)
	sortRuns(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the entries differ (-want +got):\n%s", diff)
		for _, e := range entries {
			t.Log(e)
		}
	}
	return entries
}

// count returns the rows of a table that meet a condition.
func (d *fixture) count(t *testing.T, table, where string) (n int) {
	t.Helper()
	if err := d.desk.QueryRowContext(context.Background(), "SELECT count(*) FROM "+table+" WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// run runs a statement past the plugin.
func (d *fixture) run(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := d.desk.ExecContext(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// given makes rows past the plugin.
func (d *fixture) given(t *testing.T, f func(*gorm.DB) error) {
	t.Helper()
	if err := f(d.bare); err != nil {
		t.Fatal(err)
	}
}

// act begins an action that is recorded in the fixture's database.
func (d *fixture) act(t *testing.T, a trail.Action) (context.Context, *trail.Trace) {
	t.Helper()
	s := new(trail.Scope)
	if err := s.Start(t.Context(), a, trail.Options{Recorder: d.store}); err != nil {
		t.Fatal(err)
	}
	return s, s.Trace()
}

// must fails the test where a call of GORM has failed.
func must(t *testing.T, txs ...*gorm.DB) {
	t.Helper()
	for _, tx := range txs {
		if tx.Error != nil {
			t.Fatal(tx.Error)
		}
	}
}
