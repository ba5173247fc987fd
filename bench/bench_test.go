package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/internal/testdb"
)

var small = sizes{Bulk: 40, Batch: 5}

// What the variants are compared by is only worth something if they do the
// same work: each must leave the entries that the operation is said to leave.
func TestVariantsLeaveTheirEntries(t *testing.T) {
	engines := []struct {
		name string
		make func(t *testing.T) ([]*variant, error)
	}{
		{"postgres", func(t *testing.T) ([]*variant, error) {
			return postgresVariants(t.Context(), testdb.Postgres(t), "bench", postgresKinds(), small)
		}},
		{"sqlite", func(t *testing.T) ([]*variant, error) {
			return sqliteVariants(t.Context(), t.TempDir(), sqliteKinds(), small)
		}},
	}
	for _, e := range engines {
		t.Run(e.name, func(t *testing.T) {
			variants, err := e.make(t)
			t.Cleanup(func() {
				if err := closeAll(variants); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range operations() {
				samples, err := interleave(t.Context(), variants, o, effort{single: 4, several: 4, many: 2, warm: 1, counted: 3, patience: time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				got, want := map[string]float64{}, map[string]float64{}
				for v, s := range samples {
					got[v.name] = s.left
					if v.audited {
						want[v.name] = float64(o.entries(small))
						if v.name == nameAction {
							want[v.name] += float64(o.after)
						}
					} else {
						want[v.name] = 0
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: entries (-want +got):\n%s", o.name, diff)
				}
			}
		})
	}
}

func TestQuantile(t *testing.T) {
	d := []time.Duration{9, 1, 5, 3, 7, 2, 8, 4, 6}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.25, 3}, {0.5, 5}, {1, 9}} {
		if got := quantile(d, c.q); got != c.want {
			t.Errorf("quantile %v: got %v, want %v", c.q, got, c.want)
		}
	}
	if got := quantile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %v, want 0", got)
	}
}

func TestVerdict(t *testing.T) {
	b := bound{acceptance: 1, goal: 0.85}
	for _, c := range []struct {
		values [2]float64
		want   string
	}{
		{[2]float64{0.8, 0.85}, "goal reached"},
		{[2]float64{0.8, 0.9}, "accepted"},
		{[2]float64{1, absent}, "accepted"},
		{[2]float64{0.8, 1.01}, "**not reached**"},
	} {
		if got := (check{bound: b, values: c.values}).verdict(); got != c.want {
			t.Errorf("%v: got %s, want %s", c.values, got, c.want)
		}
	}
}
