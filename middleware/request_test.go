package middleware_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

func details(t *testing.T, e trail.Entry) trail.Details {
	t.Helper()
	var d trail.Details
	dec := json.NewDecoder(bytes.NewReader(e.Context))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		t.Fatalf("%s: %v", e.Context, err)
	}
	return d
}

// TestDetails is all that is kept of the circumstances of a request.
func TestDetails(t *testing.T) {
	m := newMemory()
	r := router(m)
	r.PUT("/things/:id", ok)
	send(t, r, http.MethodPut, "/things/42?secret=in-the-query",
		header("X-Request-Id", "r-1"), header("User-Agent", "curl/8"),
		header("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		header("Authorization", "Bearer in-the-header"), header("Cookie", "sid=in-the-cookie"),
		func(r *http.Request) {
			r.RemoteAddr = "192.0.2.7:4711"
			r.Body = http.NoBody
		})
	e := m.one(t)
	want := trail.Details{
		RequestID: "r-1", Method: "PUT", Route: "/things/:id", IP: "192.0.2.7", UserAgent: "curl/8", Status: 204,
		W3CTraceID: "0af7651916cd43dd8448eb211c80319c", W3CSpanID: "b7ad6b7169203331",
	}
	if diff := cmp.Diff(want, details(t, e)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNothingElseIsKept: what a request brings besides is in no field of what
// is recorded.
func TestNothingElseIsKept(t *testing.T) {
	m := newMemory()
	r := router(m)
	const canary = "c4n4ry"
	for _, route := range []string{"/things/:id", "/things/:id/execute"} {
		r.POST(route, func(c *gin.Context) {
			if _, err := c.GetRawData(); err != nil {
				t.Error(err)
			}
			c.Header("X-Answer", canary)
			c.String(http.StatusConflict, canary)
		})
	}
	for _, path := range []string{"/things/42", "/things/42/execute"} {
		send(t, r, http.MethodPost, path+"?q="+canary, func(r *http.Request) {
			for _, name := range []string{
				"Authorization", "Cookie", "X-Api-Key", "Referer", "Origin", "X-Forwarded-User", "Tracestate", "Baggage", "Accept",
			} {
				r.Header.Set(name, canary)
			}
			body := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(`{"password":"`+canary+`"}`))
			r.Body, r.ContentLength = body.Body, body.ContentLength
		})
	}
	kept, err := json.Marshal([]any{m.entries, m.outcomes})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.entries) != 2 || bytes.Contains(kept, []byte(canary)) {
		t.Errorf("what is recorded holds what it must not:\n%s", kept)
	}
}

// TestDetailsAreBounded: a stranger decides on none of their lengths, and no
// line is broken by what he sends.
func TestDetailsAreBounded(t *testing.T) {
	m := newMemory()
	r := router(m)
	r.PUT("/things/:id", ok)
	long := strings.Repeat("ä\x01\u202e", 10_000)
	send(t, r, http.MethodPut, "/things/"+strings.Repeat("x", 5000),
		header("X-Request-Id", long), header("User-Agent", long), header("Traceparent", long),
		func(r *http.Request) { r.RemoteAddr = long })
	e := m.one(t)
	if n := utf8.RuneCountInString(e.EntityID); n > 512 {
		t.Errorf("the entity id has %d characters", n)
	}
	if n := len(e.Context); n > 10_000 {
		t.Errorf("the context has %d bytes", n)
	}
	d := details(t, e)
	for name, text := range map[string]string{"request id": d.RequestID, "user agent": d.UserAgent, "ip": d.IP, "trace": d.W3CTraceID} {
		if n := utf8.RuneCountInString(text); n > 512 || strings.ContainsAny(text, "\x01\u202e") {
			t.Errorf("the %s has %d characters: %.40q", name, n, text)
		}
	}
	if d.RequestID == "" || d.UserAgent == "" || d.W3CTraceID != "" || d.IP != "" {
		t.Errorf("got %.200v", d)
	}
}

// TestClientIP: gin's rules say who is believed about the client's address.
func TestClientIP(t *testing.T) {
	for _, c := range []struct {
		reason    string
		trusted   []string
		forwarded string
		want      string
	}{
		{"nobody is trusted", nil, "203.0.113.9", "10.0.0.1"},
		{"the proxy is trusted", []string{"10.0.0.0/8"}, "203.0.113.9", "203.0.113.9"},
		{"another is trusted", []string{"192.0.2.1"}, "203.0.113.9", "10.0.0.1"},
		{"the last that is not trusted counts", []string{"10.0.0.0/8"}, "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"},
		{"what is no address does not count", []string{"10.0.0.0/8"}, "<script>", "10.0.0.1"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			r := router(m)
			if err := r.SetTrustedProxies(c.trusted); err != nil {
				t.Fatal(err)
			}
			r.PUT("/things/:id", ok)
			send(t, r, http.MethodPut, "/things/1", header("X-Forwarded-For", c.forwarded),
				func(r *http.Request) { r.RemoteAddr = "10.0.0.1:4711" })
			if got := details(t, m.one(t)).IP; got != c.want {
				t.Errorf("the client is %s, want %s", got, c.want)
			}
		})
	}
}

// TestClientIPIsGins: whatever the connection and the headers say, and whoever
// is trusted, the address is the one that gin gives the handler.
func TestClientIPIsGins(t *testing.T) {
	settings := map[string]func(*gin.Engine){
		"as gin comes": func(*gin.Engine) {},
		"nobody is trusted": func(r *gin.Engine) {
			if err := r.SetTrustedProxies(nil); err != nil {
				t.Error(err)
			}
		},
		"a platform": func(r *gin.Engine) { r.TrustedPlatform = gin.PlatformCloudflare },
		"another header": func(r *gin.Engine) {
			r.RemoteIPHeaders = []string{"X-Client"}
		},
	}
	for name, set := range settings {
		for _, remote := range []string{
			"192.0.2.7:4711", "[2001:db8::1]:443", "[::ffff:192.0.2.7]:80", "[fe80::1%eth0]:80", "@", "", "host:80", "[::1]", "300.1.1.1:80",
		} {
			for _, h := range [][2]string{
				{"Accept", "*/*"},
				{"X-Forwarded-For", "203.0.113.9"},
				{"X-Forwarded-For", "203.0.113.9, 192.0.2.7"},
				{"X-Real-Ip", "2001:db8::2"},
				{"Cf-Connecting-Ip", "203.0.113.10"},
				{"X-Client", "203.0.113.11"},
				{"X-Forwarded-For", "nonsense"},
				{"Forwarded", "for=203.0.113.9"},
			} {
				m := newMemory()
				r := router(m)
				set(r)
				var want string
				r.PUT("/things/:id", func(c *gin.Context) { want = c.ClientIP() })
				send(t, r, http.MethodPut, "/things/1", header(h[0], h[1]), func(r *http.Request) { r.RemoteAddr = remote })
				if got := details(t, m.one(t)).IP; got != want {
					t.Errorf("%s, from %q with %s %s: the client is %q, gin says %q", name, remote, h[0], h[1], got, want)
				}
			}
		}
	}
}

// TestTraceparent is the table of the header of W3C Trace Context.
func TestTraceparent(t *testing.T) {
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for _, c := range []struct {
		reason, header string
		valid          bool
	}{
		{"version 00", "00-" + trace + "-" + span + "-01", true},
		{"not sampled", "00-" + trace + "-" + span + "-00", true},
		{"a version to come", "cc-" + trace + "-" + span + "-01", true},
		{"a version to come, with more", "cc-" + trace + "-" + span + "-01-what", true},
		{"a version to come, with more that is not set off", "cc-" + trace + "-" + span + "-01what", false},
		{"version 00 with more", "00-" + trace + "-" + span + "-01-what", false},
		{"version ff", "ff-" + trace + "-" + span + "-01", false},
		{"no trace", "00-" + strings.Repeat("0", 32) + "-" + span + "-01", false},
		{"no span", "00-" + trace + "-" + strings.Repeat("0", 16) + "-01", false},
		{"in capitals", "00-" + strings.ToUpper(trace) + "-" + span + "-01", false},
		{"no hex", "00-" + strings.Repeat("g", 32) + "-" + span + "-01", false},
		{"flags that are no hex", "00-" + trace + "-" + span + "-zz", false},
		{"a version that is no hex", "0x-" + trace + "-" + span + "-01", false},
		{"too short", "00-" + trace + "-" + span + "-0", false},
		{"other dashes", "00_" + trace + "_" + span + "_01", false},
		{"white space", " 00-" + trace + "-" + span + "-01", false},
		{"nothing", "", false},
		{"any text of the length", strings.Repeat("ä", 55), false},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			r := router(m)
			r.PUT("/things/:id", ok)
			send(t, r, http.MethodPut, "/things/1", header("Traceparent", c.header))
			d := details(t, m.one(t))
			wantTrace, wantSpan := "", ""
			if c.valid {
				wantTrace, wantSpan = trace, span
			}
			if d.W3CTraceID != wantTrace || d.W3CSpanID != wantSpan {
				t.Errorf("got %q and %q", d.W3CTraceID, d.W3CSpanID)
			}
		})
	}
}

// FuzzHeaders: nothing that a stranger sends breaks a request, or is kept but
// as bounded text.
func FuzzHeaders(f *testing.F) {
	f.Add("r-1", "curl/8", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "1.2.3.4", "01a2077b-8c1f-7959-aaef-904cdca0c263")
	f.Add("\x00\xff", "\u202e", "ff", "::", "")
	m := newMemory()
	r := router(m, middleware.WithTrustedTrace(func(*gin.Context) bool { return true }))
	r.PUT("/things/:id", ok)
	f.Fuzz(func(t *testing.T, requestID, agent, parent, forwarded, id string) {
		w := send(t, r, http.MethodPut, "/things/1", func(r *http.Request) {
			// Set directly: what net/http refuses must not matter.
			r.Header["X-Request-Id"], r.Header["User-Agent"] = []string{requestID}, []string{agent}
			r.Header["Traceparent"], r.Header["X-Forwarded-For"] = []string{parent}, []string{forwarded}
			r.Header[middleware.Header] = []string{id}
		})
		e, kept := m.entries[traceID(t, w)]
		if w.Code != http.StatusNoContent || !kept {
			t.Fatalf("status %d, kept %t", w.Code, kept)
		}
		clear(m.entries)
		d := details(t, e)
		for _, text := range []string{d.RequestID, d.UserAgent, d.IP, d.W3CTraceID, d.W3CSpanID} {
			if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 512 || strings.ContainsRune(text, 0) {
				t.Fatalf("kept: %q", text)
			}
		}
	})
}

// TestWithTrustedTrace: an id is taken for the parent's from those who are
// trusted with it, if it can be an id of an action.
func TestWithTrustedTrace(t *testing.T) {
	const good = "01a2077b-8c1f-7959-aaef-904cdca0c263"
	trust := middleware.WithTrustedTrace(func(c *gin.Context) bool { return c.GetHeader("X-Gateway") == "yes" })
	for _, c := range []struct {
		reason  string
		opts    []middleware.Option
		gateway string
		id      string
		taken   bool
	}{
		{"by default none is", nil, "yes", good, false},
		{"a stranger's is not", []middleware.Option{trust}, "no", good, false},
		{"the gateway's is", []middleware.Option{trust}, "yes", good, true},
		{"in capitals", []middleware.Option{trust}, "yes", strings.ToUpper(good), true},
		{"version 4 has no time", []middleware.Option{trust}, "yes", "8a2e0b1c-41d5-4c6e-9f6a-111111111111", false},
		{"another variant is no such id", []middleware.Option{trust}, "yes", "01a2077b-8c1f-7959-2aef-904cdca0c263", false},
		{"a far future forges the order", []middleware.Option{trust}, "yes", "ffffffff-ffff-7fff-bfff-ffffffffffff", false},
		{"nil", []middleware.Option{trust}, "yes", "00000000-0000-0000-0000-000000000000", false},
		{"no id", []middleware.Option{trust}, "yes", "' OR 1=1 --", false},
		{"nothing", []middleware.Option{trust}, "yes", "", false},
	} {
		for _, route := range []string{"/things/1", "/things/1/execute"} {
			t.Run(c.reason+" "+route, func(t *testing.T) {
				m := newMemory()
				r := router(m, c.opts...)
				r.POST("/things/:id", ok)
				r.POST("/things/:id/execute", ok)
				w := send(t, r, http.MethodPost, route, header("X-Gateway", c.gateway), header(middleware.Header, c.id))
				e := m.one(t)
				if id := traceID(t, w); id != e.ID {
					t.Errorf("the response bears %s, the entry %s", id, e.ID)
				}
				if taken := details(t, e).ParentTraceID == good; taken != c.taken || e.ID.String() == good {
					t.Errorf("the id is %s, its parent %q; taken: want %t", e.ID, details(t, e).ParentTraceID, c.taken)
				}
				if e.ID.Version() != 7 || trail.Time(e.ID).IsZero() || !e.CreatedAt.Equal(trail.Time(e.ID)) {
					t.Errorf("the id %s is not of %s", e.ID, e.CreatedAt)
				}
			})
		}
	}
}

// TestWithEvent: an application's own verb, at the moment it says.
func TestWithEvent(t *testing.T) {
	for _, moment := range []trail.Moment{trail.ByEvent, trail.WithChange, trail.Ahead} {
		m := newMemory()
		r := router(m, middleware.WithEvent("publish", moment),
			middleware.WithUser(func(*gin.Context) (trail.Actor, error) { return una, nil }))
		before := -1
		handler := func(c *gin.Context) {
			m.mu.Lock()
			defer m.mu.Unlock()
			before = len(m.entries)
		}
		r.POST("/things/:id/publish", handler)
		r.POST("/things/:id/unpublish", handler)
		send(t, r, http.MethodPost, "/things/42/publish")
		if e := m.one(t); e.Event != "publish" || e.Model != "thing" || e.EntityID != "42" {
			t.Errorf("the entry is %s %s %s", e.Event, e.Model, e.EntityID)
		}
		if want := moment == trail.Ahead; (before == 1) != want {
			t.Errorf("moment %d: %d entries were there when the handler ran", moment, before)
		}
		clear(m.entries)
		send(t, r, http.MethodPost, "/things/42/unpublish")
		if e := m.one(t); e.Event != trail.Create || e.Model != "unpublish" {
			t.Errorf("a word that is no event: %s %s", e.Event, e.Model)
		}
	}
}
