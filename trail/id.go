package trail

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
)

// TimeLayout is how the trail spells an instant, which must be in UTC: RFC 3339
// with microseconds.
const TimeLayout = "2006-01-02T15:04:05.000000Z"

// lastMicro is the last microsecond that 48 bits of milliseconds hold.
const lastMicro = (1<<48-1)*1000 + 999

// NewID returns a version 7 UUID (RFC 9562, section 5.7) that begins with t,
// so that the order of ids is the order of their instants. The microseconds
// are in the twelve bits after the milliseconds (section 6.2, method 3), the
// other 62 bits are random. Time returns t, truncated to microseconds. Instants
// before 1970 or later than year 10889 are clamped.
func NewID(t time.Time) uuid.UUID {
	us := min(max(t.UnixMicro(), 0), lastMicro)
	ms, frac := uint64(us/1000), uint64(us%1000)
	// 4096 steps per millisecond: rounding up makes the way back exact.
	hi := ms<<16 | 0x7000 | (frac*4096+999)/1000
	lo := rand.Uint64()&(1<<62-1) | 1<<63 //nolint:gosec // ids are unique, not secret

	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], hi)
	binary.BigEndian.PutUint64(id[8:], lo)
	return id
}

// Time returns the instant at which id was made, in UTC, to the microsecond. It
// is the zero time for an id that is not of version 7.
func Time(id uuid.UUID) time.Time {
	hi := binary.BigEndian.Uint64(id[:8])
	if hi>>12&0xf != 7 {
		return time.Time{}
	}
	ms, frac := int64(hi>>16), int64(hi&0xfff)*1000/4096 //nolint:gosec // 48 and 12 bits
	return time.UnixMicro(ms*1000 + frac).UTC()
}

// Plausible reports whether id can be that of an action: a version 7 UUID of
// the RFC 9562 variant. It tolerates an hour of clock skew: the id must not be
// later than that from now.
func Plausible(id uuid.UUID) bool {
	at := Time(id)
	return !at.IsZero() && id.Variant() == uuid.RFC4122 && time.Until(at) < time.Hour
}
