package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func write(tb testing.TB, s *store.Store, lines ...store.Line) {
	tb.Helper()
	if err := s.WriteLines(tb.Context(), lines); err != nil {
		tb.Fatal(err)
	}
}

// numbered returns lines of a trace that are numbered from 1.
func numbered(trace uuid.UUID, n int) []store.Line {
	lines := make([]store.Line, n)
	for i := range lines {
		lines[i] = line(trace, int64(i+1))
		lines[i].ID = trail.NewID(noon.Add(time.Duration(i) * time.Millisecond))
		lines[i].CreatedAt, lines[i].Message = trail.Time(lines[i].ID), fmt.Sprint(i+1)
	}
	return lines
}

func TestWriteLines(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		lines := numbered(trace, 200)
		expire := noon.Add(time.Hour)
		lines[1].Fields = json.RawMessage(`{"n": 12345678901234567890.10}`)
		lines[1].Logger, lines[1].Caller, lines[1].ExpireAt = "jobs", "a.go:1", &expire
		lines[1].Message = "\x1b[31mred\x1b[0m 'quoted' \\ ? $1 @x"
		write(t, s, lines[:3]...)
		for range 2 { // the answer was lost
			write(t, s, lines...)
		}
		write(t, s)
		got, err := s.Lines(t.Context(), trace, store.MaxLines)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Lines are kept to the byte, however large they are and whenever they were
// logged, with what they do not have left out.
func TestWriteLinesOfAllSizes(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		lines := numbered(trace, 60)
		for i := range lines {
			l := &lines[i]
			l.Message = strings.Repeat("é", i*i*30) // to beyond what is sent at a time
			if i%2 == 0 {
				l.Fields = json.RawMessage(`{"text": "` + strings.Repeat("x", i*2000) + `"}`)
			}
			if i%3 == 0 {
				l.Logger, l.Caller = "jobs", "a.go:1"
			}
			if i%5 == 0 {
				at := noon.AddDate(i-50, 0, 0) // also before 2000, PostgreSQL's zero
				l.ExpireAt, l.Seq = &at, -int64(1e18)+int64(i)
			}
		}
		write(t, s, lines...)
		slices.SortStableFunc(lines, func(a, b store.Line) int { return int(min(max(a.Seq-b.Seq, -1), 1)) })
		got := must(s.Lines(t.Context(), trace, 100))
		whole := cmp.Comparer(func(a, b json.RawMessage) bool { return string(a) == string(b) })
		if diff := cmp.Diff(lines, got, whole); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// All lines of a batch are stored, or none; what can never be stored is
// distinguished from what fails for now.
func TestWriteLinesRefuses(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		for name, change := range map[string]func(*store.Line){
			"ID":      func(l *store.Line) { l.ID = uuid.Nil },
			"TraceID": func(l *store.Line) { l.TraceID = uuid.Nil },
			"time":    func(l *store.Line) { l.CreatedAt = time.Time{} },
			"level":   func(l *store.Line) { l.Level = "" },
			"NUL":     func(l *store.Line) { l.Message = "a\x00" },
			"UTF-8":   func(l *store.Line) { l.Caller = "\xff" },
			"object":  func(l *store.Line) { l.Fields = json.RawMessage(`[1]`) },
			"nothing": func(l *store.Line) { l.Fields = json.RawMessage{} },
			"no JSON": func(l *store.Line) { l.Fields = json.RawMessage(`{"a":1}}`) },
		} {
			lines := numbered(trail.NewID(noon), 2)
			change(&lines[1])
			err := s.WriteLines(t.Context(), lines)
			if !errors.Is(err, trail.ErrLine) || !errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if db.Name() == "postgres" { // what only the server knows
			for _, raw := range []string{`{"n":1e999999}`, `{"s":"\u0000"}`} {
				lines := numbered(trail.NewID(noon), 2)
				lines[1].Fields = json.RawMessage(raw)
				if err := s.WriteLines(t.Context(), lines); !errors.Is(err, trail.ErrLine) {
					t.Errorf("%s: got %v", raw, err)
				}
			}
		}
		if n := count(t, db, "execution_logs"); n != 0 {
			t.Errorf("%d lines were kept", n)
		}
		if err := db.Exec("ALTER TABLE execution_logs RENAME TO gone").Error; err != nil {
			t.Fatal(err)
		}
		err := s.WriteLines(t.Context(), numbered(trail.NewID(noon), 1))
		if !errors.Is(err, store.ErrNotMigrated) || errors.Is(err, trail.ErrLine) {
			t.Errorf("without the table: got %v", err)
		}
	})
}

// A constraint of the user's on the table costs the lines that violate it, and
// no others: the error says that it is about a line.
func TestWriteLinesAgainstAConstraint(t *testing.T) {
	for name, config := range map[string]*gorm.Config{"plain": {}, "translated": {TranslateError: true}} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
				text := `ALTER TABLE execution_logs ADD CHECK (message <> '2')`
				if db.Name() == "sqlite" {
					text = `CREATE TRIGGER own BEFORE INSERT ON execution_logs WHEN NEW.message = '2'
BEGIN SELECT RAISE(ABORT, 'never'); END`
				}
				if err := db.Exec(text).Error; err != nil {
					t.Fatal(err)
				}
				lines := numbered(trail.NewID(noon), 3)
				refused := func(lines ...store.Line) {
					t.Helper()
					if err := s.WriteLines(t.Context(), lines); !errors.Is(err, trail.ErrLine) || errors.Is(err, store.ErrInvalid) {
						t.Errorf("got %v, want %v", err, trail.ErrLine)
					}
				}
				refused(lines...)
				if n := count(t, db, "execution_logs"); n != 0 {
					t.Errorf("%d lines were kept", n)
				}
				write(t, s, lines[0])
				refused(lines...) // one is there already: PostgreSQL inserts the others
				write(t, s, lines[2])
				if n := count(t, db, "execution_logs"); n != 2 {
					t.Errorf("%d lines are kept, 2 expected", n)
				}
			}, config)
		})
	}
}

// cgoError is an error as mattn/go-sqlite3 has it.
type cgoError struct {
	Code         cgoCode
	ExtendedCode int
}

type cgoCode int

func (e cgoError) Error() string { return "an error" }

// Other drivers of SQLite have errors of their own.
func TestWriteLinesKnowsTheCode(t *testing.T) {
	for code, want := range map[cgoCode]bool{5: false, 8: false, 13: false, 18: true, 19: true, 20: true} {
		db := testdb.OpenSQLite(t)
		s := migrated(t, db)
		if err := db.Callback().Raw().Before("*").Register("test:fail", func(tx *gorm.DB) {
			_ = tx.AddError(cgoError{Code: code})
		}); err != nil {
			t.Fatal(err)
		}
		err := s.WriteLines(t.Context(), numbered(trail.NewID(noon), 2))
		if !errors.Is(err, cgoError{Code: code}) || errors.Is(err, trail.ErrLine) != want {
			t.Errorf("code %d: got %v", code, err)
		}
	}
}

// Lines expire by the first rule that matches them.
func TestRetention(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		const hour = time.Hour
		dry, run, open, unknown := entry(noon), entry(noon), entry(noon), trail.NewID(noon)
		dry.Event, run.Event, open.Event = trail.Dryrun, trail.Execute, "login"
		own := noon.Add(7 * hour)
		for _, c := range []struct {
			why   string
			rules []store.Keep
			want  [5]time.Duration // of dry, dry debug, run, login, unknown; 0: never
		}{
			{"by default", store.DefaultRetention(), [5]time.Duration{120 * hour, 120 * hour, 0, 0, 0}},
			{"none", nil, [5]time.Duration{}},
			{"all by age", []store.Keep{{For: hour}}, [5]time.Duration{hour, hour, hour, hour, hour}},
			{"by level, then by event, then by age", []store.Keep{{Level: "debug", For: hour}, {Event: trail.Dryrun, For: 2 * hour}, {Event: trail.Execute}, {For: 3 * hour}}, [5]time.Duration{2 * hour, hour, 0, 3 * hour, 3 * hour}},
			{"an event that may come", []store.Keep{{Event: "login", For: hour}, {For: 3 * hour}}, [5]time.Duration{3 * hour, 3 * hour, 3 * hour, hour, hour}},
		} {
			s, err := store.New(db, store.WithRetention(c.rules...))
			if err != nil {
				t.Fatal(err)
			}
			record(t, s, dry, run, open)
			var lines []store.Line
			for _, trace := range []uuid.UUID{dry.ID, dry.ID, run.ID, open.ID, unknown, dry.ID} {
				l := line(trace, 1)
				lines = append(lines, l)
			}
			lines[1].Level, lines[5].ExpireAt = "debug", &own
			for range 2 { // by asking, and by knowing
				for i := range lines {
					lines[i].ID = trail.NewID(noon)
				}
				write(t, s, lines...)
				for i, l := range lines {
					var got []store.Line
					for _, found := range must(s.Lines(t.Context(), l.TraceID, 100)) {
						if found.ID == l.ID {
							got = append(got, found)
						}
					}
					var want *time.Time
					if i == 5 {
						want = &own
					} else if c.want[i] != 0 {
						at := noon.Add(c.want[i])
						want = &at
					}
					if len(got) != 1 || !cmp.Equal(want, got[0].ExpireAt) {
						t.Errorf("%s: line %d expires %v, want %v", c.why, i, got[0].ExpireAt, want)
					}
				}
			}
		}
		for want, bad := range map[string]store.Keep{
			"rule 1: For is -1ns, must be zero or more":         {For: -1},
			`rule 1: Level is "ERROR", must be in lower case`:   {Level: "ERROR", For: hour},
			`rule 1: Level is "Überall", must be in lower case`: {Level: "Überall"},
		} {
			if _, err := store.New(db, store.WithRetention(store.Keep{Level: "überall"}, bad)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
