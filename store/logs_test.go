package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// walk reads all pages forwards and then back, and returns the messages.
func walk(t *testing.T, s *store.Store, q store.LogQuery) []string {
	t.Helper()
	var pages [][]string
	next := func() store.LogPage {
		p, err := s.Logs(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	messages := func(p store.LogPage) (list []string) {
		for _, l := range p.Lines {
			list = append(list, l.Message)
		}
		return list
	}
	p := next()
	if p.Previous != "" {
		t.Error("there is something ahead of the first page")
	}
	pages = append(pages, messages(p))
	for p.Next != "" {
		q.Cursor = p.Next
		p = next()
		pages = append(pages, messages(p))
	}
	for i := len(pages) - 2; i >= 0; i-- {
		q.Cursor = p.Previous
		p = next()
		if diff := cmp.Diff(pages[i], messages(p)); diff != "" {
			t.Errorf("page %d, coming back (-want +got):\n%s", i, diff)
		}
	}
	return slices.Concat(pages...)
}

func TestLogs(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		own, other := entry(noon), entry(noon)
		other.EntityID = "7"
		record(t, s, own, other)
		var lines []store.Line
		for i := range 23 {
			l := line(own.ID, int64(100-i)) // against the order of time
			l.ID = trail.NewID(noon.Add(time.Duration(i) * time.Second))
			l.CreatedAt, l.Message = trail.Time(l.ID), fmt.Sprintf("line %d, 100%% A_b \\", i)
			if i%5 == 0 {
				l.Level = "error"
			}
			if i%2 == 1 {
				l.TraceID = other.ID
			}
			if i >= 20 {
				l.Seq = 50 // several at once
			}
			lines = append(lines, l)
		}
		write(t, s, lines...)
		want := func(ok func(store.Line) bool, order func(a, b store.Line) int) (list []string) {
			found := slices.DeleteFunc(slices.Clone(lines), func(l store.Line) bool { return !ok(l) })
			slices.SortFunc(found, order)
			for _, l := range found {
				list = append(list, l.Message)
			}
			return list
		}
		byTime := func(a, b store.Line) int { return a.CreatedAt.Compare(b.CreatedAt) }
		byPlace := func(a, b store.Line) int {
			if a.Seq != b.Seq {
				return int(a.Seq - b.Seq)
			}
			return byTime(a, b)
		}
		for name, c := range map[string]struct {
			q     store.LogQuery
			ok    func(store.Line) bool
			order func(a, b store.Line) int
		}{
			"all":    {store.LogQuery{}, func(store.Line) bool { return true }, byTime},
			"trace":  {store.LogQuery{TraceID: own.ID}, func(l store.Line) bool { return l.TraceID == own.ID }, byPlace},
			"entity": {store.LogQuery{Model: "resource", EntityID: "7"}, func(l store.Line) bool { return l.TraceID == other.ID }, byTime},
			"levels": {store.LogQuery{Levels: []string{"error", "x"}}, func(l store.Line) bool { return l.Level == "error" }, byTime},
			"time": {store.LogQuery{From: lines[3].CreatedAt, To: lines[9].CreatedAt}, func(l store.Line) bool {
				return !l.CreatedAt.Before(lines[3].CreatedAt) && l.CreatedAt.Before(lines[9].CreatedAt)
			}, byTime},
			"text": {store.LogQuery{Text: `1, 100% a_B \`}, func(l store.Line) bool {
				return l.Message == lines[1].Message || l.Message == lines[11].Message || l.Message == lines[21].Message
			}, byTime},
			"trace and level": {store.LogQuery{TraceID: own.ID, Levels: []string{"error"}}, func(l store.Line) bool { return l.TraceID == own.ID && l.Level == "error" }, byPlace},
			"none":            {store.LogQuery{Text: "100x"}, func(store.Line) bool { return false }, byTime},
		} {
			forwards := want(c.ok, c.order)
			for limit := range map[int]bool{1: true, 4: true, 100: true} {
				c.q.Limit, c.q.Ascending, c.q.Cursor = limit, true, ""
				if diff := cmp.Diff(forwards, walk(t, s, c.q)); diff != "" {
					t.Errorf("%s, %d a page (-want +got):\n%s", name, limit, diff)
				}
				c.q.Ascending = false
				backwards := slices.Clone(forwards)
				slices.Reverse(backwards)
				if diff := cmp.Diff(backwards, walk(t, s, c.q)); diff != "" {
					t.Errorf("%s, the newest first, %d a page (-want +got):\n%s", name, limit, diff)
				}
			}
		}
	})
}

func TestLogsRefuses(t *testing.T) {
	each(t, func(t *testing.T, _ *gorm.DB, s *store.Store) {
		write(t, s, numbered(trail.NewID(noon), 3)...)
		page, err := s.Logs(t.Context(), store.LogQuery{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for name, q := range map[string]store.LogQuery{
			"limit": {Limit: -1}, "large limit": {Limit: store.MaxLimit + 1}, "entity without a model": {EntityID: "1"},
			"times": {From: noon, To: noon.Add(-1)}, "text": {Text: "\x00"},
			"halves of a letter": {Model: "\xc3", EntityID: "\xa9"}, "halves in levels": {Levels: []string{"\xc3", "\xa9"}}, "half": {Text: "\xc3", Levels: []string{"\xa9"}}, "cursor": {Cursor: "x"}, "empty cursor": {Cursor: "e30"},
			"cursor of another order": {Cursor: page.Next, Ascending: true}, "cursor of all for a trace": {Cursor: page.Next, TraceID: uuid.New()},
		} {
			if _, err := s.Logs(t.Context(), q); !errors.Is(err, store.ErrQuery) {
				t.Errorf("%s: got %v, want %v", name, err, store.ErrQuery)
			}
		}
	})
}
