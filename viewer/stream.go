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
// than the pause between two beats, so that it expires only during a write.
const writeFor = 30 * time.Second

// stream is a response of server-sent events, as in the HTML standard.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     bytes.Buffer
}

// newStream begins a response. On an error the caller answers instead.
func newStream(w http.ResponseWriter) (*stream, error) {
	s := &stream{w: w, control: http.NewResponseController(w)}
	// The server's WriteTimeout is meant for responses that end.
	if err := s.extend(); err != nil {
		return nil, err
	}
	if err := s.control.Flush(); err != nil {
		return nil, fmt.Errorf("viewer: lines cannot be followed: %T does not flush: %w", w, err)
	}
	fmt.Fprintf(&s.buf, "retry: %d\n\n", retryIn.Milliseconds())
	return s, s.flush()
}

// event sends an event. Without an id the browser keeps the last one.
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

// breaks are all line ends of a stream.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// beat sends an empty comment.
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

// extend sets the deadline of the next write. A server without such deadlines is
// fine too.
func (s *stream) extend() error {
	err := s.control.SetWriteDeadline(time.Now().Add(writeFor))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

// servers are those that requests came from, each with a channel that is closed
// when it shuts down. A server waits for responses in progress, and a stream does
// not end by itself.
type servers struct {
	mu   sync.Mutex
	ends map[*http.Server]chan struct{} // also of one that has ended: its last requests ask
}

// ending returns a channel that is closed when the server of a request begins to
// shut down; nil if the server is not known.
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
