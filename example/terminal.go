package main

import (
	"context"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The colours that tools use on a terminal: SGR sequences of ECMA-48.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

// script is what a tool prints while it works, and how it ends.
type script struct {
	lines   []line
	failure error
}

type line struct {
	level zapcore.Level
	text  string
}

func (s *script) say(texts ...string) {
	for _, text := range texts {
		s.lines = append(s.lines, line{zapcore.InfoLevel, text})
	}
}

func (s *script) fail(err error) {
	s.lines = append(s.lines, line{zapcore.ErrorLevel, red + bold + "Error: " + reset + err.Error()})
	s.failure = err
}

// terminal stands for the tool's terminal: what is printed there becomes log
// lines, which carry the trace id.
type terminal struct {
	log  *zap.Logger
	pace time.Duration // how long a script takes
}

// play prints the script, evenly over its time, and returns how it ends. If
// ctx is cancelled it stops at once, with the cause.
func (t *terminal) play(ctx context.Context, s script) error {
	tick := time.NewTicker(max(t.pace/time.Duration(max(len(s.lines), 1)), 1))
	defer tick.Stop()
	for _, l := range s.lines {
		select {
		case <-ctx.Done():
			t.log.Warn(yellow + "Interrupt received, stopping." + reset)
			return context.Cause(ctx)
		case <-tick.C:
			t.log.Log(l.level, l.text)
		}
	}
	return s.failure
}
