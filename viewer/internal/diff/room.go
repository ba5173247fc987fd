package diff

import (
	"strings"

	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// Room is what a page has left for what it shows, in bytes of HTML. A value that
// does not fit any more is shown by its head, as long as there is room for heads.
type Room struct{ whole, heads int }

// NewRoom returns a room for so many bytes of values, and for a quarter of that
// of heads.
func NewRoom(bytes int) *Room { return &Room{whole: bytes, heads: bytes / 4} }

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

// Weight is how much room a text takes: marks of HTML become longer.
func Weight(text string) int {
	weight := len(text)
	for _, mark := range []string{`<`, `>`, `&`, `"`, `'`} {
		weight += 4 * strings.Count(text, mark)
	}
	return weight
}

// tags is the room that the elements around a value take.
const tags = 100

// fit takes the room for a value, or cuts it to its head. It reports whether there
// was any room.
func (r *Room) fit(v *Value) bool {
	if v == nil || r.Whole(tags+Weight(v.Text)) {
		return true
	}
	text, cut := visible.Cut(v.Text, headText)
	v.Text, v.Cut = text, v.Cut || cut
	return r.Head(tags + Weight(v.Text))
}
