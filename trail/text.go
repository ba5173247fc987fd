package trail

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s in a form safe to store and show: valid UTF-8, at most
// limit characters, with control characters and the marks that change the
// direction of writing made visible as \u and four hex digits, or \U and eight. Text that is
// printable already is returned as it is, without an allocation. Text that is
// cut ends in an ellipsis, which counts.
func Printable(s string, limit int) string {
	if plain(s, limit) {
		return s
	}
	var b strings.Builder
	n := 0
	for i, r := range s {
		_, width := utf8.DecodeRuneInString(s[i:])
		piece := string(r)
		if hidden(r) {
			piece = strings.Trim(strconv.QuoteToASCII(piece), `"`)
			if r < 0x80 {
				piece = fmt.Sprintf(`\u%04x`, r)
			}
		}
		size := utf8.RuneCountInString(piece)
		if room := limit - n; size > room || size == room && i+width < len(s) {
			if limit > 0 {
				b.WriteRune('…')
			}
			break
		}
		b.WriteString(piece)
		n += size
	}
	return b.String()
}

// masked returns free text as it is stored: without what looks like a secret,
// printable, and at most limit characters long.
func masked(s string, limit int) string {
	return Printable(MaskText(bounded(s, 16*limit)), limit)
}

// bounded returns s, or as much of its beginning as fits in limit bytes.
func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// plain reports whether s needs no change at all.
func plain(s string, limit int) bool {
	if len(s) > limit && utf8.RuneCountInString(s) > limit {
		return false
	}
	for i, r := range s {
		if hidden(r) {
			return false
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}

// hidden reports whether r is shown as an escape: control characters, which
// can forge lines, marks of direction, which can forge what a line says, and
// what cannot be seen, which can forge a name. Joiners stay: emoji and several
// scripts need them.
func hidden(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r < 0x20 || r == 0x7f
	case r == '\u200c' || r == '\u200d': // joiners
		return false
	case r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0': // fillers of Hangul
		return true
	default:
		return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
	}
}
