package zapfield

import (
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// isStamp reports whether f is a trace id: what [Context] returns, or the same
// switched on. Behind a namespace among the same fields, inside says so, it is
// only the former: a string is about what the namespace is named after.
func isStamp(f *zapcore.Field, inside bool) bool {
	if f.Key != Key {
		return false
	}
	switch f.Type {
	case zapcore.SkipType:
		return f.String != ""
	case zapcore.StringType:
		return !inside && isID(f.String)
	default:
		return false
	}
}

// stamp is a trace id, and the span of its context.
type stamp struct {
	trace string // or empty
	span  *span  // or nil
}

// stampOf returns what a field that is a stamp says.
func stampOf(f *zapcore.Field) stamp {
	s, _ := f.Interface.(*span)
	return stamp{f.String, s}
}

// plan is what must be done to the fields of a line so that it carries one stamp
// that is switched on, if any: its own last, or else its logger's.
type plan struct {
	last   int  // the index of the line's last stamp, or -1
	change bool // they are not right as they are
	others bool // there are stamps before the last
	inside bool // the last is in a namespace that the line opens
}

// look makes the plan for fields and the stamp of the logger, which may be empty.
func look(fields []zapcore.Field, logger stamp) plan {
	p := plan{last: -1, change: logger.trace != ""}
	inside := false
	for i := range fields {
		f := &fields[i]
		if f.Type == zapcore.NamespaceType {
			inside = true
		}
		if f.Key != Key || !isStamp(f, inside) { // most are not even asked
			continue
		}
		p.others = p.last >= 0
		p.last, p.inside = i, inside
		p.change = p.others || f.Type == zapcore.SkipType
	}
	return p
}

// carry appends to buf, which is empty, the fields of a line according to its
// plan. It does not change fields.
func (p plan) carry(buf, fields []zapcore.Field, logger stamp) []zapcore.Field {
	if p.last < 0 {
		buf = append(buf, zapcore.Field{Key: Key, Type: zapcore.StringType, String: logger.trace})
		if logger.span != nil {
			buf = append(buf, zap.Inline(logger.span))
		}
		return append(buf, fields...)
	}
	buf = append(buf, fields...)
	own := stampOf(&fields[p.last])
	buf[p.last].Type, buf[p.last].Interface = zapcore.StringType, nil
	if p.others {
		inside := false
		for i := range p.last {
			inside = inside || buf[i].Type == zapcore.NamespaceType
			if isStamp(&buf[i], inside) {
				buf[i] = zap.Skip() // also for another of our cores further in
			}
		}
	}
	at := p.last
	if p.inside {
		outside := buf[at]
		copy(buf[1:at+1], buf[:at])
		buf[0], at = outside, 0
	}
	if own.span != nil {
		buf = slices.Insert(buf, at+1, zap.Inline(own.span))
	}
	return buf
}

// stamped returns the fields of a line with its stamp: fields itself if it is
// right already, else a new slice.
func stamped(fields []zapcore.Field, logger stamp) []zapcore.Field {
	p := look(fields, logger)
	if !p.change {
		return fields
	}
	return p.carry(make([]zapcore.Field, 0, len(fields)+2), fields, logger)
}
