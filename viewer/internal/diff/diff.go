// Package diff lays the before and after images of an entry side by side.
//
// It never interprets a number: it shows the digits that are stored.
package diff

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Field is one column of a row, or one key of any JSON object. Before or
// After is nil if the image does not have it.
type Field struct {
	Name          string
	Before, After *Value
	Same          bool // both images have it, with the same value
}

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

// maxText bounds what is shown of one value, in bytes.
const maxText = 16 << 10

// ErrObject is wrapped by the error for an image that is not a JSON object.
var ErrObject = errors.New("not a JSON object")

// Fields returns the fields of two images: id first, the others by name. An
// image is a JSON object or empty.
func Fields(before, after json.RawMessage) ([]Field, error) {
	var fields []Field
	index := map[string]int{}
	old := map[string]json.RawMessage{}
	for i, image := range []json.RawMessage{before, after} {
		err := each(image, func(name string, raw json.RawMessage) {
			at, known := index[name]
			if !known {
				at = len(fields)
				index[name] = at
				fields = append(fields, Field{Name: visible.Text(name)})
			}
			v := newValue(raw)
			if i == 0 {
				fields[at].Before, old[name] = &v, raw
			} else {
				fields[at].After = &v
				fields[at].Same = bytes.Equal(old[name], raw)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(fields, func(a, b Field) int {
		if (a.Name == "id") != (b.Name == "id") {
			if a.Name == "id" {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return fields, nil
}

// each calls f for the fields of an object in their order.
func each(object json.RawMessage, f func(name string, value json.RawMessage)) error {
	if len(bytes.TrimSpace(object)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return ErrObject
	}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrObject, err)
		}
		name, ok := token.(string)
		if !ok { // the decoder accepts no other key
			return ErrObject
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("%w: %w", ErrObject, err)
		}
		f(name, raw)
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("%w: %w", ErrObject, err)
	}
	return nil
}

func newValue(raw json.RawMessage) Value {
	raw = bytes.TrimSpace(raw)
	v := Value{Text: string(raw)}
	switch raw[0] {
	case 'n':
		v.Kind = Null
	case 't', 'f':
		v.Kind = Bool
	case '"':
		v.Kind = String
		var s string
		if err := json.Unmarshal(raw, &s); err == nil && !ambiguous(s) {
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
		v.Text, v.Cut = layout(string(raw), maxDepth, maxText)
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
