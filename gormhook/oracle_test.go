package gormhook_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// row is a row by column, each value spelled.
type row map[string]string

// content is what is in some tables: by table, then by entity id.
type content map[string]map[string]row

func (c content) clone() content {
	other := content{}
	for table, rows := range c {
		other[table] = map[string]row{}
		for id, r := range rows {
			other[table][id] = maps.Clone(r)
		}
	}
	return other
}

// snapshot reads the tables of a trial.
func (w *world) snapshot(t *testing.T, s *side, tr *trial) content {
	t.Helper()
	c := content{}
	for _, table := range tr.tables {
		c[table] = w.shape(t, table).read(t, s.desk)
	}
	return c
}

func (w *world) shape(t testing.TB, table string) *shape {
	t.Helper()
	sh, ok := w.shapes[table]
	if !ok {
		t.Fatalf("no table %s on %s", table, w.engine)
	}
	return sh
}

// read reads all rows of a table. Where it has no key they are numbered.
func (sh *shape) read(t *testing.T, desk *sql.DB) map[string]row {
	t.Helper()
	rows, err := desk.QueryContext(context.Background(), sh.query)
	if err != nil {
		t.Fatalf("%s: %v", sh.table, err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	}()
	all := map[string]row{}
	values := make([]any, len(sh.columns))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		r := row{}
		for i, c := range sh.columns {
			r[c.name] = c.spell(t, values[i])
		}
		id := sh.entity(r)
		if _, twice := all[id]; twice || len(sh.key) == 0 {
			id = fmt.Sprintf("%s#%d", id, len(all))
		}
		all[id] = r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// entity returns the entity id of a row: its key as text, a key of several
// columns joined by commas.
func (sh *shape) entity(r row) string {
	parts := make([]string, len(sh.key))
	for i, k := range sh.key {
		parts[i] = r[k]
		if strings.HasPrefix(parts[i], `"`) {
			parts[i] = unquoted(parts[i])
		}
	}
	if len(parts) == 1 {
		return parts[0]
	}
	for i, p := range parts {
		parts[i] = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(p)
	}
	return strings.Join(parts, ",")
}

// compareTables checks that both databases hold the same.
func compareTables(t *testing.T, plain, audited content, tr *trial) {
	t.Helper()
	if tr.chance {
		for table := range plain {
			if len(plain[table]) != len(audited[table]) {
				t.Errorf("%s has %d rows, %d without the plugin", table, len(audited[table]), len(plain[table]))
			}
		}
		return
	}
	if reflect.DeepEqual(plain, audited) { // cmp takes its time over what is large
		return
	}
	if diff := cmp.Diff(plain, audited); diff != "" {
		t.Errorf("the tables differ (-without +with the plugin):\n%s", diff)
	}
}

// step is what was there when the entries up to seq had been written.
type step struct {
	seq   int64
	there content
}

// fold applies the entries to what was there, and must come to what is there.
func (w *world) fold(t *testing.T, tr *trial, state content, entries []*record, steps []step) {
	t.Helper()
	shapes := map[string]*shape{} // by model
	for _, table := range tr.tables {
		shapes[w.shape(t, table).model] = w.shape(t, table)
	}
	w.keep(t, state)
	for n, s := range steps {
		for ; len(entries) > 0 && entries[0].seq <= s.seq; entries = entries[1:] {
			e := entries[0]
			if !e.hasOperation {
				continue // an action's own, of no row
			}
			sh, ok := shapes[e.model]
			if !ok {
				t.Errorf("an entry of the model %s, whose table the trial does not watch", e.model)
				continue
			}
			sh.apply(t, state[sh.table], e)
		}
		w.keep(t, s.there)
		if reflect.DeepEqual(s.there, state) {
			continue
		}
		if diff := cmp.Diff(s.there, state); diff != "" {
			t.Errorf("behind call %d, the entries do not rebuild the tables (-there +rebuilt):\n%s", n+1, diff)
			return
		}
	}
}

// keep masks and leaves out what the trail does.
func (w *world) keep(t *testing.T, c content) {
	t.Helper()
	for table, rows := range c {
		for _, r := range rows {
			w.shape(t, table).keep(r)
		}
	}
}

// keep masks and leaves out what the trail does.
func (sh *shape) keep(r row) {
	for _, c := range sh.omitted {
		delete(r, c)
	}
	for _, c := range sh.masked {
		if r[c] != "null" {
			r[c] = `"***"`
		}
	}
}

func spelled(image map[string]any) row {
	r := row{}
	for k, v := range image {
		r[k] = canon(v)
	}
	return r
}

// apply does to rows what an entry says, which must be possible.
func (sh *shape) apply(t *testing.T, rows map[string]row, e *record) {
	t.Helper()
	before, after := spelled(e.before), spelled(e.after)
	was, there := rows[e.entity]
	delete(rows, e.entity)
	switch e.operation {
	case "insert":
		if there {
			t.Errorf("an insert of %s %s, which is there", e.model, e.entity)
		}
		if e.before != nil {
			t.Errorf("an insert has the before image %v", e.before)
		}
		if got := slices.Sorted(maps.Keys(after)); !slices.Equal(sh.names(), got) {
			t.Errorf("the after image of an insert is not the whole row: it has %q, want %q", got, sh.names())
		}
		rows[e.entity] = after
	case "delete":
		if e.after != nil {
			t.Errorf("a delete has the after image %v", e.after)
		}
		if maps.Equal(was, before) {
			break
		}
		if diff := cmp.Diff(was, before); diff != "" {
			t.Errorf("the before image of a delete is not the row (-row +image):\n%s", diff)
		}
	case "update":
		if !there {
			t.Errorf("an update of %s %s, which is not there", e.model, e.entity)
			return
		}
		if b, a := slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)); !slices.Equal(b, a) {
			t.Errorf("the images of an update have different columns: %q and %q", b, a)
		}
		is := maps.Clone(was)
		for c, v := range before {
			if was[c] != v {
				t.Errorf("%s %s: the before image has %s %s, the row had %s", e.model, e.entity, c, v, was[c])
			}
			if v == after[c] && !slices.Contains(sh.masked, c) {
				t.Errorf("%s %s: the column %s is in the images and did not change: %s", e.model, e.entity, c, v)
			}
			is[c] = after[c]
		}
		if len(before) == 0 {
			t.Errorf("%s %s: an update without a change", e.model, e.entity)
		}
		rows[sh.entity(is)] = is
	default:
		t.Errorf("an entry with the operation %q", e.operation)
	}
}
