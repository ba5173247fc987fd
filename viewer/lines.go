package viewer

import (
	"strings"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/viewer/internal/ansi"
	"github.com/infrakitchen/audit/viewer/internal/diff"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// maxMessage bounds what is shown of one message, in bytes.
const maxMessage = 16 << 10

// line is a log line.
type line struct {
	Class          string // of its level: debug, info, warn or error
	Level          string
	Time           moment
	Clock          string // the time of day, with milliseconds
	Logger, Caller string
	Spans          []ansi.Span
	Cut            bool // the message is longer
	Fields         []diff.Field
	Raw            string // fields that are not an object
}

// classes map the levels of zap and log/slog to their style.
var classes = map[string]string{
	"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error",
	"dpanic": "error", "panic": "error", "fatal": "error",
}

func (q *request) line(l store.Line) line {
	level := strings.ToLower(l.Level)
	out := line{
		Class: classes[level],
		Level: visible.Text(level),
		Time:  q.handler.moment(l.CreatedAt),
		Clock: l.CreatedAt.In(q.handler.options.Location).Format("15:04:05.000"),
		// Bounded when written, so not bounded here.
		Logger: visible.Text(l.Logger),
		Caller: visible.Text(l.Caller),
	}
	if out.Class == "" {
		out.Class = "info"
	}
	message, cut := visible.Cut(strings.TrimRight(l.Message, "\r\n"), maxMessage)
	out.Spans, out.Cut = ansi.Spans(message), cut
	var err error
	if out.Fields, err = diff.Fields(nil, l.Fields); err != nil {
		raw, _ := visible.Cut(string(l.Fields), maxMessage)
		out.Raw = visible.Text(raw)
	}
	return out
}
