package zapfield

import (
	"sync"
	"time"

	"github.com/infrakitchen/audit/trail"
)

// queue holds the lines waiting in memory, in chunks of a batch each, so that a
// batch is taken as a whole.
type queue struct {
	set  settings
	wake chan struct{} // tells the worker to look again

	mu     sync.Mutex
	change *sync.Cond // lines were settled, or the queue was closed
	chunks []chunk
	taken  chunk          // what is being written
	spare  [][]trail.Line // memory of earlier chunks
	seq    int64          // of the last line
	lines  int            // in memory
	bytes  int            // of them
	closed bool

	logged, settled, dropped uint64
	flushTo                  uint64 // the count of logged lines up to which none waits for others
}

// chunk is some lines in their order.
type chunk struct {
	lines []trail.Line
	bytes int
	since time.Time // when the first one arrived
}

func newQueue(set settings) *queue {
	q := &queue{set: set, wake: make(chan struct{}, 1)}
	q.change = sync.NewCond(&q.mu)
	return q
}

func (q *queue) ring() {
	select {
	case q.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// full reports whether there is no room for a line of this size.
func (q *queue) full(size int) bool {
	return q.lines > 0 && (q.lines >= q.set.lines || q.bytes+size > q.set.bytes)
}

// put appends a line of a size, and sets its position. It reports whether there
// was room.
func (q *queue) put(l *trail.Line, size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full(size) && q.set.overflow == Block {
		q.wait(q.set.blockTimeout, func() bool { return q.closed || !q.full(size) })
	}
	if q.closed || q.full(size) {
		q.dropped++
		return false
	}
	// The clock orders the lines of several processes, the count those of one.
	q.seq = max(q.seq+1, l.CreatedAt.UnixMicro())
	l.Seq = q.seq
	n := len(q.chunks)
	if n == 0 || len(q.chunks[n-1].lines) >= q.set.batch {
		q.chunks = append(q.chunks, chunk{lines: q.memory(n > 0), since: time.Now()})
		n++
		q.ring()
	}
	last := &q.chunks[n-1]
	last.lines = append(last.lines, *l)
	last.bytes += size
	q.lines, q.bytes, q.logged = q.lines+1, q.bytes+size, q.logged+1
	if len(last.lines) == q.set.batch {
		q.ring()
	}
	return true
}

const (
	// maxSpare bounds the memory that is kept for lines to come.
	maxSpare = 4
	// maxAhead bounds the memory allocated for lines before they come.
	maxAhead = 10_000
)

// memory returns where the lines of a new chunk go. After a full one it is
// allocated for as many at once: they come fast.
func (q *queue) memory(many bool) []trail.Line {
	if n := len(q.spare); n > 0 {
		lines := q.spare[n-1]
		q.spare[n-1] = nil
		q.spare = q.spare[:n-1]
		return lines
	}
	if many {
		return make([]trail.Line, 0, min(q.set.batch, maxAhead))
	}
	return nil
}

// wait waits until a condition holds, at most for d. The queue is locked.
func (q *queue) wait(d time.Duration, until func() bool) bool {
	over := false
	alarm := time.AfterFunc(d, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		over = true
		q.change.Broadcast()
	})
	defer alarm.Stop()
	for !until() && !over {
		q.change.Wait()
	}
	return until()
}

// take returns the next chunk, if it is full or has waited long enough. Without
// one it returns how long to wait for it (negative: until woken) and whether
// there will be no more.
func (q *queue) take() (c chunk, wait time.Duration, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.chunks) == 0 {
		return c, -1, q.closed
	}
	c = q.chunks[0]
	if len(c.lines) < q.set.batch && q.settled >= q.flushTo && !q.closed {
		if wait = q.set.interval - time.Since(c.since); wait > 0 {
			return chunk{}, wait, false
		}
	}
	q.chunks[0] = chunk{}
	if q.chunks = q.chunks[1:]; len(q.chunks) == 0 {
		q.chunks = nil
	}
	q.taken = c
	return c, 0, false
}

// settle releases the lines of the chunk that was taken: they are stored, or
// never will be. Their memory is used again, unless somebody still reads it.
func (q *queue) settle(again bool) {
	n := len(q.taken.lines)
	if again = again && n > 0; again {
		clear(q.taken.lines) // only the worker has them, so this needs no lock
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lines, q.bytes, q.settled = q.lines-n, q.bytes-q.taken.bytes, q.settled+uint64(n)
	if again && len(q.spare) < maxSpare {
		q.spare = append(q.spare, q.taken.lines[:0])
	}
	q.taken = chunk{}
	q.change.Broadcast()
}

// flush has all lines written that were logged so far, and waits for that, at
// most for d.
func (q *queue) flush(d time.Duration) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	to := q.logged
	q.flushTo = max(q.flushTo, to)
	q.ring()
	return q.wait(d, func() bool { return q.settled >= to })
}

// close accepts no more lines.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ring()
	q.change.Broadcast()
}

func (q *queue) stats() SinkStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	st := SinkStats{Logged: q.logged, Dropped: q.dropped, Queued: q.lines, QueuedBytes: q.bytes}
	if oldest := q.taken; len(oldest.lines) > 0 {
		st.Lag = time.Since(oldest.since)
	} else if len(q.chunks) > 0 {
		st.Lag = time.Since(q.chunks[0].since)
	}
	return st
}
