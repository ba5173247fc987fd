package main

import (
	"net/http"
	"sync"
	"testing"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Of many who take the same step at once one does, and the trail says which.
func TestOneOfManyTakesTheStep(t *testing.T) {
	const many = 8
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		row := s.create(requester, "/api/resources", `{"name": "wanted"}`)
		db := database(t, at)
		for _, step := range []struct {
			event trail.Event
			done  int
		}{{trail.Approve, http.StatusOK}, {trail.Execute, http.StatusAccepted}} {
			answers := make([]answer, many)
			var wg sync.WaitGroup
			for i := range answers {
				wg.Go(func() { answers[i] = s.call(admin, "POST", row+"/"+string(step.event), "") })
			}
			wg.Wait()
			steps := 0
			for _, a := range answers {
				e := own(t, db, a.trace(t), true)
				switch {
				case a.status == step.done && e.Result == trail.Success:
					steps++
				case a.status != http.StatusConflict || e.Result != trail.Failure || e.Operation != "":
					t.Errorf("%s: answered %d %s, recorded as %s %q", step.event, a.status, a.body, e.Result, e.Operation)
				}
			}
			if steps != 1 {
				t.Errorf("%s: %d took the step", step.event, steps)
			}
		}
		s.until(row, string(Provisioned))

		var changes []store.Entry
		for _, e := range entries(t, db) {
			if e.Operation != "" {
				changes = append(changes, e)
			}
		}
		if len(changes) != 4 { // requested, approved, provisioning, provisioned
			t.Errorf("%d entries of changes, want 4: %+v", len(changes), changes)
		}
	})
}
