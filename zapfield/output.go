package zapfield

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxOutput is the longest piece of output that becomes one line, in bytes.
const maxOutput = maxMessage

// Output turns a program's output into log lines, such as that of a command run
// under a trace. Set it as the command's Stdout or Stderr:
//
//	out := zapfield.NewOutput(zapfield.Logger(ctx, logger), zap.InfoLevel)
//	defer out.Close()
//	cmd.Stdout = out
//
// A line ends with a newline, with or without a carriage return before it. A
// carriage return alone goes back to the beginning of the line, as on a terminal:
// only the last state of a progress bar is kept. A line longer than 64 KiB
// becomes several. Colours stay, invalid UTF-8 becomes U+FFFD, empty lines are
// skipped.
//
// An Output is safe for concurrent use; give stdout and stderr one each, or
// parts of their lines are mixed. Its memory is bounded by the longest line.
type Output struct {
	log   *zap.Logger
	level zapcore.Level

	mu     sync.Mutex
	line   []byte
	back   bool // a carriage return came last
	closed bool
}

var _ io.WriteCloser = (*Output)(nil)

// ErrClosed is returned by writes to an [Output] that was closed.
var ErrClosed = errors.New("zapfield: the output is closed")

// NewOutput returns an Output whose lines are logged by l at the given level.
func NewOutput(l *zap.Logger, level zapcore.Level) *Output {
	if l == nil {
		l = zap.NewNop()
	}
	return &Output{log: l.WithOptions(zap.WithCaller(false)), level: level}
}

// Write implements [io.Writer]. It does not retain p, and fails only with
// [ErrClosed].
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return 0, ErrClosed
	}
	for rest := p; len(rest) > 0; {
		n := bytes.IndexAny(rest, "\r\n")
		if n < 0 {
			o.add(rest)
			break
		}
		o.add(rest[:n])
		if rest[n] == '\n' {
			o.flush()
		} else {
			o.back = true
		}
		rest = rest[n+1:]
	}
	return len(p), nil
}

// add appends a part of an unfinished line.
func (o *Output) add(part []byte) {
	if len(part) == 0 {
		return
	}
	if o.back { // it overwrites the line
		o.line, o.back = o.line[:0], false
	}
	for len(o.line)+len(part) > maxOutput {
		n := maxOutput - len(o.line)
		o.line = append(o.line, part[:n]...)
		part = part[n:]
		// A character stays whole: it goes with what follows.
		cut := len(o.line)
		for back := 1; back < utf8.UTFMax && back < cut; back++ {
			if r := o.line[cut-back]; utf8.RuneStart(r) {
				if !utf8.FullRune(o.line[cut-back:]) {
					cut -= back
				}
				break
			}
		}
		tail := append([]byte(nil), o.line[cut:]...)
		o.emit(o.line[:cut])
		o.line = append(o.line[:0], tail...)
	}
	o.line = append(o.line, part...)
}

// flush ends a line.
func (o *Output) flush() {
	o.emit(o.line)
	o.line, o.back = o.line[:0], false
	if cap(o.line) > maxOutput/8 {
		o.line = nil
	}
}

func (o *Output) emit(line []byte) {
	if len(line) > 0 {
		o.log.Log(o.level, string(bytes.ToValidUTF8(line, []byte("\uFFFD"))))
	}
}

// Close logs the unfinished line, if any. A second call does nothing.
func (o *Output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.flush()
		o.closed = true
	}
	return nil
}
