package zapfield

import (
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"
)

// One method for each type of value, as a member of an object and as an element
// of an array.

// AddArray implements [zapcore.ObjectEncoder].
func (e *encoder) AddArray(key string, v zapcore.ArrayMarshaler) error {
	return e.attempt(func() error {
		if !e.member(key) {
			return nil
		}
		return e.nested('[', ']', func() error { return v.MarshalLogArray(e) })
	})
}

// AddObject implements [zapcore.ObjectEncoder].
func (e *encoder) AddObject(key string, v zapcore.ObjectMarshaler) error {
	return e.attempt(func() error {
		if !e.member(key) {
			return nil
		}
		return e.nested('{', '}', func() error { return v.MarshalLogObject(e) })
	})
}

// AddReflected implements [zapcore.ObjectEncoder].
func (e *encoder) AddReflected(key string, v any) error {
	return e.attempt(func() error {
		if !e.member(key) {
			return nil
		}
		return e.reflected(v)
	})
}

// OpenNamespace implements [zapcore.ObjectEncoder]. What would be too deep is
// replaced by an error.
func (e *encoder) OpenNamespace(key string) {
	if !e.hidden && e.depth+e.open >= maxDepth {
		e.AddString(key+"Error", errTooMuch.Error())
		e.hidden = true
		return
	}
	if !e.member(key) {
		e.hidden = true
		return
	}
	e.buf = append(e.buf, '{')
	e.open++
}

// AppendArray implements [zapcore.ArrayEncoder].
func (e *encoder) AppendArray(v zapcore.ArrayMarshaler) error {
	return e.attempt(func() error {
		e.comma()
		return e.nested('[', ']', func() error { return v.MarshalLogArray(e) })
	})
}

// AppendObject implements [zapcore.ArrayEncoder].
func (e *encoder) AppendObject(v zapcore.ObjectMarshaler) error {
	return e.attempt(func() error {
		e.comma()
		return e.nested('{', '}', func() error { return v.MarshalLogObject(e) })
	})
}

// AppendReflected implements [zapcore.ArrayEncoder].
func (e *encoder) AppendReflected(v any) error {
	return e.attempt(func() error {
		e.comma()
		return e.reflected(v)
	})
}

// AddBinary implements [zapcore.ObjectEncoder].
func (e *encoder) AddBinary(key string, v []byte) {
	if e.member(key) {
		e.bytes(v)
	}
}

// AddByteString implements [zapcore.ObjectEncoder].
func (e *encoder) AddByteString(key string, v []byte) {
	if e.member(key) {
		e.text(string(v))
	}
}

// AppendByteString implements [zapcore.ArrayEncoder].
func (e *encoder) AppendByteString(v []byte) {
	e.comma()
	e.text(string(v))
}

// AddBool implements [zapcore.ObjectEncoder].
func (e *encoder) AddBool(key string, v bool) {
	if e.member(key) {
		e.buf = strconv.AppendBool(e.buf, v)
	}
}

// AppendBool implements [zapcore.ArrayEncoder].
func (e *encoder) AppendBool(v bool) {
	e.comma()
	e.buf = strconv.AppendBool(e.buf, v)
}

// AddComplex128 implements [zapcore.ObjectEncoder].
func (e *encoder) AddComplex128(key string, v complex128) {
	if e.member(key) {
		e.complex(v, 128)
	}
}

// AppendComplex128 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendComplex128(v complex128) {
	e.comma()
	e.complex(v, 128)
}

// AddComplex64 implements [zapcore.ObjectEncoder].
func (e *encoder) AddComplex64(key string, v complex64) {
	if e.member(key) {
		e.complex(complex128(v), 64)
	}
}

// AppendComplex64 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendComplex64(v complex64) {
	e.comma()
	e.complex(complex128(v), 64)
}

// AddDuration implements [zapcore.ObjectEncoder].
func (e *encoder) AddDuration(key string, v time.Duration) {
	if e.member(key) {
		e.quote(v.String())
	}
}

// AppendDuration implements [zapcore.ArrayEncoder].
func (e *encoder) AppendDuration(v time.Duration) {
	e.comma()
	e.quote(v.String())
}

// AddFloat64 implements [zapcore.ObjectEncoder].
func (e *encoder) AddFloat64(key string, v float64) {
	if e.member(key) {
		e.number(v, 64)
	}
}

// AppendFloat64 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendFloat64(v float64) {
	e.comma()
	e.number(v, 64)
}

// AddFloat32 implements [zapcore.ObjectEncoder].
func (e *encoder) AddFloat32(key string, v float32) {
	if e.member(key) {
		e.number(float64(v), 32)
	}
}

// AppendFloat32 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendFloat32(v float32) {
	e.comma()
	e.number(float64(v), 32)
}

// AddInt implements [zapcore.ObjectEncoder].
func (e *encoder) AddInt(key string, v int) {
	if e.member(key) {
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	}
}

// AppendInt implements [zapcore.ArrayEncoder].
func (e *encoder) AppendInt(v int) {
	e.comma()
	e.buf = strconv.AppendInt(e.buf, int64(v), 10)
}

// AddInt64 implements [zapcore.ObjectEncoder].
func (e *encoder) AddInt64(key string, v int64) {
	if e.member(key) {
		e.buf = strconv.AppendInt(e.buf, v, 10)
	}
}

// AppendInt64 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendInt64(v int64) {
	e.comma()
	e.buf = strconv.AppendInt(e.buf, v, 10)
}

// AddInt32 implements [zapcore.ObjectEncoder].
func (e *encoder) AddInt32(key string, v int32) {
	if e.member(key) {
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	}
}

// AppendInt32 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendInt32(v int32) {
	e.comma()
	e.buf = strconv.AppendInt(e.buf, int64(v), 10)
}

// AddInt16 implements [zapcore.ObjectEncoder].
func (e *encoder) AddInt16(key string, v int16) {
	if e.member(key) {
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	}
}

// AppendInt16 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendInt16(v int16) {
	e.comma()
	e.buf = strconv.AppendInt(e.buf, int64(v), 10)
}

// AddInt8 implements [zapcore.ObjectEncoder].
func (e *encoder) AddInt8(key string, v int8) {
	if e.member(key) {
		e.buf = strconv.AppendInt(e.buf, int64(v), 10)
	}
}

// AppendInt8 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendInt8(v int8) {
	e.comma()
	e.buf = strconv.AppendInt(e.buf, int64(v), 10)
}

// AddString implements [zapcore.ObjectEncoder].
func (e *encoder) AddString(key string, v string) {
	if e.member(key) {
		e.text(v)
	}
}

// AppendString implements [zapcore.ArrayEncoder].
func (e *encoder) AppendString(v string) {
	e.comma()
	e.text(v)
}

// AddTime implements [zapcore.ObjectEncoder].
func (e *encoder) AddTime(key string, v time.Time) {
	if e.member(key) {
		e.time(v)
	}
}

// AppendTime implements [zapcore.ArrayEncoder].
func (e *encoder) AppendTime(v time.Time) {
	e.comma()
	e.time(v)
}

// AddUint implements [zapcore.ObjectEncoder].
func (e *encoder) AddUint(key string, v uint) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
	}
}

// AppendUint implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUint(v uint) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
}

// AddUint64 implements [zapcore.ObjectEncoder].
func (e *encoder) AddUint64(key string, v uint64) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, v, 10)
	}
}

// AppendUint64 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUint64(v uint64) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, v, 10)
}

// AddUint32 implements [zapcore.ObjectEncoder].
func (e *encoder) AddUint32(key string, v uint32) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
	}
}

// AppendUint32 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUint32(v uint32) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
}

// AddUint16 implements [zapcore.ObjectEncoder].
func (e *encoder) AddUint16(key string, v uint16) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
	}
}

// AppendUint16 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUint16(v uint16) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
}

// AddUint8 implements [zapcore.ObjectEncoder].
func (e *encoder) AddUint8(key string, v uint8) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
	}
}

// AppendUint8 implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUint8(v uint8) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
}

// AddUintptr implements [zapcore.ObjectEncoder].
func (e *encoder) AddUintptr(key string, v uintptr) {
	if e.member(key) {
		e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
	}
}

// AppendUintptr implements [zapcore.ArrayEncoder].
func (e *encoder) AppendUintptr(v uintptr) {
	e.comma()
	e.buf = strconv.AppendUint(e.buf, uint64(v), 10)
}
