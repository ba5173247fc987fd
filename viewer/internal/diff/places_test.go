package diff_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/viewer/internal/diff"
)

// rows returns the fields of two images in one line each.
func rows(t *testing.T, before, after string) (out []string) {
	t.Helper()
	list, err := diff.Fields(json.RawMessage(before), json.RawMessage(after), diff.NewRoom(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	text := func(v *diff.Value) string {
		if v == nil {
			return "-"
		}
		return strings.Join(strings.Fields(v.Text), " ")
	}
	for _, f := range list.Fields {
		row := fmt.Sprintf("%s%s: %s | %s", f.Name, f.Path, text(f.Before), text(f.After))
		if f.More {
			row = f.Name + ": more"
		}
		out = append(out, row)
	}
	return out
}

// Of two objects or arrays the places are shown where they differ, each with both
// of its values.
func TestPlaces(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		want                []string
	}{
		{
			"a member among many", `{"a":1,"key29":"x","z":{"q":[1,2]}}`, `{"a":1,"key29":"y","z":{"q":[1,2]}}`,
			[]string{"f.key29: x | y"},
		},
		{
			"a member of an element", `{"items":[{"price":1},{"price":2},{"price":3.0}]}`, `{"items":[{"price":1},{"price":2},{"price":3.00}]}`,
			[]string{"f.items[2].price: 3.0 | 3.00"},
		},
		{
			"members that came and went, in the order of their names", `{"b":1,"c":{"x":[1]}}`, `{"b":1,"a":null}`,
			[]string{"f.a: - | null", `f.c: { "x": [ 1 ] } | -`},
		},
		{"names that are no words", `{"":1,"a b":{"\"":1}}`, `{"":2,"a b":{"\"":2}}`, []string{`f[""]: 1 | 2`, `f["a b"]["\""]: 1 | 2`}},
		{"an element put in at the beginning", `[1,2,3]`, `[0,1,2,3]`, []string{"f[0]: - | 0"}},
		{"an element taken out of the middle", `[1,2,3]`, `[1,3]`, []string{"f[1]: 2 | -"}},
		{"elements that are other ones", `[1,2,3,4]`, `[1,5,6,7,4]`, []string{"f[1]: 2 | 5", "f[2]: 3 | 6", "f[3]: - | 7"}},
		{"values of two types", `{"a":{"b":1}}`, `{"a":[1]}`, []string{`f.a: { "b": 1 } | [ 1 ]`}},
		{"an object for an array", `{}`, `[]`, []string{"f: {} | []"}},
		{"the same members in another order", `{"a":1,"b":2}`, `{"b":2,"a":1}`, []string{`f: { "a": 1, "b": 2 } | { "b": 2, "a": 1 }`}},
	} {
		if d := cmp.Diff(c.want, rows(t, `{"f":`+c.before+`}`, `{"f":`+c.after+`}`)); d != "" {
			t.Errorf("%s, -want +got:\n%s", c.name, d)
		}
	}
}

func TestPlacesAreBounded(t *testing.T) {
	numbers := func(first int) string {
		var all []string
		for i := range 1000 {
			all = append(all, fmt.Sprint(first+i))
		}
		return `{"f":[` + strings.Join(all, ",") + `],"g":1}`
	}
	got := rows(t, numbers(0), numbers(1000))
	if len(got) != 52 || got[49] != "f[49]: 49 | 1049" || got[50] != "f: more" || got[51] != "g: 1 | 1" {
		t.Errorf("%d rows: %q", len(got), got)
	}
	// Values that differ deeper than is looked are shown where that is.
	deep := func(n string) string {
		return `{"f":` + strings.Repeat(`{"a":`, 900) + n + strings.Repeat("}", 900) + "}"
	}
	got = rows(t, deep("1"), deep("2"))
	if len(got) != 1 || !strings.HasPrefix(got[0], "f"+strings.Repeat(".a", 32)+": {") {
		t.Errorf("%d rows: %.200q", len(got), got)
	}
}
