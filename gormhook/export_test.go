package gormhook

import (
	"testing"
	"time"
)

// SetMaxTableAge makes tables be read again sooner, for the time of a test that
// runs alone.
func SetMaxTableAge(t *testing.T, age time.Duration) {
	before := maxTableAge
	maxTableAge = age
	t.Cleanup(func() { maxTableAge = before })
}
