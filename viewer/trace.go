package viewer

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/diff"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Bounds of the page of a trace.
const (
	maxChanges = 100 // on one page
	maxLines   = 500 // on one page
)

// traceView is the page of a trace.
type traceView struct {
	page
	Action         row // what the action was, as far as it is known
	Pending        bool
	Stream         string // the address of the stream, on a page that follows
	Reload         bool   // following was asked for, also without a script
	Error          string
	Facts          []fact
	Changes        []change
	Previous, Next string // the addresses of the changes before and after
	Rest           string // the address of all changes, if too many for this page
	Lines          []line
	LinesBefore    string // the address of the lines before
	LinesNext      string // and of those after
	Tail           bool   // they are the last
	TailCut        bool   // and there are earlier ones
}

// change is an entry with its fields.
type change struct {
	row
	Anchor              string
	Operation           string
	Ahead               bool // it was recorded before its work
	HasBefore, HasAfter bool
	Fields              []diff.Field
	Raw                 string // images that are not objects
}

// found is everything about one trace, with a part of its lines.
type found struct {
	store.Trace
	lines store.LogPage
}

// read reads a trace, and the lines asked for. A trace in progress that has only
// log lines so far is found as well.
func (q *request) read(id uuid.UUID, lines func(store.Trace) store.LogQuery) (found, error) {
	trace, err := q.handler.store.Trace(q.Context(), id)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return found{}, err
	}
	page, lineErr := q.logs(id, lines(trace))
	if lineErr != nil {
		return found{}, lineErr
	}
	if missing && len(page.Lines) == 0 {
		return found{}, err
	}
	f := found{Trace: trace, lines: page}
	f.ID = id
	return f, nil
}

// firstLines asks for the first n lines.
func firstLines(n int) func(store.Trace) store.LogQuery {
	return func(store.Trace) store.LogQuery { return store.LogQuery{Ascending: true, Limit: n} }
}

// logs reads lines of a trace.
func (q *request) logs(id uuid.UUID, lines store.LogQuery) (store.LogPage, error) {
	lines.TraceID = id
	page, err := q.handler.store.Logs(q.Context(), lines)
	if errors.Is(err, store.ErrQuery) {
		return page, badRequest("lines is %.60q, which is not a page of this log.", lines.Cursor)
	}
	return page, err
}

func pending(t store.Trace) bool { return t.Action == nil || t.Action.Result == trail.Pending }

// find redirects to an entry, or to a trace that has none yet.
func (q *request) find(text string) error {
	id, err := parseID(text)
	if err != nil {
		return err
	}
	entry, err := q.handler.store.Entry(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		if _, err = q.read(id, firstLines(1)); err != nil {
			return err
		}
		entry.ID, entry.TraceID = id, id
	}
	if err != nil {
		return err
	}
	q.redirect(entryAddress(q.root, entry.TraceID, entry.ID))
	return nil
}

// entryAddress is where an entry is shown: on the page of its trace.
func entryAddress(root string, trace, entry uuid.UUID) string {
	address := root + "traces/" + trace.String()
	if entry != trace {
		address += "?entry=" + entry.String() + "#" + anchor(entry.String())
	}
	return address
}

// anchor is the name of an entry's place on the page of its trace.
func anchor(id string) string { return "entry-" + id }

func (q *request) trace(text string) error {
	id, err := parseID(text)
	if err != nil {
		return err
	}
	values := q.URL.Query()
	tail := false
	f, err := q.read(id, func(t store.Trace) store.LogQuery {
		if tail = shownFromTheEnd(values, pending(t)); tail {
			return store.LogQuery{Limit: maxLines}
		}
		return store.LogQuery{Ascending: true, Limit: maxLines, Cursor: values.Get("lines")}
	})
	if err != nil {
		return err
	}
	view := traceView{page: q.page("Trace " + id.String()), Pending: pending(f.Trace), Tail: tail}
	if view.Pending && tail {
		view.Stream = streamAddress(q.root, f, lastSeq(f.lines.Lines))
		view.Reload = values.Get("follow") != ""
		q.w.Header().Set("Content-Security-Policy", livePolicy)
	}
	if f.Action != nil {
		view.Action = q.row(*f.Action)
		view.Heading = visible.Text(string(f.Action.Event) + " " + f.Action.Model + " " + f.Action.EntityID)
	}
	if f.Outcome != nil {
		view.Error = visible.Text(f.Outcome.Error)
	}
	view.Facts = q.facts(f)
	if err := q.changes(&view, f, values.Get("entry"), values.Get("skip")); err != nil {
		return err
	}
	for _, l := range f.lines.Lines {
		view.Lines = append(view.Lines, q.line(l))
	}
	if tail {
		slices.Reverse(view.Lines)
		view.TailCut = f.lines.Next != ""
	} else {
		view.LinesBefore, view.LinesNext = linesAddress(f.lines.Previous), linesAddress(f.lines.Next)
	}
	return q.html(http.StatusOK, "trace.html", view)
}

// shownFromTheEnd reports whether a page shows the last lines of its trace, and
// follows it while it is in progress: if it was asked to, or if it was asked for
// nothing in particular.
func shownFromTheEnd(values url.Values, pending bool) bool {
	switch follow := values.Get("follow"); {
	case follow == "0" || values.Get("lines") != "":
		return false
	case follow != "":
		return true
	default:
		return pending && values.Get("entry") == "" && values.Get("skip") == ""
	}
}

// lastSeq returns the position of the last of the lines, 0 if there is none.
func lastSeq(lines []store.Line) (seq int64) {
	for _, l := range lines {
		seq = max(seq, l.Seq)
	}
	return seq
}

// linesAddress is that of another page of lines, scrolled to its lines.
func linesAddress(cursor string) string {
	if cursor == "" {
		return ""
	}
	return "?lines=" + url.QueryEscape(cursor) + "#how"
}

// changes fills in the part of a trace's entries that was asked for: the one
// with a given entry, or the one after a number of them.
func (q *request) changes(view *traceView, f found, entry, skip string) error {
	first := 0
	switch {
	case entry != "":
		id, err := parseID(entry)
		if err != nil {
			return err
		}
		for i, e := range f.Entries {
			if e.ID == id {
				first = i / maxChanges * maxChanges
				id = uuid.Nil
				break
			}
		}
		if id != uuid.Nil { // beyond what a trace holds, or not part of it
			e, err := q.handler.store.Entry(q.Context(), id)
			if err != nil {
				return err
			}
			if e.TraceID != f.ID {
				return errNoTrace
			}
			view.Changes = []change{q.change(e)}
			view.Previous = "?"
			return nil
		}
	case skip != "":
		n, err := strconv.Atoi(skip)
		if err != nil || n < 0 {
			return badRequest("skip is %.60q; it must be a number of changes.", skip)
		}
		first = min(n, len(f.Entries))
	}
	last := min(first+maxChanges, len(f.Entries))
	for _, e := range f.Entries[first:last] {
		view.Changes = append(view.Changes, q.change(e))
	}
	if first > 0 {
		view.Previous = "?skip=" + strconv.Itoa(max(first-maxChanges, 0))
	}
	if last < len(f.Entries) {
		view.Next = "?skip=" + strconv.Itoa(last)
	} else if f.More {
		view.Rest = with(q.root, nil, paramTrace, f.ID.String(), paramOrder, "asc")
	}
	return nil
}

func (q *request) change(e store.Entry) change {
	c := change{
		row: q.row(e), Anchor: anchor(e.ID.String()), Operation: string(e.Operation),
		Ahead:     e.Entry.Outcome == trail.Pending,
		HasBefore: len(e.Before) > 0, HasAfter: len(e.After) > 0,
	}
	var err error
	if c.Fields, err = diff.Fields(e.Before, e.After); err != nil {
		// Not written by this library: shown as it is.
		raw, _ := visible.Cut(string(e.Before)+"\n"+string(e.After), maxMessage)
		c.Raw = visible.Text(raw)
	}
	return c
}
