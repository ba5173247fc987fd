package viewer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Bounds of a stream.
const (
	maxBatch  = 500                   // lines of one event
	maxBytes  = 256 << 10             // of their messages and fields, after which none is added
	gatherFor = 50 * time.Millisecond // until lines that have arrived are sent
	retryIn   = 2 * time.Second       // until a browser asks again
	// streamFor is when a stream is cut. The browser asks for the rest of it,
	// so that somebody who may no longer see the trail soon does not.
	streamFor = 10 * time.Minute
)

// pace is how often followers do what nothing else triggers.
type pace struct {
	// look is how often they look whether the action has ended.
	look time.Duration
	// settle is how long no line must have come after the end to assume that
	// none will: longer than writers hold lines back, and longer than a follower
	// of lines waits until it polls.
	settle time.Duration
	// beat is how often something is sent, even if there is nothing to send.
	beat time.Duration
}

var ordinary = pace{look: time.Second, settle: 1500 * time.Millisecond, beat: 15 * time.Second}

// The parameters of a stream.
const (
	paramAfterLine = "after" // the Seq of the last line that the page has
	paramSeen      = "seen"  // that of the last entry that it has
)

var errBusy = &problem{status: http.StatusServiceUnavailable, text: "Too many pages are following actions. Try again later."}

// streamAddress is where a page gets what it does not have yet.
func streamAddress(root string, f found, after int64) string {
	values := url.Values{paramAfterLine: {strconv.FormatInt(after, 10)}}
	if !f.More && f.part.Before == 0 { // otherwise it does not have everything, and says so already
		seen := f.part.After
		for _, e := range f.Entries {
			seen = max(seen, e.Seq)
		}
		values.Set(paramSeen, strconv.FormatInt(seen, 10))
	}
	return root + "traces/" + f.ID.String() + "/follow?" + values.Encode()
}

// follow streams what happens in a trace: its lines as rows of the page's
// table, that there are new changes, and that the action has ended.
func (q *request) follow(text string) error {
	id, err := parseID(text)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(q.Context(), streamFor)
	defer cancel()
	f := follower{request: *q, id: id, seen: math.MaxInt64}
	f.Request = q.WithContext(ctx)
	if err := f.start(); err != nil {
		return err
	}
	if _, err := q.handler.store.Entry(q.Context(), id); errors.Is(err, store.ErrNotFound) {
		_, err = q.read(id, store.TraceQuery{Limit: 1}, firstLines(1)) // it may have nothing else so far
		if err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	select {
	case q.handler.followers <- struct{}{}:
		defer func() { <-q.handler.followers }()
	default:
		q.w.Header().Set("Retry-After", "5")
		return errBusy
	}
	header := q.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no") // or nginx would keep it back
	if q.Method == http.MethodHead {
		q.w.WriteHeader(http.StatusOK)
		return nil
	}
	if f.out, err = newStream(q.w); err != nil {
		header.Del("X-Accel-Buffering")
		return err
	}
	if err := f.run(); err != nil && ctx.Err() == nil {
		// The status has been sent; the client sees a stream that ends.
		q.handler.options.OnError(q.Request, err)
	}
	return nil
}

// follower follows an action, and knows its position.
type follower struct {
	request
	id    uuid.UUID
	out   *stream
	after int64 // the greatest Seq of the lines that were sent
	seen  int64 // changes with a greater Seq are news
	ended trail.Result
	quiet time.Time // since when nothing has come, once it has ended
}

// start reads where to start. What a browser remembers of a broken stream wins
// over the address, which is as old as the page.
func (f *follower) start() (err error) {
	after := f.values.Get(paramAfterLine)
	if last := f.Header.Get("Last-Event-ID"); last != "" {
		after = last
	}
	if after != "" {
		if f.after, err = f.place(paramAfterLine, after); err != nil {
			return err
		}
	}
	if seen := f.values.Get(paramSeen); seen != "" {
		f.seen, err = f.place(paramSeen, seen)
	}
	return err
}

// run streams until the action has ended, the browser has gone, the server
// shuts down or it is time to reconnect. The error is one to report.
func (f *follower) run() error {
	lines, stop := f.lines()
	defer func() { _ = stop() }() // its error was returned, or came of that
	ending := f.handler.servers.ending(f.Request)
	look, beat := time.NewTicker(f.handler.pace.look), time.NewTicker(f.handler.pace.beat)
	defer look.Stop()
	defer beat.Stop()
	for {
		select {
		case l, ok := <-lines:
			if !ok {
				return stop()
			}
			rows, err := f.rows(gather(l, lines))
			if err != nil {
				return err
			}
			if f.out.event("lines", strconv.FormatInt(f.after, 10), rows) != nil {
				return nil // the browser has gone
			}
			f.quiet = time.Now()
		case <-look.C:
			if over, err := f.look(); over || err != nil {
				return err
			}
			if f.ended != "" {
				look.Reset(f.handler.pace.settle / 6)
			}
		case <-beat.C: // detects clients that have gone, and keeps proxies from timing out
			if f.out.beat() != nil {
				return nil
			}
		case <-f.Context().Done():
			return nil
		case <-ending:
			return nil
		}
	}
}

// lines returns a channel of the lines as they arrive, closed when no more will
// come, and a function that stops it and returns its error.
func (f *follower) lines() (_ <-chan store.Line, stop func() error) {
	ctx, cancel := context.WithCancel(f.Context())
	lines, ended := make(chan store.Line), make(chan struct{})
	var failed error
	go func() {
		defer close(ended)
		defer close(lines)
		for l, err := range f.handler.store.Follow(ctx, f.id, f.after) {
			if err != nil {
				failed = err
				return
			}
			select {
			case lines <- l:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines, func() error {
		cancel()
		<-ended
		return failed
	}
}

// gather returns a line and those that follow at once or soon, so that many lines
// make few events.
func gather(first store.Line, lines <-chan store.Line) []store.Line {
	batch := []store.Line{first}
	soon := time.NewTimer(gatherFor)
	defer soon.Stop()
	for size := stored(first); len(batch) < maxBatch && size < maxBytes; {
		select {
		case l, ok := <-lines:
			if !ok {
				return batch
			}
			batch, size = append(batch, l), size+stored(l)
		case <-soon.C:
			return batch
		}
	}
	return batch
}

func stored(l store.Line) int { return len(l.Message) + len(l.Fields) }

// rows renders lines as the page has them, and records how far they go: that is
// the id of their event, after which a reconnecting browser resumes.
func (f *follower) rows(batch []store.Line) (string, error) {
	rows := f.request.lines(batch, linesJSONAddress(f.id, true, ""))
	for _, l := range batch {
		f.after = max(f.after, l.Seq) // a late one does not go back
	}
	var html bytes.Buffer
	if err := templates.ExecuteTemplate(&html, "lines", rows); err != nil {
		return "", fmt.Errorf("viewer: lines: %w", err)
	}
	return html.String(), nil
}

// look checks whether there are changes that the page does not have, and whether
// the action has ended and its last lines have come. It reports whether
// everything has been sent.
func (f *follower) look() (over bool, err error) {
	if f.ended != "" {
		if time.Since(f.quiet) < f.handler.pace.settle {
			return false, nil
		}
		_ = f.out.event("end", "", string(f.ended)) // it is the last word, heard or not
		return true, nil
	}
	news, err := f.handler.store.TracePart(f.Context(), f.id, store.TraceQuery{After: f.seen, Limit: 2})
	if errors.Is(err, store.ErrNotFound) { // it is recorded when it ends
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(news.Entries, func(e store.Entry) bool { return e.ID != f.id }) {
		f.seen = math.MaxInt64 // once is enough
		if f.out.event("changes", "", "more") != nil {
			return true, nil
		}
	}
	if !pending(news) {
		f.ended, f.quiet = result(news), time.Now()
	}
	return false, nil
}
