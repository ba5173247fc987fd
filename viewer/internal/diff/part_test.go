package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/infrakitchen/audit/viewer/internal/diff"
)

// seen writes parts as they are seen: (changed line), <what differs there>, [what
// is left out].
func seen(parts []diff.Part) string {
	var b strings.Builder
	for _, p := range parts {
		text := ""
		for _, piece := range p.Pieces {
			text += piece.Text
		}
		switch {
		case p.Left != "":
			b.WriteString("[" + p.Left + "]")
		case p.Exact:
			b.WriteString("<" + text + ">")
		case p.Changed:
			b.WriteString("(" + text + ")")
		default:
			b.WriteString(text)
		}
	}
	return b.String()
}

func TestTextsBesideEachOther(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("line %d", i))
	}
	numbered := func(change map[int]string) string {
		all := append([]string(nil), many...)
		for i, s := range change {
			all[i] = s
		}
		return strings.Join(all, "\n") + "\n"
	}
	x := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name, before, after, wantBefore, wantAfter string
	}{
		{
			"one line of many", numbered(nil), numbered(map[int]string{50: "line 5o"}),
			"[47 lines]\nline 47\nline 48\nline 49\n(line 5)<0>\nline 51\nline 52\nline 53\n[46 lines]",
			"[47 lines]\nline 47\nline 48\nline 49\n(line 5)<o>\nline 51\nline 52\nline 53\n[46 lines]",
		},
		{
			"two places", numbered(nil), numbered(map[int]string{1: "a", 98: "b"}),
			"line 0\n<line 1>\nline 2\nline 3\nline 4\n[90 lines]\nline 95\nline 96\nline 97\n<line 98>\nline 99",
			"line 0\n<a>\nline 2\nline 3\nline 4\n[90 lines]\nline 95\nline 96\nline 97\n<b>\nline 99",
		},
		{
			"lines that were added", "a\nb\nc\nd\n", "a\nb\nnew\nnewer\nc\nd\n",
			"a\nb\nc\nd", "a\nb\n(new)\n(newer)\nc\nd",
		},
		{"all lines", "a\n", numbered(nil), "(a)", "(line 0)\n(line 1)"},
		{
			"a place in a long line", x + "old" + x, x + "new!" + x,
			"[940 bytes](" + x[:60] + ")<old>(" + x[:60] + ")[940 bytes]",
			"[940 bytes](" + x[:60] + ")<new!>(" + x[:60] + ")[940 bytes]",
		},
		{"a long line for another", "é" + x, strings.Repeat("è", 500), "<é" + x[:598] + ">[402 bytes]", "<" + strings.Repeat("è", 300) + ">[400 bytes]"},
		{"a character of several bytes", "é\n", "è\n", "<é>", "<è>"},
		{"white space at the end of a line", "a \nb\n", "a\nb\n", "(a)<·>\nb", "(a)\nb"},
		{"white space that both have is not in the way", "a \nb\n", "c \nb\n", "<a>( )\nb", "<c>( )\nb"},
		{"a line break at the end", "a\nb\n", "a\nb", "a\n(b)<⏎>", "a\n(b)"},
		{"another kind of line ends", "a\r\nb\r\n", "a\nb\n", "(a)<␍>\n(b)<␍>", "(a)\n(b)"},
		{"the same kind of line ends", "a\r\nb\r\n", "a\r\nc\r\n", "a\n<b>", "a\n<c>"},
		{"an empty line", "a\n\nb", "a\nb", "a\n(⏎)\nb", "a\nb"},
	} {
		image := func(s string) json.RawMessage {
			b, err := json.Marshal(map[string]string{"f": s})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		list, err := diff.Fields(image(c.before), image(c.after), diff.NewRoom(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		f := list.Fields[0]
		before, after := seen(f.Before.Parts), seen(f.After.Parts)
		if c.name == "all lines" { // as many as are shown
			if !strings.HasSuffix(after, "(line 59)\n[40 lines]") {
				t.Errorf("%s: %q", c.name, after)
			}
			after = after[:len(c.wantAfter)]
		}
		if before != c.wantBefore || after != c.wantAfter {
			t.Errorf("%s:\nbefore %q\nwant   %q\nafter  %q\nwant   %q", c.name, before, c.wantBefore, after, c.wantAfter)
		}
	}
}
