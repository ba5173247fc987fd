package middleware

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"

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
	return as{event: event, model: model}.handle
}

type as struct {
	event trail.Event
	model []string
}

// asName is how gin names the handlers of As.
var asName = func() string {
	name := runtime.FuncForPC(reflect.ValueOf(as{}.handle).Pointer()).Name()
	return name
}()

func (a as) handle(c *gin.Context) {
	r, ok := current(c)
	if !ok {
		return
	}
	model := ""
	if len(a.model) > 0 {
		model = a.model[0]
	}
	trace := r.Trace()
	err := trace.Annotate(a.event, model, r.cfg.events[a.event])
	if errors.Is(err, trail.ErrRecorded) {
		// It was called from within a handler, after the work had begun: the
		// action keeps the name that it was recorded under.
		return
	}
	if r.annotations--; err == nil && r.annotations <= 0 { // the last one wins
		trace.Release()
		err = trace.Open()
	}
	if err != nil {
		r.cfg.failed(c, err)
	}
}
