package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
)

// TestPooledContexts: gin reuses its contexts; thousands of requests at once
// never have another's actor, entity or trace, in the handler or in what
// outlives it.
func TestPooledContexts(t *testing.T) {
	const clients, requests = 16, 200
	m := newMemory()
	r := gin.New()
	accounts := gin.Accounts{}
	for i := range clients {
		accounts[fmt.Sprint("user", i)] = "pass"
	}
	r.Use(middleware.New(middleware.WithRecorder(m)), gin.BasicAuth(accounts))
	var late sync.WaitGroup
	handler := func(c *gin.Context) {
		user, _, _ := c.Request.BasicAuth()
		entity := user + "." + c.Query("n")
		ctx := c.Request.Context()
		trace, found := trail.FromContext(ctx)
		same := func(when string) {
			if !found {
				t.Errorf("%s: no trace", when)
				return
			}
			if a := trace.Action(); a.Actor.ID != user || a.EntityID != entity {
				t.Errorf("%s: the action of %s on %s is of %s on %s", when, user, entity, a.Actor.ID, a.EntityID)
			}
			if id, ok := trail.TraceID(ctx); !ok || id.String() != trace.String() || id != trace.ID() {
				t.Errorf("%s: the trace id is %s, want %s", when, id, trace.ID())
			}
		}
		same("in the handler")
		if byGin, ok := trail.FromContext(c); !ok || byGin != trace {
			t.Error("gin's own context has another trace")
		}
		copied := c.Copy()
		late.Go(func() {
			same("in a goroutine")
			if own := trace.Own(); own.EntityID != entity || own.TraceID != trace.ID() {
				t.Errorf("the own entry of %s is of %s", entity, own.EntityID)
			}
			if byCopy, ok := trail.FromContext(copied); !ok || byCopy != trace {
				t.Error("the copy of gin's context has another trace")
			}
		})
		c.Status(http.StatusNoContent)
	}
	r.PUT("/things/:id", handler)
	r.POST("/things/:id/execute", handler)
	r.GET("/things/:id", func(c *gin.Context) {
		if id, ok := trail.TraceID(c); ok {
			t.Errorf("a read has the trace %s", id)
		}
	})
	var mu sync.Mutex
	ids := map[uuid.UUID]string{}
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			user := fmt.Sprint("user", i)
			for n := range requests {
				entity := fmt.Sprintf("%s.%d", user, n)
				method, path := http.MethodPut, "/things/"+entity
				switch n % 3 {
				case 1:
					method, path = http.MethodPost, path+"/execute"
				case 2:
					method = http.MethodGet
				}
				password := "pass"
				if n%5 == 0 {
					password = "guess"
				}
				w := send(t, r, method, fmt.Sprintf("%s?n=%d", path, n), basic(user, password))
				if method == http.MethodGet {
					continue
				}
				id := traceID(t, w)
				if password == "guess" {
					user = "anonymous"
				}
				mu.Lock()
				ids[id] = user + " " + entity
				mu.Unlock()
				user = fmt.Sprint("user", i)
			}
		})
	}
	wg.Wait()
	late.Wait()
	if len(m.entries) != len(ids) {
		t.Errorf("%d entries of %d requests", len(m.entries), len(ids))
	}
	for id, want := range ids {
		e, kept := m.entries[id]
		if got := e.Actor.ID + " " + e.EntityID; !kept || got != want {
			t.Errorf("trace %s is of %s, want %s", id, got, want)
		}
	}
}

// TestHandlersThatReplaceTheRequest: other middleware gives the request other
// contexts, as those of tracing do, while goroutines of the handler use the
// trace. The race detector watches.
func TestHandlersThatReplaceTheRequest(t *testing.T) {
	m := newMemory()
	r := router(m)
	type key struct{}
	r.Use(func(c *gin.Context) {
		saved := c.Request.Context()
		defer func() { c.Request = c.Request.WithContext(saved) }()
		c.Request = c.Request.WithContext(context.WithValue(saved, key{}, 1))
		c.Next()
	})
	var wg sync.WaitGroup
	r.PUT("/things/:id", func(c *gin.Context) {
		ctx := c.Request.Context()
		for range 4 {
			wg.Go(func() {
				trace, _ := trail.FromContext(ctx)
				for range 20 {
					if own := trace.Own(); own.EntityID == "" {
						t.Error("no entity")
					}
				}
			})
		}
	})
	for range 50 {
		send(t, r, http.MethodPut, "/things/1")
		wg.Wait()
	}
}

// TestTraceIsThereBehindTheHandlers: a handler before the middleware, such as an
// access log or a recovery, finds the trace when the request has been served.
func TestTraceIsThereBehindTheHandlers(t *testing.T) {
	m := newMemory()
	r := gin.New()
	var seen []uuid.UUID
	r.Use(func(c *gin.Context) {
		defer func() {
			_ = recover() // the panic is the handler's
			for _, ctx := range []context.Context{c.Request.Context(), c} {
				if trace, ok := trail.FromContext(ctx); !ok || !trace.Ended() {
					t.Errorf("%T: there is a trace: %t", ctx, ok)
				}
			}
			id, _ := trail.TraceID(c)
			seen = append(seen, id)
		}()
		c.Next()
	}, middleware.New(middleware.WithRecorder(m)))
	r.PUT("/things/:id", ok)
	r.PUT("/others/:id", func(*gin.Context) { panic("out of paper") })
	for n, path := range []string{"/things/1", "/others/1"} {
		if id := traceID(t, send(t, r, http.MethodPut, path)); seen[n] != id {
			t.Errorf("%s: the trace is %s, want %s", path, seen[n], id)
		}
	}
}

// TestNestedAction: an action that a handler starts is one of its own, which
// names the request it came from.
func TestNestedAction(t *testing.T) {
	m := newMemory()
	trail.SetDefault(m)
	defer trail.SetDefault(nil)
	for name, contextOf := range map[string]func(*gin.Context) context.Context{
		"the request's context": func(c *gin.Context) context.Context { return c.Request.Context() },
		"gin's context":         func(c *gin.Context) context.Context { return c },
	} {
		t.Run(name, func(t *testing.T) {
			clear(m.entries)
			r := router(m)
			var inner *trail.Trace
			r.PUT("/things/:id", func(c *gin.Context) {
				ctx, trace, err := trail.Start(contextOf(c), trail.Action{Actor: una, Event: "tidy"})
				if err != nil {
					t.Error(err)
					return
				}
				if found, _ := trail.FromContext(ctx); found != trace {
					t.Error("the inner context has another trace")
				}
				inner = trace
				if err := trace.End(nil); err != nil {
					t.Error(err)
				}
			})
			outer := traceID(t, send(t, r, http.MethodPut, "/things/1"))
			if len(m.entries) != 2 || inner.ID() == outer {
				t.Fatalf("%d entries, inner %s, outer %s", len(m.entries), inner.ID(), outer)
			}
			if got := details(t, m.entries[inner.ID()]).ParentTraceID; got != outer.String() {
				t.Errorf("the inner action's parent is %q, want %s", got, outer)
			}
			if got := details(t, m.entries[outer]).ParentTraceID; got != "" {
				t.Errorf("the outer action has the parent %q", got)
			}
		})
	}
}
