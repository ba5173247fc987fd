//go:build unix

package testdb

import (
	"testing"

	"github.com/infrakitchen/audit/internal/pgcluster"
)

// Server starts a PostgreSQL server for one test, which may kill it: what was
// committed survives that. It is stopped and removed when the test ends.
func Server(tb testing.TB) *pgcluster.Cluster {
	tb.Helper()
	cluster, err := pgcluster.Start(tb.Context(), pgcluster.Options{Durable: true})
	if err != nil {
		tb.Fatalf("testdb: starting a server: %v", err)
	}
	tb.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			tb.Errorf("testdb: stopping the test's server: %v", err)
		}
	})
	return cluster
}
