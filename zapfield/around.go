package zapfield

import (
	"io"
	"reflect"
	"slices"
	"time"

	"go.uber.org/zap/zapcore"
)

// The types of zap's cores are not public. These are the known ones, found by
// making one of each. A core of another type, or of one that zap has changed, is
// handled in the way that works for every core.
var (
	jsonType    = reflect.TypeOf(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}))
	consoleType = reflect.TypeOf(zapcore.NewConsoleEncoder(zapcore.EncoderConfig{}))

	writerType  = reflect.TypeOf(zapcore.NewCore(nil, zapcore.AddSync(io.Discard), zapcore.InvalidLevel))
	samplerType = reflect.TypeOf(zapcore.NewSamplerWithOptions(zapcore.NewNopCore(), time.Second, 1, 1))
	hookedType  = reflect.TypeOf(zapcore.RegisterHooks(zapcore.NewNopCore()))
	coresType   = reflect.TypeOf([]zapcore.Core(nil))
	teeType     = reflect.TypeOf(zapcore.NewTee(zapcore.NewNopCore(), zapcore.NewNopCore()))
)

// around returns a core that stamps and otherwise behaves like c. In zap's own
// samplers, hooks and tees it puts our cores around those that write, if all of
// these are known not to keep fields; otherwise one around the whole.
func around(c zapcore.Core) zapcore.Core {
	if inside, ok := within(c); ok {
		return inside
	}
	return newCore(c, stamp{}, false)
}

// within returns c with our core around each of the cores in it that write, or
// false if that is not possible. It does not change c.
func within(c zapcore.Core) (zapcore.Core, bool) {
	if _, ok := c.(*core); ok {
		return c, true
	}
	if transient(c) {
		return newCore(c, stamp{}, true), true
	}
	inner, ok := parts(c)
	if !ok {
		return nil, false
	}
	for i := range inner {
		if inner[i], ok = within(inner[i]); !ok {
			return nil, false
		}
	}
	v := reflect.ValueOf(c)
	if v.Type() == teeType {
		return zapcore.NewTee(inner...), true
	}
	other := reflect.New(v.Type().Elem())
	other.Elem().Set(v.Elem()) // with a sampler's counters, which it shares
	other.Elem().FieldByName("Core").Set(reflect.ValueOf(inner[0]))
	same, ok := other.Interface().(zapcore.Core)
	return same, ok
}

// wrapped reports whether every line that c writes goes through one of our cores.
func wrapped(c zapcore.Core) bool {
	if _, ok := c.(*core); ok {
		return true
	}
	inner, ok := parts(c)
	for i := range inner {
		ok = ok && wrapped(inner[i])
	}
	return ok
}

// parts returns the cores that c, one of zap's own, hands its lines to.
func parts(c zapcore.Core) ([]zapcore.Core, bool) {
	v := reflect.ValueOf(c)
	if !v.IsValid() {
		return nil, false
	}
	switch v.Type() {
	case samplerType, hookedType:
		field := v.Elem().FieldByName("Core") // embedded, hence public
		if !field.IsValid() {
			return nil, false
		}
		inner, ok := field.Interface().(zapcore.Core)
		return []zapcore.Core{inner}, ok
	case teeType:
		if !v.CanConvert(coresType) {
			return nil, false
		}
		branches, ok := v.Convert(coresType).Interface().([]zapcore.Core)
		return slices.Clone(branches), ok
	default:
		return nil, false
	}
}

// transient reports whether c is known to keep nothing of the fields that it is
// given to write: whether it is a sink's, or what zapcore.NewCore returns, over
// one of zap's own encoders. Any other may keep the slice, to write it later or
// to inspect it in a test.
func transient(c zapcore.Core) bool {
	if _, ok := c.(*sinkCore); ok {
		return true
	}
	v := reflect.ValueOf(c)
	if !v.IsValid() || v.Type() != writerType {
		return false
	}
	enc := v.Elem().FieldByName("enc")
	if !enc.IsValid() || enc.Kind() != reflect.Interface || enc.IsNil() {
		return false
	}
	t := enc.Elem().Type()
	return t == jsonType || t == consoleType
}
