package viewer

import (
	"net/http"
	"time"
)

// Hurry shortens what those who follow wait for.
func Hurry(h http.Handler, look, settle, beat time.Duration) {
	h.(*handler).pace = pace{look: look, settle: settle, beat: beat}
}
