package middleware

import "sync/atomic"

var failures atomic.Int64

// Failures returns how often an action of a request of this process could not
// be recorded, each time that [WithErrorHandler] was told or would have been.
func Failures() int64 { return failures.Load() }
