//go:build !race

package gormhook_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
)

// TestAllocations holds what an audited statement allocates beyond the one of
// default GORM. The race detector allocates as well, so it has no say here.
func TestAllocations(t *testing.T) {
	const one, many = 20, 40
	measure := func(t *testing.T, plugin *gormhook.Plugin, action bool) map[string]map[int]float64 {
		t.Helper()
		counts := map[string]map[int]float64{}
		d := newCostDatabase(t, plugin)
		for _, o := range costOperations() {
			counts[o.name] = map[int]float64{}
			for _, rows := range []int{1, 50, 1000} {
				do := o.prepare(t, d, rows)
				ctx := t.Context()
				actions := make([]*gorm.DB, costCalls)
				for i := range actions {
					if action {
						ctx = costAction(t, d, trail.Update)
					}
					actions[i] = d.db.WithContext(ctx)
				}
				n := 0
				run := func() {
					n++
					if err := do(actions[n-1]); err != nil {
						t.Fatal(err)
					}
				}
				for range costWarm {
					run()
				}
				runs := 20
				if rows == 1 {
					runs = costCalls - costWarm - 1
				}
				counts[o.name][rows] = testing.AllocsPerRun(runs, run)
			}
		}
		return counts
	}
	base := measure(t, nil, false)
	for _, c := range []struct {
		name   string
		plugin gormhook.Plugin
		action bool
	}{
		{"audited", gormhook.Plugin{}, false},
		{"audited, in an action", gormhook.Plugin{}, true},
		{"audited, transaction kept", gormhook.Plugin{KeepTransaction: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			counts := measure(t, &c.plugin, c.action)
			for _, o := range costOperations() {
				for rows, n := range counts[o.name] {
					added, limit := n-base[o.name][rows], float64(one)
					if rows > 1 {
						limit = many
					}
					t.Logf("%s of %d rows: %+.0f allocations to %.0f", o.name, rows, added, base[o.name][rows])
					if added > limit {
						t.Errorf("%s of %d rows: %.0f allocations added, %.0f at most", o.name, rows, added, limit)
					}
				}
			}
		})
	}
}
