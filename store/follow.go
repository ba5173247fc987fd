package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"iter"
	"maps"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// followPage is how many lines are read at a time.
	followPage = 500
	// followWindow is how many of the last lines a follower tracks one by one.
	followWindow = 10_000
	// followPoll is how often it looks without being notified.
	followPoll = time.Second
)

// Follow returns the lines of a trace whose Seq is greater than after: the
// existing ones and then each that arrives, until ctx is done or the loop is
// left. Zero means all lines, also those whose Seq is zero or less; pass the Seq
// of the last line seen to resume from there.
//
//	for line, err := range st.Follow(ctx, id, 0) { ... }
//
// Every line comes once. Those of one process come in the order in which they
// were logged. If several processes log in one trace, or one could not reach the
// database for a while, a line may come after others of a greater Seq, provided
// that fewer than 5000 lines came before it.
//
// Lines written through this store arrive at once, those of other processes
// through LISTEN and NOTIFY on PostgreSQL, if the driver is pgx and the pool has
// at least three connections, of which all followers of a store share one.
// Otherwise, and if that connection is lost, the trace is polled every second.
// It waits for a database that is down or locked. Any other error comes as the
// last element, with an empty line.
//
// It does not end with the action: an action may end before its last lines are
// stored.
func (s *Store) Follow(ctx context.Context, traceID uuid.UUID, after int64) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		wake, leave := s.followers.join(s, traceID) //nolint:contextcheck // what all followers share outlives this one
		defer leave()
		f := follower{
			store: s, trace: traceID.String(), floor: after, seq: after, id: uuid.Max, known: map[uuid.UUID]int64{},
		}
		if after == 0 {
			f.floor, f.seq, f.id = math.MinInt64, math.MinInt64, uuid.Nil
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

// follower is the position of somebody who follows a trace.
type follower struct {
	store *Store
	trace string
	// seq and id are those of the last line that came in order.
	seq int64
	id  uuid.UUID
	// known are the lines after floor that were returned; all those up to floor
	// were.
	known map[uuid.UUID]int64
	floor int64
}

// next returns lines that have arrived since, if any.
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

// late returns lines that arrived after others that come after them in order.
// The ids are compared and not counted: as one line arrives, another may expire.
func (f *follower) late(ctx context.Context) ([]Line, error) {
	ids, err := list(f.store.read(ctx), func(rows *sql.Rows) (id uuid.UUID, err error) { return id, rows.Scan(&id) },
		`SELECT id FROM execution_logs WHERE trace_id = ? AND seq > ? AND seq <= ? ORDER BY seq, id`, f.trace, f.floor, f.seq)
	if err != nil {
		return nil, err
	}
	var missed []string
	for _, id := range ids {
		if _, ok := f.known[id]; !ok && len(missed) < followPage {
			missed = append(missed, id.String())
		}
	}
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

// passing reports whether an error is known to go away by itself: the connection
// was lost, the server is not up or has no room, or somebody else has a lock.
func passing(err error) bool {
	if code := state(err); code != "" {
		return slices.Contains([]string{"08", "53"}, code[:2]) || slices.Contains([]string{
			deadlock, lockNotAvailable, "40001", // serialization_failure, also on a replica
			"57P01", "57P02", "57P03", "57P05", // the server ends, restarts, starts, ended an idle session
		}, code)
	}
	var connecting *pgconn.ConnectError
	var network *net.OpError
	if errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) {
		return true
	}
	for _, lost := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, lost) {
			return true
		}
	}
	text := err.Error() // drivers of SQLite have types of their own
	return strings.Contains(text, "database is locked") || strings.Contains(text, "database table is locked")
}
