package middleware_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// A middleware inside another does not audit, but its resolver decides who acts,
// and who may not.
func TestResolverOfAnInnerMiddleware(t *testing.T) {
	una := trail.Actor{ID: "una", Name: "Una", Kind: trail.KindUser}
	resolve := func(c *gin.Context) (trail.Actor, error) {
		if c.GetHeader("Authorization") == "" {
			return trail.Actor{}, errors.New("no credentials")
		}
		return una, nil
	}
	tenant := middleware.WithTenant(func(*gin.Context) string { return "acme" })
	for _, route := range []struct{ path, event string }{{"/admin/things/1", "delete"}, {"/admin/things/1/execute", "execute"}} {
		for _, known := range []bool{true, false} {
			m := newMemory()
			r := router(m)
			admin := r.Group("/admin", middleware.New(middleware.WithUser(resolve), tenant))
			handle := func(c *gin.Context) {
				if !known {
					t.Error("the handler runs for nobody")
				}
				c.Status(http.StatusNoContent)
			}
			admin.DELETE("/things/:id", handle)
			admin.POST("/things/:id/execute", handle)
			method := http.MethodDelete
			if route.event == "execute" {
				method = http.MethodPost
			}
			var edit []func(*http.Request)
			want, actor, status := trail.Denied, trail.Anonymous(), http.StatusUnauthorized
			if known {
				edit = append(edit, header("Authorization", "yes"))
				want, actor, status = trail.Success, una, http.StatusNoContent
			}
			w := send(t, r, method, route.path, edit...)
			e := m.one(t)
			if w.Code != status || string(e.Event) != route.event || e.Actor != actor || e.Tenant != "acme" || m.result(e.ID) != want {
				t.Errorf("%s, known %t: status %d, %s by %+v for %q is a %s", route.path, known, w.Code, e.Event, e.Actor, e.Tenant, m.result(e.ID))
			}
		}
	}
}

// A middleware registered twice is one, and an annotation counts behind both.
func TestInnerMiddlewareAndAnnotation(t *testing.T) {
	m := newMemory()
	mw := middleware.New(middleware.WithRecorder(m))
	r := gin.New()
	r.Use(mw)
	r.POST("/things/:id/execute", mw, middleware.As("sync"), mw, func(c *gin.Context) {
		if e := m.one(t); e.Event != trail.Sync || e.Outcome != trail.Pending {
			t.Errorf("while the handler runs there is a %s, %s", e.Event, e.Outcome)
		}
		c.Status(http.StatusNoContent)
	})
	if w := send(t, r, http.MethodPost, "/things/1/execute"); w.Code != http.StatusNoContent {
		t.Errorf("status %d", w.Code)
	}
}

// A request that gin serves once more under another path is one action.
func TestHandleContext(t *testing.T) {
	m := newMemory()
	r := router(m)
	r.POST("/old/:id", func(c *gin.Context) {
		c.Request.URL.Path = "/things/1/approve"
		r.HandleContext(c)
	})
	r.POST("/things/:id/approve", func(c *gin.Context) {
		if _, ok := trail.FromContext(c); !ok {
			t.Error("gin's context carries no trace")
		}
		c.Status(http.StatusNoContent)
	})
	w := send(t, r, http.MethodPost, "/old/1")
	if e := m.one(t); w.Code != http.StatusNoContent || traceID(t, w) != e.ID || e.Model != "old" {
		t.Errorf("status %d, trace %s, entry %+v", w.Code, traceID(t, w), e)
	}
}

// What changes rows before the work begins is not the action, whatever it is of.
func TestChangesBeforeTheWork(t *testing.T) {
	una := trail.Actor{ID: "una", Name: "Una", Kind: trail.KindUser}
	changes := func(c *gin.Context) bool {
		trace, _ := trail.FromContext(c.Request.Context())
		claim, err := trace.Claim(trail.Work{Model: "thing", Operation: trail.OpUpdate})
		if err != nil {
			t.Error(err)
		}
		claim.Settle(true, true)
		return claim.Held
	}
	resolver := middleware.WithUser(func(c *gin.Context) (trail.Actor, error) {
		if changes(c) {
			t.Error("a change by the resolver is the action's own")
		}
		return una, nil
	})
	m := newMemory()
	r := router(m, resolver, middleware.WithTenant(func(c *gin.Context) string { changes(c); return "acme" }))
	r.PUT("/things/:id", func(c *gin.Context) {
		if changes(c) {
			t.Error("a change before the annotation is the action's own")
		}
	}, middleware.As("approve"), func(c *gin.Context) {
		if !changes(c) {
			t.Error("a change by the handler is not the action's own")
		}
		c.Status(http.StatusNoContent)
	})
	if w := send(t, r, http.MethodPut, "/things/1"); w.Code != http.StatusNoContent {
		t.Errorf("status %d", w.Code)
	}
	m.none(t) // whoever changed the row has written it
}
