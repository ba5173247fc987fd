package trail

import (
	"context"
	"sync/atomic"
)

// Recorder stores entries and outcomes. Package store has the one for
// databases. Implementations must be safe for concurrent use.
type Recorder interface {
	// Record stores entries, all or none. An entry whose ID is stored already
	// is skipped: the first one wins. It returns only once the entries are
	// durable, or with an error.
	Record(ctx context.Context, entries ...Entry) error
	// Finish stores the outcome of the action o.TraceID. The first outcome of
	// an action wins, later ones are skipped.
	Finish(ctx context.Context, o Outcome) error
}

var defaultRecorder atomic.Pointer[Recorder]

// SetDefault makes r the recorder of every action that does not set its own.
// gormhook.Plugin does so for its database if there is no default yet; nil
// removes the default. It may be called at any time, from any goroutine;
// actions that have begun keep the recorder they began with.
func SetDefault(r Recorder) {
	if r == nil {
		defaultRecorder.Store(nil)
		return
	}
	defaultRecorder.Store(&r)
}

// SetDefaultIfUnset makes r the default if there is none, and reports whether
// it did.
func SetDefaultIfUnset(r Recorder) bool {
	return r != nil && defaultRecorder.CompareAndSwap(nil, &r)
}

// Default returns the recorder that was set last, or nil.
func Default() Recorder {
	if p := defaultRecorder.Load(); p != nil {
		return *p
	}
	return nil
}

// recorderOf returns the recorder of an action that is begun in ctx and sets
// none: that of the action around it, else the default; nil if there is none.
func recorderOf(ctx context.Context) Recorder {
	if outer, ok := FromContext(ctx); ok {
		outer.mu.Lock()
		defer outer.mu.Unlock()
		if _, none := outer.recorder.(noRecorder); !none && outer.recorder != nil {
			return outer.recorder
		}
	}
	return Default()
}
