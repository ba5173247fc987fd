package middleware_test

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

var una = trail.Actor{ID: "una", Name: "una", Kind: trail.KindUser}

// TestBasicAuth is who acts by default, with authentication before and after the
// middleware.
func TestBasicAuth(t *testing.T) {
	accounts := gin.BasicAuth(gin.Accounts{"una": "pass"})
	for _, c := range []struct {
		reason   string
		place    string
		method   string
		path     string
		password string
		status   int
		want     trail.Actor
		outcome  trail.Result // empty: the middleware is not reached
	}{
		{"nobody is asked for a password", "", "PUT", "/things/1", "pass", 204, trail.Anonymous(), trail.Success},
		{"ahead: the user is known", "ahead", "PUT", "/things/1", "pass", 204, una, trail.Success},
		{"ahead: the middleware is not reached", "ahead", "PUT", "/things/1", "guess", 401, trail.Actor{}, ""},
		{"behind: the user is known when the entry is written", "behind", "PUT", "/things/1", "pass", 204, una, trail.Success},
		{"behind: what is refused is recorded", "behind", "PUT", "/things/1", "guess", 401, trail.Anonymous(), trail.Denied},
		{"behind: an action ahead waits for its user", "behind", "POST", "/things/1/execute", "pass", 204, una, trail.Success},
		{"behind: an action ahead is refused", "behind", "POST", "/things/1/execute", "guess", 401, trail.Anonymous(), trail.Denied},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			r := gin.New()
			if c.place == "ahead" {
				r.Use(accounts)
			}
			r.Use(middleware.New(middleware.WithRecorder(m)))
			if c.place == "behind" {
				r.Use(accounts)
			}
			r.PUT("/things/:id", ok)
			r.POST("/things/:id/execute", ok)
			w := send(t, r, c.method, c.path, basic("una", c.password))
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
			if c.outcome == "" {
				m.none(t)
				return
			}
			e := m.one(t)
			if diff := cmp.Diff(c.want, e.Actor); diff != "" {
				t.Errorf("the actor (-want +got):\n%s", diff)
			}
			if got := m.result(e.ID); got != c.outcome {
				t.Errorf("the outcome is %s, want %s", got, c.outcome)
			}
		})
	}
}

// What others leave under gin's key for the user is believed only where it is
// a name.
func TestBasicAuthUserOfAnotherType(t *testing.T) {
	for _, v := range []any{nil, 42, "", []string{"una"}, struct{}{}} {
		m := newMemory()
		r := gin.New()
		r.Use(func(c *gin.Context) { c.Set(gin.AuthUserKey, v) }, middleware.New(middleware.WithRecorder(m)))
		r.PUT("/things/:id", ok)
		send(t, r, http.MethodPut, "/things/1")
		if diff := cmp.Diff(trail.Anonymous(), m.one(t).Actor); diff != "" {
			t.Errorf("%#v (-want +got):\n%s", v, diff)
		}
	}
}

var errBadToken = errors.New("the token is bad")

// TestWithUserRefusal is how a resolver refuses.
func TestWithUserRefusal(t *testing.T) {
	for _, c := range []struct {
		reason  string
		refuse  func(*gin.Context)
		status  int
		body    string
		header  string // of WWW-Authenticate
		outcome trail.Result
	}{
		{"by an error alone", func(*gin.Context) {}, 401, `{"error":"unauthorized"}`, "", trail.Denied},
		{
			"with a challenge", func(c *gin.Context) { c.Header("WWW-Authenticate", `Bearer error="invalid_token"`) },
			401, `{"error":"unauthorized"}`, `Bearer error="invalid_token"`, trail.Denied,
		},
		{
			"with an answer of its own", func(c *gin.Context) { c.AbortWithStatusJSON(http.StatusForbidden, gin.H{"why": "no"}) },
			403, `{"why":"no"}`, "", trail.Denied,
		},
		{
			"with an answer that is no refusal by its status",
			func(c *gin.Context) { c.String(http.StatusTooManyRequests, "later") }, 429, "later", "", trail.Denied,
		},
		{
			"with a login page", func(c *gin.Context) { c.String(http.StatusOK, "log in") }, 200, "log in", "", trail.Denied,
		},
	} {
		for _, route := range []struct {
			method, path string
			event        trail.Event
			audited      bool
		}{
			{"PUT", "/things/1", "update", true},
			{"POST", "/things/1/execute", "execute", true},
			{"GET", "/things/1", "", false},
			// What is refused before an annotation keeps its conventional event.
			{"GET", "/things/1/file", "read", true},
			{"POST", "/things/1/look", "update", true},
		} {
			t.Run(c.reason+" "+route.method+" "+route.path, func(t *testing.T) {
				m := newMemory()
				r := router(m, middleware.WithUser(func(ctx *gin.Context) (trail.Actor, error) {
					c.refuse(ctx)
					return trail.Actor{ID: "mallory"}, errBadToken
				}))
				ran := false
				handler := func(c *gin.Context) { ran = true }
				r.PUT("/things/:id", handler)
				r.POST("/things/:id/execute", handler)
				r.GET("/things/:id", handler)
				r.GET("/things/:id/file", middleware.As("download", "thing"), handler)
				r.POST("/things/:id/look", middleware.As(trail.Execute), handler)
				w := send(t, r, route.method, route.path)
				if ran {
					t.Error("the handler ran")
				}
				if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("WWW-Authenticate") != c.header {
					t.Errorf("got %d %s %v", w.Code, w.Body, w.Header())
				}
				if !route.audited {
					m.none(t)
					return
				}
				e := m.one(t)
				if diff := cmp.Diff(trail.Anonymous(), e.Actor); diff != "" {
					t.Errorf("the actor (-want +got):\n%s", diff)
				}
				if e.Event != route.event || e.Model != "thing" || e.EntityID != "1" {
					t.Errorf("the entry is %s %s %s", e.Event, e.Model, e.EntityID)
				}
				if got := m.result(e.ID); got != c.outcome {
					t.Errorf("the outcome is %s, want %s", got, c.outcome)
				}
				if o := m.outcomes[e.ID]; o.Status != c.status || o.Error != errBadToken.Error() {
					t.Errorf("the outcome is %+v", o)
				}
			})
		}
	}
}

// A resolver's user is asked once, and is the one, whoever gin.BasicAuth lets
// in besides.
func TestWithUser(t *testing.T) {
	for _, c := range []struct {
		reason string
		actor  trail.Actor
		want   trail.Actor
	}{
		{"an id is a user", trail.Actor{ID: "7"}, trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser}},
		{"with a name", trail.Actor{ID: "7", Name: "Ada"}, trail.Actor{ID: "7", Name: "Ada", Kind: trail.KindUser}},
		{
			"a service",
			trail.Actor{ID: "ci", Kind: trail.KindService},
			trail.Actor{ID: "ci", Name: "ci", Kind: trail.KindService},
		},
		{
			"on behalf of somebody",
			trail.Actor{ID: "root", Name: "Root", OnBehalfOf: "7"},
			trail.Actor{ID: "root", Name: "Root", Kind: trail.KindUser, OnBehalfOf: "7"},
		},
		{"nobody is anonymous, not the system", trail.Actor{}, trail.Anonymous()},
		{"anonymous by name", trail.Anonymous(), trail.Anonymous()},
		{
			"any Unicode stays",
			trail.Actor{ID: "Ωμέγα", Name: "Zoë 👩‍🚀 王小明 اسم"},
			trail.Actor{ID: "Ωμέγα", Name: "Zoë 👩‍🚀 王小明 اسم", Kind: trail.KindUser},
		},
		{
			"control characters show",
			trail.Actor{ID: "a\x00b", Name: "Ada\r\nEve\u202e"},
			trail.Actor{ID: `a\u0000b`, Name: `Ada\u000d\u000aEve\u202e`, Kind: trail.KindUser},
		},
		{
			"what is no text becomes some",
			trail.Actor{ID: "a\xffb"},
			trail.Actor{ID: "a\ufffdb", Name: "a\ufffdb", Kind: trail.KindUser},
		},
		{
			"what is too long is cut",
			trail.Actor{ID: "7", Name: strings.Repeat("ä", 300)},
			trail.Actor{ID: "7", Name: strings.Repeat("ä", 255) + "…", Kind: trail.KindUser},
		},
		{
			"a kind that there is not is a user",
			trail.Actor{ID: "7", Kind: "god\x00"},
			trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			asked := 0
			r := gin.New()
			r.Use(middleware.New(middleware.WithRecorder(m), middleware.WithUser(func(*gin.Context) (trail.Actor, error) {
				asked++
				return c.actor, nil
			})))
			r.Use(gin.BasicAuth(gin.Accounts{"una": "pass"}))
			r.PUT("/things/:id", func(g *gin.Context) {
				trace, _ := trail.FromContext(g.Request.Context())
				if diff := cmp.Diff(c.want, trace.Action().Actor); diff != "" {
					t.Errorf("the handler sees (-want +got):\n%s", diff)
				}
			})
			send(t, r, http.MethodPut, "/things/1", basic("una", "pass"))
			if diff := cmp.Diff(c.want, m.one(t).Actor); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if asked != 1 {
				t.Errorf("the resolver was asked %d times", asked)
			}
		})
	}
}

type claimName string

type claims map[claimName]any

// TestUserFromClaims is what is made of the claims that an authentication
// middleware left, whatever their type.
func TestUserFromClaims(t *testing.T) {
	plain := middleware.Claims{}
	text := "seven"
	user := func(id, name string) trail.Actor { return trail.Actor{ID: id, Name: name} }
	for _, c := range []struct {
		reason string
		value  any
		names  middleware.Claims
		want   trail.Actor // the zero actor: there is none
	}{
		{"a map of anything", map[string]any{"sub": "7", "name": "Ada"}, plain, user("7", "Ada")},
		{"a map of text", map[string]string{"sub": "7", "name": "Ada"}, plain, user("7", "Ada")},
		{"a named type of map, and of key", claims{"sub": "7"}, plain, user("7", "")},
		{"a pointer to a map", &map[string]any{"sub": "7"}, plain, user("7", "")},
		{"claims of other names", map[string]any{"uid": "7", "mail": "a@b"}, middleware.Claims{ID: "uid", Name: "mail"}, user("7", "a@b")},
		{
			"the kind and the impersonated",
			map[string]any{"sub": "ci", "act": "7"},
			middleware.Claims{Kind: trail.KindService, OnBehalfOf: "act"},
			trail.Actor{ID: "ci", Kind: trail.KindService, OnBehalfOf: "7"},
		},
		{"a whole number", map[string]any{"sub": 7}, plain, user("7", "")},
		{"an unsigned number", map[string]uint64{"sub": math.MaxUint64}, plain, user("18446744073709551615", "")},
		{"a number as JSON has it", map[string]any{"sub": 42.0}, plain, user("42", "")},
		{"a negative number as JSON has it", map[string]any{"sub": -42.0}, plain, user("-42", "")},
		{"a number in its own words", map[string]any{"sub": json.Number("9007199254740993")}, plain, user("9007199254740993", "")},
		{"a name that is a number", map[string]any{"sub": "7", "name": 8.0}, plain, user("7", "8")},

		{"a fraction is nobody: 1.5 is not 2", map[string]any{"sub": 1.5}, plain, trail.Actor{}},
		{"a number that float64 cannot tell from others", map[string]any{"sub": 9007199254740994.0}, plain, trail.Actor{}},
		{"no number", map[string]any{"sub": math.NaN()}, plain, trail.Actor{}},
		{"an endless number", map[string]any{"sub": math.Inf(1)}, plain, trail.Actor{}},
		{"a list", map[string]any{"sub": []string{"7"}}, plain, trail.Actor{}},
		{"an object", map[string]any{"sub": map[string]any{"id": "7"}}, plain, trail.Actor{}},
		{"a flag", map[string]any{"sub": true}, plain, trail.Actor{}},
		{"null", map[string]any{"sub": nil}, plain, trail.Actor{}},
		{"a pointer", map[string]any{"sub": &text}, plain, trail.Actor{}},
		{"empty text", map[string]any{"sub": ""}, plain, trail.Actor{}},
		{"another claim", map[string]any{"Sub": "7"}, plain, trail.Actor{}},
		{"no claims", map[string]any{}, plain, trail.Actor{}},
		{"a nil map", map[string]any(nil), plain, trail.Actor{}},
		{"a nil pointer", (*map[string]any)(nil), plain, trail.Actor{}},
		{"nothing", nil, plain, trail.Actor{}},
		{"keys that are no text", map[int]any{0: "7"}, plain, trail.Actor{}},
		{"text", `{"sub":"7"}`, plain, trail.Actor{}},
		{"a function", func() {}, plain, trail.Actor{}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			g, _ := gin.CreateTestContext(nil)
			g.Set("claims", c.value)
			got, err := middleware.UserFromClaims("claims", c.names)(g)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if none := c.want == (trail.Actor{}); none != errors.Is(err, middleware.ErrNoUser) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	t.Run("a struct of claims is named", func(t *testing.T) {
		g, _ := gin.CreateTestContext(nil)
		g.Set("claims", struct{ Sub string }{"7"})
		_, err := middleware.UserFromClaims("claims", plain)(g)
		if !errors.Is(err, middleware.ErrNoUser) || !strings.Contains(err.Error(), "struct { Sub string }") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("nothing under the key", func(t *testing.T) {
		g, _ := gin.CreateTestContext(nil)
		if _, err := middleware.UserFromClaims("claims", plain)(g); !errors.Is(err, middleware.ErrNoUser) {
			t.Errorf("the error is %v", err)
		}
	})
}

// FuzzClaims throws any JSON at the resolver: it never panics, and whom it
// finds can be kept.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{`{"sub":"7","name":"Ada"}`, `{"sub":1e400}`, `{"sub":12345678901234567890}`, `{"sub":{"sub":[]}}`, `[]`, `"\u0000"`, `null`} {
		f.Add([]byte(seed))
	}
	resolve := middleware.UserFromClaims("claims", middleware.Claims{OnBehalfOf: "act"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var v any
		if json.Unmarshal(raw, &v) != nil {
			return
		}
		g, _ := gin.CreateTestContext(nil)
		g.Set("claims", v)
		actor, err := resolve(g)
		if (err == nil) == (actor.ID == "") {
			t.Fatalf("actor %+v, error %v", actor, err)
		}
		if a := actor.Normalize(); err == nil && (a.ID == "" || utf8.RuneCountInString(a.ID) > 256 || !utf8.ValidString(a.Name)) {
			t.Fatalf("it is kept as %+v", a)
		}
	})
}

// TestUserFromProxy: the headers are believed only from the proxy.
func TestUserFromProxy(t *testing.T) {
	fromProxy := func(c *gin.Context) bool { return c.RemoteIP() == "10.0.0.1" }
	for _, c := range []struct {
		reason  string
		trusted func(*gin.Context) bool
		remote  string
		headers map[string]string
		name    string
		want    trail.Actor // the zero actor: there is none
	}{
		{
			"both headers", fromProxy, "10.0.0.1:1",
			map[string]string{"X-User": "7", "X-Name": "Ada"},
			"X-Name",
			trail.Actor{ID: "7", Name: "Ada", Kind: trail.KindUser},
		},
		{
			"the name is not asked for", fromProxy, "10.0.0.1:1",
			map[string]string{"X-User": "7", "X-Name": "Ada"},
			"",
			trail.Actor{ID: "7", Kind: trail.KindUser},
		},
		{"not from the proxy", fromProxy, "10.0.0.2:1", map[string]string{"X-User": "7"}, "X-Name", trail.Actor{}},
		{
			"not from the proxy, whatever it says", fromProxy, "10.0.0.2:1",
			map[string]string{"X-User": "7", "X-Forwarded-For": "10.0.0.1"},
			"X-Name",
			trail.Actor{},
		},
		{"no id", fromProxy, "10.0.0.1:1", map[string]string{"X-Name": "Ada"}, "X-Name", trail.Actor{}},
		{"an empty id", fromProxy, "10.0.0.1:1", map[string]string{"X-User": ""}, "X-Name", trail.Actor{}},
		{"nobody is trusted", nil, "10.0.0.1:1", map[string]string{"X-User": "7"}, "X-Name", trail.Actor{}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			r := router(m, middleware.WithUser(middleware.UserFromProxy(c.trusted, "X-User", c.name)))
			r.PUT("/things/:id", ok)
			w := send(t, r, http.MethodPut, "/things/1", func(r *http.Request) {
				r.RemoteAddr = c.remote
				for k, v := range c.headers {
					r.Header.Set(k, v)
				}
			})
			e := m.one(t)
			if c.want == (trail.Actor{}) {
				if w.Code != http.StatusUnauthorized || e.Actor != trail.Anonymous() || m.result(e.ID) != trail.Denied {
					t.Errorf("status %d, actor %+v, outcome %s", w.Code, e.Actor, m.result(e.ID))
				}
				return
			}
			if diff := cmp.Diff(c.want.Normalize(), e.Actor); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWithTenant: the entry has the tenant, cut and visible.
func TestWithTenant(t *testing.T) {
	for tenant, want := range map[string]string{
		"": "", "acme": "acme", "a\nb": `a\u000ab`, strings.Repeat("x", 300): strings.Repeat("x", 255) + "…",
	} {
		m := newMemory()
		r := router(m, middleware.WithTenant(func(*gin.Context) string { return tenant }))
		r.PUT("/things/:id", ok)
		send(t, r, http.MethodPut, "/things/1")
		if got := m.one(t).Tenant; got != want {
			t.Errorf("the tenant is %q, want %q", got, want)
		}
	}
}
