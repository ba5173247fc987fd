package trail_test

import (
	"bytes"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/trail"
)

// The first and the last instant that 48 bits of milliseconds hold, cut to
// what an id tells apart.
var (
	first = time.UnixMicro(0).UTC()
	last  = time.UnixMilli(1<<48 - 1).UTC().Add(999 * time.Microsecond)
)

func TestNewID(t *testing.T) {
	for _, c := range []struct {
		reason   string
		at, want time.Time
	}{
		{"a microsecond", time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC), time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)},
		{"nanoseconds are cut", time.Date(2026, 11, 23, 12, 0, 0, 123456999, time.UTC), time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)},
		{"another zone is the same instant", time.Date(2026, 11, 23, 12, 0, 0, 1000, time.FixedZone("", 3600)), time.Date(2026, 11, 23, 11, 0, 0, 1000, time.UTC)},
		{"the epoch", first, first},
		{"the last instant of a millisecond", time.UnixMicro(999), time.UnixMicro(999).UTC()},
		{"the last instant there is", last, last},
		{"before the epoch is the epoch", time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC), first},
		{"the zero time is the epoch", time.Time{}, first},
		{"behind the last is the last", last.Add(time.Microsecond), last},
		{"a far future is the last", time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC), last},
	} {
		id := trail.NewID(c.at)
		if got := trail.Time(id); !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s: the id of %s gives %s, want %s", c.reason, c.at, got, c.want)
		}
		// RFC 9562, sections 4.1 and 5.7.
		if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s: %s has version %d and variant %s", c.reason, id, id.Version(), id.Variant())
		}
	}
}

// Every microsecond of a millisecond has its own place in the id.
func TestNewIDKeepsEachMicrosecond(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var before uuid.UUID
	for range 3000 {
		id := trail.NewID(at)
		if got := trail.Time(id); !got.Equal(at) {
			t.Fatalf("the id of %s gives %s", at, got)
		}
		if bytes.Compare(before[:8], id[:8]) >= 0 || before.String() >= id.String() {
			t.Fatalf("%s is not behind %s", id, before)
		}
		before = id
		at = at.Add(time.Microsecond)
	}
}

// The order of ids is the order of their instants, as bytes and as text.
func TestNewIDOrder(t *testing.T) {
	instants := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(0, last.UnixMicro()).Draw(t, "us")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := instants.Draw(t, "a"), instants.Draw(t, "b")
		x, y := trail.NewID(a), trail.NewID(b)
		if !trail.Time(x).Equal(a) || !trail.Time(y).Equal(b) {
			t.Fatalf("%s gives %s, %s gives %s", a, trail.Time(x), b, trail.Time(y))
		}
		if !a.Equal(b) && (a.Before(b) != (bytes.Compare(x[:], y[:]) < 0) || a.Before(b) != (x.String() < y.String())) {
			t.Fatalf("%s and %s are in another order than %s and %s", x, y, a, b)
		}
	})
}

// Ids of one instant are all different, from whatever goroutine.
func TestNewIDIsUnique(t *testing.T) {
	const goroutines, each = 8, 5000
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	made := make([][]uuid.UUID, goroutines)
	var wg sync.WaitGroup
	for g := range made {
		wg.Go(func() {
			for range each {
				made[g] = append(made[g], trail.NewID(at))
			}
		})
	}
	wg.Wait()
	seen := make(map[uuid.UUID]bool, goroutines*each)
	var ones, zeros uuid.UUID
	for _, ids := range made {
		for _, id := range ids {
			if seen[id] {
				t.Fatalf("%s was made twice", id)
			}
			seen[id] = true
			for i := range id {
				ones[i] |= id[i]
				zeros[i] |= ^id[i]
			}
		}
	}
	// All of the 62 bits after the variant are random.
	for i, want := range []byte{0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff} {
		if got := ones[8+i] & zeros[8+i]; got != want {
			t.Errorf("of byte %d the bits %08b vary, want %08b", 8+i, got, want)
		}
	}
}

// Only ids of version 7 have a time.
func TestTimeOfOthers(t *testing.T) {
	for _, text := range []string{
		"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
		"8a2e0b1c-41d5-4c6e-9f6a-111111111111", "c232ab00-9414-11ec-b3c8-9f6bdeced846", "1ec9414c-232a-6b00-b3c8-9f6bdeced846",
	} {
		if got := trail.Time(uuid.MustParse(text)); !got.IsZero() {
			t.Errorf("%s is of %s, want the zero time", text, got)
		}
	}
	// An example of RFC 9562, appendix A.6, to the millisecond.
	got := trail.Time(uuid.MustParse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))
	if want := time.Date(2022, 2, 22, 19, 22, 22, 0, time.UTC); !got.Truncate(time.Millisecond).Equal(want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzTime: any sixteen bytes have a time that can be kept, or none.
func FuzzTime(f *testing.F) {
	f.Add(make([]byte, 16))
	f.Add(bytes.Repeat([]byte{0x77}, 16))
	f.Fuzz(func(t *testing.T, b []byte) {
		id, err := uuid.FromBytes(b)
		if err != nil {
			return
		}
		at := trail.Time(id)
		if id.Version() == 7 && (at.Before(first) || at.After(last)) || at.Nanosecond()%1000 != 0 || at.Unix() == math.MaxInt64 {
			t.Errorf("%s is of %s", id, at)
		}
	})
}
