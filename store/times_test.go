package store_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// distant are times that RFC 3339 cannot spell, although some databases can.
func distant() []time.Time {
	return []time.Time{
		time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
		time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -2*3600)), // of the next year in UTC
		time.Date(500_000, 1, 1, 0, 0, 0, 0, time.UTC),                    // beyond PostgreSQL's last
		time.Date(0, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
		time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// farthest are the first and the last time that can be stored.
func farthest() []time.Time {
	return []time.Time{time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)}
}

func TestDistantTimesAreRefused(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		refused := func(field string, err error) {
			t.Helper()
			if !errors.Is(err, store.ErrInvalid) || !strings.Contains(err.Error(), field+" is in the year ") {
				t.Errorf("got %v, want %v that names %s", err, store.ErrInvalid, field)
			}
		}
		for _, at := range distant() {
			e := entry(noon)
			e.CreatedAt = at
			refused("the CreatedAt", s.Record(t.Context(), e))
			o := finished(e.ID)
			o.FinishedAt = at
			refused("the FinishedAt", s.Finish(t.Context(), o))
			_, err := s.Prune(t.Context(), store.PruneOptions{Now: at})
			refused("PruneOptions.Now", err)
			_, err = s.Prune(t.Context(), store.PruneOptions{Before: at})
			refused("PruneOptions.Before", err)
		}
		e := entry(time.Date(10500, 1, 1, 0, 0, 0, 0, time.UTC))
		e.CreatedAt = time.Time{} // that in the id
		refused("the CreatedAt", s.Record(t.Context(), e))
		if n := count(t, db, "audit_logs") + count(t, db, "audit_outcomes"); n != 0 {
			t.Errorf("%d rows were written", n)
		}

		for _, at := range farthest() {
			e := entry(noon)
			e.CreatedAt = at
			record(t, s, e)
			o := finished(e.ID)
			o.FinishedAt = at
			if err := s.Finish(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			got := must(s.Entry(t.Context(), e.ID))
			if !got.CreatedAt.Equal(at) || !got.Finished.FinishedAt.Equal(at) {
				t.Errorf("got %v and %v, want %v", got.CreatedAt, got.Finished.FinishedAt, at)
			}
		}
	})
}

// A line is kept whatever the clock of its logger says, beside the others of
// its batch, and expires as one that was logged when it was written.
func TestLinesOfDistantTimes(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		s, err := store.New(db, store.WithRetention(store.Keep{For: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		trace := trail.NewID(noon)
		times := slices.Concat(distant(), farthest())
		lines := numbered(trace, 2*len(times)+1)
		for i, at := range times {
			lines[i].ID, lines[i].CreatedAt = trail.NewID(at), at
			lines[len(times)+i].ExpireAt = &at
		}
		before := time.Now().Add(-time.Microsecond)
		write(t, s, lines...)
		after := time.Now()
		got := must(s.Lines(t.Context(), trace, 100))
		if len(got) != len(lines) {
			t.Fatalf("%d lines are kept of %d", len(got), len(lines))
		}
		for i := range distant() {
			if at := got[i].CreatedAt; at.Before(before) || at.After(after) || !got[i].ExpireAt.Equal(at.Add(time.Hour)) {
				t.Errorf("the line of %v was logged at %v and expires at %v", times[i], at, got[i].ExpireAt)
			}
		}
		for i, at := range farthest() {
			i += len(distant())
			if !got[i].CreatedAt.Equal(at) {
				t.Errorf("the line of %v was logged at %v", at, got[i].CreatedAt)
			}
		}
		for i, at := range times {
			expire := got[len(times)+i].ExpireAt
			if expire == nil || expire.Before(noon) != at.Before(noon) || expire.Year() < 1 || expire.Year() > 9999 {
				t.Errorf("the line that expires at %v expires at %v", at, expire)
			}
		}
		readable(t, must(s.Logs(t.Context(), store.LogQuery{})))
		if !lines[0].CreatedAt.Equal(times[0]) || !lines[len(times)].ExpireAt.Equal(times[0]) {
			t.Error("the caller's lines were changed")
		}
	})
}

// readable fails if a page cannot be returned by the viewer.
func readable(t *testing.T, page any) {
	t.Helper()
	if _, err := json.Marshal(page); err != nil {
		t.Error(err)
	}
}

// Rows that others wrote do not make a page unreadable.
func TestReadingDistantTimes(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		texts := []string{"20000-01-01T00:00:00.000000Z", "-0005-01-01T00:00:00.000000Z", "soon", ""}
		if db.Name() == "postgres" {
			texts = []string{"20000-01-01T00:00:00Z", "0005-01-01T00:00:00Z BC", "infinity", "-infinity"}
		}
		for _, text := range texts {
			e := entry(noon)
			for _, c := range []struct {
				statement string
				args      []any
			}{
				{`INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, model, entity_id, outcome)
VALUES (?, ?, ?, 'u1', 'Ann', 'user', 'update', 'resource', '42', 'pending')`, []any{e.ID.String(), e.ID.String(), text}},
				{`INSERT INTO audit_outcomes (trace_id, finished_at, outcome, duration_ms) VALUES (?, ?, 'success', 0)`, []any{e.ID.String(), text}},
				{
					`INSERT INTO execution_logs (id, trace_id, created_at, level, message, seq, expire_at) VALUES (?, ?, ?, 'info', 'x', 1, ?)`,
					[]any{trail.NewID(noon).String(), e.ID.String(), text, text},
				},
			} {
				if err := db.Exec(c.statement, c.args...).Error; err != nil {
					t.Fatal(err)
				}
			}
			got := must(s.Entry(t.Context(), e.ID))
			if !got.CreatedAt.Equal(noon) || got.Finished == nil || !got.Finished.FinishedAt.IsZero() {
				t.Errorf("%q reads as %v, %+v", text, got.CreatedAt, got.Finished)
			}
			lines := must(s.Lines(t.Context(), e.ID, 10))
			if len(lines) != 1 || !lines[0].CreatedAt.Equal(noon) || lines[0].ExpireAt != nil {
				t.Errorf("%q reads as the lines %+v", text, lines)
			}
		}
		entries, lines := must(s.Entries(t.Context(), store.Query{})), must(s.Logs(t.Context(), store.LogQuery{}))
		if len(entries.Entries) != len(texts) || len(lines.Lines) != len(texts) {
			t.Errorf("%d entries, %d lines", len(entries.Entries), len(lines.Lines))
		}
		readable(t, entries)
		readable(t, lines)
	})
}
