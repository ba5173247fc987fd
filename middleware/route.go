package middleware

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/jinzhu/inflection"

	"github.com/infrakitchen/audit/trail"
)

// route is what a route's template says about the actions of its requests.
type route struct {
	audited   bool
	steps     int  // the handlers in its chain that may change the action
	basicAuth bool // gin.BasicAuth is in its chain
	event     trail.Event
	moment    trail.Moment
	model     string
	param     string // the name of the parameter that holds the entity id
	secret    bool   // by that name, the id is one
}

// entity returns the id of the entity that a request is about: the last
// parameter of that name, or a digest of it if the name is that of a secret.
func (r *route) entity(c *gin.Context) string {
	for _, p := range slices.Backward(c.Params) {
		if p.Key != r.param {
			continue
		}
		if r.secret {
			return trail.Digest(p.Value)
		}
		return p.Value
	}
	return ""
}

// routeKey tells routes apart, also those of several routers that share a
// middleware: the address of its handler chain lives as long as the router.
type routeKey struct {
	method, path string
	chain        uintptr
}

// chainField is where gin keeps the chain, which is only read.
var chainField = func() []int {
	if f, ok := reflect.TypeFor[gin.Context]().FieldByName("handlers"); ok && f.Type.Kind() == reflect.Slice {
		return f.Index
	}
	return nil
}()

func chainOf(c *gin.Context) uintptr {
	if chainField == nil {
		return 0
	}
	return reflect.ValueOf(c).Elem().FieldByIndex(chainField).Pointer()
}

// routes caches what each route was read as: reading allocates, and a service
// has a fixed number of routes.
type routes struct {
	middleware string // as gin names it

	mu   sync.RWMutex
	read map[routeKey]*route
}

func (r *routes) of(c *gin.Context, events map[trail.Event]trail.Moment) *route {
	key := routeKey{c.Request.Method, c.FullPath(), chainOf(c)}
	r.mu.RLock()
	found, ok := r.read[key]
	r.mu.RUnlock()
	if ok {
		return found
	}
	annotations, nested, basicAuth := chain(c, r.middleware)
	found = readRoute(key.method, key.path, annotations, events)
	found.steps, found.basicAuth = annotations+nested, basicAuth

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == nil {
		r.read = make(map[routeKey]*route)
	}
	r.read[key] = found
	return found
}

// chain counts the handlers after the middleware that may change the action,
// those made by As and further middlewares, and looks for gin's BasicAuth: gin may
// run them too late for an entry that is written before the work.
func chain(c *gin.Context, middleware string) (annotations, nested int, basicAuth bool) {
	names := c.HandlerNames()
	for _, name := range names[slices.Index(names, middleware)+1:] {
		switch name {
		case asName:
			annotations++
		case middleware:
			nested++
		}
	}
	return annotations, nested, slices.ContainsFunc(names, func(name string) bool {
		// Not BasicAuthForProxy, which authenticates nobody to this service.
		return strings.HasPrefix(name, "github.com/gin-gonic/gin.BasicAuth") && !strings.Contains(name, "ForProxy")
	})
}

// readRoute reads a method and the template of a route by convention. If the
// route is annotated, the word after its last parameter is a verb, known or not.
func readRoute(method, path string, annotations int, events map[trail.Event]trail.Moment) *route {
	r := &route{audited: annotations > 0}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	r.audited = r.audited || !safe(method)
	last := len(segments) - 1
	if last > 0 && !parameter(segments[last]) {
		switch event := verb(segments[last], events); {
		case method != http.MethodDelete && known(event, events):
			r.event = event
			last--
		case annotations > 0 && parameter(segments[last-1]):
			last--
		}
	}
	if last >= 0 && parameter(segments[last]) {
		r.param = segments[last][strings.IndexAny(segments[last], ":*")+1:]
		r.secret = trail.Sensitive(r.param)
		last--
	}
	for last >= 0 && parameter(segments[last]) {
		last-- // /things/:a/:b
	}
	if last >= 0 {
		r.model = singular(segments[last])
	}
	if r.event == "" {
		switch method {
		case http.MethodDelete:
			r.event = trail.Delete
		case http.MethodPost:
			r.event = trail.Create
			if r.param != "" {
				r.event = trail.Update
			}
		case http.MethodPut, http.MethodPatch:
			r.event = trail.Update
		default:
			r.event = trail.Event(word(method))
		}
		if safe(method) {
			r.event = "read" // until its annotation says what
		}
	}
	r.moment = events[r.event]
	return r
}

// safe reports whether requests with this method only read: GET, HEAD, OPTIONS
// and TRACE by RFC 9110, 9.2.1, PROPFIND, REPORT and SEARCH by WebDAV (RFC 4918,
// 3253, 5323). CONNECT changes no resource either.
func safe(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodConnect, "PROPFIND", "REPORT", "SEARCH":
		return true
	default:
		return false
	}
}

// verb returns the event that a segment names, as the application spells it: how
// its words are separated does not matter.
func verb(segment string, events map[trail.Event]trail.Moment) trail.Event {
	joined := func(name string) string { return strings.ReplaceAll(word(name), "_", "") }
	name := joined(segment)
	for event := range events {
		if joined(string(event)) == name {
			return event
		}
	}
	if event := trail.Event(name); event.Known() {
		return event
	}
	return trail.Event(word(segment))
}

// parameter reports whether a segment has one; gin allows text before it.
func parameter(segment string) bool {
	i := strings.IndexAny(segment, ":*")
	return i == 0 || i > 0 && segment[i-1] != '\\'
}

func known(event trail.Event, events map[trail.Event]trail.Moment) bool {
	_, own := events[event]
	return own || event.Known()
}

// word returns a path segment in the style of events and models: sourceCodes and
// source-codes are source_codes.
func word(segment string) string { return strings.ToLower(trail.SnakeCase(segment)) }

// singular returns the model of a route's collection, by GORM's own inflection.
func singular(collection string) string { return inflection.Singular(word(collection)) }
