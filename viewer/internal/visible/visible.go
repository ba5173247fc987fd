// Package visible makes text safe to look at: what a reader would not see, or
// would see in the wrong place, is escaped.
package visible

import (
	"math"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// Text returns s as [trail.Printable] does, at any length, but keeps line ends
// and tabs.
func Text(s string) string {
	if !strings.ContainsAny(s, "\n\t") {
		return trail.Printable(s, math.MaxInt)
	}
	var b strings.Builder
	b.Grow(len(s))
	for s != "" {
		i := strings.IndexAny(s, "\n\t")
		if i < 0 {
			i = len(s)
		}
		b.WriteString(trail.Printable(s[:i], math.MaxInt))
		if i < len(s) {
			b.WriteByte(s[i])
			i++
		}
		s = s[i:]
	}
	return b.String()
}

// Cut returns at most limit bytes of s, cut at the start of a character, and
// whether something is missing.
func Cut(s string, limit int) (string, bool) {
	if len(s) <= limit {
		return s, false
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit], true
}
