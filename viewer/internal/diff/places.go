package diff

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// maxPlaces bounds how many differences inside of one field are shown.
const maxPlaces = 50

// place is where two JSON values differ; a side that has no such member is nil.
type place struct {
	path          string // as in .items[3].price
	before, after json.RawMessage
}

// search looks for the places where two JSON values differ.
type search struct {
	room  *Room
	found []place
	more  bool // there are others
}

// compare adds the places of two values. It goes no deeper than is indented, nor
// further than there is room for: what is left is a place as a whole.
func (s *search) compare(path string, before, after json.RawMessage, depth int) {
	switch {
	case bytes.Equal(before, after) || s.more:
	case len(s.found) == maxPlaces:
		s.more = true
	case before == nil || after == nil || before[0] != after[0] || depth == maxDepth || !s.room.work(len(before)+len(after)):
		s.found = append(s.found, place{path, before, after})
	case before[0] == '{':
		members, err := match(before, after)
		if err != nil { // a member of what was read already: cannot happen
			return
		}
		for _, m := range members {
			s.compare(path+member(m.name), m.before, m.after, depth+1)
		}
	case before[0] == '[':
		s.elements(path, elements(before), elements(after), depth)
	default:
		s.found = append(s.found, place{path, before, after})
	}
}

// elements compares arrays without what they begin and end with in common, so
// that an element that was put in or taken out is the only difference.
func (s *search) elements(path string, before, after []json.RawMessage, depth int) {
	from, beforeEnd, afterEnd := trim(before, after, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) })
	for i := from; i < max(beforeEnd, afterEnd) && !s.more; i++ {
		var a, b json.RawMessage
		if i < beforeEnd {
			a = before[i]
		}
		if i < afterEnd {
			b = after[i]
		}
		s.compare(path+"["+strconv.Itoa(i)+"]", a, b, depth+1)
	}
}

// trim returns where two lists begin to differ, and where each of them ends to.
func trim[T any](a, b []T, same func(T, T) bool) (from, aEnd, bEnd int) {
	aEnd, bEnd = len(a), len(b)
	for from < aEnd && from < bEnd && same(a[from], b[from]) {
		from++
	}
	for aEnd > from && bEnd > from && same(a[aEnd-1], b[bEnd-1]) {
		aEnd--
		bEnd--
	}
	return from, aEnd, bEnd
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// member is the step to a member of an object in a path.
func member(name string) string {
	short, cut := visible.Cut(name, maxName)
	switch {
	case cut:
		return "[" + strconv.Quote(short) + "…]"
	case plainName.MatchString(name):
		return "." + name
	default:
		return "[" + strconv.Quote(name) + "]"
	}
}

// elements returns those of a valid array.
func elements(array json.RawMessage) (all []json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(array))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return all
		}
		all = append(all, raw)
	}
	return all
}
