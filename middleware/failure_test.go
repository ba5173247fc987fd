package middleware_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// TestOutcomes: what the response says is how the action ended.
func TestOutcomes(t *testing.T) {
	for code, want := range map[int]trail.Result{
		200: trail.Success, 201: trail.Success, 204: trail.Success, 206: trail.Success,
		302: trail.Success, 304: trail.Success,
		401: trail.Denied, 403: trail.Denied,
		400: trail.Failure, 404: trail.Failure, 405: trail.Failure, 409: trail.Failure, 422: trail.Failure, 429: trail.Failure,
		500: trail.Failure, 503: trail.Failure, 599: trail.Failure,
	} {
		for _, path := range []string{"/things/1", "/things/1/execute"} {
			m := newMemory()
			r := router(m)
			handler := func(c *gin.Context) {
				if code >= 400 {
					_ = c.Error(errors.New("token=hunter2 was refused"))
				}
				c.Status(code)
			}
			r.POST("/things/:id", handler)
			r.POST("/things/:id/execute", handler)
			w := send(t, r, http.MethodPost, path)
			e := m.one(t)
			if w.Code != code || m.result(e.ID) != want {
				t.Errorf("%s: status %d is recorded as %s, want %s", path, w.Code, m.result(e.ID), want)
			}
			if o, ok := m.outcomes[e.ID]; ok && (o.Status != code || (o.Error != "") != (code >= 400) || o.Duration < 0 || o.FinishedAt.IsZero()) {
				t.Errorf("%s: the outcome of status %d is %+v", path, code, o)
			} else if ok && code >= 400 && o.Error != "token=*** was refused" {
				t.Errorf("%s: the error is kept as %q", path, o.Error)
			}
		}
	}
}

// TestAcceptedIsLeftOpen: whoever does the work ends the trace.
func TestAcceptedIsLeftOpen(t *testing.T) {
	for path, moment := range map[string]trail.Moment{"/things/1": trail.WithChange, "/things/1/execute": trail.Ahead} {
		for _, failure := range []error{nil, errors.New("no bricks"), trail.ErrDenied} {
			m := newMemory()
			r := router(m)
			var ctx context.Context
			handler := func(c *gin.Context) {
				ctx = c.Request.Context()
				c.Status(http.StatusAccepted)
			}
			r.POST("/things/:id", handler)
			r.POST("/things/:id/execute", handler)
			send(t, r, http.MethodPost, path)
			e := m.one(t)
			if got := m.result(e.ID); got != trail.Pending {
				t.Errorf("%s: the outcome is %s before the end, want pending", path, got)
			}
			trace, ok := trail.FromContext(ctx)
			if !ok || trace.Ended() || trace.Action().Moment != moment {
				t.Fatalf("%s: the handler's context has no open trace", path)
			}
			if err := trace.End(failure); err != nil {
				t.Error(err)
			}
			want := trail.Success
			switch {
			case errors.Is(failure, trail.ErrDenied):
				want = trail.Denied
			case failure != nil:
				want = trail.Failure
			}
			if got := m.result(e.ID); got != want {
				t.Errorf("%s: the outcome is %s, want %s", path, got, want)
			}
			if err := trace.End(nil); !errors.Is(err, trail.ErrEnded) {
				t.Errorf("%s: a second end returns %v", path, err)
			}
		}
	}
}

// TestPanics: they reach gin.Recovery as they were, and the action failed.
func TestPanics(t *testing.T) {
	for _, value := range []any{"out of paper", errors.New("out of ink"), 42, http.ErrAbortHandler, &struct{ a int }{1}} {
		for _, path := range []string{"/things/1", "/things/1/execute"} {
			for _, begun := range []bool{false, true} {
				m := newMemory()
				r := gin.New()
				var got any
				recovered := 0
				r.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, v any) {
					got = v
					recovered++
					c.AbortWithStatus(http.StatusInternalServerError)
				}))
				inner := false
				r.Use(middleware.New(middleware.WithRecorder(m)), func(c *gin.Context) {
					defer func() { inner = true }()
					c.Next()
				})
				handler := func(c *gin.Context) {
					if begun {
						c.String(http.StatusOK, "half of it")
					}
					panic(value)
				}
				r.POST("/things/:id", handler)
				r.POST("/things/:id/execute", handler)
				w := send(t, r, http.MethodPost, path)
				if errors.Is(asError(value), http.ErrAbortHandler) {
					recovered, got = 1, value // gin treats it by itself
				}
				if got != value || recovered != 1 || !inner {
					t.Errorf("gin.Recovery got %v %d times, want %v", got, recovered, value)
				}
				e := m.one(t)
				if id := traceID(t, w); id != e.ID {
					t.Errorf("the response bears %s, the entry %s", id, e.ID)
				}
				o := m.outcomes[e.ID]
				want := http.StatusInternalServerError
				if begun {
					want = http.StatusOK // the client has seen it
				}
				if o.Result != trail.Failure || o.Error != "panic" || o.Status != want {
					t.Errorf("begun %t: the outcome is %+v, want a failure with status %d", begun, o, want)
				}
			}
		}
	}
}

func asError(v any) error {
	err, _ := v.(error)
	return err
}

// TestPanicPastTheMiddleware: without gin.Recovery it reaches the server.
func TestPanicPastTheMiddleware(t *testing.T) {
	m := newMemory()
	r := gin.New()
	r.Use(middleware.New(middleware.WithRecorder(m)))
	r.PUT("/things/:id", func(*gin.Context) { panic(http.ErrAbortHandler) })
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // the very value
				t.Errorf("the panic is %v", v)
			}
		}()
		send(t, r, http.MethodPut, "/things/1")
	}()
	if e := m.one(t); m.result(e.ID) != trail.Failure {
		t.Errorf("the outcome is %s", m.result(e.ID))
	}
}

// TestResolverPanics: it is an attempt as any other.
func TestResolverPanics(t *testing.T) {
	m := newMemory()
	r := router(m, middleware.WithUser(func(*gin.Context) (trail.Actor, error) { panic("no directory") }))
	r.PUT("/things/:id", ok)
	w := send(t, r, http.MethodPut, "/things/1")
	e := m.one(t)
	if w.Code != http.StatusInternalServerError || m.result(e.ID) != trail.Failure || e.Actor != trail.Anonymous() {
		t.Errorf("status %d, %s by %+v", w.Code, m.result(e.ID), e.Actor)
	}
}

// TestAheadOfAnybody: an action is written ahead whoever does it.
func TestAheadOfAnybody(t *testing.T) {
	for name, opts := range map[string][]middleware.Option{
		"nobody authenticates": nil,
		"a resolver":           {middleware.WithUser(func(*gin.Context) (trail.Actor, error) { return una, nil })},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			r := router(m, opts...)
			before := -1
			r.POST("/things/:id/execute", func(c *gin.Context) {
				m.mu.Lock()
				defer m.mu.Unlock()
				before = len(m.entries)
			})
			send(t, r, http.MethodPost, "/things/1/execute")
			if before != 1 {
				t.Errorf("%d entries were there when the handler ran, want 1", before)
			}
		})
	}
}

// TestRecorderDown is what happens if an action cannot be recorded, before its
// work and after the fact.
func TestRecorderDown(t *testing.T) {
	known := gin.BasicAuth(gin.Accounts{"una": "pass"})
	for _, c := range []struct {
		reason  string
		method  string
		path    string
		fails   string // the recorder's method
		handler gin.HandlerFunc
		status  int
		body    string
		runs    bool
	}{
		{
			"ahead: the handler does not run", "POST", "/things/1/execute", "Record", ok,
			503, `{"error":"the action cannot be recorded"}`, false,
		},
		{
			"ahead by annotation: the handler does not run", "POST", "/things/1/look", "Record", ok,
			503, `{"error":"the action cannot be recorded"}`, false,
		},
		{
			"after the fact: the answer was not on its way", "PUT", "/things/1", "Record", ok,
			503, `{"error":"the action cannot be recorded"}`, true,
		},
		{
			"after the fact: the answer was on its way", "PUT", "/things/1", "Record",
			func(c *gin.Context) { c.String(http.StatusCreated, "done") }, 201, "done", true,
		},
		{
			"the outcome: the answer was not on its way", "POST", "/things/1/execute", "Finish", status(http.StatusConflict),
			503, `{"error":"the action cannot be recorded"}`, true,
		},
		{
			"the outcome: the answer was on its way", "POST", "/things/1/execute", "Finish",
			func(c *gin.Context) { c.String(http.StatusOK, "done") }, 200, "done", true,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			m.fail(c.fails, errDown)
			before := middleware.Failures()
			var reported []error
			var seen *gin.Context
			r := gin.New()
			r.Use(known, func(g *gin.Context) {
				g.Next()
				seen = g.Copy()
				seen.Errors = append(seen.Errors, g.Errors...)
			})
			r.Use(middleware.New(middleware.WithRecorder(m), middleware.WithErrorHandler(func(ctx context.Context, err error) {
				if ctx == nil || ctx.Err() != nil {
					t.Error("the error handler has no live context")
				}
				reported = append(reported, err)
			})))
			ran := false
			handler := func(g *gin.Context) {
				ran = true
				c.handler(g)
			}
			r.PUT("/things/:id", handler)
			r.POST("/things/:id/execute", handler)
			r.POST("/things/:id/look", middleware.As(trail.Dryrun, "thing"), handler)
			w := send(t, r, c.method, c.path, basic("una", "pass"))
			if w.Code != c.status || w.Body.String() != c.body {
				t.Errorf("the answer is %d %s, want %d %s", w.Code, w.Body, c.status, c.body)
			}
			if ran != c.runs {
				t.Errorf("the handler ran: %t, want %t", ran, c.runs)
			}
			if len(reported) == 0 {
				t.Fatal("nothing was reported")
			}
			if counted := middleware.Failures() - before; counted != int64(len(reported)) {
				t.Errorf("%d failures are counted, %d were reported", counted, len(reported))
			}
			for _, err := range reported {
				if !errors.Is(err, errDown) {
					t.Errorf("reported: %v", err)
				}
			}
			if len(seen.Errors) == 0 || !errors.Is(seen.Errors.Last(), errDown) {
				t.Errorf("gin's errors are %v", seen.Errors)
			}
		})
	}
}

// TestNoRecorder: what cannot be kept is not done, and it is said why.
func TestNoRecorder(t *testing.T) {
	trail.SetDefault(nil)
	var reported error
	r := gin.New()
	r.Use(middleware.New(middleware.WithErrorHandler(func(_ context.Context, err error) { reported = err })))
	ran := false
	r.PUT("/things/:id", func(*gin.Context) { ran = true })
	r.GET("/things/:id", ok)
	if w := send(t, r, http.MethodPut, "/things/1"); w.Code != http.StatusServiceUnavailable || ran || !errors.Is(reported, trail.ErrNoRecorder) {
		t.Errorf("status %d, ran %t, reported %v", w.Code, ran, reported)
	}
	if w := send(t, r, http.MethodGet, "/things/1"); w.Code != http.StatusNoContent {
		t.Errorf("a read is answered with %d", w.Code)
	}
}

// TestDefaultRecorder: it is the one that is set when the request arrives.
func TestDefaultRecorder(t *testing.T) {
	r := gin.New()
	r.Use(middleware.New())
	r.PUT("/things/:id", ok)
	for range 2 {
		m := newMemory()
		trail.SetDefault(m)
		send(t, r, http.MethodPut, "/things/1")
		m.one(t)
	}
	trail.SetDefault(nil)
}

// TestClientLeaves: over the network, the entry of a request whose client has
// gone is kept all the same.
func TestClientLeaves(t *testing.T) {
	for path, ahead := range map[string]bool{"/things/1": false, "/things/1/execute": true} {
		m := newMemory()
		r := gin.New()
		ended := make(chan struct{})
		r.Use(func(c *gin.Context) {
			defer close(ended)
			c.Next()
		})
		r.Use(middleware.New(middleware.WithRecorder(m), middleware.WithErrorHandler(func(_ context.Context, err error) { t.Error(err) })))
		arrived := make(chan struct{})
		handler := func(c *gin.Context) {
			close(arrived)
			<-c.Request.Context().Done()
			_ = c.AbortWithError(http.StatusInternalServerError, c.Request.Context().Err())
		}
		r.POST("/things/:id", handler)
		r.POST("/things/:id/execute", handler)
		server := httptest.NewServer(r)
		ctx, leave := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		left := make(chan error)
		go func() {
			resp, err := server.Client().Do(req)
			if err == nil {
				err = errors.Join(errors.New("there was an answer"), resp.Body.Close())
			}
			left <- err
		}()
		<-arrived
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("the client: %v", err)
		}
		<-ended
		server.Close()
		e := m.one(t)
		if m.result(e.ID) != trail.Failure || m.outcomes[e.ID].Error != "context canceled" {
			t.Errorf("ahead %t: the outcome is %+v", ahead, m.outcomes[e.ID])
		}
	}
}

// TestHeaderOfEveryResponse: each audited response carries its trace id, once.
func TestHeaderOfEveryResponse(t *testing.T) {
	m := newMemory()
	r := router(m)
	for path, handler := range map[string]gin.HandlerFunc{
		"/a/:id": ok,
		"/b/:id": status(http.StatusForbidden),
		"/c/:id": func(*gin.Context) { panic("out of paper") },
		"/d/:id": func(c *gin.Context) { c.Writer.Flush() },
		"/e/:id": func(c *gin.Context) { c.Header("X-Other", "1") },
	} {
		r.PUT(path, handler)
	}
	seen := map[string]bool{}
	for _, path := range []string{"/a/1", "/b/1", "/c/1", "/d/1", "/e/1", "/a/1"} {
		w := send(t, r, http.MethodPut, path)
		values := w.Result().Header.Values(middleware.Header)
		if len(values) != 1 || seen[values[0]] {
			t.Errorf("%s: %s is %q", path, middleware.Header, values)
			continue
		}
		seen[values[0]] = true
		if _, kept := m.entries[traceID(t, w)]; !kept {
			t.Errorf("%s: there is no entry %s", path, values[0])
		}
	}
	if diff := cmp.Diff(6, len(m.entries)); diff != "" {
		t.Error(diff)
	}
}
