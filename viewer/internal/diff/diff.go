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

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// List is the fields of two images, as far as there was room for them.
type List struct {
	Fields []Field
	Left   int  // how many fields are left out
	Cut    bool // a value is not shown to its end
}

// Field is one column of a row, or one key of any JSON object. Before or
// After is nil if the image does not have it.
type Field struct {
	Name          string
	Before, After *Value
	Same          bool // both images have it, with the same value
}

// maxFields bounds how many fields are shown of two images, and maxName the name
// of one, in bytes.
const (
	maxFields = 250
	maxName   = 200
)

// ErrObject is wrapped by the error for an image that is not a JSON object.
var ErrObject = errors.New("not a JSON object")

// Fields returns the fields of two images: id first, the others by name. An
// image is a JSON object or empty.
func Fields(before, after json.RawMessage, room *Room) (List, error) {
	return list(before, after, maxDepth, room)
}

// Pairs returns the fields of one object, each in one line, as After.
func Pairs(object json.RawMessage, room *Room) (List, error) { return list(nil, object, 0, room) }

// pair is a field as it is stored; an image that does not have it is nil.
type pair struct {
	name          string
	before, after json.RawMessage
}

func list(before, after json.RawMessage, depth int, room *Room) (l List, err error) {
	pairs, err := match(before, after)
	if err != nil {
		return l, err
	}
	for i, p := range pairs {
		f := Field{Same: p.before != nil && bytes.Equal(p.before, p.after)}
		name, _ := visible.Cut(p.name, maxName)
		f.Name = visible.Text(name)
		f.Before, f.After = shown(p.before, depth), shown(p.after, depth)
		if i == maxFields || !room.fit(f.Before) || !room.fit(f.After) || !room.Head(tags+Weight(f.Name)) {
			l.Left = len(pairs) - i
			break
		}
		l.Cut = l.Cut || f.Before != nil && f.Before.Cut || f.After != nil && f.After.Cut
		l.Fields = append(l.Fields, f)
	}
	return l, nil
}

func shown(raw json.RawMessage, depth int) *Value {
	if raw == nil {
		return nil
	}
	v := newValue(string(raw), depth)
	return &v
}

// match returns the fields of two images in the order in which they are shown.
func match(before, after json.RawMessage) ([]pair, error) {
	var pairs []pair
	index := map[string]int{}
	for i, image := range []json.RawMessage{before, after} {
		err := each(image, func(name string, raw json.RawMessage) {
			at, known := index[name]
			if !known {
				at = len(pairs)
				index[name] = at
				pairs = append(pairs, pair{name: name})
			}
			if i == 0 {
				pairs[at].before = raw
			} else {
				pairs[at].after = raw
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if (a.name == "id") != (b.name == "id") {
			if a.name == "id" {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	return pairs, nil
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
