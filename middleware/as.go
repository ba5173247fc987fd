package middleware

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/infrakitchen/audit/trail"
)

// As annotates a route: its requests are actions with this event, and of this
// model if one is given, whatever the convention would say, reads included.
// Place it before the handler that does the work:
//
//	r.GET("/files/:id", audit.As("download", "file"), download)
//
// A request refused before this handler keeps its conventional event; a read is
// recorded as "read". On a route without the middleware it does nothing.
//
// It panics if event is empty, or if there is more than one model.
func As(event trail.Event, model ...string) gin.HandlerFunc {
	if event == "" {
		panic("audit: As needs an event")
	}
	if len(model) > 1 {
		panic(fmt.Sprintf("audit: As(%q) is given %d models, one at the most expected", event, len(model)))
	}
	return as{event: event, model: strings.Join(model, "")}.handle
}

type as struct {
	event trail.Event
	model string // or empty
}

// asName is the name of all handlers that As returns.
var asName = nameOf(as{}.handle)

func (a as) handle(c *gin.Context) {
	r, ok := current(c)
	if !ok {
		return
	}
	switch err := r.Trace().Annotate(a.event, a.model, r.cfg.events[a.event]); {
	case err == nil:
		r.step(c)
	case errors.Is(err, trail.ErrRecorded):
		// It was called from within a handler, after the work had begun: the
		// action keeps the name that it was recorded under.
	default:
		r.cfg.failed(c, err)
	}
}
