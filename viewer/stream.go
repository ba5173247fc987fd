package viewer

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// writeFor is how long a browser may take to read what was sent. It is longer
// than the pause between two beats, so that it runs out only while something
// is being written.
const writeFor = 30 * time.Second

// stream is an answer of server-sent events, as the HTML standard has them.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// newStream begins an answer. An error leaves it to be answered otherwise.
func newStream(w http.ResponseWriter) (*stream, error) {
	s := &stream{w: w, control: http.NewResponseController(w)}
	// The server's WriteTimeout is meant for answers that end.
	if err := s.extend(); err != nil {
		return nil, err
	}
	if err := s.control.Flush(); err != nil {
		return nil, fmt.Errorf("viewer: lines cannot be followed: a %T holds them back: %w", w, err)
	}
	fmt.Fprintf(&s.buf, "retry: %d\n\n", retryIn.Milliseconds())
	return s, s.flush()
}

// event sends an event. Without an id it leaves the browser's as it is.
func (s *stream) event(name, id, data string) error {
	s.buf.WriteString("event: " + name + "\n")
	if id != "" {
		s.buf.WriteString("id: " + id + "\n")
	}
	for line := range strings.SplitSeq(breaks.Replace(data), "\n") {
		s.buf.WriteString("data: " + line + "\n")
	}
	s.buf.WriteByte('\n')
	return s.flush()
}

// breaks are all that ends a line of a stream.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// beat sends a comment, which says nothing.
func (s *stream) beat() error {
	s.buf.WriteString(":\n\n")
	return s.flush()
}

func (s *stream) flush() error {
	defer s.buf.Reset()
	if err := s.extend(); err != nil {
		return err
	}
	if _, err := s.w.Write(s.buf.Bytes()); err != nil {
		return err
	}
	return s.control.Flush()
}

// extend gives the next write its time. A server that has no such deadlines
// will do as well.
func (s *stream) extend() error {
	err := s.control.SetWriteDeadline(time.Now().Add(writeFor))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// servers are those that requests came from, and what is closed when they shut
// down. A server waits for answers that are on their way, and a stream has no
// end of its own.
type servers struct {
	mu   sync.Mutex
	ends map[*http.Server]chan struct{} // of one that has ended, too: its last requests ask
}

// ending returns what is closed when the server of a request begins to shut
// down; nil where that is not known.
func (s *servers) ending(r *http.Request) <-chan struct{} {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.ends[server]
	if !ok {
		end = make(chan struct{})
		if s.ends == nil {
			s.ends = map[*http.Server]chan struct{}{}
		}
		s.ends[server] = end
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(end) }))
	}
	return end
}
