package zapfield

import (
	"errors"
	"slices"
	"time"
)

// Overflow is what happens to a line when the buffer is full.
type Overflow uint8

const (
	// Block blocks the logging call for up to the time set by [WithBlockTimeout].
	Block Overflow = iota
	// DropNewest drops it.
	DropNewest
)

// SinkOption changes what [NewSink] makes.
type SinkOption interface{ apply(*settings) error }

type sinkOption func(*settings) error

func (f sinkOption) apply(s *settings) error { return f(s) }

type settings struct {
	batch        int
	interval     time.Duration
	lines        int
	bytes        int
	overflow     Overflow
	blockTimeout time.Duration
	spillPath    string
	spillBytes   int64
	secrets      []string
	onError      func(error)
}

func defaults() settings {
	return settings{
		batch: 5000, interval: 200 * time.Millisecond, lines: 65_536, bytes: 64 << 20, blockTimeout: time.Minute,
	}
}

// WithBatch sets the most lines written at a time. Default: 5000.
func WithBatch(lines int) SinkOption {
	return sinkOption(func(s *settings) error {
		if lines < 1 {
			return errors.New("WithBatch: the number of lines must be positive")
		}
		s.batch = lines
		return nil
	})
}

// WithInterval sets the longest time that a line waits for others. Default:
// 200 ms.
func WithInterval(d time.Duration) SinkOption {
	return sinkOption(func(s *settings) error {
		if d <= 0 {
			return errors.New("WithInterval: the interval must be positive")
		}
		s.interval = d
		return nil
	})
}

// WithBuffer bounds the lines in memory, including those being written. Default:
// 65536 lines or 64 MiB, whichever is reached first. A single line is always
// accepted.
func WithBuffer(lines, bytes int) SinkOption {
	return sinkOption(func(s *settings) error {
		if lines < 1 || bytes < 1 {
			return errors.New("WithBuffer: limits must be positive")
		}
		s.lines, s.bytes = lines, bytes
		return nil
	})
}

// WithOverflow sets what happens to a line when the buffer is full. Default:
// [Block].
func WithOverflow(o Overflow) SinkOption {
	return sinkOption(func(s *settings) error {
		if o != Block && o != DropNewest {
			return errors.New("WithOverflow: must be Block or DropNewest")
		}
		s.overflow = o
		return nil
	})
}

// WithBlockTimeout bounds how long a line waits for room under [Block]; then it
// is dropped, and counted. Default: one minute. A bound is required because code
// that logs may hold what the worker waits for, such as the last connection of a
// pool or a lock in the database.
func WithBlockTimeout(d time.Duration) SinkOption {
	return sinkOption(func(s *settings) error {
		if d <= 0 {
			return errors.New("WithBlockTimeout: the time must be positive")
		}
		s.blockTimeout = d
		return nil
	})
}

// WithSpill names a file, of at most maxBytes, for lines that cannot be written
// at the moment, or not within a second. It is created, readable only by its owner, if it does not
// exist, and no other sink may use it while this one is open. Each batch is on
// disk before its lines count as stored. A file that holds something else is an
// error of [NewSink], and stays as it is. Default: none.
//
// What a crash or a defect of the disk has left unreadable is moved to path with
// ".damaged" appended, in place of what was there from earlier times, and is
// reported and counted.
func WithSpill(path string, maxBytes int64) SinkOption {
	return sinkOption(func(s *settings) error {
		if path == "" || maxBytes < 1 {
			return errors.New("WithSpill: the path must not be empty and the limit must be positive")
		}
		s.spillPath, s.spillBytes = path, maxBytes
		return nil
	})
}

// WithSecrets adds names to those whose values are masked (see trail.Sensitive),
// in any case and with any word separators.
func WithSecrets(names ...string) SinkOption {
	names = slices.Clone(names)
	return sinkOption(func(s *settings) error {
		if slices.Contains(names, "") {
			return errors.New("WithSecrets: a name must not be empty")
		}
		s.secrets = append(s.secrets, names...)
		return nil
	})
}

// WithErrorHandler sets a function called when writing begins to fail, and for lines
// that are refused or lost. It runs on the sink's worker, which waits for it, or
// in [NewSink] if the spill file is damaged, and must not log stamped lines.
// Default: none; [Sink.Stats] counts.
func WithErrorHandler(f func(error)) SinkOption {
	return sinkOption(func(s *settings) error {
		if f == nil {
			return errors.New("WithErrorHandler: the function must not be nil")
		}
		s.onError = f
		return nil
	})
}
