package diff

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Part is a part of a text that is shown beside another: a piece of it, or a note
// of what is left out.
type Part struct {
	Pieces  []visible.Piece
	Changed bool   // it is in a line that the other text does not have
	Exact   bool   // and it is what differs there
	Left    string // what is left out, such as "12 lines"
}

// How much of two texts is shown around their differences.
const (
	contextLines = 3
	contextBytes = 60
	maxDiffLines = 60  // of one text
	maxDiffBytes = 600 // that differ in one line
	maxSplit     = 100_000
)

// beside returns the parts of two different texts that show where they differ. The
// work is linear: lines that both begin or end with are the context, and what is
// between is compared line by line if both have as many lines there.
func beside(before, after string) (a, b []Part) {
	x, y := window{lines: lines(before)}, window{lines: lines(after)}
	x.from, x.to, y.to = trim(x.lines, y.lines, func(a, b string) bool { return a == b })
	y.from = x.from
	if x.to == y.to {
		x.other, y.other = y.lines, x.lines
	}
	x.crlf = strings.Contains(before, "\r\n") && strings.Contains(after, "\r\n")
	y.crlf = x.crlf
	x.end = strings.HasSuffix(before, "\n") && !strings.HasSuffix(after, "\n")
	y.end = strings.HasSuffix(after, "\n") && !strings.HasSuffix(before, "\n")
	return x.parts(), y.parts()
}

// lines returns the lines of a text with their ends; very many are taken for one.
func lines(text string) []string {
	if strings.Count(text, "\n") > maxSplit {
		return []string{text}
	}
	all := strings.SplitAfter(text, "\n")
	if last := len(all) - 1; all[last] == "" {
		all = all[:last]
	}
	return all
}

// window is a text of which the changed lines are shown, with those around them.
type window struct {
	lines    []string
	from, to int      // the lines between those that both texts have
	other    []string // the lines of the other text, if they are compared one by one
	end      bool     // only this text ends with a line break
	crlf     bool     // both have line ends of two characters
}

func (w window) changed(i int) bool {
	return w.from <= i && i < w.to && (w.other == nil || w.lines[i] != w.other[i])
}

// near reports which lines are shown: those close to a changed one, or to where
// the other text has lines that this one does not have.
func (w window) near() []bool {
	near := make([]bool, len(w.lines))
	mark := func(from, to int) {
		for i := max(from, 0); i < min(to, len(near)); i++ {
			near[i] = true
		}
	}
	if w.from == w.to {
		mark(w.from-contextLines, w.to+contextLines)
	}
	for i := w.from; i < w.to; i++ {
		if w.changed(i) {
			mark(i-contextLines, i+contextLines+1)
		}
	}
	return near
}

func (w window) parts() (parts []Part) {
	near := w.near()
	shown, left := 0, 0
	for i, line := range w.lines {
		if !near[i] || shown == maxDiffLines {
			left++
			continue
		}
		if left > 0 {
			parts = append(parts, note(left, "line"), Part{Pieces: visible.Pieces("\n")})
		}
		shown, left = shown+1, 0
		parts = append(parts, w.line(i, strings.TrimSuffix(line, "\n"))...)
		if i == len(w.lines)-1 && w.end {
			parts = append(parts, Part{Pieces: visible.Ends("\n"), Changed: true, Exact: true})
		}
		if i < len(w.lines)-1 {
			parts = append(parts, Part{Pieces: visible.Pieces("\n")})
		}
	}
	if left > 0 {
		parts = append(parts, note(left, "line"))
	}
	return parts
}

// line returns the parts of a line without its end.
func (w window) line(i int, line string) []Part {
	switch {
	case !w.changed(i):
		line = strings.TrimSuffix(line, "\r")
		text, _ := visible.Cut(line, maxDiffBytes)
		parts := []Part{{Pieces: visible.Pieces(text)}}
		if len(text) < len(line) {
			parts = append(parts, note(len(line)-len(text), "byte"))
		}
		return parts
	case line == "":
		return []Part{{Pieces: visible.Ends("\n"), Changed: true}}
	case w.other == nil:
		return around(line, span{0, len(line)}, false, !w.crlf)
	default:
		other := strings.TrimSuffix(w.other[i], "\n")
		return around(line, differ(line, other), true, space(line) != space(other))
	}
}

// space is the white space at the end of a line.
func space(line string) string { return line[len(strings.TrimRightFunc(line, unicode.IsSpace)):] }

// span is where a line differs from another.
type span struct{ from, to int }

// differ returns where a line differs from another, in whole characters.
func differ(line, other string) span {
	from, to := 0, len(line)
	end := len(other)
	for from < to && from < end && line[from] == other[from] {
		from++
	}
	for from > 0 && from < len(line) && !utf8.RuneStart(line[from]) {
		from--
	}
	for to > from && end > from && line[to-1] == other[end-1] {
		to--
		end--
	}
	for to < len(line) && !utf8.RuneStart(line[to]) {
		to++
	}
	return span{from, to}
}

// around returns the parts of a changed line: what differs, with some bytes around
// it. With signs, white space at the end of the line is shown by them.
func around(line string, s span, exact, signs bool) (parts []Part) {
	text := len(line)
	if signs {
		text -= len(space(line))
	}
	add := func(from, to int, exact bool) {
		if from >= to {
			return
		}
		shown := line[min(from, text):min(to, text)]
		if to == len(line) {
			shown = strings.TrimSuffix(shown, "\r")
		}
		pieces := visible.Pieces(shown)
		pieces = append(pieces, visible.Ends(line[max(from, text):max(to, text)])...)
		if len(pieces) > 0 {
			parts = append(parts, Part{Pieces: pieces, Changed: true, Exact: exact})
		}
	}
	left := func(from, to int) {
		if from < to {
			parts = append(parts, note(to-from, "byte"))
		}
	}
	// A short rest is shown rather than said to be left out.
	from, to, stop := s.from-contextBytes, s.to+contextBytes, s.to
	if from < contextBytes {
		from = 0
	}
	if to > len(line)-contextBytes {
		to = len(line)
	}
	if stop > s.from+maxDiffBytes {
		stop = start(line, s.from+maxDiffBytes)
	}
	from, to = start(line, from), start(line, to)
	left(0, from)
	add(from, s.from, false)
	add(s.from, stop, exact)
	left(stop, s.to)
	add(s.to, to, false)
	left(to, len(line))
	return parts
}

// start returns the start of the character at a place.
func start(line string, at int) int {
	for at > 0 && at < len(line) && !utf8.RuneStart(line[at]) {
		at--
	}
	return at
}

// note says how much is left out.
func note(n int, what string) Part {
	if n != 1 {
		what += "s"
	}
	return Part{Left: fmt.Sprint(n, " ", what)}
}
