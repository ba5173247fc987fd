package viewer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Bounds of reading lists, so that filters that no index serves do not take the
// connections of the application.
const (
	// QueryTimeout is how long a list of entries or events may take to read. One
	// that takes longer is answered with 503, which asks to bound the time.
	QueryTimeout = 10 * time.Second
	// MaxQueries is how many filtered lists of entries are read at once. Others
	// wait, for no longer than QueryTimeout. A list without a filter, or with one
	// by time alone, is read at once: it costs little.
	MaxQueries = 4
)

var errQueries = &problem{
	status: http.StatusServiceUnavailable,
	text:   "Too many filtered lists are being read. Try again later.",
}

// bounded reads a list for no longer than it may take. One with a filter waits for
// its turn.
func (q *request) bounded(filtered bool, read func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(q.Context(), q.handler.queryFor)
	defer cancel()
	if filtered {
		select {
		case q.handler.queries <- struct{}{}:
			defer func() { <-q.handler.queries }()
		case <-ctx.Done():
			if q.Context().Err() != nil {
				return q.Context().Err()
			}
			q.w.Header().Set("Retry-After", "10")
			return errQueries
		}
	}
	err := read(ctx)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && q.Context().Err() == nil {
		return &problem{status: http.StatusServiceUnavailable, text: fmt.Sprintf(
			"This took longer than %v to read: the filters are too broad. Bound the time, by %s and %s.",
			q.handler.queryFor, q.named(paramFrom), q.named(paramTo))}
	}
	return err
}

// costly reports whether a query may have to skip many entries.
func costly(query store.Query) bool {
	return query.TraceID != uuid.Nil || len(query.Events) > 0 ||
		query.Model+query.EntityID+query.UserID+query.Tenant+string(query.Outcome) != ""
}

// events returns the events to choose from. A form can do without those that take
// too long to read.
func (q *request) events() (events []trail.Event, err error) {
	err = q.bounded(false, func(ctx context.Context) error {
		events, err = q.handler.store.Events(ctx)
		return err
	})
	var slow *problem
	if errors.As(err, &slow) {
		return nil, nil
	}
	return events, err
}
