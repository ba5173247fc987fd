package middleware

import "sync/atomic"

var failures atomic.Int64

// Failures returns how many times recording a request's action failed in this
// process: each time that [WithErrorHandler] was called, or would have been.
func Failures() int64 { return failures.Load() }
