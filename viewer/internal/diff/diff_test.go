package diff_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/viewer/internal/diff"
)

func TestFields(t *testing.T) {
	value := func(kind diff.Kind, text string) *diff.Value { return &diff.Value{Kind: kind, Text: text} }
	for _, c := range []struct {
		name          string
		before, after string
		want          []diff.Field
	}{
		{"nothing at all", "", "", nil},
		{"an empty image", "", "{}", nil},
		{
			"an insert has no before, id comes first", "", `{"a":1,"id":7}`,
			[]diff.Field{
				{Name: "id", After: value(diff.Number, "7")},
				{Name: "a", After: value(diff.Number, "1")},
			},
		},
		{
			"a delete has no after", `{"b":true}`, "",
			[]diff.Field{{Name: "b", Before: value(diff.Bool, "true")}},
		},
		{
			"numbers keep every digit",
			`{"n":9223372036854775807}`, `{"n":1234567890123456789012345678901234567890.123456789}`,
			[]diff.Field{{
				Name:   "n",
				Before: value(diff.Number, "9223372036854775807"),
				After:  value(diff.Number, "1234567890123456789012345678901234567890.123456789"),
			}},
		},
		{
			"a field that did not change is known as such", `{"n":null,"m":1}`, `{"n":null,"m":2}`,
			[]diff.Field{
				{Name: "m", Before: value(diff.Number, "1"), After: value(diff.Number, "2")},
				{Name: "n", Before: value(diff.Null, "null"), After: value(diff.Null, "null"), Same: true},
			},
		},
		{
			"a string that could be taken for something else keeps its quotes",
			`{"a":"","b":"null","c":"42","d":" x"}`, `{"a":"plain","b":"<b>","c":"{}","d":"1e"}`,
			[]diff.Field{
				{Name: "a", Before: value(diff.String, `""`), After: value(diff.String, "plain")},
				{Name: "b", Before: value(diff.String, `"null"`), After: value(diff.String, "<b>")},
				{Name: "c", Before: value(diff.String, `"42"`), After: value(diff.String, `"{}"`)},
				{Name: "d", Before: value(diff.String, `" x"`), After: value(diff.String, "1e")},
			},
		},
		{
			"a masked value is shown as one", `{"token":"***"}`, `{"token":"***x"}`,
			[]diff.Field{{
				Name:   "token",
				Before: value(diff.Masked, "***"),
				After:  value(diff.String, "***x"),
			}},
		},
		{
			"nested values are indented, their numbers untouched", "", `{"o":{"k":[1.10,"x"]},"p":[]}`,
			[]diff.Field{
				{Name: "o", After: value(diff.Object, "{\n  \"k\": [\n    1.10,\n    \"x\"\n  ]\n}")},
				{Name: "p", After: value(diff.Array, "[]")},
			},
		},
		{
			"text of several lines is text, whatever it ends with",
			"", `{"a":"x: 1\n","b":"\n","c":"{\n}\n","d":"1\r\n2"}`,
			[]diff.Field{
				{Name: "a", After: value(diff.String, "x: 1\n")},
				{Name: "b", After: value(diff.String, `"\n"`)},
				{Name: "c", After: &diff.Value{Kind: diff.String, Text: "{\n}\n", JSON: true}},
				{Name: "d", After: value(diff.String, "1\r\n2")},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := diff.Fields(json.RawMessage(c.before), json.RawMessage(c.after), diff.NewRoom(1<<20))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got.Fields); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}

func TestFieldsCutsLongValues(t *testing.T) {
	long := strings.Repeat("é", 20_000)
	list, err := diff.Fields(json.RawMessage(`{"x":"`+long+`a"}`), json.RawMessage(`{"x":"`+long+`b"}`), diff.NewRoom(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	f := list.Fields[0]
	if !f.Before.Cut || len(f.Before.Text) > 16<<10 || !strings.HasPrefix(long, f.Before.Text) {
		t.Errorf("cut %v, %d bytes", f.Before.Cut, len(f.Before.Text))
	}
	if f.Same {
		t.Error("values that differ behind the cut are taken for the same")
	}
}

func TestFieldsRefusesWhatIsNoObject(t *testing.T) {
	for _, image := range []string{`[1]`, `"x"`, `12`, `null`, `{"a":`, `{"a":1`, `{"a" 1}`, `nonsense`} {
		if got, err := diff.Fields(nil, json.RawMessage(image), diff.NewRoom(1<<20)); !errors.Is(err, diff.ErrObject) {
			t.Errorf("%s: fields %v, error %v", image, got, err)
		}
	}
}

// What there is no room for is shown by its head, and then not at all.
func TestFieldsFitIntoTheRoom(t *testing.T) {
	var wide strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&wide, `,"c%05d":"%s"`, i, strings.Repeat("<", 500))
	}
	image := json.RawMessage("{" + wide.String()[1:] + "}")
	for _, c := range []struct {
		name               string
		room               int
		whole, heads, left int
	}{
		{"there is room for some, and for the heads of the most that are shown", 100_000, 38, 29, 933},
		{"as many fields are shown as there may be", 10_000_000, 250, 0, 750},
		{"there is no room", 0, 0, 0, 1000},
	} {
		list, err := diff.Fields(nil, image, diff.NewRoom(c.room))
		if err != nil {
			t.Fatal(err)
		}
		whole, heads := 0, 0
		for _, f := range list.Fields {
			if f.After.Cut {
				heads++
			} else {
				whole++
			}
		}
		if whole != c.whole || heads != c.heads || list.Left != c.left || list.Cut != (heads > 0) {
			t.Errorf("%s: %d whole, %d heads, %d left, cut: %v", c.name, whole, heads, list.Left, list.Cut)
		}
	}
}

func TestPairsAreInOneLine(t *testing.T) {
	list, err := diff.Pairs(json.RawMessage(`{"o":{"k":[1.10,"x"],"e":{}}}`), diff.NewRoom(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if got := list.Fields[0].After.Text; got != `{"k": [1.10, "x"], "e": {}}` {
		t.Errorf("an object is %s", got)
	}
}
