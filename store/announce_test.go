package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// On PostgreSQL other processes are notified of the traces whose lines were
// written, first and again, and not of those whose lines were refused.
func TestWriteLinesAnnounces(t *testing.T) {
	t.Parallel()
	e := engines[1]
	dsn := e.dsn(t)
	s := migrated(t, e.open(t, dsn))
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), "LISTEN audit_lines"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := func() string {
		t.Helper()
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return n.Payload
	}

	refused := numbered(trail.NewID(noon), 1)
	refused[0].Fields = []byte(`{"n":`)
	if err := s.WriteLines(t.Context(), refused); err == nil {
		t.Fatal("kept what is no JSON")
	}
	one, other := trail.NewID(noon), trail.NewID(noon)
	lines := append(numbered(one, 3), numbered(other, 2)...)
	for range 2 {
		write(t, s, lines...)
		if diff := cmp.Diff([]string{one.String(), other.String()}, []string{told(), told()}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	var many []store.Line
	for range 100 {
		many = append(many, numbered(trail.NewID(noon), 1)...)
	}
	write(t, s, many...)
	if got := told(); got != "*" {
		t.Errorf("of very many traces one is told %q, want word of all", got)
	}
}
