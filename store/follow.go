package store

import (
	"context"
	"database/sql"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	// followPage is how many lines are read at a time.
	followPage = 500
	// followWindow is how many of the last lines a follower knows one by one.
	followWindow = 10_000
	// followPoll is how often it looks by itself.
	followPoll = time.Second
)

// Follow returns the lines of a trace whose Seq is greater than after, those
// that are there and then each that arrives, until ctx is done or the loop is
// left. Zero is all lines; the Seq of the last line that was seen goes on from
// there.
//
//	for line, err := range st.Follow(ctx, id, 0) { ... }
//
// Every line comes once. Those of one process come in the order in which they
// were logged. Where several processes log in one trace, or one that could not
// reach the database for a while, lines may come behind others of a greater
// Seq, as long as fewer than 5000 lines have gone ahead of them.
//
// What is written through this store is there at once; what other processes
// write, as PostgreSQL tells it, by LISTEN and NOTIFY, where the driver is pgx
// and the pool has at least three connections, of which all followers of a
// store share one. Otherwise, and where that connection is lost, the trace is
// looked at every second. A database that is away is waited for. Any other
// error comes as the last element, with a line that is empty.
//
// It does not end with the action: an action may be over before its last lines
// are kept.
func (s *Store) Follow(ctx context.Context, traceID uuid.UUID, after int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		wake, leave := s.followers.join(s, traceID) //nolint:contextcheck // what all followers share outlives this one
		defer leave()
		f := follower{
			store: s, trace: traceID.String(), floor: after, seq: after, id: uuid.Max, known: map[uuid.UUID]int64{},
		}
		poll := time.NewTicker(followPoll)
		defer poll.Stop()
		for {
			lines, err := f.next(ctx)
			if ctx.Err() != nil {
				return
			}
			if err != nil && !passing(err) {
				yield(Line{}, explain("following lines", err))
				return
			}
			for _, l := range lines {
				if !yield(l, nil) {
					return
				}
			}
			if len(lines) > 0 {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-wake:
			case <-poll.C:
			}
		}
	}
}

// follower is how far somebody is who follows a trace.
type follower struct {
	store *Store
	trace string
	// seq and id are those of the last line, as far as lines came in order.
	seq int64
	id  uuid.UUID
	// known are the lines behind floor that were given; of those up to floor
	// all were.
	known map[uuid.UUID]int64
	floor int64
}

// next returns lines that have arrived since, none where there are none.
func (f *follower) next(ctx context.Context) ([]Line, error) {
	lines, err := list(f.store.read(ctx), scanLine, `SELECT `+lineColumns+` FROM execution_logs
WHERE trace_id = ? AND seq >= ? AND (seq > ? OR id > ?) ORDER BY seq, id LIMIT ?`,
		f.trace, f.seq, f.seq, f.id.String(), followPage)
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return f.late(ctx)
	}
	last := lines[len(lines)-1]
	f.seq, f.id = last.Seq, last.ID
	f.learn(lines)
	return lines, nil
}

// late returns lines that have arrived behind others that they stand ahead of.
// That there are any shows in their number, which an index tells.
func (f *follower) late(ctx context.Context) ([]Line, error) {
	counts, err := list(f.store.read(ctx), func(rows *sql.Rows) (n int, err error) { return n, rows.Scan(&n) },
		`SELECT count(*) FROM execution_logs WHERE trace_id = ? AND seq > ? AND seq <= ?`, f.trace, f.floor, f.seq)
	if err != nil || counts[0] == len(f.known) {
		return nil, err
	}
	ids, err := list(f.store.read(ctx), func(rows *sql.Rows) (id uuid.UUID, err error) { return id, rows.Scan(&id) },
		`SELECT id FROM execution_logs WHERE trace_id = ? AND seq > ? AND seq <= ? ORDER BY seq, id`, f.trace, f.floor, f.seq)
	if err != nil {
		return nil, err
	}
	there := make(map[uuid.UUID]bool, len(ids))
	var missed []string
	for _, id := range ids {
		there[id] = true
		if _, ok := f.known[id]; !ok && len(missed) < followPage {
			missed = append(missed, id.String())
		}
	}
	maps.DeleteFunc(f.known, func(id uuid.UUID, _ int64) bool { return !there[id] }) // expired meanwhile
	if len(missed) == 0 {
		return nil, nil
	}
	lines, err := list(f.store.read(ctx), scanLine,
		`SELECT `+lineColumns+` FROM execution_logs WHERE id IN ? ORDER BY seq, id`, missed)
	if err != nil {
		return nil, err
	}
	f.learn(lines)
	return lines, nil
}

func (f *follower) learn(lines []Line) {
	for _, l := range lines {
		f.known[l.ID] = l.Seq
	}
	if len(f.known) <= followWindow {
		return
	}
	places := slices.Sorted(maps.Values(f.known))
	f.floor = places[len(places)/2]
	maps.DeleteFunc(f.known, func(_ uuid.UUID, seq int64) bool { return seq <= f.floor })
}

// passing reports whether an error is one that goes away by itself: the
// connection is lost, the server is not up, or somebody else writes.
func passing(err error) bool {
	if notMigrated(err) || strings.Contains(err.Error(), "database is closed") {
		return false
	}
	switch code := state(err); {
	case code == "": // nobody answered, or SQLite did
		return !strings.Contains(err.Error(), "SQL logic error")
	default:
		return slices.Contains([]string{"08", "53", "57", "40"}, code[:2])
	}
}
