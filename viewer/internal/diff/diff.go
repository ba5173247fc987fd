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

// Field is one column of a row, or one key of any JSON object, or a place inside
// of one. Before or After is nil if the image does not have it.
type Field struct {
	Name          string
	Path          string // of the place inside, as in .items[3].price
	Before, After *Value
	Same          bool // both images have it, with the same value
	More          bool // it differs in other places, too, which are not shown
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
		for _, f := range fields(p, depth, room) {
			if len(l.Fields) == maxFields || !room.fit(f.Before) || !room.fit(f.After) ||
				!room.Head(tags+visible.Weight(f.Name+f.Path)) {
				l.Left = len(pairs) - i
				return l, nil
			}
			l.Cut = l.Cut || f.More || f.Before != nil && f.Before.Cut || f.After != nil && f.After.Cut
			l.Fields = append(l.Fields, f)
		}
	}
	return l, nil
}

// fields returns what is shown of a column: the places where two objects or arrays
// differ, or both values.
func fields(p pair, depth int, room *Room) (all []Field) {
	name, _ := visible.Cut(p.name, maxName)
	s := search{room: room}
	if composite(p.before) && composite(p.after) {
		s.compare("", p.before, p.after, 0)
	}
	for _, at := range s.found {
		f := Field{Name: name, Path: at.path}
		f.Before, f.After = values(at.before, at.after, depth)
		all = append(all, f)
	}
	switch {
	case s.more:
		return append(all, Field{Name: name, More: true})
	case all != nil:
		return all
	}
	f := Field{Name: name, Same: p.before != nil && bytes.Equal(p.before, p.after)}
	f.Before, f.After = values(p.before, p.after, depth)
	return []Field{f}
}

func composite(raw json.RawMessage) bool { return raw != nil && (raw[0] == '{' || raw[0] == '[') }

// values lays out a value beside another one.
func values(before, after json.RawMessage, depth int) (a, b *Value) {
	if before != nil && after != nil && before[0] == '"' && after[0] == '"' && !bytes.Equal(before, after) {
		x, y := newTexts(string(before), string(after))
		return &x, &y
	}
	if before != nil {
		v := newValue(string(before), depth)
		a = &v
	}
	if after != nil {
		v := newValue(string(after), depth)
		b = &v
	}
	return a, b
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
