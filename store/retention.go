package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// Keep is a rule for how long lines are kept. It applies to lines matching all
// its fields.
type Keep struct {
	Event trail.Event // of the line's action; empty: any
	Level string      // of the line, in lower case; empty: any
	// For is how long after the line was logged; zero: it never expires.
	For time.Duration
}

// DefaultRetention returns the rules of a store without [WithRetention]: the
// lines of dry runs expire after five days, others never.
func DefaultRetention() []Keep {
	return []Keep{{Event: trail.Dryrun, For: 5 * 24 * time.Hour}}
}

// WithRetention sets the rules by which lines expire, in place of
// [DefaultRetention]; without a rule none do. The first rule that matches a line
// wins. A line with its own ExpireAt is not touched. Nothing is deleted before
// [Store.Prune] is called. A negative For, or a Level that is not in lower case,
// is refused.
//
// A line's expiry is written with it; later changes of the rules do not affect
// it. If an action is recorded with its change or at its end, its event is not
// known to the lines before that. Such a line gets the shortest possible
// expiry. [Store.Prune] then extends it by the rules if the event is known. As
// long as it is not, the line stays until no event could keep it any longer;
// prunes look at it again each time that its age has doubled. (Events recorded
// before their work, such as dryrun, are known from the start and not looked up
// twice.)
func WithRetention(rules ...Keep) Option {
	rules = slices.Clone(rules)
	return optionFunc(func(s *Store) error {
		for i, r := range rules {
			if r.For < 0 {
				return fmt.Errorf("store: WithRetention: rule %d: For is %s, must be zero or more", i, r.For)
			}
			if strings.ToLower(r.Level) != r.Level { // it would match no line
				return fmt.Errorf("store: WithRetention: rule %d: Level is %q, must be in lower case", i, r.Level)
			}
		}
		s.retention.rules = rules
		return nil
	})
}

// retention is the rules, and what is known of the events that they name.
type retention struct {
	rules []Keep

	mu     sync.Mutex
	events map[uuid.UUID]trail.Event // by trace
}

// maxKnown bounds the events that a store remembers.
const maxKnown = 10_000

func (r *retention) byEvent() bool {
	return slices.ContainsFunc(r.rules, func(k Keep) bool { return k.Event != "" })
}

// late reports whether the rule names an event that lines can precede.
func (k Keep) late() bool { return k.Event != "" && k.Event.Moment() != trail.Ahead }

// until returns when the rule lets a line expire, nil for never.
func (k Keep) until(l *Line) *time.Time {
	if k.For == 0 {
		return nil
	}
	at := nearest(l.CreatedAt.Add(k.For)).UTC().Truncate(time.Microsecond)
	return &at
}

// of returns when a line expires, nil for never. An empty event is not known so
// far or, if it never comes, at all: then these are the earliest and the latest
// time that any event can make of it.
func (r *retention) of(l *Line, event trail.Event) (earliest, latest *time.Time) {
	never := false
	for _, k := range r.rules {
		sure := k.Event == "" || k.Event == event
		if k.Level != "" && k.Level != l.Level || !sure && (event != "" || !k.late()) {
			continue
		}
		switch at := k.until(l); {
		case at == nil:
			never = true
		case earliest == nil:
			earliest, latest = at, at
		case at.Before(*earliest):
			earliest = at
		case at.After(*latest):
			latest = at
		}
		if sure && never {
			return earliest, nil
		}
		if sure {
			return earliest, latest
		}
	}
	return earliest, nil // no rule matches whatever the event
}

// postponing is added to the expiry of a line whose event is still not known, to
// tell it from one that the caller chose.
const postponing = time.Microsecond

// unsure reports whether a line that has an expiry got it before its event was
// known, and the event matters.
func (r *retention) unsure(l *Line) bool {
	earliest, latest := r.of(l, "")
	if l.ExpireAt == nil || earliest == nil || latest != nil && latest.Equal(*earliest) {
		return false
	}
	return l.ExpireAt.Equal(doubled(l, *earliest, l.ExpireAt.Add(-1)))
}

// again returns when to look again at a line whose event is still not known:
// when its age will have doubled, but not after the latest time that it can stay.
func (r *retention) again(l *Line, now time.Time, latest *time.Time) *time.Time {
	earliest, _ := r.of(l, "")
	at := doubled(l, *earliest, now)
	if !at.After(now) || !inRange(at) || latest != nil && latest.Before(at) {
		return latest
	}
	return &at
}

// doubled returns the first time after now at which a line is as old as at its
// first expiry, or twice or four times as old, and so on. Beyond what a duration
// can hold it returns some time before now.
func doubled(l *Line, first, now time.Time) time.Time {
	at := first
	for age := max(first.Sub(l.CreatedAt), postponing); age > 0 && !at.After(now); {
		age *= 2
		at = l.CreatedAt.Add(age + postponing)
	}
	return at
}

// expire returns lines with the expiry set by the rules.
func (s *Store) expire(ctx context.Context, lines []Line) ([]Line, error) {
	r := &s.retention
	if len(r.rules) == 0 {
		return lines, nil
	}
	events := map[uuid.UUID]trail.Event{}
	if r.byEvent() {
		var err error
		if events, err = s.eventsOf(ctx, lines); err != nil {
			return nil, err
		}
	}
	own := lines // the caller's, until there is something to change
	var event trail.Event
	for i := range lines {
		if i == 0 || lines[i].TraceID != lines[i-1].TraceID {
			event = events[lines[i].TraceID]
		}
		if lines[i].ExpireAt != nil {
			continue
		}
		at, _ := r.of(&lines[i], event)
		if at == nil {
			continue
		}
		if &own[0] == &lines[0] {
			own = slices.Clone(lines)
		}
		own[i].ExpireAt = at
	}
	return own, nil
}

// eventsOf returns the events of the actions of lines, as far as their entries
// are written.
func (s *Store) eventsOf(ctx context.Context, lines []Line) (map[uuid.UUID]trail.Event, error) {
	found := map[uuid.UUID]trail.Event{}
	var unknown []string
	s.retention.mu.Lock()
	for i := range lines {
		if i > 0 && lines[i].TraceID == lines[i-1].TraceID {
			continue // most are
		}
		id := lines[i].TraceID
		if _, ok := found[id]; ok {
			continue
		}
		event, ok := s.retention.events[id]
		if found[id] = event; !ok {
			unknown = append(unknown, id.String())
		}
	}
	s.retention.mu.Unlock()

	type own struct {
		id    uuid.UUID
		event trail.Event
	}
	for batch := range slices.Chunk(unknown, 500) {
		owns, err := list(s.write(ctx), func(rows *sql.Rows) (o own, err error) {
			return o, rows.Scan(&o.id, &o.event)
		}, `SELECT id, event FROM audit_logs WHERE id IN ?`, batch)
		if err != nil {
			return nil, err
		}
		s.retention.mu.Lock()
		if s.retention.events == nil || len(s.retention.events)+len(owns) > maxKnown {
			s.retention.events = map[uuid.UUID]trail.Event{}
		}
		for _, o := range owns {
			found[o.id], s.retention.events[o.id] = o.event, o.event
		}
		s.retention.mu.Unlock()
	}
	return found, nil
}
