package viewer

import (
	"fmt"
	"strconv"
	"time"

	"github.com/infrakitchen/audit/trail"
)

// isoTime is a time for machines, the same everywhere.
func isoTime(t time.Time) string { return t.UTC().Format(trail.TimeLayout) }

// moment is a time as a page shows it.
type moment struct {
	ISO  string // for the datetime attribute
	Text string // with seconds, in the viewer's zone; with the offset where it is ambiguous
	Full string // with microseconds and zone
	Ago  string // as of now
}

func (h *handler) moment(t time.Time) moment {
	local := t.In(h.options.Location)
	layout := "2006-01-02 15:04:05"
	if twice(local) {
		layout += " -07:00"
	}
	return moment{
		ISO:  isoTime(t),
		Text: local.Format(layout),
		Full: local.Format("2006-01-02 15:04:05.000000 MST"),
		Ago:  ago(h.options.Now().Sub(t)),
	}
}

// exact is a time as it is, for a filter: with what it has of a second.
func (h *handler) exact(t time.Time) string {
	local := t.In(h.options.Location)
	layout := "2006-01-02 15:04:05.999999999"
	if twice(local) {
		layout += " -07:00"
	}
	return local.Format(layout)
}

// twice reports whether the clock shows the time of t twice, as where daylight
// saving ends.
func twice(t time.Time) bool {
	start, end := t.ZoneBounds()
	_, offset := t.Zone()
	if !end.IsZero() {
		_, next := end.Zone()
		if back := time.Duration(offset-next) * time.Second; back > 0 && !t.Before(end.Add(-back)) {
			return true
		}
	}
	if !start.IsZero() {
		_, last := start.Add(-1).Zone()
		if back := time.Duration(last-offset) * time.Second; back > 0 && t.Before(start.Add(back)) {
			return true
		}
	}
	return false
}

// zone is the zone of times on a page: its name, or the present offset of one
// whose name says nothing.
func (h *handler) zone() string {
	switch name := h.options.Location.String(); name {
	case "", "Local":
		return h.options.Now().In(h.options.Location).Format("UTC-07:00")
	default:
		return name
	}
}

// ago says in words how long ago something was.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{365 * day, "year"}, {30 * day, "month"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.size); n == 1 {
			return "1 " + unit.name + " ago"
		} else if n > 1 {
			return strconv.Itoa(n) + " " + unit.name + "s ago"
		}
	}
	if d < -time.Minute {
		return "in the future"
	}
	return "just now"
}

// duration says how long something took.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
}
