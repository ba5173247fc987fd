package zapfield

import (
	"errors"
	"slices"
	"time"
)

// Full is what becomes of a line that there is no room for.
type Full uint8

const (
	// Block makes it wait for room, and its logger with it, as long as
	// [WithPatience] says.
	Block Full = iota
	// DropNewest drops it.
	DropNewest
)

// SinkOption changes what [NewSink] makes.
type SinkOption interface{ apply(*settings) error }

type sinkOption func(*settings) error

func (f sinkOption) apply(s *settings) error { return f(s) }

type settings struct {
	batch      int
	interval   time.Duration
	lines      int
	bytes      int
	full       Full
	patience   time.Duration
	spillPath  string
	spillBytes int64
	secrets    []string
	onError    func(error)
}

func defaults() settings {
	return settings{
		batch: 5000, interval: 200 * time.Millisecond, lines: 65_536, bytes: 64 << 20, patience: time.Minute,
	}
}

// WithBatch sets how many lines are written at a time at most. Default: 5000.
func WithBatch(lines int) SinkOption {
	return sinkOption(func(s *settings) error {
		if lines < 1 {
			return errors.New("WithBatch: at least one line is needed")
		}
		s.batch = lines
		return nil
	})
}

// WithInterval sets how long a line waits for others at most. Default: 200 ms.
func WithInterval(d time.Duration) SinkOption {
	return sinkOption(func(s *settings) error {
		if d <= 0 {
			return errors.New("WithInterval: the interval is not positive")
		}
		s.interval = d
		return nil
	})
}

// WithRoom bounds what is held in memory, those lines included that are being
// written. Default: 65536 lines and 64 MiB, whichever is reached first. A line
// alone always finds room.
func WithRoom(lines, bytes int) SinkOption {
	return sinkOption(func(s *settings) error {
		if lines < 1 || bytes < 1 {
			return errors.New("WithRoom: there is no room at all")
		}
		s.lines, s.bytes = lines, bytes
		return nil
	})
}

// WithFull sets what becomes of a line that there is no room for. Default:
// [Block].
func WithFull(f Full) SinkOption {
	return sinkOption(func(s *settings) error {
		if f != Block && f != DropNewest {
			return errors.New("WithFull: neither Block nor DropNewest")
		}
		s.full = f
		return nil
	})
}

// WithPatience bounds how long a line waits for room under [Block]; then it is
// dropped, and counted. Default: one minute. A bound there must be: code that
// logs may hold what the worker waits for, the last connection of a pool or a
// lock in the database.
func WithPatience(d time.Duration) SinkOption {
	return sinkOption(func(s *settings) error {
		if d <= 0 {
			return errors.New("WithPatience: the time is not positive")
		}
		s.patience = d
		return nil
	})
}

// WithSpill names a file, of at most so many bytes, for lines that cannot be
// written at the moment. It is made, readable by its owner alone, where it does
// not exist, and is the sink's alone while the sink is open. Each batch is on
// the disk before the lines count as kept. Default: none.
func WithSpill(path string, maxBytes int64) SinkOption {
	return sinkOption(func(s *settings) error {
		if path == "" || maxBytes < 1 {
			return errors.New("WithSpill: the path is empty, or there is no room at all")
		}
		s.spillPath, s.spillBytes = path, maxBytes
		return nil
	})
}

// WithSecrets adds names to those whose values are masked (see trail.Sensitive),
// in any case and with any way to join their words.
func WithSecrets(names ...string) SinkOption {
	names = slices.Clone(names)
	return sinkOption(func(s *settings) error {
		if slices.Contains(names, "") {
			return errors.New("WithSecrets: a name is empty")
		}
		s.secrets = append(s.secrets, names...)
		return nil
	})
}

// WithOnError is told when writing begins to fail, and of lines that are
// refused or lost. It runs on the sink's worker, which waits for it, and must
// not log stamped lines. Default: nobody is told; [Sink.Stats] counts.
func WithOnError(f func(error)) SinkOption {
	return sinkOption(func(s *settings) error {
		if f == nil {
			return errors.New("WithOnError: the function is nil")
		}
		s.onError = f
		return nil
	})
}
