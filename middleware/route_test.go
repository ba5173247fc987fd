package middleware_test

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// read is what a route was read as.
type read struct {
	Event         trail.Event
	Model, Entity string
}

// TestConventions is the table of what a request is called by its route alone.
func TestConventions(t *testing.T) {
	unaudited := read{}
	for _, c := range []struct {
		reason              string
		method, route, path string // the path is the route where it is empty
		want                read
	}{
		{"a POST to a collection creates", "POST", "/things", "", read{"create", "thing", ""}},
		{"under a prefix", "POST", "/api/v1/things", "", read{"create", "thing", ""}},
		{"with a slash at the end", "POST", "/things/", "", read{"create", "thing", ""}},
		{"a PUT to a member updates", "PUT", "/things/:id", "/things/42", read{"update", "thing", "42"}},
		{"a PATCH as well", "PATCH", "/things/:id", "/things/42", read{"update", "thing", "42"}},
		{"a POST to a member is no create", "POST", "/things/:id", "/things/42", read{"update", "thing", "42"}},
		{"a DELETE deletes", "DELETE", "/things/:id", "/things/42", read{"delete", "thing", "42"}},
		{"a DELETE of a collection", "DELETE", "/things", "", read{"delete", "thing", ""}},
		{"a PUT to a collection", "PUT", "/things", "", read{"update", "thing", ""}},

		{"a verb behind a member", "POST", "/things/:id/approve", "/things/42/approve", read{"approve", "thing", "42"}},
		{"by PUT", "PUT", "/things/:id/reject", "/things/42/reject", read{"reject", "thing", "42"}},
		{"by PATCH", "PATCH", "/things/:id/enable", "/things/42/enable", read{"enable", "thing", "42"}},
		{"a verb is no verb of DELETE", "DELETE", "/things/:id/enable", "/things/42/enable", read{"delete", "enable", ""}},
		{"a verb of another word is a collection", "POST", "/things/:id/parts", "/things/42/parts", read{"create", "part", ""}},
		{"a verb behind a collection", "POST", "/things/sync", "", read{"sync", "thing", ""}},
		{"a verb alone is a collection", "POST", "/sync", "", read{"create", "sync", ""}},
		{"in capitals", "POST", "/things/:id/Dryrun", "/things/42/Dryrun", read{"dryrun", "thing", "42"}},
		{"a verb in the middle is a collection", "POST", "/sync/:id/things", "/sync/1/things", read{"create", "thing", ""}},

		{"nested: the last collection counts", "PUT", "/boxes/:box/things/:id", "/boxes/1/things/42", read{"update", "thing", "42"}},
		{"nested, with a verb", "POST", "/boxes/:box/things/:id/retry", "/boxes/1/things/42/retry", read{"retry", "thing", "42"}},
		{"two parameters in a row: the last is the entity", "PUT", "/things/:zone/:id", "/things/eu/42", read{"update", "thing", "42"}},
		{"a parameter ahead of the collection", "POST", "/:zone/things", "/eu/things", read{"create", "thing", ""}},
		{"nothing but a parameter", "PUT", "/:id", "/42", read{"update", "", "42"}},
		{"a parameter that takes the rest", "PUT", "/files/*path", "/files/a/b.txt", read{"update", "file", "/a/b.txt"}},

		{"kebab case", "POST", "/source-code-versions", "", read{"create", "source_code_version", ""}},
		{"snake case", "POST", "/source_code_versions", "", read{"create", "source_code_version", ""}},
		{"an irregular plural", "POST", "/people", "", read{"create", "person", ""}},
		{"a plural in ies", "POST", "/policies", "", read{"create", "policy", ""}},
		{"a plural in ses", "POST", "/statuses", "", read{"create", "status", ""}},
		{"a singular stays", "POST", "/thing", "", read{"create", "thing", ""}},

		{"an entity is decoded", "PUT", "/things/:id", "/things/a%20b", read{"update", "thing", "a b"}},
		{"an entity's control characters are kept, as those of a row's key are", "PUT", "/things/:id", "/things/a%0Ab", read{"update", "thing", "a\nb"}},
		{"a parameter behind text", "PUT", "/carts/cart-:id", "/carts/cart-42", read{"update", "cart", "42"}},
		{"a verb behind such a parameter", "PUT", "/carts/cart-:id/sync", "/carts/cart-42/sync", read{"sync", "cart", "42"}},
		{"a secret as a parameter", "DELETE", "/sessions/:token", "/sessions/hunter2", read{"delete", "session", trail.Digest("hunter2")}},

		{"camel case", "POST", "/sourceCodes/:id/approve", "/sourceCodes/1/approve", read{"approve", "source_code", "1"}},
		{"initials", "POST", "/APIKeys", "", read{"create", "api_key", ""}},
		{"a verb in camel case", "POST", "/things/:id/dryRun", "/things/42/dryRun", read{"dryrun", "thing", "42"}},
		{"a verb in kebab case", "POST", "/things/:id/dry-run", "/things/42/dry-run", read{"dryrun", "thing", "42"}},

		{"a GET reads", "GET", "/things/:id", "/things/42", unaudited},
		{"a GET of a verb reads", "GET", "/things/:id/approve", "/things/42/approve", unaudited},
		{"a HEAD reads", "HEAD", "/things/:id", "/things/42", unaudited},
		{"OPTIONS read", "OPTIONS", "/things/:id", "/things/42", unaudited},
	} {
		t.Run(c.method+" "+c.route+" "+c.reason, func(t *testing.T) {
			m := newMemory()
			r := router(m)
			r.Handle(c.method, c.route, ok)
			if c.path == "" {
				c.path = c.route
			}
			w := send(t, r, c.method, c.path)
			if w.Code != http.StatusNoContent {
				t.Fatalf("status %d", w.Code)
			}
			if c.want == unaudited {
				m.none(t)
				if id := w.Header().Get(middleware.Header); id != "" {
					t.Errorf("the response bears the trace id %s, want none", id)
				}
				return
			}
			e := m.one(t)
			if diff := cmp.Diff(c.want, read{e.Event, e.Model, e.EntityID}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if id := traceID(t, w); id != e.ID {
				t.Errorf("the response bears the trace id %s, the entry is %s", id, e.ID)
			}
			if got, want := m.result(e.ID), trail.Success; got != want {
				t.Errorf("the outcome is %s, want %s", got, want)
			}
		})
	}
}

// Each known event is a verb.
func TestEveryKnownEventIsAVerb(t *testing.T) {
	for _, event := range trail.Events() {
		m := newMemory()
		r := router(m)
		r.POST("/things/:id/"+string(event), ok)
		send(t, r, http.MethodPost, "/things/42/"+string(event))
		if e := m.one(t); e.Event != event || e.Model != "thing" || e.EntityID != "42" {
			t.Errorf("%s: got %s %s %s", event, e.Event, e.Model, e.EntityID)
		}
	}
}

// TestAs is the table of what an annotation says over convention.
func TestAs(t *testing.T) {
	for _, c := range []struct {
		reason              string
		method, route, path string
		as                  gin.HandlerFunc
		opts                []middleware.Option
		want                read
		ahead               bool
	}{
		{
			reason: "a read is recorded", method: "GET", route: "/files/:id", path: "/files/7",
			as: middleware.As("download"), want: read{"download", "file", "7"},
		},
		{
			reason: "a read by HEAD is", method: "HEAD", route: "/files/:id", path: "/files/7",
			as: middleware.As("download"), want: read{"download", "file", "7"},
		},
		{
			reason: "a read that ends in its verb", method: "GET", route: "/files/:id/download", path: "/files/7/download",
			as: middleware.As("download", "file"), want: read{"download", "file", "7"},
		},
		{
			reason: "a read of the root", method: "GET", route: "/", path: "/",
			as: middleware.As("look", "house"), want: read{"look", "house", ""},
		},
		{
			reason: "the model is the annotation's", method: "POST", route: "/things/:id", path: "/things/7",
			as: middleware.As(trail.Approve, "resource"), want: read{"approve", "resource", "7"},
		},
		{
			reason: "the model is the route's where it names none", method: "PUT", route: "/things/:id", path: "/things/7",
			as: middleware.As(trail.Approve), want: read{"approve", "thing", "7"},
		},
		{
			reason: "ahead over with the change", method: "PUT", route: "/things/:id", path: "/things/7",
			as: middleware.As(trail.Execute), want: read{"execute", "thing", "7"}, ahead: true,
		},
		{
			reason: "with the change over ahead", method: "POST", route: "/things/:id/execute", path: "/things/7/execute",
			as: middleware.As(trail.Approve), want: read{"approve", "thing", "7"},
		},
		{
			reason: "ahead over ahead", method: "POST", route: "/things/:id/execute", path: "/things/7/execute",
			as: middleware.As(trail.Sync), want: read{"sync", "thing", "7"}, ahead: true,
		},
		{
			reason: "an event of the application's own, ahead", method: "POST", route: "/things/:id/execute", path: "/things/7/execute",
			as: middleware.As("launch"), opts: []middleware.Option{middleware.WithEvent("launch", trail.Ahead)},
			want: read{"launch", "thing", "7"}, ahead: true,
		},
		{
			reason: "a known event whose moment the application has changed", method: "PUT", route: "/things/:id", path: "/things/7",
			as: middleware.As(trail.Execute), opts: []middleware.Option{middleware.WithEvent(trail.Execute, trail.WithChange)},
			want: read{"execute", "thing", "7"},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			r := router(m, c.opts...)
			before := -1
			r.Handle(c.method, c.route, c.as, func(c *gin.Context) {
				m.mu.Lock()
				defer m.mu.Unlock()
				before = len(m.entries)
				c.Status(http.StatusNoContent)
			})
			send(t, r, c.method, c.path)
			e := m.one(t)
			if diff := cmp.Diff(c.want, read{e.Event, e.Model, e.EntityID}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if ahead := before == 1; ahead != c.ahead || before < 0 {
				t.Errorf("%d entries were there when the handler ran; ahead: want %t", before, c.ahead)
			}
			if got := m.result(e.ID); got != trail.Success {
				t.Errorf("the outcome is %s, want success", got)
			}
		})
	}
}

// Of two annotations the one nearer to the handler has the last word, as a
// route's own over its group's.
func TestAsOfGroupAndRoute(t *testing.T) {
	for _, group := range []trail.Event{"look", trail.Sync} {
		for _, own := range []trail.Event{"download", trail.Execute} {
			t.Run(string(group+" "+own), func(t *testing.T) {
				m := newMemory()
				r := router(m)
				r.Group("/files", middleware.As(group)).POST("/:id", middleware.As(own), ok)
				if w := send(t, r, http.MethodPost, "/files/7"); w.Code != http.StatusNoContent {
					t.Errorf("status %d: %s", w.Code, w.Body)
				}
				if e := m.one(t); e.Event != own {
					t.Errorf("the event is %s, want %s", e.Event, own)
				}
			})
		}
	}
}

// An annotation on a route without the middleware does nothing.
func TestAsAlone(t *testing.T) {
	r := gin.New()
	r.GET("/files/:id", middleware.As("download"), ok)
	if w := send(t, r, http.MethodGet, "/files/7"); w.Code != http.StatusNoContent || w.Header().Get(middleware.Header) != "" {
		t.Errorf("status %d, trace id %q", w.Code, w.Header().Get(middleware.Header))
	}
}

// One middleware value serves two routers, whose routes are annotated
// otherwise.
func TestOneMiddlewareForTwoRouters(t *testing.T) {
	m := newMemory()
	audit := middleware.New(middleware.WithRecorder(m))
	public, admin := gin.New(), gin.New()
	public.Use(audit)
	admin.Use(audit)
	public.GET("/files/:id", ok)
	admin.GET("/files/:id", middleware.As("download"), ok)
	send(t, public, http.MethodGet, "/files/7")
	m.none(t)
	send(t, admin, http.MethodGet, "/files/7")
	if e := m.one(t); e.Event != "download" {
		t.Errorf("the event is %s, want download", e.Event)
	}
}

// A request that no route serves is not an action.
func TestNoRoute(t *testing.T) {
	m := newMemory()
	r := router(m)
	r.HandleMethodNotAllowed = true
	r.PUT("/things/:id", ok)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/nothing", http.StatusNotFound},
		{"DELETE", "/things/42", http.StatusMethodNotAllowed},
		{"POST", "/things/42/execute", http.StatusNotFound},
	} {
		w := send(t, r, c.method, c.path)
		if w.Code != c.status || w.Header().Get(middleware.Header) != "" {
			t.Errorf("%s %s: status %d, trace id %q", c.method, c.path, w.Code, w.Header().Get(middleware.Header))
		}
	}
	m.none(t)
}

// Where the middleware is registered twice, the outer one audits.
func TestRegisteredTwice(t *testing.T) {
	outer, inner := newMemory(), newMemory()
	r := router(outer)
	r.Group("/api", middleware.New(middleware.WithRecorder(inner), middleware.WithRecorder(inner))).PUT("/things/:id", ok)
	send(t, r, http.MethodPut, "/api/things/42")
	outer.one(t)
	inner.none(t)
}
