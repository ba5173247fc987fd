package middleware

import (
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/jinzhu/inflection"

	"github.com/infrakitchen/audit/trail"
)

// route is what the template of a route says of the actions of its requests.
type route struct {
	audited   bool
	annotated bool // As stands in its chain and has the last word
	event     trail.Event
	moment    trail.Moment
	model     string
	param     string // the name of the parameter that holds the entity id
}

type routeKey struct{ method, path string }

// routes remembers what each route was read as: reading allocates, and a
// service has as many routes as it has.
type routes struct {
	mu   sync.RWMutex
	read map[routeKey]*route
}

func (r *routes) of(c *gin.Context, events map[trail.Event]trail.Moment) *route {
	key := routeKey{c.Request.Method, c.FullPath()}
	r.mu.RLock()
	found, ok := r.read[key]
	r.mu.RUnlock()
	if ok {
		return found
	}
	found = readRoute(key.method, key.path, annotated(c), events)

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.read == nil {
		r.read = make(map[routeKey]*route)
	}
	r.read[key] = found
	return found
}

// annotated reports whether a handler made by As is in the chain. gin runs it
// after the middleware, too late for an entry that is written ahead.
func annotated(c *gin.Context) bool {
	for _, name := range c.HandlerNames() {
		if strings.HasPrefix(name, asName) {
			return true
		}
	}
	return false
}

// readRoute reads a method and the template of a route by convention. Where the
// route is annotated, the word behind its last parameter is a verb, known or
// not.
func readRoute(method, path string, annotated bool, events map[trail.Event]trail.Moment) *route {
	r := &route{annotated: annotated, audited: annotated}
	var segments []string
	for s := range strings.SplitSeq(path, "/") {
		if s != "" {
			segments = append(segments, s)
		}
	}
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		r.audited = r.audited || len(segments) > 0
	}
	if len(segments) == 0 {
		return r
	}
	last := len(segments) - 1
	if last > 0 && !parameter(segments[last]) {
		switch event := trail.Event(word(segments[last])); {
		case method != http.MethodDelete && known(event, events):
			r.event = event
			last--
		case annotated && parameter(segments[last-1]):
			last--
		}
	}
	if parameter(segments[last]) {
		r.param = segments[last][1:]
		last--
	}
	for last >= 0 && parameter(segments[last]) {
		last-- // /things/:a/:b
	}
	if last >= 0 {
		r.model = Singular(segments[last])
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
		default:
			r.event = trail.Update
		}
	}
	r.moment = events[r.event]
	return r
}

func parameter(segment string) bool { return segment[0] == ':' || segment[0] == '*' }

func known(event trail.Event, events map[trail.Event]trail.Moment) bool {
	_, own := events[event]
	return own || event.Known()
}

// word writes a segment of a path in the style of events and models.
func word(segment string) string {
	return strings.ToLower(strings.NewReplacer("-", "_", ".", "_").Replace(segment))
}

// Singular returns the model that a collection of a route holds: source-codes
// and source_codes are source_code. It is GORM's own inflection.
func Singular(collection string) string { return inflection.Singular(word(collection)) }
