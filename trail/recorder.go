package trail

import "sync/atomic"

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
