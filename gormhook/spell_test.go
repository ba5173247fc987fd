package gormhook_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The spelling of the trail, worked out from what a client reads and not by
// the library: numbers exact, times in UTC, bytes in hex, JSON as JSON.
//
// A value is spelled as canonical JSON text, so that two spellings are the
// same value if they are the same text.

// canon spells what json.Decoder.UseNumber made.
func canon(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return plainNumber(string(v))
	case string:
		return text(v)
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = canon(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		parts := make([]string, 0, len(v))
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, text(k)+":"+canon(v[k]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		panic(fmt.Sprintf("%T is not of JSON", v))
	}
}

func text(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// plainNumber writes a number without an exponent. Zeros behind the point
// stay: 1.0 and 1.00 are two values of a decimal column.
func plainNumber(s string) string {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	if ok {
		shift, err := strconv.Atoi(exponent)
		if err != nil {
			panic(err)
		}
		whole, fraction, _ := strings.Cut(mantissa, ".")
		digits := whole + fraction
		point := len(whole) + shift
		if point <= 0 {
			digits, point = strings.Repeat("0", 1-point)+digits, 1
		}
		if point >= len(digits) {
			mantissa = digits + strings.Repeat("0", point-len(digits))
		} else {
			mantissa = digits[:point] + "." + digits[point:]
		}
	}
	for len(mantissa) > 1 && mantissa[0] == '0' && mantissa[1] != '.' {
		mantissa = mantissa[1:]
	}
	if strings.Trim(mantissa, "0.") == "" {
		sign = "" // there is one zero
	}
	return sign + mantissa
}

func spellJSON(tb testing.TB, s string) string {
	tb.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		tb.Fatalf("%q: %v", s, err)
	}
	return canon(v)
}

func spellMoment(t time.Time) string {
	return text(t.UTC().Format("2006-01-02T15:04:05.000000Z"))
}

// spellOfPostgres spells a value as the output function of its type writes it in
// a session whose zone is UTC.
func spellOfPostgres(tb testing.TB, typ, value string) string {
	tb.Helper()
	if element, ok := strings.CutSuffix(typ, "[]"); ok {
		return spellElements(tb, element, value)
	}
	base, _, _ := strings.Cut(typ, "(")
	switch strings.TrimSpace(base) {
	case "smallint", "integer", "bigint", "numeric", "real", "double precision":
		switch value {
		case "NaN", "Infinity", "-Infinity":
			return text(value)
		}
		return plainNumber(value)
	case "boolean":
		return strconv.FormatBool(value == "t")
	case "json", "jsonb":
		return spellJSON(tb, value)
	case "pair": // (1,"text")
		number, rest, _ := strings.Cut(value[1:len(value)-1], ",")
		rest = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(rest, `"`), `"`), `""`, `"`)
		return `{"a":` + number + `,"b":` + text(rest) + `}`
	case "tstzrange":
		return text(utcRange(tb, value))
	}
	switch {
	case value == "infinity" || value == "-infinity":
		return text(value)
	case strings.HasPrefix(typ, "timestamp") && strings.HasSuffix(typ, "with time zone"):
		at, err := time.Parse("2006-01-02 15:04:05.999999-07", value)
		if err != nil {
			tb.Fatal(err)
		}
		return spellMoment(at)
	case strings.HasPrefix(typ, "timestamp"):
		at, err := time.Parse("2006-01-02 15:04:05.999999", value)
		if err != nil {
			tb.Fatal(err)
		}
		return spellMoment(at)
	default:
		return text(value)
	}
}

// utcRange writes the bounds of a range of times as times are written.
func utcRange(tb testing.TB, value string) string {
	tb.Helper()
	lower, upper, _ := strings.Cut(value[1:len(value)-1], ",")
	bounds := []string{lower, upper}
	for i, b := range bounds {
		if b == "" || value == "empty" {
			continue
		}
		at, err := time.Parse("2006-01-02 15:04:05.999999-07", strings.Trim(b, `"`))
		if err != nil {
			tb.Fatal(err)
		}
		bounds[i] = unquoted(spellMoment(at))
	}
	return value[:1] + strings.Join(bounds, ",") + value[len(value)-1:]
}

// spellElements reads the text of an array of PostgreSQL.
func spellElements(tb testing.TB, element, value string) string {
	tb.Helper()
	if _, rest, ok := strings.Cut(value, "]="); ok && strings.HasPrefix(value, "[") {
		value = rest // bounds other than from one
	}
	pos := 0
	var read func() string
	read = func() string {
		var parts []string
		pos++ // {
		for value[pos] != '}' {
			switch {
			case value[pos] == ',':
				pos++
			case value[pos] == '{':
				parts = append(parts, read())
			case value[pos] == '"':
				var b strings.Builder
				for pos++; value[pos] != '"'; pos++ {
					if value[pos] == '\\' {
						pos++
					}
					b.WriteByte(value[pos])
				}
				pos++
				parts = append(parts, spellOfPostgres(tb, element, b.String()))
			default:
				end := pos + strings.IndexAny(value[pos:], ",}")
				if word := value[pos:end]; word == "NULL" {
					parts = append(parts, "null")
				} else {
					parts = append(parts, spellOfPostgres(tb, element, word))
				}
				pos = end
			}
		}
		pos++
		return "[" + strings.Join(parts, ",") + "]"
	}
	return read()
}

// sort of a column of SQLite, beyond what its values say themselves.
type sort int

const (
	asIs sort = iota
	isBool
	isTime
	isDate
	isJSON
	isDecimal
	isUUID
)

// spellOfSQLite spells a value as it is stored.
func spellOfSQLite(tb testing.TB, of sort, value any) string {
	tb.Helper()
	switch v := value.(type) {
	case nil:
		return "null"
	case int64:
		if of == isBool && (v == 0 || v == 1) {
			return strconv.FormatBool(v == 1)
		}
		return strconv.FormatInt(v, 10)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return text("Infinity")
		case math.IsInf(v, -1):
			return text("-Infinity")
		}
		return plainNumber(strconv.FormatFloat(v, 'g', -1, 64))
	case []byte:
		if of == isJSON && json.Valid(v) {
			return spellJSON(tb, string(v))
		}
		return text(`\x` + hex.EncodeToString(v))
	case string:
		switch of {
		case isTime, isDate:
			for _, layout := range []string{"2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano, "2006-01-02 15:04:05.999999999", "2006-01-02"} {
				at, err := time.Parse(layout, v)
				if err != nil {
					continue
				}
				if of == isDate {
					return text(at.Format(time.DateOnly))
				}
				return spellMoment(at)
			}
		case isJSON:
			if json.Valid([]byte(v)) {
				return spellJSON(tb, v)
			}
		case isDecimal:
			if _, err := strconv.ParseFloat(v, 64); err == nil && json.Valid([]byte(v)) {
				return plainNumber(v)
			}
		case isUUID:
			return text(strings.ToLower(v))
		}
		if !utf8.ValidString(v) {
			return text(`\x` + hex.EncodeToString([]byte(v)))
		}
		return text(v)
	default:
		tb.Fatalf("SQLite gave a %T", value)
		return ""
	}
}
