package zapfield

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
)

// sinkCore passes stamped lines to a sink. It keeps nothing of the fields that it
// is given: they are encoded at once.
type sinkCore struct {
	zapcore.LevelEnabler
	sink   *Sink
	trace  string  // of the logger
	fields encoder // of the logger; its buffer is never written to again
}

var _ zapcore.Core = (*sinkCore)(nil)

// With implements [zapcore.Core].
func (c *sinkCore) With(fields []zapcore.Field) zapcore.Core {
	derived := &sinkCore{LevelEnabler: c.LevelEnabler, sink: c.sink, trace: c.trace, fields: c.fields}
	derived.fields.buf = append([]byte(nil), c.fields.buf...)
	if trace := derived.fields.line(fields); trace != "" {
		derived.trace = trace
	}
	return derived
}

// line adds all fields but the stamps, and returns the last stamp.
func (e *encoder) line(fields []zapcore.Field) (trace string) {
	inside := false
	for i := range fields {
		inside = inside || fields[i].Type == zapcore.NamespaceType
		if isStamp(&fields[i], inside) {
			trace = fields[i].String
			continue
		}
		e.field(fields[i])
	}
	return trace
}

// Check implements [zapcore.Core].
func (c *sinkCore) Check(ent zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(ent.Level) {
		return ce.AddCore(ent, c)
	}
	return ce
}

// Sync implements [zapcore.Core].
func (c *sinkCore) Sync() error { return c.sink.Sync() }

// Write implements [zapcore.Core].
func (c *sinkCore) Write(ent zapcore.Entry, fields []zapcore.Field) error {
	trace, inside := c.trace, false
	for i := range fields {
		inside = inside || fields[i].Type == zapcore.NamespaceType
		if isStamp(&fields[i], inside) {
			trace = fields[i].String
		}
	}
	if trace == "" {
		return nil
	}
	id, err := uuid.Parse(trace)
	if err != nil {
		return nil //nolint:nilerr // somebody's field of that name: not a stamp
	}
	at := ent.Time
	if at.IsZero() { // as log/slog allows, and the store does not
		at = time.Now()
	}
	l := trail.Line{
		TraceID: id, CreatedAt: at.UTC().Truncate(time.Microsecond), Level: ent.Level.String(),
		Logger: plain(ent.LoggerName), Message: kept(plain(ent.Message)),
	}
	l.ID = trail.NewID(l.CreatedAt)
	if ent.Caller.Defined {
		l.Caller = plain(ent.Caller.TrimmedPath())
	}
	l.Fields = c.encode(fields, ent.Stack)
	size := lineSize + len(l.Message) + len(l.Fields) + len(l.Logger) + len(l.Caller)
	c.sink.Start()
	c.sink.queue.put(&l, size)
	if ent.Level > zapcore.DPanicLevel {
		return c.sink.Sync() // the process may end after it
	}
	return nil
}

// lineSize is roughly the memory of a line besides its texts, in bytes.
const lineSize = 256

// encode returns the fields of a line, after those of its logger.
func (c *sinkCore) encode(fields []zapcore.Field, stack string) []byte {
	b, _ := buffers.Get().(*[]byte) // it holds nothing else
	e := c.fields
	e.buf = append((*b)[:0], c.fields.buf...)
	e.line(fields)
	if stack != "" {
		e.close()
		e.place = place{}
		e.AddString("stacktrace", stack)
	}
	e.close()
	var out []byte
	if len(e.buf) > 1 {
		out = append(make([]byte, 0, len(e.buf)+1), e.buf...)
		out = append(out, '}')
	}
	if cap(e.buf) <= maxMessage {
		*b = e.buf
		buffers.Put(b)
	}
	return out
}

var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 512)
	return &b
}}

// names caches which names are those of secrets: finding out is expensive.
type names struct {
	own   []string
	known sync.Map // string to bool
	count atomic.Int64
}

// These bound the cache: names may be made up as they are logged.
const (
	maxNames = 4096
	maxName  = 128 // in bytes
)

func (n *names) secret(name string) bool {
	if v, ok := n.known.Load(name); ok {
		secret, _ := v.(bool) // it holds nothing else
		return secret
	}
	secret := trail.Sensitive(name)
	for _, own := range n.own {
		secret = secret || folded(own) == folded(name)
	}
	if len(name) <= maxName && n.count.Load() < maxNames {
		n.count.Add(1)
		n.known.Store(strings.Clone(name), secret)
	}
	return secret
}

// folded returns a name without the differences between its spellings.
func folded(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(name))
}
