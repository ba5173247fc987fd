package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

func TestTour(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, pace: time.Hour, tour: time.Millisecond}) // each its own pace
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		var requests int
		if _, said, _ := strings.Cut(s.out.String(), "\ntour: "); said == "" {
			t.Fatalf("no word of the tour in\n%s", s.out)
		} else if _, err := fmt.Sscanf(said, "%d requests in", &requests); err != nil {
			t.Fatalf("the tour said %q", said)
		}

		db := database(t, at)
		trailed := entries(t, db)
		actions := slices.DeleteFunc(slices.Clone(trailed), func(e store.Entry) bool { return e.ID != e.TraceID })
		if len(actions) != requests {
			t.Errorf("%d actions recorded of %d requests", len(actions), requests)
		}
		t.Run("events", func(t *testing.T) { checkEvents(t, actions) })
		t.Run("refusals", func(t *testing.T) { checkRefusals(t, actions) })
		t.Run("traces", func(t *testing.T) { checkTraces(t, trailed) })
		t.Run("replay", func(t *testing.T) { checkReplay(t, db, trailed) })
		t.Run("lines", func(t *testing.T) { checkLines(t, s.out.String(), actions) })
		t.Run("secrets", func(t *testing.T) {
			if text := jsonText(t, trailed) + s.out.String(); strings.Contains(text, "-demo-token") {
				t.Error("a token is in the trail or in the log")
			}
		})
		t.Run("second start", func(t *testing.T) {
			again := start(t, config{db: at})
			path := fmt.Sprintf("/api/resources/%d", again.resource)
			if got := again.must(requester, "GET", path, "", 200).row["name"]; got != "recipes" {
				t.Errorf("the resource to approve is %v, want recipes", got)
			}
			if err := again.stop(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(again.out.String(), "tour") {
				t.Errorf("a second tour:\n%s", again.out)
			}
			if after := entries(t, db); len(after) != len(trailed) {
				t.Errorf("%d entries after the second start, %d before", len(after), len(trailed))
			}
		})
	})
}

// checkEvents: each of the thirteen events has succeeded at least once.
func checkEvents(t *testing.T, actions []store.Entry) {
	for _, event := range trail.Events() {
		if event == trail.Restore { // not one of InfraKitchen's
			continue
		}
		if !slices.ContainsFunc(actions, func(e store.Entry) bool {
			return e.Event == event && e.Result == trail.Success
		}) {
			t.Errorf("no %s succeeded", event)
		}
	}
}

// checkRefusals: what came to nothing is there, with why, and with no change.
func checkRefusals(t *testing.T, actions []store.Entry) {
	type refusal struct {
		User, Event, Entity, Result, Why string
		Changed                          bool
	}
	var got []refusal
	for _, e := range actions {
		if e.Result == trail.Success {
			continue
		}
		r := refusal{
			User: e.Actor.ID, Event: string(e.Event), Entity: strings.TrimSpace(e.Model + " " + e.EntityID),
			Result: string(e.Result), Changed: e.Operation != "" || e.Before != nil || e.After != nil,
		}
		if e.Finished != nil {
			r.Why = e.Finished.Error
		}
		got = append(got, r)
	}
	want := []refusal{
		{"anonymous", "delete", "integration 2", "denied", "wrong account or password", false},
		{"admin", "sync", "source_code 2", "failure", "could not resolve the host of https://git.invalid/old/modules.git", false},
		{"requester", "approve", "resource 1", "denied", "requester may not do this", false},
		{"approver", "approve", "resource 1", "failure", "resource 1 is approved and cannot be approved", false},
		{"requester", "execute", "resource 2", "failure", "creating kitchen_resource.orders: the quota of the account is exceeded", false},
		{"requester", "create", "resource", "failure", "template 3 is disabled", false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	retried := slices.ContainsFunc(actions, func(e store.Entry) bool {
		return e.Event == trail.Retry && e.Model == "resource" && e.EntityID == "2" && e.Result == trail.Success
	})
	if !retried {
		t.Error("the failed run was not retried with success")
	}
}

// checkTraces: each trace id leads to exactly one action, which has ended.
func checkTraces(t *testing.T, trailed []store.Entry) {
	owns := map[string]int{}
	for _, e := range trailed {
		if e.ID == e.TraceID {
			owns[e.TraceID.String()]++
		}
		if e.Result == trail.Pending {
			t.Errorf("%s %s %s never ended", e.Event, e.Model, e.EntityID)
		}
	}
	for _, e := range trailed {
		if n := owns[e.TraceID.String()]; n != 1 {
			t.Errorf("trace %s of %s %s has %d actions", e.TraceID, e.Event, e.Model, n)
		}
	}
}

// checkReplay: the entries, one after the other, make the rows that are there.
func checkReplay(t *testing.T, db *gorm.DB, trailed []store.Entry) {
	made := map[string]map[string]any{}
	for _, e := range trailed {
		key := e.Model + " " + e.EntityID
		switch e.Operation {
		case trail.OpInsert:
			made[key] = map[string]any{}
			fallthrough
		case trail.OpUpdate:
			if err := json.Unmarshal(e.After, new(any)); err != nil {
				t.Fatalf("after of %s: %v", key, err)
			}
			row := made[key]
			if row == nil {
				t.Fatalf("%s was changed before it was made", key)
			}
			if err := json.Unmarshal(e.After, &row); err != nil {
				t.Fatal(err)
			}
		case trail.OpDelete:
			delete(made, key)
		}
	}
	for model, table := range map[string]string{
		"integration": "integrations", "source_code": "source_codes", "template": "templates", "resource": "resources",
	} {
		var rows []map[string]any
		if err := db.Table(table).Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		if len(rows) == 0 {
			t.Errorf("%s is empty", table)
		}
		for _, row := range rows {
			key := fmt.Sprintf("%s %v", model, row["id"])
			replayed := made[key]
			delete(made, key)
			if row["token"] != nil {
				row["token"] = trail.Masked
			}
			if diff := cmp.Diff(comparable(t, row), comparable(t, replayed)); diff != "" {
				t.Errorf("%s is, and as the trail says it should be (-is +should):\n%s", key, diff)
			}
		}
	}
	for key := range made {
		t.Errorf("%s is in the trail and not in its table", key)
	}
}

// comparable writes a row, as a driver returns it or as JSON, in one spelling.
func comparable(t *testing.T, row map[string]any) map[string]string {
	t.Helper()
	spelled := map[string]string{}
	for column, value := range row {
		if b, ok := value.([]byte); ok {
			value = string(b)
		}
		switch v := value.(type) {
		case int64: // SQLite's booleans are numbers
			if column == "enabled" {
				value = v != 0
			}
		case string:
			if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
				value = at
			} else if column == "variables" {
				value = json.RawMessage(v)
			}
		}
		if at, ok := value.(time.Time); ok {
			value = at.UTC().Truncate(time.Microsecond)
		}
		spelled[column] = jsonText(t, value)
	}
	return spelled
}

// checkLines: the lines of a job carry the id of the action that began it.
func checkLines(t *testing.T, out string, actions []store.Entry) {
	destroy := actions[slices.IndexFunc(actions, func(e store.Entry) bool { return e.Event == trail.Destroy })]
	for line := range strings.Lines(out) {
		if strings.Contains(line, "Destroy complete!") {
			if !strings.Contains(line, `"trace_id": "`+destroy.TraceID.String()+`"`) {
				t.Errorf("the line bears another trace id than %s: %s", destroy.TraceID, line)
			}
			return
		}
	}
	t.Error("the job of destroy has logged nothing")
}
