package main

import (
	"html"
	"strings"
	"testing"
	"time"

	"github.com/infrakitchen/audit/store"
)

// The lines of a job are on the page of its trace, coloured, while it goes on
// and afterwards; those of a dry run expire in five days.
func TestLinesOfJobs(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true, pace: time.Hour})
		row := s.create(requester, "/api/resources", `{"name": "menus"}`)
		s.must(approver, "POST", row+"/approve", "", 200)
		running := s.must(requester, "POST", row+"/execute", "", 202)
		follow := "/audit/traces/" + running.trace(t).String() + "?follow=1"
		deadline := time.Now().Add(time.Minute)
		for !strings.Contains(s.must(requester, "GET", follow, "", 200).body, "POST /api/resources/1/execute") {
			if time.Now().After(deadline) {
				t.Fatal("the page of an action that goes on shows no lines")
			}
			time.Sleep(5 * time.Millisecond)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}

		s = start(t, config{db: at, empty: true})
		dryrun := s.must(requester, "POST", row+"/dryrun", "", 202).trace(t)
		retry := s.must(requester, "POST", row+"/retry", "", 202).trace(t)
		s.until(row, "provisioned")
		db := database(t, at)
		own(t, db, dryrun, true)
		own(t, db, retry, true)
		if err := s.stop(); err != nil { // which writes the last lines
			t.Fatal(err)
		}
		st, err := store.New(db)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := st.Lines(t.Context(), dryrun, 100)
		if err != nil || len(lines) < 6 {
			t.Fatalf("%d lines of the dry run, %v", len(lines), err)
		}
		for _, l := range lines {
			if l.ExpireAt == nil || !l.ExpireAt.Equal(l.CreatedAt.Add(5*24*time.Hour)) {
				t.Errorf("%q of %v expires at %v", l.Message, l.CreatedAt, l.ExpireAt)
			}
		}
		if lines, err = st.Lines(t.Context(), retry, 100); err != nil || len(lines) < 6 || lines[0].ExpireAt != nil {
			t.Errorf("lines of a run: %v, %v", lines, err)
		}
		s = start(t, config{db: at})
		page := html.UnescapeString(s.must(requester, "GET", "/audit/traces/"+retry.String(), "", 200).body)
		for _, want := range []string{`<span class="a-fg2">OpenTofu has been successfully initialized!</span>`, "Apply complete!", ">tofu<"} {
			if !strings.Contains(page, want) {
				t.Errorf("%q is not on the page", want)
			}
		}
	})
}
