package visible_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

func TestPieces(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []visible.Piece
	}{
		{"nothing", "", nil},
		{"plain text in any script", "é 中 😀\n\tx", []visible.Piece{{Text: "é 中 😀\n\tx"}}},
		{"letters that look like an escape are none", `\u202e`, []visible.Piece{{Text: `\u202e`}}},
		{
			"an escape between text", "a\u202eb",
			[]visible.Piece{{Text: "a"}, {`\u202e`, "U+202E, right-to-left override"}, {Text: "b"}},
		},
		{"a control character", "\x01", []visible.Piece{{`\u0001`, "U+0001, control character"}}},
		{"a format character", "\u2061", []visible.Piece{{`\u2061`, "U+2061, invisible character"}}},
		{"bytes that are no text", "\xff", []visible.Piece{{"\ufffd", "U+FFFD, bytes that are no character"}}},
		{
			"line ends of two characters are line ends, half of one is not", "a\r\nb\r",
			[]visible.Piece{{Text: "a\nb"}, {`\u000d`, "U+000D, carriage return"}},
		},
	} {
		if d := cmp.Diff(c.want, visible.Pieces(c.text)); d != "" {
			t.Errorf("%s, -want +got:\n%s", c.name, d)
		}
	}
	if got := visible.Text("a\u202e\tb\n"); got != "a\\u202e\tb\n" {
		t.Errorf("as text alone it is %q", got)
	}
}

func TestEnds(t *testing.T) {
	want := []visible.Piece{
		{Text: " a"},
		{"·", "U+0020, space"},
		{"⇥", "U+0009, tab"},
		{`\u00a0`, "U+00A0, no-break space"},
		{`\u2003`, "U+2003, white space"},
		{"␍", "U+000D, carriage return"},
		{"⏎", "U+000A, line break"},
	}
	if d := cmp.Diff(want, visible.Ends(" a \t\u00a0\u2003\r\n")); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// The weight of a text is not less than what a page takes for it.
func TestWeight(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "<&>": 15, strings.Repeat("\u202e", 1000): 73_000} {
		if got := visible.Weight(text); got != want {
			t.Errorf("%.20q weighs %d, want %d", text, got, want)
		}
	}
}
