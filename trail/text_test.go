package trail_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/infrakitchen/audit/trail"
)

func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		reason string
		in     string
		limit  int
		want   string
	}{
		{"nothing", "", 10, ""},
		{"plain text", "Ada", 10, "Ada"},
		{"just as long as it may be", "Ada", 3, "Ada"},
		{"characters count, not bytes", "äöü", 3, "äöü"},
		{"too long", "Ada Lovelace", 4, "Ada…"},
		{"too long, of many bytes", "äöüäöü", 4, "äöü…"},
		{"one character", "Ada", 1, "…"},
		{"no room at all", "Ada", 0, ""},
		{"less than none", "Ada", -1, ""},
		{"nothing, and no room", "", 0, ""},

		{"a line break would begin a line of its own", "a\nb", 10, `a\u000ab`},
		{"carriage return", "a\rb", 10, `a\u000db`},
		{"NUL, which PostgreSQL cannot keep", "a\x00b", 10, `a\u0000b`},
		{"escape, which terminals obey", "\x1b[31mred", 20, `\u001b[31mred`},
		{"delete", "a\x7fb", 10, `a\u007fb`},
		{"C1", "a\u0085b", 10, `a\u0085b`},
		{"line separator", "a\u2028b\u2029c", 20, `a\u2028b\u2029c`},
		{"right to left override", "user\u202egpj.exe", 30, `user\u202egpj.exe`},
		{"isolates and marks", "\u2066a\u2069\u200e\u200f\u061c", 40, `\u2066a\u2069\u200e\u200f\u061c`},

		{"a tab shows", "a\tb", 10, `a\u0009b`},
		{"a space stays", "a b", 10, "a b"},
		{"what cannot be seen", "ad\u200bm\u00adi\u2060n\ufeff\u3164\U000e0041", 60, `ad\u200bm\u00adi\u2060n\ufeff\u3164\U000e0041`},
		{"emoji with joiners stay", "👩‍🚀", 10, "👩‍🚀"},
		{"scripts from right to left stay", "שלום اسم", 20, "שלום اسم"},
		{"a backslash stays", `a\nb`, 10, `a\nb`},
		{"beyond the first plane", "𝒜𝓭𝓪", 3, "𝒜𝓭𝓪"},

		{"what is no UTF-8 is replaced", "a\xffb", 10, "a\ufffdb"},
		{"half a character is", "a\xc3", 10, "a\ufffd"},
		{"a surrogate is", "\xed\xa0\x80", 10, "\ufffd\ufffd\ufffd"},
		{"the replacement character stays", "a\ufffdb", 10, "a\ufffdb"},

		{"an escape is whole or not there", "abc\n", 8, "abc…"},
		{"an escape that just fits", "ab\n", 8, `ab\u000a`},
		{"an escape that fits but for the rest", "ab\nc", 8, "ab…"},
		{"escapes make it longer than its bytes, and still it is cut", "\x00aa", 7, `\u0000…`},
		{"escapes alone", "\x00\x00", 12, `\u0000\u0000`},
		{"one escape too many", "\x00\x00\x00", 13, `\u0000\u0000…`},
		{"replaced, then cut", "\xff\xff\xff\xff", 3, "\ufffd\ufffd…"},
	} {
		if got := trail.Printable(c.in, c.limit); got != c.want {
			t.Errorf("%s: Printable(%q, %d) = %q, want %q", c.reason, c.in, c.limit, got, c.want)
		}
	}
}

func TestPrintableCostsNothingForPlainText(t *testing.T) {
	name := "Zoë 👩‍🚀"
	if n := testing.AllocsPerRun(100, func() { _ = trail.Printable(name, 256) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzPrintable: whatever it is given, it returns valid text of the length that
// was asked for, in which nothing is hidden, and which is printable by its own
// measure.
func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "Ada", "\x00aa", "a\nb", "äöü", "\xff\xff\xff", "\u202e", strings.Repeat("\x00", 50), "\u2028…"} {
		for _, limit := range []int{-1, 0, 1, 6, 7, 13, 100} {
			f.Add(s, limit)
		}
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := trail.Printable(s, limit)
		if n := utf8.RuneCountInString(got); n > max(limit, 0) {
			t.Fatalf("Printable(%q, %d) = %q has %d characters", s, limit, got, n)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("Printable(%q, %d) = %q is no UTF-8", s, limit, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
				t.Fatalf("Printable(%q, %d) = %q has %U", s, limit, got, r)
			}
		}
		if again := trail.Printable(got, limit); again != got {
			t.Fatalf("Printable(%q, %d) = %q, and again %q", s, limit, got, again)
		}
		// What fits is not cut.
		if whole := trail.Printable(s, 6*len(s)+1); utf8.RuneCountInString(whole) <= limit && got != whole {
			t.Fatalf("Printable(%q, %d) = %q, but %q fits", s, limit, got, whole)
		}
	})
}
