package viewer

import (
	"fmt"
	"strconv"
	"time"
)

// iso is a time for machines, the same everywhere.
const iso = "2006-01-02T15:04:05.000000Z"

func isoTime(t time.Time) string { return t.UTC().Format(iso) }

// moment is a time as a page shows it.
type moment struct {
	ISO  string // for the datetime attribute
	Text string // with seconds, in the viewer's zone
	Full string // with microseconds and zone
	Ago  string // as of now
}

func (h *handler) moment(t time.Time) moment {
	local := t.In(h.options.Location)
	return moment{
		ISO:  isoTime(t),
		Text: local.Format("2006-01-02 15:04:05"),
		Full: local.Format("2006-01-02 15:04:05.000000 MST"),
		Ago:  ago(h.options.Now().Sub(t)),
	}
}

// zone is the zone of times on a page.
func (h *handler) zone() string {
	if h.options.Location == time.UTC {
		return "UTC"
	}
	return h.options.Location.String()
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
