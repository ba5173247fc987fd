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

// maxHead bounds what is shown of one where there is no more room on the page.
const maxHead = 100

// line is a log line.
type line struct {
	Class          string // of its level: debug, info, warn or error
	Level          string
	Time           moment
	Clock          string // the time of day, with milliseconds
	Logger, Caller string
	Spans          []ansi.Span
	diff.List
	Raw  string // fields that are not an object
	JSON string // the address of the lines as JSON
}

// classes map the levels of zap and log/slog to their style.
var classes = map[string]string{
	"debug": "debug", "info": "info", "warn": "warn", "warning": "warn", "error": "error",
	"dpanic": "error", "panic": "error", "fatal": "error",
}

// lines lays out lines; JSON has them at an address.
func (q *request) lines(all []store.Line, address string) []line {
	room := diff.NewRoom(maxShown)
	out := make([]line, len(all))
	for i, l := range all {
		out[i] = q.line(l, room)
		out[i].JSON = address
	}
	return out
}

func (q *request) line(l store.Line, room *diff.Room) line {
	level := strings.ToLower(l.Level)
	out := line{
		Class: classes[level],
		Level: level,
		Time:  q.handler.moment(l.CreatedAt),
		Clock: l.CreatedAt.In(q.handler.options.Location).Format("15:04:05.000"),
		// Bounded when written, so not bounded here.
		Logger: l.Logger,
		Caller: l.Caller,
	}
	if out.Class == "" {
		out.Class = "info"
	}
	var err error
	if out.List, err = diff.Pairs(l.Fields, room); err != nil {
		raw, cut := visible.Cut(string(l.Fields), maxHead)
		out.Raw, out.Cut = raw, cut
	}
	message, cut := visible.Cut(strings.TrimRight(l.Message, "\r\n"), maxMessage)
	if out.Spans = ansi.Spans(message); !room.Whole(weight(out.Spans)) {
		message, cut = visible.Cut(message, maxHead)
		out.Spans = ansi.Spans(message)
	}
	out.Cut = out.Cut || cut
	return out
}

// weight is how much room spans take.
func weight(spans []ansi.Span) (bytes int) {
	for _, s := range spans {
		bytes += 2*len("<span></span>") + len(s.Class) + visible.Weight(s.Text)
	}
	return bytes
}
