// Package visible makes text safe to look at: what a reader would not see, or
// would see in the wrong place, is escaped.
package visible

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/infrakitchen/audit/trail"
)

// Text returns s as [trail.Printable] does, at any length, but keeps line ends
// and tabs. It is for places that hold text alone, such as attributes; elsewhere
// [Pieces] tell an escape from the same letters.
func Text(s string) string {
	var b strings.Builder
	for _, p := range Pieces(s) {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Piece is a part of a text: as it is, or the escape of one character with its
// meaning.
type Piece struct{ Text, Meaning string }

// Pieces splits text into what can be shown as it is and escapes. Line ends are
// \n alone, and kept, as are tabs.
func Pieces(s string) []Piece {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	var pieces []Piece
	plain := 0 // where what can be shown as it is begins
	for i, r := range s {
		if r == '\n' || r == '\t' || ' ' <= r && r <= '~' {
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		escaped := trail.Printable(s[i:i+size], math.MaxInt)
		if escaped == s[i:i+size] {
			continue
		}
		if plain < i {
			pieces = append(pieces, Piece{Text: s[plain:i]})
		}
		pieces = append(pieces, Piece{escaped, meaning(r)})
		plain = i + size
	}
	if plain < len(s) {
		pieces = append(pieces, Piece{Text: s[plain:]})
	}
	return pieces
}

// Ends is [Pieces] of one line that is shown beside another one, where white space
// at its end may be all that is different.
func Ends(line string) []Piece {
	text := strings.TrimRightFunc(line, unicode.IsSpace)
	pieces := Pieces(text)
	for _, r := range line[len(text):] {
		p := Piece{ends[r], meaning(r)}
		if p.Text == "" {
			p.Text = strings.Trim(fmt.Sprintf("%+q", r), "'")
		}
		pieces = append(pieces, p)
	}
	return pieces
}

// ends are the signs of white space at the end of a line.
var ends = map[rune]string{' ': "·", '\t': "⇥", '\r': "␍", '\n': "⏎"}

// meaning says what a character is that cannot be seen.
func meaning(r rune) string {
	name := names[r]
	switch {
	case name != "":
	case unicode.Is(unicode.Cc, r):
		name = "control character"
	case r == utf8.RuneError:
		name = "bytes that are no character"
	case unicode.IsSpace(r):
		name = "white space"
	default:
		name = "invisible character"
	}
	return fmt.Sprintf("U+%04X, %s", r, name)
}

// names are those of the characters that are met most, or do most harm.
var names = map[rune]string{
	0x00: "null", 0x07: "bell", 0x08: "backspace", '\t': "tab", '\n': "line break", '\r': "carriage return", 0x1b: "escape",
	' ': "space", 0x7f: "delete", 0xa0: "no-break space", 0xad: "soft hyphen", 0x200b: "zero width space",
	0x200e: "left-to-right mark", 0x200f: "right-to-left mark", 0x2028: "line separator", 0x2029: "paragraph separator",
	0x202a: "left-to-right embedding", 0x202b: "right-to-left embedding", 0x202c: "pop directional formatting",
	0x202d: "left-to-right override", 0x202e: "right-to-left override", 0x2060: "word joiner",
	0x2066: "left-to-right isolate", 0x2067: "right-to-left isolate", 0x2068: "first strong isolate",
	0x2069: "pop directional isolate", 0xfeff: "zero width no-break space",
}

// Weight is how much room a text takes on a page, in bytes of HTML: marks of HTML
// become longer, and an escape is an element.
func Weight(s string) (bytes int) {
	for _, p := range Pieces(s) {
		if p.Meaning != "" {
			bytes += len(`<span class="escape" title=""></span>`) + len(p.Meaning)
		}
		bytes += len(p.Text)
		for _, mark := range []string{`<`, `>`, `&`, `"`, `'`} {
			bytes += 4 * strings.Count(p.Text, mark)
		}
	}
	return bytes
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
