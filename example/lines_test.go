package main

import (
	"bufio"
	"html"
	"net/http"
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
		stream := s.follow(running.header.Get("Location"))
		stream.until("POST /api/resources/1/execute")
		if err := s.stop(); err != nil { // which waits for nobody who follows
			t.Fatal(err)
		}
		stream.end()

		s = start(t, config{db: at, empty: true, pace: time.Second / 2})
		dryrun := s.must(requester, "POST", row+"/dryrun", "", 202).trace(t)
		begun := s.must(requester, "POST", row+"/retry", "", 202)
		retry := begun.trace(t)
		stream = s.follow(begun.header.Get("Location"))
		stream.until(`<span class="a-fg2">OpenTofu has been successfully initialized!`)
		if strings.HasSuffix(t.Name(), "sqlite") { // takes its time, and no engine
			stream.until("event: end")
			stream.end()
		}
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

// stream is what somebody gets who follows an action.
type stream struct {
	*testing.T
	lines *bufio.Scanner
}

func (s *service) follow(trace string) stream {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+trace+"/follow", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth(requester.id, requester.password)
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		s.t.Fatalf("following %s: status %d", trace, response.StatusCode)
	}
	return stream{s.t, bufio.NewScanner(response.Body)}
}

// until reads as far as a line with a text.
func (s stream) until(text string) {
	s.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return
		}
	}
	s.Fatalf("the stream ended without %q: %v", text, s.lines.Err())
}

// end reads to the end, which there must be.
func (s stream) end() {
	s.Helper()
	for s.lines.Scan() {
	}
	if err := s.lines.Err(); err != nil {
		s.Fatalf("the stream broke off: %v", err)
	}
}
