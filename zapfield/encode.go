package zapfield

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
)

// Bounds of what is kept of a line, in bytes.
const (
	maxMessage = 64 << 10
	maxFields  = 256 << 10
	maxDepth   = 32 // levels of objects and arrays
)

// encoder writes fields as JSON, each value in one spelling: numbers digit by
// digit, times as RFC 3339 in UTC with microseconds, bytes in hex, durations as
// time.Duration formats them. Values named like a secret are not written, at any
// depth, and a field that fails is undone.
type encoder struct {
	buf    []byte
	secret func(string) bool
	place
}

// place is where in the JSON an encoder is.
type place struct {
	depth  int
	open   int  // namespaces that are open in this object
	hidden bool // one of them is named like a secret, or too deep
}

var (
	_ zapcore.ObjectEncoder = (*encoder)(nil)
	_ zapcore.ArrayEncoder  = (*encoder)(nil)
)

// errTooMuch undoes a field that does not fit.
var errTooMuch = errors.New("too large to be stored")

// field adds a field or, under its name with the suffix Error, what went wrong.
func (e *encoder) field(f zapcore.Field) {
	if f.Type == zapcore.SkipType || e.hidden {
		return
	}
	switch f.Type { // most fields can fail in one way only
	case zapcore.BoolType, zapcore.StringType, zapcore.DurationType, zapcore.Float64Type,
		zapcore.Int64Type, zapcore.Int32Type, zapcore.Uint64Type, zapcore.Uint32Type:
		start := len(e.buf)
		f.AddTo(e)
		if len(e.buf) <= maxFields {
			return
		}
		e.buf = e.buf[:start]
		e.AddString(f.Key+"Error", errTooMuch.Error())
		return
	default:
	}
	defer func() {
		if v := recover(); v != nil {
			e.AddString(f.Key+"Error", "panic: "+described(v))
		}
	}()
	err := e.attempt(func() error {
		if err := e.add(f); err != nil || len(e.buf) <= maxFields {
			return err
		}
		return errTooMuch
	})
	if err != nil {
		e.AddString(f.Key+"Error", err.Error())
	}
}

// attempt calls f, and undoes what it wrote if it fails or panics.
func (e *encoder) attempt(f func() error) (err error) {
	start, at, done := len(e.buf), e.place, false
	defer func() {
		if !done || err != nil {
			e.buf, e.place = e.buf[:start], at
		}
	}()
	err = f()
	done = true
	return err
}

// described returns the text of a panic's value, which may panic itself.
func described(v any) (text string) {
	defer func() {
		if recover() != nil {
			text = fmt.Sprintf("%T", v)
		}
	}()
	return fmt.Sprint(v)
}

// add writes what zap's own Field.AddTo would hide: errors of marshalers, and
// what an error wraps.
func (e *encoder) add(f zapcore.Field) error {
	switch f.Type {
	case zapcore.ErrorType:
		err, ok := f.Interface.(error)
		if !ok {
			return nil
		}
		return e.addError(f.Key, err)
	case zapcore.ObjectMarshalerType:
		if o, ok := f.Interface.(zapcore.ObjectMarshaler); ok {
			return e.AddObject(f.Key, o)
		}
	case zapcore.ArrayMarshalerType:
		if a, ok := f.Interface.(zapcore.ArrayMarshaler); ok {
			return e.AddArray(f.Key, a)
		}
	case zapcore.InlineMarshalerType:
		if o, ok := f.Interface.(zapcore.ObjectMarshaler); ok {
			return o.MarshalLogObject(e)
		}
	case zapcore.ReflectType:
		return e.AddReflected(f.Key, f.Interface)
	case zapcore.StringerType:
		s, ok := f.Interface.(fmt.Stringer)
		if !ok {
			return nil
		}
		if e.masks(f.Key) { // String is not even called
			return nil
		}
		e.AddString(f.Key, s.String())
		return nil
	default:
	}
	f.AddTo(e)
	return nil
}

// maxCauses bounds how far an error is followed.
const maxCauses = 32

// addError writes an error's text, what it wraps under the name with the suffix
// Causes, and its long form under the name with the suffix Verbose.
func (e *encoder) addError(key string, err error) error {
	if e.masks(key) {
		return nil
	}
	text := err.Error()
	e.AddString(key, text)
	if list := causes(nil, err); len(list) > 0 {
		e.name(key + "Causes")
		e.buf = append(e.buf, '[')
		for _, cause := range list {
			e.AppendString(cause)
		}
		e.buf = append(e.buf, ']')
	}
	if f, ok := err.(fmt.Formatter); ok {
		if verbose := fmt.Sprintf("%+v", f); verbose != text {
			e.AddString(key+"Verbose", verbose)
		}
	}
	return nil
}

// causes appends the texts of what err wraps, outermost first.
func causes(list []string, err error) []string {
	if len(list) >= maxCauses {
		return list
	}
	switch w := err.(type) { //nolint:errorlint // each layer in turn
	case interface{ Unwrap() error }:
		if inner := w.Unwrap(); inner != nil {
			return causes(append(list, inner.Error()), inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range w.Unwrap() {
			if inner != nil && len(list) < maxCauses {
				list = causes(append(list, inner.Error()), inner)
			}
		}
	}
	return list
}

// name begins a member of an object.
func (e *encoder) name(key string) {
	e.comma()
	e.quote(key)
	e.buf = append(e.buf, ':')
}

// comma goes before a member or an element that is not the first.
func (e *encoder) comma() {
	if len(e.buf) > 0 {
		switch e.buf[len(e.buf)-1] {
		case '{', '[', ':', ',':
		default:
			e.buf = append(e.buf, ',')
		}
	}
}

// masks writes the mask if a name is that of a secret.
func (e *encoder) masks(key string) bool {
	if e.hidden {
		return true
	}
	if !e.secret(key) {
		return false
	}
	e.name(key)
	e.buf = append(e.buf, `"`+trail.Masked+`"`...)
	return true
}

// member begins a member whose value follows, unless it is a secret.
func (e *encoder) member(key string) bool {
	if e.masks(key) {
		return false
	}
	e.name(key)
	return true
}

// number writes a float exactly, and NaN and the infinities as text.
func (e *encoder) number(v float64, bits int) {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		e.quote("NaN")
	case math.IsInf(v, 1):
		e.quote("+Inf")
	case math.IsInf(v, -1):
		e.quote("-Inf")
	case abs == 0 || abs >= 1e-6 && abs < 1e21:
		e.buf = strconv.AppendFloat(e.buf, v, 'f', -1, bits)
	default:
		e.buf = strconv.AppendFloat(e.buf, v, 'e', -1, bits)
	}
}

func (e *encoder) complex(v complex128, bits int) {
	e.quote(strconv.FormatComplex(v, 'g', -1, bits))
}

func (e *encoder) time(t time.Time) { e.quote(t.UTC().Format(trail.TimeLayout)) }

func (e *encoder) bytes(b []byte) {
	if len(b) > maxMessage {
		e.quote(`\x` + hex.EncodeToString(b[:maxMessage/2]) + fmt.Sprintf("… (cut: %d of %d bytes)", maxMessage/2, len(b)))
		return
	}
	e.quote(`\x` + hex.EncodeToString(b))
}

// nested writes an object or an array with f, within the bounds.
func (e *encoder) nested(begin, end byte, f func() error) error {
	if e.depth+e.open >= maxDepth || len(e.buf) > maxFields {
		return errTooMuch
	}
	outer := e.place
	e.place = place{depth: outer.depth + outer.open + 1}
	e.buf = append(e.buf, begin)
	err := f()
	e.close()
	e.buf = append(e.buf, end)
	e.place = outer
	return err
}

// close ends the namespaces of an object.
func (e *encoder) close() {
	for ; e.open > 0; e.open-- {
		e.buf = append(e.buf, '}')
	}
}
