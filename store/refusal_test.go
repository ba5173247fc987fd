package store_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// random returns text of n bytes that cannot be compressed.
func random(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()[:n]
}

func after(text string) func(*trail.Entry) {
	return func(e *trail.Entry) { e.After = json.RawMessage(text) }
}

// What only PostgreSQL cannot hold, it refuses as an invalid entry, alone or
// among others, by the name of the field. SQLite keeps it: it may be the image of
// a row that is there.
func TestRecordBeyondLimits(t *testing.T) {
	cases := map[string]struct {
		spoil func(*trail.Entry)
		want  string // the field
	}{
		"large number":          {after(`{"a": [1, {"b": 1e400000}]}`), "After"},
		"less large number":     {after(`{"a": 1E+131072}`), "After"},
		"long number":           {after(`{"a": -1` + strings.Repeat("0", 131_072) + `}`), "After"},
		"small number":          {after(`{"a": 1e-400000}`), "After"},
		"less small number":     {after(`{"a": 0.1e-16383}`), "After"},
		"many digits":           {after(`{"a": 0.` + strings.Repeat("0", 16_383) + `1}`), "After"},
		"exponent of no number": {after(`{"a": 1e99999999999999999999}`), "After"},
		"number before":         {func(e *trail.Entry) { e.Before = json.RawMessage(`{"a": 1e140000}`) }, "Before"},
		"number of the context": {func(e *trail.Entry) { e.Context = json.RawMessage(`{"a": 1e140000}`) }, "Context"},
		"long user":             {func(e *trail.Entry) { e.Actor.ID = random(5000) }, "Actor.ID"},
		"long event":            {func(e *trail.Entry) { e.Event = trail.Event(random(5000)) }, "Event"},
		"long entity":           {func(e *trail.Entry) { e.EntityID = random(5000) }, "Model and the EntityID"},
		"long model":            {func(e *trail.Entry) { e.Model, e.EntityID = random(2000), random(2000) }, "Model and the EntityID"},
	}
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		for name, c := range cases {
			for _, among := range []int{0, 1, 1100} {
				bad := entry(noon)
				c.spoil(&bad)
				err := s.Record(t.Context(), append(ties(among), bad)...)
				if db.Name() == "sqlite" {
					if err != nil {
						t.Fatalf("%s among %d: %v", name, among, err)
					}
					got := must(s.Entry(t.Context(), bad.ID))
					checkEntry(t, bad, got.Entry)
					continue
				}
				if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), bad.ID.String()+": the "+c.want) {
					t.Errorf("%s among %d: got %.300v, want %v that names %s", name, among, err, store.ErrInvalid, c.want)
				}
			}
		}
		if n := count(t, db, "audit_logs"); db.Name() == "postgres" && n != 0 {
			t.Errorf("%d entries were written", n)
		}
	})
}

// What is at the limits is kept on both engines, and so is a longer key that can be compressed.
func TestRecordAtLimits(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for name, spoil := range map[string]func(*trail.Entry){
			"whole":    after(`{"a": 1` + strings.Repeat("0", 131_071) + `}`),
			"fraction": after(`{"a": 0.` + strings.Repeat("0", 16_382) + `1}`),
			"zero":     after(`{"a": 0}`),
			"keys": func(e *trail.Entry) {
				e.Actor.ID, e.Event, e.Model, e.EntityID = random(2600), trail.Event(random(2600)), random(1300), random(1300)
			},
			"compressed": func(e *trail.Entry) {
				e.Actor.ID, e.EntityID = strings.Repeat("k", 13_000), strings.Repeat("é", 10_000)
			},
		} {
			e := entry(noon)
			spoil(&e)
			if err := s.Record(t.Context(), e); err != nil {
				t.Errorf("%s: %.300v", name, err)
				continue
			}
			checkEntry(t, e, must(s.Entry(t.Context(), e.ID)).Entry)
		}
	})
}

// An error of the database that is not about a value is no invalid entry, nor
// is one of a constraint that a later migration may drop.
func TestRecordOtherErrors(t *testing.T) {
	db := testdb.OpenPostgres(t)
	s := migrated(t, db)
	for _, text := range []string{
		`ALTER TABLE audit_logs ADD CHECK (event <> 'update')`, `ALTER TABLE audit_outcomes ADD CHECK (outcome <> 'success')`,
	} {
		if err := db.Exec(text).Error; err != nil {
			t.Fatal(err)
		}
	}
	e := entry(noon)
	for doing, err := range map[string]error{
		"recording entries": s.Record(t.Context(), e), "recording an outcome": s.Finish(t.Context(), finished(e.ID)),
	} {
		if err == nil || errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), "store: "+doing+": ") {
			t.Errorf("%s: got %v", doing, err)
		}
	}
}
