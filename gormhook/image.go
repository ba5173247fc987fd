package gormhook

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/infrakitchen/audit/trail"
)

// image is a row as the trail has it: a JSON text for each column of the table,
// empty for one that is left out.
type image struct {
	id     string // identifies the row while the transaction lasts
	entity string
	values []string
	// secrets are the values of masked columns, to tell whether they changed.
	secrets map[int]string
}

// change is what a statement did to one row.
type change struct{ before, after *image }

// keep returns what is recorded of a value: nothing if it is left out, the mask
// if it is masked.
func (r rule) keep(value string) string {
	switch r {
	case ruleOmit:
		return ""
	case ruleMask:
		if value == "null" {
			return value
		}
		return `"` + trail.Masked + `"`
	default:
		return value
	}
}

// mask leaves out and masks what is not recorded. The masked values are kept
// aside, because a change of them is a change.
func (img *image) mask(t *table, s *subject) {
	rules := s.rulesOf(t)
	for i, v := range img.values {
		kept := rules[i].keep(v)
		if kept == v {
			continue
		}
		if kept != "" {
			if img.secrets == nil {
				img.secrets = make(map[int]string)
			}
			img.secrets[i] = v
		}
		img.values[i] = kept
	}
}

// differs reports whether the ith column of two images was masked and changed.
func (img *image) differs(other *image, i int) bool {
	return img.secrets != nil && img.secrets[i] != other.secrets[i]
}

// entityOf returns the entity id of an image that is not masked yet.
func (t *table) entityOf(s *subject, img *image) string {
	key, rules := t.label(s), s.rulesOf(t)
	parts := make([]string, len(key))
	for n, i := range key {
		parts[n] = unquoteJSON(img.values[i])
		switch rules[i] {
		case ruleMask, ruleOmit:
			parts[n] = trail.Digest(parts[n])
		}
	}
	return trail.JoinKey(parts...)
}

// whole returns the whole image as a JSON object.
func (t *table) whole(img *image) json.RawMessage {
	size := 0
	for i, v := range img.values {
		size += len(t.columns[i].name) + len(v) + len(`"":,`)
	}
	b := make(jsonObject, 0, size+len(`{}`))
	for i, v := range img.values {
		if v != "" {
			b.add(t.columns[i].name, v)
		}
	}
	return b.end()
}

// diff returns the columns that differ, of both images; nil if none do.
func (t *table) diff(before, after *image) (was, is json.RawMessage) {
	var b, a jsonObject
	for i, v := range before.values {
		if v != after.values[i] || before.differs(after, i) {
			b.add(t.columns[i].name, v)
			a.add(t.columns[i].name, after.values[i])
		}
	}
	if b == nil {
		return nil, nil
	}
	return b.end(), a.end()
}

// jsonObject is a JSON object being written.
type jsonObject []byte

func (o *jsonObject) add(name, value string) {
	if len(*o) == 0 {
		*o = append(*o, '{')
	} else {
		*o = append(*o, ',')
	}
	*o = appendJSON(*o, name)
	*o = append(*o, ':')
	*o = append(*o, value...)
}

func (o *jsonObject) end() json.RawMessage {
	if len(*o) == 0 {
		return json.RawMessage(`{}`)
	}
	return json.RawMessage(append(*o, '}'))
}

// quoteJSON writes text as JSON, unescaped wherever JSON allows.
func quoteJSON(s string) string { return string(appendJSON(make([]byte, 0, len(s)+2), s)) }

// appendJSON is quoteJSON, appending to b.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(append(b, s[done:i]...), '\\', s[i])
		case r < 0x20:
			b = fmt.Appendf(append(b, s[done:i]...), `\u%04x`, r)
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)): // invalid UTF-8
			b = utf8.AppendRune(append(b, s[done:i]...), r)
		default:
			continue
		}
		done = i + 1
	}
	return append(append(b, s[done:]...), '"')
}

// unquoteJSON returns the text of a JSON string; anything else is its own text.
func unquoteJSON(v string) string {
	if !strings.HasPrefix(v, `"`) {
		return v
	}
	if !strings.Contains(v, `\`) {
		return v[1 : len(v)-1]
	}
	var s string
	if json.Unmarshal([]byte(v), &s) != nil {
		return v
	}
	return s
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// spell writes a value of SQLite as JSON, as PostgreSQL would spell it.
func (c *column) spell(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if c.kind == kindBool && (v == 0 || v == 1) {
			return strconv.FormatBool(v == 1)
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return spellFloat(v)
	case time.Time:
		return c.spellTime(v)
	case []byte:
		if c.kind == kindJSON {
			if text, ok := canonical(v); ok {
				return text
			}
		}
		return `"\\x` + hex.EncodeToString(v) + `"`
	case string:
		return c.spellText(v)
	default:
		return quoteJSON(fmt.Sprint(v))
	}
}

func spellFloat(v float64) string {
	switch {
	case math.IsNaN(v):
		return `"NaN"`
	case math.IsInf(v, 1):
		return `"Infinity"`
	case math.IsInf(v, -1):
		return `"-Infinity"`
	case v == 0:
		return "0"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

func (c *column) spellTime(v time.Time) string {
	if c.kind == kindDate {
		return `"` + v.Format(time.DateOnly) + `"`
	}
	return `"` + v.UTC().Format(trail.TimeLayout) + `"`
}

func (c *column) spellText(v string) string {
	switch c.kind {
	case kindTime, kindDate:
		if t, ok := readTime(v); ok {
			return c.spellTime(t)
		}
	case kindJSON:
		if text, ok := canonical([]byte(v)); ok {
			return text
		}
	case kindNumeric:
		if number(v) {
			return v
		}
	case kindUUID:
		v = strings.ToLower(v)
	}
	if !utf8.ValidString(v) {
		return `"\\x` + hex.EncodeToString([]byte(v)) + `"`
	}
	return quoteJSON(v)
}

// number reports whether text is a JSON number.
func number(s string) bool {
	return s != "" && (digit(s[0]) || s[0] == '-') && json.Valid([]byte(s))
}

// timeLayouts are the formats in which SQLite drivers write times.
var timeLayouts = []string{
	"2006-01-02 15:04:05.999999999-07:00",
	"2006-01-02T15:04:05.999999999-07:00",
	time.RFC3339Nano,
	"2006-01-02 15:04:05.999999999 -0700 MST",
	"2006-01-02 15:04:05.999999999 -0700 -0700", // of a zone without a name
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	time.DateOnly,
}

func readTime(s string) (time.Time, bool) {
	if i := strings.Index(s, " m="); i > 0 { // of time.Time.String
		s = s[:i]
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// canonical returns JSON with the keys of its objects in order and without
// white space, so that one value has one text. Numbers stay as they are
// written. It reports false if v is not JSON.
func canonical(v []byte) (string, bool) {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var value any
	if d.Decode(&value) != nil || d.More() {
		return "", false
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", false
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil {
		return "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), true
}
