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
	// maxShown is how much a page shows of changes, and of log lines, in bytes.
	// What does not fit is in the JSON.
	maxShown = 2 << 20
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
	Lines          []line
	LinesBefore    string // the address of the lines before
	LinesNext      string // and of those after
	Tail           bool   // they are the last
	TailCut        bool   // and there are earlier ones
	LinesJSON      string // the address of the lines as JSON
}

// change is an entry with its fields.
type change struct {
	row
	Anchor              string
	Operation           string
	Ahead               bool // it was recorded before its work
	HasBefore, HasAfter bool
	diff.List
	Raw  string // images that are not objects
	JSON string // the address of the entry as JSON
}

// found is a trace, with a part of its entries and of its lines.
type found struct {
	store.Trace
	part  store.TraceQuery
	lines store.LogPage
}

// read reads a part of a trace, and the lines asked for. A trace in progress
// that has only log lines so far is found as well.
func (q *request) read(id uuid.UUID, part store.TraceQuery, lines func(store.Trace) store.LogQuery) (found, error) {
	trace, err := q.handler.store.TracePart(q.Context(), id, part)
	missing := errors.Is(err, store.ErrNotFound)
	if err != nil && !missing {
		return found{}, err
	}
	page, lineErr := q.logs(id, lines(trace), paramLines)
	if lineErr != nil {
		return found{}, lineErr
	}
	if missing && len(page.Lines) == 0 {
		return found{}, err
	}
	f := found{Trace: trace, part: part, lines: page}
	f.ID = id
	return f, nil
}

// firstLines asks for the first n lines.
func firstLines(n int) func(store.Trace) store.LogQuery {
	return func(store.Trace) store.LogQuery { return store.LogQuery{Ascending: true, Limit: n} }
}

// logs reads lines of a trace; param is the parameter that the cursor came from.
func (q *request) logs(id uuid.UUID, lines store.LogQuery, param string) (store.LogPage, error) {
	lines.TraceID = id
	page, err := q.handler.store.Logs(q.Context(), lines)
	if errors.Is(err, store.ErrQuery) {
		return page, q.badParam(param, "is %.60q, which is not a page of this log.", lines.Cursor)
	}
	return page, err
}

// result returns how the action of a trace ended, as far as is known: what was
// written at its end wins, also over an entry that is gone.
func result(t store.Trace) trail.Result {
	switch {
	case t.Outcome != nil:
		return t.Outcome.Result
	case t.Action != nil:
		return t.Action.Result
	default:
		return trail.Pending
	}
}

func pending(t store.Trace) bool { return result(t) == trail.Pending }

// find redirects to an entry, or to a trace that has none yet.
func (q *request) find(text string) error {
	id, err := parseID(text)
	if err != nil {
		return err
	}
	entry, err := q.handler.store.Entry(q.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		if _, err = q.read(id, store.TraceQuery{Limit: 1}, firstLines(1)); err != nil {
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
		address += "?" + paramEntry + "=" + entry.String() + "#" + anchor(entry.String())
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
	values := q.values
	if f := values.Get(paramFollow); f != "" && f != "0" && f != "1" {
		return q.badParam(paramFollow, "is %.60q; it must be 0 or 1.", f)
	}
	part, earlier, err := q.part(id, values)
	if err != nil {
		return err
	}
	tail := false
	f, err := q.read(id, part, func(t store.Trace) store.LogQuery {
		if tail = shownFromTheEnd(values, pending(t)); tail {
			return store.LogQuery{Limit: maxLines}
		}
		return store.LogQuery{Ascending: true, Limit: maxLines, Cursor: values.Get(paramLines)}
	})
	if err != nil {
		return err
	}
	view := traceView{page: q.page("Trace " + id.String()), Pending: pending(f.Trace), Tail: tail}
	if view.Pending && tail {
		view.Stream = streamAddress(q.root, f, lastSeq(f.lines.Lines))
		view.Reload = values.Get(paramFollow) != ""
		q.w.Header().Set("Content-Security-Policy", livePolicy)
	}
	if f.Action != nil {
		view.Action = q.row(*f.Action)
		view.Heading = visible.Text(string(f.Action.Event) + " " + f.Action.Model + " " + f.Action.EntityID)
	}
	if f.Outcome != nil {
		view.Error = f.Outcome.Error
	}
	view.Facts = q.facts(f)
	q.changes(&view, f, earlier)
	view.LinesJSON = linesJSONAddress(id, tail, values.Get(paramLines))
	view.Lines = q.lines(f.lines.Lines, view.LinesJSON)
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
	switch follow := values.Get(paramFollow); {
	case follow == "0" || values.Get(paramLines) != "":
		return false
	case follow != "":
		return true
	default:
		return pending && values.Get(paramEntry) == "" && values.Get(paramAfter) == "" && values.Get(paramBefore) == ""
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

// linesJSONAddress is where the JSON has the same lines as a page, relative to
// the page, also if it is a stream that sends them.
func linesJSONAddress(id uuid.UUID, tail bool, cursor string) string {
	address := "../api/traces/" + id.String() + "/lines"
	switch {
	case tail:
		return address + "?" + paramOrder + "=desc"
	case cursor != "":
		return address + "?" + paramCursor + "=" + url.QueryEscape(cursor)
	default:
		return address
	}
}

// The parameters of a trace: which changes its page shows, those after or before a
// Seq, or those from an entry on; and which lines.
const (
	paramAfter  = "after"
	paramBefore = "before"
	paramEntry  = "entry"
	paramLines  = "lines"  // the cursor of a page of lines
	paramFollow = "follow" // 1 or 0
)

// part returns the part of a trace's entries that was asked for, and whether
// there are earlier ones.
func (q *request) part(id uuid.UUID, values url.Values) (part store.TraceQuery, earlier bool, err error) {
	part.Limit = maxChanges
	after, before, entry := values.Get(paramAfter), values.Get(paramBefore), values.Get(paramEntry)
	switch {
	case entry != "":
		entryID, err := parseID(entry)
		if err != nil {
			return part, false, err
		}
		e, err := q.handler.store.Entry(q.Context(), entryID)
		switch {
		case errors.Is(err, store.ErrNotFound) && entryID == id: // not recorded yet
			return part, false, nil
		case err != nil:
			return part, false, err
		case e.TraceID != id:
			return part, false, errNoTrace
		}
		part.After = e.Seq - 1
		ahead, err := q.handler.store.TracePart(q.Context(), id, store.TraceQuery{Before: e.Seq, Limit: 1})
		return part, len(ahead.Entries) > 0, err
	case after != "" && before != "":
		return part, false, badRequest("after and before are both given, but only one is allowed.")
	case after != "":
		part.After, err = q.place(paramAfter, after)
		return part, part.After > 0, err
	case before != "":
		part.Before, err = q.place(paramBefore, before)
	}
	return part, false, err
}

// place reads the place of an entry or a line in its trace.
func (q *request) place(name, text string) (int64, error) {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 0 {
		return 0, q.badParam(name, "is %.60q; it must be a seq, which is a number from 0 on.", text)
	}
	return seq, nil
}

// changes fills in the entries, and where those around them are. There are
// earlier ones if the caller says so or the store does.
func (q *request) changes(view *traceView, f found, earlier bool) {
	room := diff.NewRoom(maxShown)
	for _, e := range f.Entries {
		view.Changes = append(view.Changes, q.change(e, room))
	}
	if len(f.Entries) == 0 {
		return
	}
	back := f.part.Before > 0
	if earlier || back && f.More {
		view.Previous = placeAddress(paramBefore, f.Entries[0].Seq)
	}
	if back || f.More {
		view.Next = placeAddress(paramAfter, f.Entries[len(f.Entries)-1].Seq)
	}
}

// placeAddress is that of another page of changes, scrolled to them.
func placeAddress(name string, seq int64) string {
	return "?" + name + "=" + strconv.FormatInt(seq, 10) + "#what"
}

func (q *request) change(e store.Entry, room *diff.Room) change {
	c := change{
		row: q.row(e), Anchor: anchor(e.ID.String()), Operation: string(e.Operation),
		Ahead:     e.Entry.Outcome == trail.Pending,
		HasBefore: len(e.Before) > 0, HasAfter: len(e.After) > 0,
		JSON: q.root + "api/entries/" + e.ID.String(),
	}
	var err error
	if c.List, err = diff.Fields(e.Before, e.After, room); err != nil {
		// Not written by this library: shown as it is.
		raw, cut := visible.Cut(string(e.Before)+"\n"+string(e.After), maxMessage)
		c.Raw, c.Cut = raw, cut
	}
	return c
}
