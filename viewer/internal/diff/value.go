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
	Kind Kind
	Text string
	Cut  bool // the text is only the beginning
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
		var s string
		if err := json.Unmarshal([]byte(raw), &s); err == nil && !ambiguous(s) {
			v.Text = s
		}
		if s == trail.Masked {
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
	v.Text, v.Cut = visible.Text(text), v.Cut || cut
	return v
}

// ambiguous reports whether a string without quotes would look like another
// value, or like none.
func ambiguous(s string) bool {
	return s == "" || s != strings.TrimSpace(s) || json.Valid([]byte(s))
}
