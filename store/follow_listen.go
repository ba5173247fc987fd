package store

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"
)

// channel is where writers of lines announce the traces of those lines.
const channel = "audit_lines"

// announcing announces traces when the transaction commits.
const announcing = `SELECT pg_notify('` + channel + `', trace) FROM unnest($1::text[]) AS written (trace)`

const (
	// everyone stands for more traces than are worth announcing one by one.
	everyone     = "*"
	maxAnnounced = 64
	// listenAgain is how long a lost connection is left alone.
	listenAgain = time.Second
	// minListen is the smallest pool that can spare a connection.
	minListen = 3
)

// traces returns what to announce of the traces of lines.
func traces(lines []Line) []string {
	seen := map[uuid.UUID]bool{}
	var ids []string
	for i := range lines {
		if i > 0 && lines[i].TraceID == lines[i-1].TraceID {
			continue // most are
		}
		if id := lines[i].TraceID; !seen[id] {
			if len(ids) == maxAnnounced {
				return []string{everyone}
			}
			seen[id] = true
			ids = append(ids, id.String())
		}
	}
	return ids
}

// followers are waiting for lines, by trace.
type followers struct {
	mu    sync.Mutex
	wakes map[uuid.UUID]map[chan struct{}]bool
	stop  func() // stops listening, and waits until it has stopped
}

// join returns a channel that is signalled when a trace has lines, and a function
// to leave. The first to join starts listening, the last to leave stops it.
func (f *followers) join(s *Store, trace uuid.UUID) (wake chan struct{}, leave func()) {
	wake = make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.wakes) == 0 {
		f.wakes = map[uuid.UUID]map[chan struct{}]bool{}
		f.stop = s.startListening()
	}
	if f.wakes[trace] == nil {
		f.wakes[trace] = map[chan struct{}]bool{}
	}
	f.wakes[trace][wake] = true
	return wake, func() {
		f.mu.Lock()
		delete(f.wakes[trace], wake)
		if len(f.wakes[trace]) == 0 {
			delete(f.wakes, trace)
		}
		stop := func() {}
		if len(f.wakes) == 0 {
			stop, f.stop = f.stop, nil
		}
		f.mu.Unlock()
		stop()
	}
}

// tell wakes the followers of the traces, which are as returned by traces.
func (f *followers) tell(traces ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.wakes) == 0 {
		return
	}
	for _, text := range traces {
		id, err := uuid.Parse(text)
		for trace, wakes := range f.wakes {
			if err == nil && trace != id { // anything but an id is for everyone
				continue
			}
			for wake := range wakes {
				select {
				case wake <- struct{}{}:
				default: // it has not looked since the last time
				}
			}
		}
	}
}

// startListening starts listening if possible, and returns how to stop it.
func (s *Store) startListening() (stop func()) {
	if s.db.Name() != postgres {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s.listen(ctx) {
			select {
			case <-ctx.Done():
			case <-time.After(listenAgain):
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// listen passes on announcements until the connection or ctx ends. It reports
// whether to try again.
func (s *Store) listen(ctx context.Context) (again bool) {
	pool, err := s.db.DB()
	if err != nil {
		return false
	}
	if n := pool.Stats().MaxOpenConnections; n > 0 && n < minListen {
		return false
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return ctx.Err() == nil
	}
	again = true
	_ = conn.Raw(func(raw any) error {
		c, ok := raw.(*stdlib.Conn)
		if !ok {
			again = false
			return nil
		}
		pg := c.Conn()
		if _, err := pg.Exec(ctx, "LISTEN "+channel); err == nil {
			s.followers.tell(everyone) // nobody announced what came before
			for {
				told, err := pg.WaitForNotification(ctx)
				if err != nil {
					break
				}
				s.followers.tell(told.Payload)
			}
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenAgain)
		defer cancel()
		_ = pg.Close(closing)
		return driver.ErrBadConn // the pool must not reuse a connection that listens
	})
	_ = conn.Close() // gone already
	return again && ctx.Err() == nil
}
