package diff

import (
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Room is what a page has left for what it shows, in bytes of HTML. A value that
// does not fit any more is shown by its head, as long as there is room for heads.
type Room struct{ whole, heads, compared int }

// NewRoom returns a room for so many bytes of values, and for a quarter of that
// of heads.
func NewRoom(bytes int) *Room {
	return &Room{whole: bytes, heads: bytes / 4, compared: maxCompared}
}

// maxCompared bounds how much JSON is read to compare its members, in bytes: those
// of each level are read once.
const maxCompared = 32 << 20

// work takes the room for comparing so many bytes, if it is there.
func (r *Room) work(bytes int) bool { return take(&r.compared, bytes) }

// Whole takes the room for something, if it is there.
func (r *Room) Whole(bytes int) bool { return take(&r.whole, bytes) }

// Head takes the room for the head of something, if it is there.
func (r *Room) Head(bytes int) bool { return take(&r.heads, bytes) }

func take(left *int, bytes int) bool {
	if bytes > *left {
		return false
	}
	*left -= bytes
	return true
}

// tags is the room that the elements around a value take.
const tags = 100

// weight is how much room a value takes.
func (v *Value) weight() int {
	if v.Parts == nil {
		return tags + visible.Weight(v.Text)
	}
	bytes := tags
	for _, p := range v.Parts {
		bytes += tags
		for _, piece := range p.Pieces {
			bytes += visible.Weight(piece.Text) + len(piece.Meaning)
		}
	}
	return bytes
}

// fit takes the room for a value, or cuts it to its head. It reports whether there
// was any room.
func (r *Room) fit(v *Value) bool {
	if v == nil || r.Whole(v.weight()) {
		return true
	}
	text, cut := visible.Cut(v.Text, headText)
	v.Text, v.Cut, v.Parts = text, v.Cut || cut || v.Parts != nil, nil
	return r.Head(v.weight())
}
