package store

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// errNoCopy means that the driver is not pgx.
var errNoCopy = errors.New("the driver does not COPY")

// copying takes lines. With announcingAll behind it, both are one message: one
// transaction and one round trip.
const copying = `COPY execution_logs (` + lineColumns + `) FROM STDIN (FORMAT binary); `

// copyLines writes lines by COPY.
func (s *Store) copyLines(ctx context.Context, lines []Line) error {
	pool, err := s.db.DB()
	if err != nil {
		return errNoCopy
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return errNoCopy
		}
		rows := &copyRows{lines: lines, room: []byte(copyHead)}
		defer rows.stop()
		_, err := c.Conn().PgConn().CopyFrom(ctx, rows, copying+announcingAll(lines))
		return err
	})
	return errors.Join(err, conn.Close())
}

// announcingAll is announcing without arguments. The ids are digits and dashes,
// made here.
func announcingAll(lines []Line) string {
	return strings.Replace(announcing, "$1", "'{"+strings.Join(traces(lines), ",")+"}'", 1)
}

const (
	copyHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // no flags, no extension
	copyEnd  = "\xff\xff"
	// copyFixed is the size of a row without its texts: the number of columns,
	// their lengths, two ids, two times, a version of jsonb and a number.
	copyFixed = 2 + 10*4 + 2*16 + 2*8 + 1 + 8
)

// copyRows is lines in the binary format of COPY, encoded as they are read:
// while the server handles the first ones, the next are encoded.
type copyRows struct {
	mu    sync.Mutex // pgconn may read on for a moment after an error
	lines []Line
	room  []byte // what did not fit into the reader's buffer
	ended bool
}

var _ io.Reader = (*copyRows)(nil)

// Read implements [io.Reader].
func (r *copyRows) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(p) {
		if len(r.room) > 0 {
			took := copy(p[n:], r.room)
			n, r.room = n+took, r.room[took:]
			continue
		}
		switch {
		case len(r.lines) > 0:
			l := &r.lines[0]
			if size := copyFixed + len(l.Level) + len(l.Logger) + len(l.Message) + len(l.Fields) + len(l.Caller); size <= len(p)-n {
				n = len(appendRow(p[:n], l))
			} else {
				r.room = appendRow(make([]byte, 0, size), l)
			}
			r.lines = r.lines[1:]
		case r.ended:
			return n, io.EOF
		default:
			r.room, r.ended = []byte(copyEnd), true
		}
	}
	return n, nil
}

// stop releases the lines to the caller.
func (r *copyRows) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.room, r.ended = nil, nil, true
}

// appendRow appends a line with the columns of lineColumns.
func appendRow(b []byte, l *Line) []byte {
	b = append(b, 0, 10)
	b = append(append(b, 0, 0, 0, 16), l.ID[:]...)
	b = append(append(b, 0, 0, 0, 16), l.TraceID[:]...)
	b = appendTime(b, l.CreatedAt)
	b = appendText(b, l.Level)
	b = appendOptional(b, l.Logger)
	b = appendText(b, l.Message)
	if len(l.Fields) > 0 {
		b = appendLength(b, len(l.Fields)+1)
		b = append(append(b, 1), l.Fields...) // the version of jsonb's format
	} else {
		b = append(b, copyNull...)
	}
	b = appendOptional(b, l.Caller)
	b = binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(l.Seq)) //nolint:gosec // two's complement
	if l.ExpireAt == nil {
		return append(b, copyNull...)
	}
	return appendTime(b, *l.ExpireAt)
}

const copyNull = "\xff\xff\xff\xff"

func appendLength(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // PostgreSQL refuses a gigabyte
}

func appendText(b []byte, s string) []byte { return append(appendLength(b, len(s)), s...) }

func appendOptional(b []byte, s string) []byte {
	if s == "" {
		return append(b, copyNull...)
	}
	return appendText(b, s)
}

// epoch is PostgreSQL's.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func appendTime(b []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 8), uint64(t.UnixMicro()-epoch)) //nolint:gosec // two's complement
}
