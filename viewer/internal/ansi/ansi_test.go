package ansi_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/viewer/internal/ansi"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []ansi.Span
	}{
		{"nothing", "", nil},
		{"plain text", "Apply complete!", []ansi.Span{{Text: "Apply complete!"}}},
		{
			"one colour and back", "a \x1b[32mgreen\x1b[0m b",
			[]ansi.Span{{Text: "a "}, {Class: "a-fg2", Text: "green"}, {Text: " b"}},
		},
		{
			"an empty sequence resets", "\x1b[1;31mx\x1b[my",
			[]ansi.Span{{Class: "a-bold a-fg1", Text: "x"}, {Text: "y"}},
		},
		{
			"a reset inside a sequence", "\x1b[31mx\x1b[0;1my",
			[]ansi.Span{{Class: "a-fg1", Text: "x"}, {Class: "a-bold", Text: "y"}},
		},
		{
			"every attribute, on and off",
			"\x1b[1;2;3;4;7;9mx\x1b[22;23;24;27;29my",
			[]ansi.Span{
				{Class: "a-bold a-dim a-italic a-underline a-strike a-inverse", Text: "x"},
				{Text: "y"},
			},
		},
		{
			"bright colours and backgrounds", "\x1b[97;41mx\x1b[39;102my\x1b[49mz",
			[]ansi.Span{
				{Class: "a-fg15 a-bg1", Text: "x"},
				{Class: "a-bg10", Text: "y"},
				{Text: "z"},
			},
		},
		{
			"256 colours: one of the sixteen, of the cube, a grey",
			"\x1b[38;5;9ma\x1b[38;5;46mb\x1b[38;5;244mc",
			[]ansi.Span{
				{Class: "a-fg9", Text: "a"}, {Class: "a-fg10", Text: "b"}, {Class: "a-fg8", Text: "c"},
			},
		},
		{
			"true colours, with semicolons, with colons, with a colour space",
			"\x1b[38;2;200;10;10ma\x1b[48:2:0:0:230mb\x1b[38:2::0:210:0mc",
			[]ansi.Span{
				{Class: "a-fg1", Text: "a"},
				{Class: "a-fg1 a-bg4", Text: "b"},
				{Class: "a-fg2 a-bg4", Text: "c"},
			},
		},
		{
			"what follows an extended colour still counts", "\x1b[38;5;1;1mx",
			[]ansi.Span{{Class: "a-bold a-fg1", Text: "x"}},
		},
		{
			"a colour cut short is no colour", "\x1b[38;5mx\x1b[38mx\x1b[48;2;1mx\x1b[38;5;999mx",
			[]ansi.Span{{Text: "xxxx"}},
		},
		{"an unknown code changes nothing", "\x1b[73;99999mx", []ansi.Span{{Text: "x"}}},
		{"a code too large to read changes nothing", "\x1b[99999999999999999999mx", []ansi.Span{{Text: "x"}}},
		{"a private sequence is no colour", "\x1b[>4;1mx\x1b[?25hy", []ansi.Span{{Text: "xy"}}},
		{"cursor moves and clearing are left out", "a\x1b[2K\x1b[1Ab", []ansi.Span{{Text: "ab"}}},
		{
			"underline styles of newer terminals", "\x1b[4:3mx\x1b[4:0my",
			[]ansi.Span{{Class: "a-underline", Text: "x"}, {Text: "y"}},
		},
		{"concealed text is shown", "\x1b[8mpassword\x1b[28m", []ansi.Span{{Text: "password"}}},
		{
			"an operating system command is kept", "\x1b]0;title\x07x",
			[]ansi.Span{{Text: "\x1b]0;title\x07x"}},
		},
		{
			"a sequence that would swallow text is kept", "name \x1b[ 10.0.0.1 from",
			[]ansi.Span{{Text: "name \x1b[ 10.0.0.1 from"}},
		},
		{"an escape at the end is kept", "x\x1b", []ansi.Span{{Text: "x\x1b"}}},
		{"an unfinished sequence is kept", "x\x1b[31", []ansi.Span{{Text: "x\x1b[31"}}},
		{
			"an endless one too", "\x1b[" + strings.Repeat("1;", 100) + "mx",
			[]ansi.Span{{Text: "\x1b[" + strings.Repeat("1;", 100) + "mx"}},
		},
		{"the 8 bit form is kept", "\u009b31mx", []ansi.Span{{Text: "\u009b31mx"}}},
		{"line ends and tabs stay, \\r\\n is one", "a\r\nb\n\tc", []ansi.Span{{Text: "a\nb\n\tc"}}},
		{"a carriage return is kept", "denied\rgranted", []ansi.Span{{Text: "denied\rgranted"}}},
		{"a mark that turns the direction is kept", "a\u202eb", []ansi.Span{{Text: "a\u202eb"}}},
		{"markup is text", "<script>\x1b[31m&", []ansi.Span{{Text: "<script>"}, {Class: "a-fg1", Text: "&"}}},
		{"bytes that are no text", "a\xffb", []ansi.Span{{Text: "a\xffb"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, ansi.Spans(c.text)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

// FuzzSpans holds the promises of the package for any text: classes are its own
// words, nothing hidden is left, and no letter is lost outside a sequence.
func FuzzSpans(f *testing.F) {
	for _, seed := range []string{
		"", "x", "\x1b[31mx\x1b[0m", "\x1b[38;2;1;2;3mx", "\x1b[38:5:200mx", "\x1b]8;;http://x\x1b\\y",
		"\x1b[", "\x1b\x1b[1m", "\xff\x1b[m", "\u202e\u009b1m", "a\r\nb\rc",
	} {
		f.Add(seed)
	}
	classes := regexp.MustCompile(`^$|^a-(bold|dim|italic|underline|strike|inverse|[fb]g\d{1,2})( a-(dim|italic|underline|strike|inverse|[fb]g\d{1,2}))*$`)
	sequence := regexp.MustCompile(`\x1b\[[0-9:;<=>?]*[@-~]`)
	letters := regexp.MustCompile(`[A-Za-z]+`)
	f.Fuzz(func(t *testing.T, text string) {
		var shown strings.Builder
		last := "none"
		for _, s := range ansi.Spans(text) {
			if !classes.MatchString(s.Class) {
				t.Errorf("class %q", s.Class)
			}
			if s.Text == "" || s.Class == last {
				t.Errorf("span %+v after one of class %q", s, last)
			}
			last = s.Class
			shown.WriteString(s.Text)
		}
		if out := visible.Text(shown.String()); !utf8.ValidString(out) || strings.ContainsAny(out, "\x1b\r\a\b\u009b\u202e") {
			t.Errorf("shown as it is: %q", out)
		}
		// Where sequences are left out, every letter of the rest must be there,
		// in its order. (Those that are spelled out only add some.)
		rest := shown.String()
		for _, word := range letters.FindAllString(sequence.ReplaceAllString(text, " "), -1) {
			i := strings.Index(rest, word)
			if i < 0 {
				t.Fatalf("%q is not in what is shown of %q: %q", word, text, shown.String())
			}
			rest = rest[i+len(word):]
		}
	})
}
