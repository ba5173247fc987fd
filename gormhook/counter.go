package gormhook

import "sync/atomic"

var failures atomic.Int64

// Failures returns how many changes of this process could not be recorded,
// with either policy, on any of its databases.
func Failures() int64 { return failures.Load() }
