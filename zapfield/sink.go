package zapfield

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
)

// Sink stores stamped lines, in batches, with a [trail.LineWriter] such as
// *store.Store. Its core is one more destination of a logger:
//
//	sink, err := zapfield.NewSink(st)
//	...
//	defer sink.Close(ctx)
//	logger := zapfield.Wrap(zap.New(zapcore.NewTee(console, sink.Core(zap.InfoLevel))))
//
// A line that carries a trace_id is stored with its level, logger, message,
// fields, caller and its position among the lines of the trace; others are
// ignored. Fields are typed; a field that fails to encode is replaced by its
// error, and the line is kept. Secrets are masked: fields by their names, at any
// depth, and texts by trail.MaskText.
//
// Lines wait in memory, within bounds, until there are enough of them or 200 ms
// have passed; one worker writes them, in order. If the database is down, it
// retries until the database is back. If the memory is full meanwhile, a line
// waits for room, or is dropped and counted, see [WithOverflow]; with [WithSpill]
// lines go into a file and from there into the database later, in order, also
// after a restart. A process that is killed loses what it logged in the last
// interval; one that calls Close loses nothing.
//
// The worker is started by the first line, or by Start, and stopped by Close. The
// LineWriter must not log stamped lines into the sink it writes for: that would
// loop.
//
// A Sink is safe for concurrent use.
type Sink struct {
	writer trail.LineWriter
	set    settings
	queue  *queue
	spill  *spill // or nil
	names  names

	started sync.Once
	done    chan struct{} // closed when the worker has ended
	giveUp  context.CancelFunc
	ctx     context.Context //nolint:containedctx // the worker's
	closing sync.Once

	written, refused, lost, retried, spilled, restored atomic.Uint64
	failure                                            atomic.Pointer[string]
	spillSize, damaged                                 atomic.Int64
}

// NewSink returns a sink over w, which it does not close. It starts nothing, but
// opens and locks the spill file if there is one. The error names an invalid
// option.
func NewSink(w trail.LineWriter, opts ...SinkOption) (*Sink, error) {
	if w == nil {
		return nil, errors.New("zapfield: NewSink: the LineWriter is nil")
	}
	s := &Sink{writer: w, set: defaults(), done: make(chan struct{})}
	for _, o := range opts {
		if err := o.apply(&s.set); err != nil {
			return nil, fmt.Errorf("zapfield: NewSink: %w", err)
		}
	}
	s.names.own = s.set.secrets
	s.queue = newQueue(s.set)
	s.ctx, s.giveUp = context.WithCancel(context.Background())
	if s.set.spillPath != "" {
		var damage, err error
		if s.spill, damage, err = openSpill(s.set.spillPath, s.set.spillBytes); err != nil {
			s.giveUp()
			return nil, fmt.Errorf("zapfield: NewSink: WithSpill: %w", err)
		}
		s.measureSpill()
		if damage != nil {
			s.report(fmt.Errorf("zapfield: %w", damage))
		}
	}
	return s, nil
}

// Core returns a core that passes lines of the levels enabled by enab to the
// sink. Any number of cores may share a sink.
func (s *Sink) Core(enab zapcore.LevelEnabler) zapcore.Core {
	return &sinkCore{LevelEnabler: enab, sink: s, fields: encoder{buf: []byte{'{'}, secret: s.names.secret}}
}

// Start starts the worker if it is not running yet, so that leftover spilled
// lines need not wait for a first line.
func (s *Sink) Start() {
	s.started.Do(func() { go s.work() })
}

// Sync writes what was logged so far and returns when it is stored, in the
// database or in the spill file. It waits at most five seconds; the error says
// why that was not enough.
func (s *Sink) Sync() error {
	if !s.queue.flush(syncTimeout) {
		return fmt.Errorf("zapfield: not all lines were stored within %v%s", syncTimeout, s.because())
	}
	return nil
}

// syncTimeout bounds how long a call of Sync waits.
const syncTimeout = 5 * time.Second

// because returns the last error as the end of a message, if there is one.
func (s *Sink) because() string {
	if text := s.failure.Load(); text != nil {
		return ": " + *text
	}
	return ""
}

// Close writes what was logged and stops the worker. If ctx is done first, the
// rest goes into the spill file, or is lost if there is none; the error says how
// many lines. What is logged from now on is dropped, and counted. A second call
// waits for the first and returns nil.
//
// A LineWriter that does not return within 100 ms when its context is done, as
// SQLite does not while it waits for a lock, is left alone, and may still store
// the lines that it has: these are in the spill file too, or counted as lost.
func (s *Sink) Close(ctx context.Context) (err error) {
	first := false
	s.closing.Do(func() { first = true })
	if first {
		s.queue.close()
		s.started.Do(func() { close(s.done) }) // nothing was ever logged
		select {
		case <-s.done:
		case <-ctx.Done():
			s.giveUp()
			<-s.done
		}
		s.giveUp()
		if n := s.lost.Load(); n > 0 {
			err = fmt.Errorf("zapfield: closing the sink: %d lines were lost%s", n, s.because())
		}
		if s.spill != nil {
			err = errors.Join(err, s.spill.close())
		}
	}
	<-s.done
	return err
}

// SinkStats are the counts of a [Sink] since it was created, in lines unless they
// say otherwise, and what it holds.
type SinkStats struct {
	Logged   uint64 `json:"logged"`   // stamped lines that were accepted
	Written  uint64 `json:"written"`  // to the LineWriter
	Dropped  uint64 `json:"dropped"`  // because there was no room, or the sink was closed
	Refused  uint64 `json:"refused"`  // by the LineWriter, see trail.ErrLine
	Lost     uint64 `json:"lost"`     // accepted, and not stored when the sink was closed
	Retried  uint64 `json:"retried"`  // failed attempts to write
	Spilled  uint64 `json:"spilled"`  // into the spill file
	Restored uint64 `json:"restored"` // from the spill file, into the LineWriter

	Queued      int   `json:"queued"`       // in memory
	QueuedBytes int   `json:"queued_bytes"` // approximately
	SpillBytes  int64 `json:"spill_bytes"`  // in the spill file
	// DamagedBytes are those of the spill file that held no readable lines, see
	// [WithSpill].
	DamagedBytes int64 `json:"damaged_bytes"`
	// Lag is how long the oldest line in memory has waited.
	Lag time.Duration `json:"lag_ns"`
	// Failure is the error of the last attempt to write, if it failed.
	Failure string `json:"failure,omitempty"`
}

// Stats returns the current counts.
func (s *Sink) Stats() SinkStats {
	st := s.queue.stats()
	st.Written, st.Refused, st.Lost = s.written.Load(), s.refused.Load(), s.lost.Load()
	st.Retried, st.Spilled, st.Restored = s.retried.Load(), s.spilled.Load(), s.restored.Load()
	st.SpillBytes, st.DamagedBytes = s.spillSize.Load(), s.damaged.Load()
	if text := s.failure.Load(); text != nil {
		st.Failure = *text
	}
	return st
}

// String returns [Sink.Stats] as JSON, which makes a Sink an expvar.Var:
// expvar.Publish("audit_lines", sink).
func (s *Sink) String() string {
	b, err := json.Marshal(s.Stats())
	if err != nil { // numbers and a text: cannot happen
		return "{}"
	}
	return string(b)
}
