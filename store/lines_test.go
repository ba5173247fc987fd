package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func line(trace uuid.UUID, seq int64) store.Line {
	return store.Line{
		ID: trail.NewID(noon), TraceID: trace, CreatedAt: noon, Level: "info", Message: "it's done 👩‍🚀", Seq: seq,
	}
}

func insertLine(tb testing.TB, db *gorm.DB, l store.Line) {
	tb.Helper()
	var fields, logger, caller, expire any
	if l.Fields != nil {
		fields = string(l.Fields)
	}
	if l.Logger != "" {
		logger = l.Logger
	}
	if l.Caller != "" {
		caller = l.Caller
	}
	if l.ExpireAt != nil {
		expire = l.ExpireAt.Format(time.RFC3339Nano)
	}
	if err := db.Exec(`INSERT INTO execution_logs
  (id, trace_id, created_at, level, logger, message, fields, caller, seq, expire_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		l.ID.String(), l.TraceID.String(), l.CreatedAt.Format(time.RFC3339Nano), l.Level, logger, l.Message, fields, caller,
		l.Seq, expire).Error; err != nil {
		tb.Fatal(err)
	}
}

func TestLines(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		trace := trail.NewID(noon)
		var want []store.Line
		for seq := range int64(5) {
			want = append(want, line(trace, seq+1))
		}
		expire := noon.AddDate(0, 0, 5)
		want[1].Logger, want[1].Caller, want[1].ExpireAt = "worker.sync", "store/lines.go:1", &expire
		want[1].Fields = json.RawMessage(`{"n": 12345678901234567890}`)
		for _, i := range []int{3, 1, 4, 0, 2} {
			insertLine(t, db, want[i])
		}
		insertLine(t, db, line(trail.NewID(noon), 1)) // of another trace

		for limit, n := range map[int]int{1: 1, 4: 4, 5: 5, store.MaxLines: 5} {
			got, err := s.Lines(t.Context(), trace, limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want[:n], got); diff != "" {
				t.Errorf("limit %d (-want +got):\n%s", limit, diff)
			}
		}
	})
}

func TestLinesRefuses(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		for _, limit := range []int{-1, 0, store.MaxLines + 1} {
			if _, err := s.Lines(t.Context(), trail.NewID(noon), limit); !errors.Is(err, store.ErrQuery) {
				t.Errorf("limit %d: got %v, want %v", limit, err, store.ErrQuery)
			}
		}
	})
}
