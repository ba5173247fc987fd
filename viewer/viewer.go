package viewer

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/infrakitchen/audit/store"
)

// What [Options.Authorize] returns to refuse a request, possibly wrapped.
var (
	// ErrUnauthenticated is for a request without an authenticated user: it is
	// answered with 401 and [Options.Challenge].
	ErrUnauthenticated = errors.New("viewer: nobody is authenticated")
	// ErrForbidden is for a user who may not see the trail: it is answered with
	// 403.
	ErrForbidden = errors.New("viewer: the user may not see the trail")
)

// Options are the settings of [New]. Authorize is required.
type Options struct {
	// Authorize decides whether a request may see the trail; it is called for
	// every request before anything else is done, except for the style sheet,
	// the script and the icon, which the page that refuses needs. It refuses with [ErrUnauthenticated] or [ErrForbidden]. With any other error
	// it could not decide: that is answered with 403, too, and reported to
	// OnError. No text of an error is shown. It may be called by any number of
	// goroutines at once.
	Authorize func(*http.Request) error

	// Challenge is the WWW-Authenticate header that goes with a 401, such as
	// `Basic realm="audit"`. Default: none, for applications that set one
	// themselves.
	Challenge string

	// Title is the title of the pages. Default: Audit log.
	Title string

	// Location is the time zone in which pages show times and read those
	// without a zone. JSON is always in UTC. Default: UTC.
	Location *time.Location

	// PageSize is how many entries a page has unless it is asked for another
	// number, 1 to [store.MaxLimit]. Default: [store.DefaultLimit].
	PageSize int

	// MaxFollowers is how many pages may follow an action at once. One more is
	// answered with 503, and tries again. Each reads once a second, and whenever
	// its action logs, with at most two connections of the store's pool at a
	// time; all of them share one more to be notified. With the default those are
	// 41 of the 100 that PostgreSQL allows unless configured otherwise; a lower
	// limit of the pool makes them take turns. Default: 20.
	MaxFollowers int

	// OnError is called with the cause of a response with status 500, of a stream
	// that breaks, and of a failure of Authorize. It may be called by any number
	// of goroutines at once. Default: an error line in slog.Default().
	OnError func(*http.Request, error)

	// Now is the clock used for "5 minutes ago". Default: time.Now.
	Now func() time.Time
}

// defaultFollowers leaves most of PostgreSQL's 100 connections to others.
const defaultFollowers = 20

// New returns the pages and the JSON over st. They need no Close. The handler
// works under [http.StripPrefix] as well as at the root. The error names a
// missing or invalid option.
func New(st *store.Store, o Options) (http.Handler, error) {
	switch {
	case st == nil:
		return nil, errors.New("viewer: the store is nil")
	case o.Authorize == nil:
		return nil, errors.New("viewer: Options.Authorize is required: it decides who may see the trail")
	case o.PageSize < 0 || o.PageSize > store.MaxLimit:
		return nil, fmt.Errorf("viewer: Options.PageSize is %d, must be 1 to %d", o.PageSize, store.MaxLimit)
	case o.MaxFollowers < 0:
		return nil, fmt.Errorf("viewer: Options.MaxFollowers is %d, must be 1 or more", o.MaxFollowers)
	}
	if o.Title == "" {
		o.Title = "Audit log"
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.PageSize == 0 {
		o.PageSize = store.DefaultLimit
	}
	if o.MaxFollowers == 0 {
		o.MaxFollowers = defaultFollowers
	}
	if o.OnError == nil {
		o.OnError = logError
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &handler{
		store: st, options: o, pace: ordinary,
		followers: make(chan struct{}, o.MaxFollowers),
		queries:   make(chan struct{}, MaxQueries), queryFor: QueryTimeout,
	}, nil
}

func logError(r *http.Request, err error) {
	slog.ErrorContext(r.Context(), "viewer: a page could not be shown", "path", r.URL.Path, "error", err)
}
