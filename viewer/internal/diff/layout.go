package diff

import "strings"

// maxDepth is how deep a value is indented. What is nested deeper is in one
// line: its indentation would be most of what is read.
const maxDepth = 32

// layout writes valid JSON for readers, with a line for each member, and stops
// after limit bytes, so that its work is bounded by that and not by the value.
// With a depth of 0 everything is in one line. It reports whether something is
// missing.
func layout(raw string, depth, limit int) (text string, cut bool) {
	var b strings.Builder
	level := 0
	line := func() {
		if level <= depth && depth > 0 {
			b.WriteByte('\n')
			b.WriteString(strings.Repeat("  ", level))
		}
	}
	for i := 0; i < len(raw); i++ {
		if b.Len() >= limit {
			return b.String(), true
		}
		switch c := raw[i]; c {
		case ' ', '\t', '\r', '\n':
		case '"':
			end := i + stringLen(raw[i:])
			room := max(limit-b.Len(), 0)
			if end-i > room {
				b.WriteString(raw[i : i+room])
				return b.String(), true
			}
			b.WriteString(raw[i:end])
			i = end - 1
		case '{', '[':
			b.WriteByte(c)
			if next := strings.TrimLeft(raw[i+1:min(i+1+maxSpace, len(raw))], " \t\r\n"); next != "" && (next[0] == '}' || next[0] == ']') {
				b.WriteByte(next[0])
				i += strings.IndexByte(raw[i:], next[0])
				continue
			}
			level++
			line()
		case '}', ']':
			level--
			// The brackets are where the line of their beginning is.
			if level < depth {
				line()
			}
			b.WriteByte(c)
		case ',':
			b.WriteByte(c)
			if level <= depth && depth > 0 {
				line()
			} else {
				b.WriteByte(' ')
			}
		case ':':
			b.WriteString(": ")
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// maxSpace is how much white space an empty object or array may hold to be
// written without it.
const maxSpace = 16

// stringLen is the length of the JSON string that s begins with.
func stringLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
