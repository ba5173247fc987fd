package diff

import (
	"encoding/json"
	"strings"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Kind is the JSON type of a value, as a word for readers and style sheets.
type Kind string

// The kinds. Masked is a value that was kept out of the trail.
const (
	Null   Kind = "null"
	Bool   Kind = "bool"
	Number Kind = "number"
	String Kind = "string"
	Object Kind = "object"
	Array  Kind = "array"
	Masked Kind = "masked"
)

// Value is a JSON value as it is shown. A string has no quotes unless it would
// be ambiguous; objects and arrays are indented.
type Value struct {
	Kind  Kind
	Text  string // as it is stored: hidden characters are not escaped
	Cut   bool   // the text is only the beginning
	JSON  bool   // the text is that of a string, but could be taken for another value
	Parts []Part // of a long text beside another: where they differ
}

// maxText bounds what is shown of one value, in bytes.
const maxText = 16 << 10

// The size from which a text is long, in bytes and in lines, and that of its
// head, in bytes.
const (
	longText  = 400
	longLines = 12
	headText  = 100
)

// Long reports whether the text would take much room on a page.
func (v Value) Long() bool {
	return len(v.Text) > longText || strings.Count(v.Text, "\n") >= longLines
}

// Head is the beginning of a long text, in one line.
func (v Value) Head() string {
	head, _ := visible.Cut(v.Text, headText)
	return strings.Join(strings.Fields(head), " ") + " …"
}

// newValue lays out a value, indented down to a depth.
func newValue(raw string, depth int) Value {
	raw = strings.TrimSpace(raw)
	v := Value{Text: raw}
	switch raw[0] {
	case 'n':
		v.Kind = Null
	case 't', 'f':
		v.Kind = Bool
	case '"':
		v.Kind = String
		if s := unquote(raw); !ambiguous(s) {
			v.Text, v.JSON = s, json.Valid([]byte(s))
		}
		if v.Text == trail.Masked {
			v.Kind = Masked
		}
	case '{', '[':
		v.Kind = Object
		if raw[0] == '[' {
			v.Kind = Array
		}
		v.Text, v.Cut = layout(raw, depth, maxText)
	default:
		v.Kind = Number
	}
	text, cut := visible.Cut(v.Text, maxText)
	v.Text, v.Cut = text, v.Cut || cut
	return v
}

// unquote returns what a JSON string says.
func unquote(raw string) (s string) {
	if json.Unmarshal([]byte(raw), &s) != nil {
		return raw
	}
	return s
}

// newTexts lays out two strings of which at least one has several lines or is long,
// as far as they differ.
func newTexts(before, after string) (a, b Value) {
	a, b = newValue(before, maxDepth), newValue(after, maxDepth)
	x, y := unquote(before), unquote(after)
	if long(x, y) {
		a.Parts, b.Parts = beside(x, y)
	}
	return a, b
}

// long reports whether two strings are better shown by their differences.
func long(texts ...string) bool {
	some := false
	for _, s := range texts {
		if s == "" || s == trail.Masked {
			return false
		}
		some = some || len(s) > longText || strings.Contains(s, "\n")
	}
	return some
}

// ambiguous reports whether a string without quotes would look like another
// value, or like none. One of several lines is shown as it is all the same: in
// quotes nobody could read it.
func ambiguous(s string) bool {
	trimmed := strings.TrimSpace(s)
	return trimmed == "" || !strings.Contains(s, "\n") && (s != trimmed || json.Valid([]byte(s)))
}
