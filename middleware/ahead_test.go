package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// writes does what gormhook does before a write outside a transaction.
func writes(t *testing.T, c *gin.Context) {
	t.Helper()
	if trace, ok := trail.FromContext(c.Request.Context()); ok {
		if err := trace.BeforeWrite(); err != nil {
			t.Error(err)
		}
	}
}

// What a resolver and authentication write is not yet the action's work: its
// entry waits until the user is known, and its name.
func TestWritesBeforeTheWork(t *testing.T) {
	una := trail.Actor{ID: "una", Name: "Una", Kind: trail.KindUser}
	for _, c := range []struct {
		reason   string
		opts     func(t *testing.T) []middleware.Option
		handlers func(t *testing.T) []gin.HandlerFunc
		event    trail.Event
		actor    trail.Actor
	}{
		{
			reason: "a resolver that writes", event: trail.Execute, actor: una,
			opts: func(t *testing.T) []middleware.Option {
				return []middleware.Option{middleware.WithUser(func(c *gin.Context) (trail.Actor, error) { writes(t, c); return una, nil })}
			},
		},
		{
			reason: "authentication that writes, before the annotation", event: "run", actor: trail.Anonymous(),
			handlers: func(t *testing.T) []gin.HandlerFunc {
				return []gin.HandlerFunc{func(c *gin.Context) { writes(t, c) }, middleware.As("run", "workflow")}
			},
		},
		{
			reason: "an annotation from within the handler, too late", event: trail.Execute, actor: trail.Anonymous(),
			handlers: func(t *testing.T) []gin.HandlerFunc {
				return []gin.HandlerFunc{func(c *gin.Context) { writes(t, c); middleware.As("run")(c) }}
			},
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			m := newMemory()
			opts := []middleware.Option{middleware.WithEvent("run", trail.Ahead)}
			if c.opts != nil {
				opts = append(opts, c.opts(t)...)
			}
			var handlers []gin.HandlerFunc
			if c.handlers != nil {
				handlers = c.handlers(t)
			}
			r := router(m, opts...)
			r.POST("/things/:id/execute", append(handlers, func(c *gin.Context) {
				if e := m.one(t); e.Outcome != trail.Pending {
					t.Errorf("the entry says %q while the handler runs", e.Outcome)
				}
				c.Status(http.StatusNoContent)
			})...)
			if w := send(t, r, http.MethodPost, "/things/1/execute"); w.Code != http.StatusNoContent {
				t.Errorf("status %d", w.Code)
			}
			if e := m.one(t); e.Event != c.event || e.Actor != c.actor || m.result(e.ID) != trail.Success {
				t.Errorf("the entry is %s of %+v, its result %q", e.Event, e.Actor, m.result(e.ID))
			}
		})
	}
}

// What is recorded before its work is, whatever stands around the middleware.
func TestAheadInOddChains(t *testing.T) {
	ahead := func(t *testing.T, m *memory) gin.HandlerFunc {
		return func(c *gin.Context) {
			if e := m.one(t); e.Outcome != trail.Pending {
				t.Errorf("the entry says %q while the handler runs", e.Outcome)
			}
			c.Status(http.StatusNoContent)
		}
	}
	t.Run("BasicAuthForProxy before it", func(t *testing.T) {
		m := newMemory()
		r := gin.New()
		r.Use(gin.BasicAuthForProxy(gin.Accounts{"p": "p"}, ""), middleware.New(middleware.WithRecorder(m)))
		r.POST("/things/:id/execute", ahead(t, m))
		send(t, r, http.MethodPost, "/things/1/execute", header("Proxy-Authorization", "Basic cDpw"))
		m.one(t)
	})
	t.Run("an annotation before it", func(t *testing.T) {
		m := newMemory()
		r := gin.New()
		r.Use(middleware.As("run"), middleware.New(middleware.WithRecorder(m)))
		r.POST("/things/:id/execute", ahead(t, m))
		send(t, r, http.MethodPost, "/things/1/execute")
		if e := m.one(t); e.Event != trail.Execute {
			t.Errorf("the event is %q", e.Event)
		}
	})
	for _, event := range []trail.Event{"force-destroy", "Force.Destroy", "force_destroy"} {
		t.Run("an event spelled "+string(event), func(t *testing.T) {
			m := newMemory()
			r := router(m, middleware.WithEvent(event, trail.Ahead))
			r.POST("/things/:id/force-destroy", ahead(t, m))
			send(t, r, http.MethodPost, "/things/1/force-destroy")
			if e := m.one(t); e.Event != event || e.Model != "thing" || e.EntityID != "1" {
				t.Errorf("the entry is %s of %s %s", e.Event, e.Model, e.EntityID)
			}
		})
	}
}

// Every request that may change something is an action, whatever its method and
// its route.
func TestMethods(t *testing.T) {
	for method, want := range map[string]trail.Event{
		"POST /": trail.Create, "PUT /": trail.Update, "DELETE /": trail.Delete, "PURGE /things/:id": "purge", "MKCOL /": "mkcol",
		"GET /": "", "PROPFIND /things/:id": "", "REPORT /": "",
	} {
		t.Run(method, func(t *testing.T) {
			m := newMemory()
			r := router(m)
			verb, path, _ := strings.Cut(method, " ")
			r.Handle(verb, path, ok)
			send(t, r, verb, strings.ReplaceAll(path, ":id", "1"))
			if want == "" {
				m.none(t)
				return
			}
			if e := m.one(t); e.Event != want {
				t.Errorf("the event is %q, want %q", e.Event, want)
			}
		})
	}
}

// A resolver may find out whose tenant it is along with the user, for those who
// are refused as well.
func TestTenantWithTheUser(t *testing.T) {
	for _, refuse := range []error{nil, errors.New("no")} {
		m := newMemory()
		r := router(m,
			middleware.WithTenant(func(c *gin.Context) string { return c.GetString("tenant") }),
			middleware.WithUser(func(c *gin.Context) (trail.Actor, error) {
				c.Set("tenant", "one")
				return trail.Actor{ID: "una"}, refuse
			}))
		r.PUT("/things/:id", ok)
		send(t, r, http.MethodPut, "/things/1")
		if e := m.one(t); e.Tenant != "one" {
			t.Errorf("the tenant is %q", e.Tenant)
		}
	}
}

// An annotation that says nothing is refused where it is written.
func TestAsRefused(t *testing.T) {
	for _, as := range []func(){func() { middleware.As("") }, func() { middleware.As("run", "a", "b") }} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it was taken")
				}
			}()
			as()
		}()
	}
}
