package middleware

import "sync/atomic"

var failures atomic.Int64

// Failures returns the number of request actions of this process that could not
// be recorded: each time that [WithErrorHandler] was called, or would have been.
func Failures() int64 { return failures.Load() }
