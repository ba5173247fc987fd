package trail_test

import (
	"testing"

	"github.com/infrakitchen/audit/trail"
)

func TestJoinKey(t *testing.T) {
	for _, c := range []struct {
		reason string
		parts  []string
		want   string
	}{
		{"a single part stands as it is", []string{"42"}, "42"},
		{"whatever is in it", []string{`a,b\c`}, `a,b\c`},
		{"empty", []string{""}, ""},
		{"two parts", []string{"eu", "42"}, "eu,42"},
		{"the order counts", []string{"42", "eu"}, "42,eu"},
		{"a comma in a part", []string{"a,b", "c"}, `a\,b,c`},
		{"a backslash in a part", []string{`a\`, "c"}, `a\\,c`},
		{"both", []string{`\,`, `,\`}, `\\\,,\,\\`},
		{"empty parts", []string{"", "", ""}, ",,"},
		{"text of many bytes", []string{"ä,ö", "ü"}, `ä\,ö,ü`},
		{"no part at all", nil, ""},
	} {
		if got := trail.JoinKey(c.parts...); got != c.want {
			t.Errorf("%s: JoinKey(%q) = %q, want %q", c.reason, c.parts, got, c.want)
		}
	}
}

// split is what JoinKey says of keys of more than one part, backwards.
func split(key string) []string {
	parts := []string{""}
	for i := 0; i < len(key); i++ {
		switch key[i] {
		case ',':
			parts = append(parts, "")
			continue
		case '\\':
			i++
		}
		parts[len(parts)-1] += key[i : i+1]
	}
	return parts
}

// FuzzJoinKey: two keys that differ have ids that differ, for the parts can be
// had back.
func FuzzJoinKey(f *testing.F) {
	f.Add("a,b", "c", `\`)
	f.Add(`a\`, ",b", "")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, parts := range [][]string{{a, b}, {a, b, c}} {
			got := split(trail.JoinKey(parts...))
			if len(got) != len(parts) {
				t.Fatalf("%q comes back as %q", parts, got)
			}
			for i := range parts {
				if got[i] != parts[i] {
					t.Fatalf("%q comes back as %q", parts, got)
				}
			}
		}
		if trail.JoinKey(a) != a {
			t.Fatalf("a single part %q is %q", a, trail.JoinKey(a))
		}
	})
}
