package viewer

import (
	"net/http"
	"time"
)

// Impatient shortens how long a list may take to read.
func Impatient(h http.Handler, wait time.Duration) { h.(*handler).queryFor = wait }

// Hurry shortens what those who follow wait for.
func Hurry(h http.Handler, look, settle, beat time.Duration) {
	h.(*handler).pace = pace{look: look, settle: settle, beat: beat}
}
