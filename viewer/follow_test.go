package viewer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

// running records an action in progress.
func (r *recorded) running(id uuid.UUID) {
	r.Helper()
	action := own(id, bob, trail.Execute, "resource", "7")
	action.Outcome = trail.Pending
	r.record(action)
}

// logged writes lines as a service does, which tells those who follow.
func (r *recorded) logged(trace uuid.UUID, messages ...string) {
	r.Helper()
	lines := make([]trail.Line, len(messages))
	for i, m := range messages {
		r.lines++
		lines[i] = trail.Line{
			ID: trail.NewID(epoch), TraceID: trace, CreatedAt: epoch, Level: "info", Logger: "tofu", Message: m, Seq: r.lines,
		}
	}
	if err := r.store.WriteLines(r.Context(), lines); err != nil {
		r.Fatal(err)
	}
}

// lively returns the pages, of which those who follow wait for nothing long.
func (r *recorded) lively(change ...func(*viewer.Options)) http.Handler {
	h := r.handler(change...)
	viewer.Hurry(h, 20*time.Millisecond, 200*time.Millisecond, time.Hour)
	return h
}

// Lines come as they are written, rendered as the page has them; then the end,
// once they are all there.
func TestFollow(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		r.running(id)
		r.logged(id, "\x1b[32mone\x1b[0m", "two")
		h := r.handler()
		viewer.Hurry(h, 20*time.Millisecond, time.Hour, time.Hour)
		l := listen(t, h, "/traces/"+id.String()+"/follow")
		rows := ""
		hear := func(want string) {
			t.Helper()
			for got := ""; got != want; {
				e := l.until("lines")
				last := e[len(e)-1]
				rows += last.Data
				f := fragment(t, last.Data)
				clean(t, f)
				if got += strings.Join(messages(f), " ") + " "; len(got) > len(want) || last.ID == "" {
					t.Fatalf("lines %q with the id %q, want %q", got, last.ID, want)
				}
			}
		}
		hear("one two ")
		r.logged(at(1), "somebody else's")
		r.logged(id, "three\r\nand more", "\x1b[1;31mfour\x1b[0m")
		hear("three and more four ")
		r.finish(trail.Outcome{TraceID: id, FinishedAt: epoch, Result: trail.Failure})
		r.logged(id, "five") // which somebody held back
		hear("five ")

		// If it is quiet after the end, that was all.
		h = r.lively()
		l = listen(t, h, "/traces/"+id.String()+"/follow?after="+fmt.Sprint(r.lines))
		if d := cmp.Diff([]event{{Name: "end", Data: "failure"}}, l.until("end")); d != "" {
			t.Errorf("the end, -want +got:\n%s", d)
		}
		if e := l.next(); e.Name != "" {
			t.Errorf("behind the end comes %+v", e)
		}
		// The page that is loaded then has the same.
		body := page(t, h, "/traces/"+id.String()).Body.String()
		if !strings.Contains(body, "<tbody>"+rows+"</tbody>") {
			t.Errorf("the rows of the page are other than those that came:\n%s\nin\n%s", rows, body)
		}
		if got := fragment(t, rows).texts("span", "class=a-fg2"); !slices.Equal(got, []string{"one"}) {
			t.Errorf("green is %q", got)
		}
	})
}

// A browser that was cut off resumes after what it has, without a gap and
// without a line twice, from the address of the page or from what it remembers.
func TestFollowGoesOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		r.running(id)
		r.logged(id, numbers(1, 700)...)
		h := r.lively()
		path := "/traces/" + id.String() + "/follow"
		l := listen(t, h, path)
		got, last := l.take(500)
		l.leave()
		for len(got) < 800 {
			r.logged(id, numbers(int(r.lines)+1, int(r.lines)+50)...)
			l = listen(t, h, path+"?after=3", "Last-Event-ID", last)
			var more []string
			more, last = l.take(1)
			got = append(got, more...)
			l.leave()
		}
		if d := cmp.Diff(numbers(1, len(got)), got); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		if some, _ := listen(t, h, path+"?after=690").take(10); !slices.Equal(some[:10], numbers(691, 700)) {
			t.Errorf("behind 690 come %q", some)
		}
		for _, header := range []string{"x", "1.5", "9223372036854775808"} {
			if a := listen(t, h, path, "Last-Event-ID", header); a.StatusCode != http.StatusBadRequest {
				t.Errorf("the id %q: status %d", header, a.StatusCode)
			}
		}
		for _, query := range []string{"after=x", "seen=x", "seen=-1"} {
			ask(t, h, http.MethodGet, path+"?"+query).must(http.StatusBadRequest)
		}
	})
}

// The page says from where on, and there is nothing in between.
func TestFollowGoesOnBehindThePage(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	r.logged(id, numbers(1, 600)...)
	h := r.lively()
	p := page(t, h, "/traces/"+id.String())
	if d := cmp.Diff(numbers(101, 600), messages(p)); d != "" {
		t.Errorf("the page, -want +got:\n%s", d)
	}
	r.logged(id, numbers(601, 620)...)
	l := listen(t, h, p.follow(attr(p.one("div", "id=log"), "data-follow")))
	if got, _ := l.take(20); !slices.Equal(got, numbers(601, 620)) {
		t.Errorf("behind the page come %q", got)
	}
}

// That there are changes which the page does not have is announced once.
func TestFollowTellsOfChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		r.running(id)
		h := r.lively()
		stream := func() string {
			p := page(t, h, "/traces/"+id.String())
			return p.follow(attr(p.one("div", "id=log"), "data-follow"))
		}
		change := func(after int, trace uuid.UUID) {
			e := own(at(after), bob, trail.Update, "resource", "7")
			e.TraceID = trace
			r.record(e)
		}
		l := listen(t, h, stream())
		change(1, id)
		if d := cmp.Diff([]event{{Name: "changes", Data: "more"}}, l.until("changes")); d != "" {
			t.Fatalf("of a change it is told, -want +got:\n%s", d)
		}
		change(2, id)
		all := stream()
		change(4, at(3)) // somebody else's
		r.finish(trail.Outcome{TraceID: id, FinishedAt: epoch, Result: trail.Success})
		want := []event{{Name: "end", Data: "success"}}
		if d := cmp.Diff(want, l.until("end")); d != "" {
			t.Errorf("of a second change it is told, -want +got:\n%s", d)
		}
		if d := cmp.Diff(want, listen(t, h, all).until("end")); d != "" {
			t.Errorf("of changes that the page has it is told, -want +got:\n%s", d)
		}
	})
}

// An action that is written when it ends is followed until it is.
func TestFollowWhatHasNoEntryYet(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		h := r.lively()
		path := "/traces/" + id.String() + "/follow"
		ask(t, h, http.MethodGet, path).must(http.StatusNotFound)
		r.logged(id, "on my way")
		l := listen(t, h, path)
		l.take(1)
		r.record(own(id, bob, trail.Update, "resource", "7"))
		if d := cmp.Diff([]event{{Name: "end", Data: "success"}}, l.until("end")); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
	})
}

func TestFollowHostileText(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	for _, text := range hostile {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		r.line(id, 0, text, text, `{`+string(quoted)+`:`+string(quoted)+`}`)
	}
	r.line(id, 0, "info", "a\n\nevent: end\ndata: x\n\n: y\rid: 9", "")
	h := r.lively()
	p := page(t, h, "/traces/"+id.String())
	clean(t, p)
	l := listen(t, h, "/traces/"+id.String()+"/follow")
	var got []string
	for len(got) < len(hostile)+1 {
		e := l.next()
		if e.Name != "lines" || e.ID == "9" {
			t.Fatalf("a line forged %+v", e)
		}
		f := fragment(t, e.Data)
		clean(t, f)
		got = append(got, f.texts("tr")...)
	}
	if d := cmp.Diff(p.texts("tr", "class=info"), got); d != "" {
		t.Errorf("the page has, and there came:\n%s", d)
	}
}

// Nobody whom Authorize rejects gets anything, and HEAD answers what GET would
// without waiting for anything.
func TestFollowIsForThoseWhoMay(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	r.logged(id, "secret")
	path := "/traces/" + id.String() + "/follow"
	a := ask(t, r.handler(func(o *viewer.Options) {
		o.Authorize = func(*http.Request) error { return viewer.ErrForbidden }
	}), http.MethodGet, path)
	a.must(http.StatusForbidden)
	if strings.Contains(a.Body.String(), "secret") || a.Header().Get("Content-Type") == "text/event-stream" {
		t.Errorf("somebody who was refused is sent %s", a.Body)
	}
	h := r.lively()
	a = ask(t, h, http.MethodHead, path)
	a.must(http.StatusOK)
	if a.Header().Get("Content-Type") != "text/event-stream" || a.Body.Len() != 0 {
		t.Errorf("HEAD answers %q and %d bytes", a.Header().Get("Content-Type"), a.Body.Len())
	}
	a = ask(t, h, http.MethodPost, path)
	a.must(http.StatusMethodNotAllowed)
	l := listen(t, h, path)
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no", "Content-Length": "",
	} {
		if got := l.Header.Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
}

// Wherever the pages are mounted, a stream flows, outlasts the server's write
// timeout, and ends when its browser leaves or its server shuts down; nothing
// is left over.
func TestFollowEnds(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	gin.SetMode(gin.TestMode)
	for _, name := range []string{"net/http", "StripPrefix", "gin"} {
		for _, end := range []string{"the browser leaves", "the server shuts down", "the context ends"} {
			t.Run(name+", "+end, func(t *testing.T) {
				before := goleak.IgnoreCurrent()
				pages, prefix := r.lively(), ""
				h := pages
				if name != "net/http" {
					prefix = "/audit"
					h = http.StripPrefix(prefix, h)
				}
				if name == "gin" {
					router := gin.New()
					router.GET("/audit/*path", gin.WrapH(h))
					h = router
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				returned := make(chan struct{})
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
					defer close(returned)
					own, stop := context.WithCancel(q.Context())
					defer stop()
					defer context.AfterFunc(ctx, stop)()
					h.ServeHTTP(w, q.WithContext(own))
				}))
				server.Config.WriteTimeout = time.Nanosecond
				server.Start()
				l := tune(t, server, prefix+"/traces/"+id.String()+"/follow?after="+fmt.Sprint(r.lines))
				r.logged(id, "one")
				l.take(1)
				switch end {
				case "the browser leaves":
					l.leave()
				case "the server shuts down":
					if err := server.Config.Shutdown(t.Context()); err != nil {
						t.Error(err)
					}
				default:
					cancel()
				}
				<-returned
				for l.lines.Scan() { // to the end
				}
				server.Close()
				goleak.VerifyNone(t, before)
			})
		}
	}
}

// Lines that come fast make few events.
func TestFollowManyLines(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	var flushed atomic.Int64
	h := r.lively()
	l := listen(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		h.ServeHTTP(&counting{w, &flushed}, q)
	}), "/traces/"+id.String()+"/follow")
	const n = 3000
	go func() {
		for i := 0; i < n; i += 60 {
			r.logged(id, numbers(i+1, i+60)...)
		}
	}()
	got, _ := l.take(n)
	if d := cmp.Diff(numbers(1, n), got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if f := flushed.Load(); f > n/20 {
		t.Errorf("%d lines were flushed %d times", n, f)
	}

	// Long ones make more.
	long := strings.Repeat("x", 15_000)
	r.logged(id, slices.Repeat([]string{long}, 50)...)
	for n := 0; n < 50; {
		e := l.until("lines")
		data := e[len(e)-1].Data
		n += len(messages(fragment(t, data)))
		if len(data) > 300_000 {
			t.Errorf("an event has %d bytes", len(data))
		}
	}
}

// counting counts how often an answer is flushed.
type counting struct {
	http.ResponseWriter
	flushed *atomic.Int64
}

func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counting) FlushError() error {
	c.flushed.Add(1)
	return http.NewResponseController(c.ResponseWriter).Flush()
}

func TestFollowersAreBounded(t *testing.T) {
	for _, c := range []struct{ option, most int }{{0, 20}, {2, 2}} {
		t.Run(fmt.Sprint(c.option), func(t *testing.T) {
			r := newTrail(t, testdb.OpenSQLite(t))
			id := at(0)
			r.running(id)
			r.logged(id, "one")
			h := r.lively(func(o *viewer.Options) { o.MaxFollowers = c.option })
			path := "/traces/" + id.String() + "/follow"
			var first *listener
			for range c.most {
				first = listen(t, h, path)
				first.take(1)
			}
			a := ask(t, h, http.MethodGet, path)
			a.must(http.StatusServiceUnavailable)
			if a.Header().Get("Retry-After") == "" {
				t.Error("it does not say when to come again")
			}
			page(t, h, "/traces/"+id.String()) // there are other ways to see it
			first.leave()
			for { // as soon as that one has gone
				if l := listen(t, h, path); l.StatusCode == http.StatusOK {
					l.take(1)
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// What followers take of a pool is what the documentation says, however much is
// logged.
func TestFollowersTakeFewConnections(t *testing.T) {
	const followers = 5
	r := newTrail(t, testdb.OpenPostgres(t))
	pool, err := r.db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.SetMaxIdleConns(100) // so that those once open stay open, and can be counted
	id := at(0)
	r.running(id)
	r.logged(id, "0")
	h := r.lively()
	var all []*listener
	for range followers {
		l := listen(t, h, "/traces/"+id.String()+"/follow")
		l.take(1)
		all = append(all, l)
	}
	for i := range 10 {
		r.logged(id, fmt.Sprint(i))
		for _, l := range all {
			l.take(1)
		}
	}
	if n := pool.Stats().OpenConnections; n > 2*followers+2 { // and one that writes
		t.Errorf("%d followers have opened %d connections", followers, n)
	}
}

// Where nothing happens a stream still says that it is there.
func TestFollowBeats(t *testing.T) {
	r := newTrail(t, testdb.OpenSQLite(t))
	id := at(0)
	r.running(id)
	h := r.handler()
	viewer.Hurry(h, time.Hour, time.Hour, time.Millisecond)
	l := listen(t, h, "/traces/"+id.String()+"/follow")
	for range 3 {
		if e := l.next(); e.Name != ":" {
			t.Fatalf("there came %+v", e)
		}
	}
}

// What goes wrong is reported; a stream that has begun ends without the word
// that the action has, so that the browser asks again.
func TestFollowFails(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		r.running(id)
		r.logged(id, "one")
		reported := make(chan error, 10)
		h := r.lively(func(o *viewer.Options) { o.OnError = func(_ *http.Request, err error) { reported <- err } })
		path := "/traces/" + id.String() + "/follow"

		w := &stiff{header: http.Header{}}
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if err := <-reported; w.status != http.StatusInternalServerError || !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("where nothing can be flushed: status %d, error %v", w.status, err)
		}

		l := listen(t, h, path)
		l.take(1)
		if err := db.Exec("DROP TABLE execution_logs").Error; err != nil {
			t.Fatal(err)
		}
		if err := <-reported; !strings.Contains(err.Error(), "following lines") {
			t.Errorf("reported: %v", err)
		}
		for e := l.next(); e.Name != ""; e = l.next() {
			if e.Name == "end" {
				t.Error("an action whose lines cannot be read has ended")
			}
		}
	})
}

// stiff is an answer that cannot be sent in parts.
type stiff struct {
	header http.Header
	status int
}

func (s *stiff) Header() http.Header         { return s.header }
func (s *stiff) Write(b []byte) (int, error) { return len(b), nil }
func (s *stiff) WriteHeader(status int)      { s.status = status }
