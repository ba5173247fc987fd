package zapfield

import (
	"sync"

	"go.uber.org/zap/zapcore"
)

// core stamps the lines that it lets through to another core.
//
// There are two ways for a line. Over a core that is known not to keep the
// fields of a line, core takes part as any core does and passes on fields built
// in its own memory. All others decide for themselves, in Check, who writes a
// line (a filter may drop it, a tee spreads it, a hook joins in), and may keep
// what they get; for them core changes the fields before anything is written,
// with a zap hook, into a new slice. See [around] for which way is taken.
type core struct {
	inner     zapcore.Core
	stamp     stamp // the logger's
	transient bool  // inner keeps no fields, see [transient]
	hook      zapcore.CheckPreWriteHook
}

var _ zapcore.Core = (*core)(nil)

func newCore(inner zapcore.Core, logger stamp, transient bool) *core {
	c := &core{inner: inner, stamp: logger, transient: transient}
	if !transient {
		c.hook = func(ent zapcore.Entry, fields []zapcore.Field) (zapcore.Entry, []zapcore.Field) {
			return ent, stamped(fields, c.stamp)
		}
	}
	return c
}

// Enabled implements [zapcore.Core].
func (c *core) Enabled(level zapcore.Level) bool { return c.inner.Enabled(level) }

// Level makes [zapcore.LevelOf] see the level of the wrapped core.
func (c *core) Level() zapcore.Level { return zapcore.LevelOf(c.inner) }

// Sync implements [zapcore.Core].
func (c *core) Sync() error { return c.inner.Sync() }

// With implements [zapcore.Core]. The stamp is held back, because a line may
// bring another. It goes to the inner core switched off, for another of our cores
// that may be further in.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	own, stamps, shown, inside := c.stamp, 0, false, false
	for i := range fields {
		inside = inside || fields[i].Type == zapcore.NamespaceType
		if isStamp(&fields[i], inside) {
			own, stamps = stampOf(&fields[i]), stamps+1
			shown = shown || fields[i].Type != zapcore.SkipType
		}
	}
	if c.transient && stamps == len(fields) {
		return newCore(c.inner, own, true)
	}
	if shown {
		fields = append([]zapcore.Field(nil), fields...)
		inside = false
		for i := range fields {
			inside = inside || fields[i].Type == zapcore.NamespaceType
			if isStamp(&fields[i], inside) {
				fields[i].Type = zapcore.SkipType
			}
		}
	}
	return newCore(c.inner.With(fields), own, c.transient)
}

// Check implements [zapcore.Core].
func (c *core) Check(ent zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.transient {
		if c.inner.Enabled(ent.Level) {
			return ce.AddCore(ent, c)
		}
		return ce
	}
	if ce = c.inner.Check(ent, ce); ce != nil {
		return ce.Before(ent, c.hook)
	}
	return nil
}

// Write implements [zapcore.Core]. A core that wraps this one without calling its
// Check calls it too.
func (c *core) Write(ent zapcore.Entry, fields []zapcore.Field) error {
	if !c.transient {
		return c.inner.Write(ent, stamped(fields, c.stamp))
	}
	p := look(fields, c.stamp)
	if !p.change {
		return c.inner.Write(ent, fields)
	}
	s, _ := scratches.Get().(*scratch) // it holds nothing else
	s.fields = p.carry(s.fields, fields, c.stamp)
	err := c.inner.Write(ent, s.fields)
	s.release()
	return err
}

// scratch holds the fields of a line while a transient core writes it.
type scratch struct{ fields []zapcore.Field }

// release returns s to the pool, without what was logged, which it must not keep
// alive.
func (s *scratch) release() {
	for i := range s.fields {
		s.fields[i].String, s.fields[i].Interface = "", nil
	}
	if s.fields = s.fields[:0]; cap(s.fields) <= maxScratch {
		scratches.Put(s)
	}
}

// maxScratch keeps one line with very many fields from holding memory forever.
const maxScratch = 64

var scratches = sync.Pool{New: func() any {
	return &scratch{fields: make([]zapcore.Field, 0, 16)}
}}
