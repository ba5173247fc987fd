package zapfield

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// reflected writes any value as its JSON, with the same care.
func (e *encoder) reflected(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(raw) > maxFields {
		return errTooMuch
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	return e.value(d)
}

// value copies the next value of d.
func (e *encoder) value(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return e.nested('{', '}', func() error { return e.members(d) })
		}
		return e.nested('[', ']', func() error {
			for d.More() {
				e.comma()
				if err := e.value(d); err != nil {
					return err
				}
			}
			_, err := d.Token()
			return err
		})
	case string:
		e.text(v)
	case json.Number:
		if !keepable(string(v)) {
			e.quote(string(v))
			break
		}
		e.buf = append(e.buf, v...)
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	default:
		e.buf = append(e.buf, "null"...)
	}
	return nil
}

// keepable reports whether PostgreSQL can store a JSON number: it has room for
// 16383 digits after the point.
func keepable(number string) bool {
	const most = 10_000
	digits, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	if exponent == "" {
		exponent = "0"
	}
	n, err := strconv.Atoi(exponent)
	return err == nil && len(digits) < most && -most < n && n < most-len(digits)
}

func (e *encoder) members(d *json.Decoder) error {
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		key, _ := t.(string)
		if !e.member(key) {
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return err
			}
			continue
		}
		if err := e.value(d); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
