// Package ansi reads the colours out of terminal output.
//
// Of the escape sequences only SGR ("select graphic rendition", ECMA-48
// section 8.3.117) has a meaning here; it becomes the class of a [Span]. Other
// complete control sequences (cursor moves, clearing) are left out, because
// they hold no text. Everything else is kept: an escape that begins no complete
// control sequence, an operating system command, a bell, and text that asks to be
// concealed. With hidden characters escaped where it is shown, what somebody got
// into a line neither hides nor forges the rest of it.
package ansi

import (
	"strconv"
	"strings"
)

// Span is a piece of text in one style. Class is a list of CSS classes, empty
// for plain text, made of the constant words of this package alone: bold, dim,
// italic, underline, strike, inverse, and fg0 to fg15 and bg0 to bg15 for the
// sixteen colours, each with "a-" in front. Colours of the larger palettes are
// shown as the nearest of the sixteen, which a style sheet can keep readable on
// any background.
type Span struct {
	Class, Text string
}

// Spans splits text into its styled pieces, in order. The Text of all spans
// together is text without its control sequences; lines end in \n alone.
func Spans(text string) []Span {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var (
		spans []Span
		now   style
		plain strings.Builder
	)
	flush := func() {
		if plain.Len() == 0 {
			return
		}
		s := Span{Class: now.class(), Text: plain.String()}
		plain.Reset()
		if n := len(spans); n > 0 && spans[n-1].Class == s.Class {
			spans[n-1].Text += s.Text
			return
		}
		spans = append(spans, s)
	}
	for {
		before, after, found := strings.Cut(text, "\x1b")
		plain.WriteString(before)
		if !found {
			break
		}
		params, final, rest, ok := control(after)
		if !ok {
			plain.WriteByte('\x1b')
			text = after
			continue
		}
		if final == 'm' {
			flush()
			now.apply(params)
		}
		text = rest
	}
	flush()
	return spans
}

// maxControl bounds a control sequence, in bytes, so that text is not searched
// twice for the end of one that has none.
const maxControl = 128

// control reads a control sequence whose escape was read already.
func control(s string) (params string, final byte, rest string, ok bool) {
	if s == "" || s[0] != '[' {
		return "", 0, "", false
	}
	for i := 1; i < len(s) && i < maxControl; i++ {
		switch c := s[i]; {
		case c >= 0x40 && c <= 0x7e:
			return s[1:i], c, s[i+1:], true
		case c < '0' || c > '?': // no parameter: text, that must not vanish
			return "", 0, "", false
		}
	}
	return "", 0, "", false
}

// style is the rendition in force. A colour is 1 to 16, zero for none.
type style struct {
	fg, bg                                        uint8
	bold, dim, italic, underline, strike, inverse bool
}

// apply takes over the parameters of one SGR sequence.
func (s *style) apply(params string) {
	groups := strings.Split(params, ";")
	for i := 0; i < len(groups); i++ {
		codes := numbers(groups[i])
		if codes == nil { // of a private sequence, or garbled
			return
		}
		code := codes[0]
		if code != 38 && code != 48 {
			s.set(codes)
			continue
		}
		// The colour stands in the same group (38:5:9, 38:2::1:2:3) or, as
		// most programs write it, in the groups that follow.
		if len(codes) == 1 {
			for _, g := range groups[i+1 : min(i+5, len(groups))] {
				next := numbers(g)
				if next == nil {
					return
				}
				codes = append(codes, next[0])
			}
			if len(codes) > 1 {
				i += map[int]int{5: 2, 2: 4}[codes[1]]
			}
		} else if len(codes) == 6 && codes[1] == 2 {
			codes = append(codes[:2], codes[3:]...) // without the colour space
		}
		c := extended(codes[1:])
		if code == 38 {
			s.fg = c
		} else {
			s.bg = c
		}
	}
}

// numbers reads a group of parameters, whose empty ones are zero.
func numbers(group string) []int {
	var out []int
	for part := range strings.SplitSeq(group, ":") {
		n := 0
		if part != "" {
			var err error
			if n, err = strconv.Atoi(part); err != nil || n < 0 {
				return nil
			}
		}
		out = append(out, n)
	}
	return out
}

// set takes over one code that is not an extended colour.
func (s *style) set(codes []int) {
	switch code := codes[0]; {
	case code == 0:
		*s = style{}
	case code == 1:
		s.bold = true
	case code == 2:
		s.dim = true
	case code == 3:
		s.italic = true
	case code == 4:
		s.underline = len(codes) < 2 || codes[1] != 0
	case code == 7:
		s.inverse = true
	case code == 9:
		s.strike = true
	case code == 21:
		s.underline = true
	case code == 22:
		s.bold, s.dim = false, false
	case code == 23:
		s.italic = false
	case code == 24:
		s.underline = false
	case code == 27:
		s.inverse = false
	case code == 29:
		s.strike = false
	case code >= 30 && code <= 37:
		s.fg = uint8(code - 29) //nolint:gosec // 1 to 8
	case code == 39:
		s.fg = 0
	case code >= 40 && code <= 47:
		s.bg = uint8(code - 39) //nolint:gosec // 1 to 8
	case code == 49:
		s.bg = 0
	case code >= 90 && code <= 97:
		s.fg = uint8(code - 81) //nolint:gosec // 9 to 16
	case code >= 100 && code <= 107:
		s.bg = uint8(code - 91) //nolint:gosec // 9 to 16
	}
}

// class returns the style as CSS classes.
func (s style) class() string {
	if s == (style{}) {
		return ""
	}
	var words []string
	for _, w := range []struct {
		on   bool
		name string
	}{
		{s.bold, "a-bold"},
		{s.dim, "a-dim"},
		{s.italic, "a-italic"},
		{s.underline, "a-underline"},
		{s.strike, "a-strike"},
		{s.inverse, "a-inverse"},
	} {
		if w.on {
			words = append(words, w.name)
		}
	}
	if s.fg > 0 {
		words = append(words, "a-fg"+strconv.Itoa(int(s.fg)-1))
	}
	if s.bg > 0 {
		words = append(words, "a-bg"+strconv.Itoa(int(s.bg)-1))
	}
	return strings.Join(words, " ")
}
