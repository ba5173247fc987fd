package zapfield

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/infrakitchen/audit/trail"
)

const hexDigits = "0123456789abcdef"

// quote writes a string. PostgreSQL's JSON cannot hold NUL, and JSON cannot hold
// invalid UTF-8: both become U+FFFD.
func (e *encoder) quote(s string) {
	e.buf = append(e.buf, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				e.buf = append(append(e.buf, s[from:i]...), "\uFFFD"...)
				from = i + size
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		e.buf = append(e.buf, s[from:i]...)
		switch c {
		case '"', '\\':
			e.buf = append(e.buf, '\\', c)
		case '\n':
			e.buf = append(e.buf, '\\', 'n')
		case '\r':
			e.buf = append(e.buf, '\\', 'r')
		case '\t':
			e.buf = append(e.buf, '\\', 't')
		case 0:
			e.buf = append(e.buf, "\uFFFD"...)
		default:
			e.buf = append(e.buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i++
		from = i
	}
	e.buf = append(append(e.buf, s[from:]...), '"')
}

// text writes a string value, without recognizable secrets.
func (e *encoder) text(s string) { e.quote(kept(s)) }

// kept returns text as it is stored: without secrets, and visibly cut if it is
// too long.
func kept(s string) string {
	if len(s) > maxMessage {
		cut := maxMessage
		for !utf8.RuneStart(s[cut]) && cut > maxMessage-utf8.UTFMax {
			cut--
		}
		s = trail.MaskText(s[:cut]) + fmt.Sprintf(" … (cut: %d of %d bytes)", cut, len(s))
		return s
	}
	return trail.MaskText(s)
}

// plain returns text as PostgreSQL can store it: valid UTF-8 without NUL.
func plain(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}
