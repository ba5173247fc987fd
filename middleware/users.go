package middleware

import (
	"errors"
	"fmt"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/trail"
)

// ErrNoUser is returned by a resolver that found no user.
var ErrNoUser = errors.New("nobody is authenticated")

// Claims names the token claims an actor is made from. The zero value names the
// standard claims of OpenID Connect: sub, name.
type Claims struct {
	ID         string          // default "sub"
	Name       string          // default "name"
	OnBehalfOf string          // default none
	Kind       trail.ActorKind // default trail.KindUser
}

// UserFromClaims resolves the user from the claims that an authentication
// middleware left in gin's context under key: a map[string]any, a
// map[string]string or a type based on one. Authentication must run before the
// audit middleware. Without claims, or without an id in them, it fails with
// [ErrNoUser].
func UserFromClaims(key any, names Claims) func(*gin.Context) (trail.Actor, error) {
	if names.ID == "" {
		names.ID = "sub"
	}
	if names.Name == "" {
		names.Name = "name"
	}
	return func(c *gin.Context) (trail.Actor, error) {
		v, there := c.Get(key)
		if !there || v == nil {
			return trail.Actor{}, fmt.Errorf("%w: no claims under %v", ErrNoUser, key)
		}
		get, ok := claimsOf(v)
		if !ok {
			return trail.Actor{}, fmt.Errorf("%w: under %v is a %T, a map of claims expected", ErrNoUser, key, v)
		}
		a := trail.Actor{ID: get(names.ID), Name: get(names.Name), Kind: names.Kind}
		if names.OnBehalfOf != "" {
			a.OnBehalfOf = get(names.OnBehalfOf)
		}
		if a.ID == "" {
			return trail.Actor{}, fmt.Errorf("%w: no claim %q", ErrNoUser, names.ID)
		}
		return a, nil
	}
}

// UserFromProxy resolves the user from headers that an authenticating proxy
// sets, such as X-Forwarded-User and X-Forwarded-Preferred-Username. trusted
// must report whether the request came from the proxy, which must drop such
// headers sent by its own clients. Anyone who can bypass the proxy can
// impersonate anyone. Requests that did not come from it, or carry no id, fail
// with [ErrNoUser].
func UserFromProxy(trusted func(*gin.Context) bool, idHeader, nameHeader string) func(*gin.Context) (trail.Actor, error) {
	return func(c *gin.Context) (trail.Actor, error) {
		if trusted == nil || !trusted(c) {
			return trail.Actor{}, fmt.Errorf("%w: the request did not come from the proxy", ErrNoUser)
		}
		a := trail.Actor{ID: c.GetHeader(idHeader), Kind: trail.KindUser}
		if nameHeader != "" {
			a.Name = c.GetHeader(nameHeader)
		}
		if a.ID == "" {
			return trail.Actor{}, fmt.Errorf("%w: no header %s", ErrNoUser, idHeader)
		}
		return a, nil
	}
}
