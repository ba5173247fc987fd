package gormhook_test

import (
	"fmt"
	"math"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// Values for the columns of the family. Half of each are known to be awkward,
// and few enough to meet again.

var drawText = rapid.OneOf(
	rapid.SampledFrom([]string{
		"", "a", "b", "leave out", "it's", `back\slash`, `\`, `"quoted"`, "comma,comma", `a\,b`, "emoji 🙂 👨‍👩‍👧",
		"new\nline\ttab\r", `{"json": 1}`, "NULL", "null", "$1 ? @name :name %s", "ünïcödé", "\u2028\u202e", "\x01\x7f", "0x41", `\x41`,
		"1e3", "00", "true", "2026-01-02 03:04:05", "<&>", strings.Repeat("long ", 60),
	}),
	rapid.Map(rapid.StringN(0, 6, -1), func(s string) string { return strings.ReplaceAll(s, "\x00", "") }),
)

func drawMaybe(t *rapid.T, label string) *string {
	if rapid.Bool().Draw(t, label+" is there") {
		return pointTo(drawText.Draw(t, label))
	}
	return nil
}

// drawCount leaves room to count on: an overflow is a failure on one engine
// and a float on the other.
var drawCount = rapid.SampledFrom([]int64{0, 1, -1, 2, 7, 1<<53 - 1, 1<<53 + 1, -1<<53 - 1, 1 << 62})

var drawSmall = rapid.Int64Range(-5, 5)

// drawID is a key that the application gives, or zero, for the database to
// give one. Its own begin behind those.
var drawID = rapid.SampledFrom([]int64{0, 0, 0, 1, 2, 3, 4})

const firstID = 100

var drawInt64 = rapid.OneOf(
	rapid.SampledFrom([]int64{math.MaxInt64, math.MinInt64, 1<<53 + 1, 0}), rapid.Int64())

func drawFloat(t *rapid.T, postgres bool) float64 {
	special := []float64{0, math.Copysign(0, -1), 1.5, -2.25, 0.1, 1e21, 1e300, 5e-324, math.MaxFloat64, 123456789.12345679, 1 << 60}
	if postgres { // SQLite has null for the first
		special = append(special, math.NaN(), math.Inf(1), math.Inf(-1))
	}
	return rapid.OneOf(rapid.SampledFrom(special), rapid.Map(rapid.Float64Range(-1000, 1000), positiveZero)).Draw(t, "ratio")
}

// positiveZero: JSON as PostgreSQL has it knows no negative one.
func positiveZero(f float64) float64 { return f + 0 }

var drawDecimal = rapid.OneOf(
	rapid.SampledFrom([]replayDecimal{
		"0", "1.5", "1.50", "-0.000000000001", "99999999999999999999999999.5", "-12345678901234567890.123456789012", "100",
		"9007199254740993",
	}),
	rapid.Custom(func(t *rapid.T) replayDecimal {
		whole, fraction := rapid.Int64Range(0, 1e15).Draw(t, "whole"), rapid.Int64Range(1, 1e9).Draw(t, "fraction")
		return replayDecimal(fmt.Sprintf("%d.%d", whole, fraction))
	}),
)

var drawBytes = rapid.OneOf(
	rapid.SampledFrom([][]byte{nil, {}, {0}, {0xff, 0xfe, 0}, []byte("text"), []byte(`\x00`)}),
	rapid.SliceOfN(rapid.Byte(), 0, 8),
)

var drawDocument = rapid.SampledFrom([]replayDocument{
	`null`, `{}`, `[]`, `"text"`, `1.0`, `1.00`, `true`, `{"a": 1, "b": [1, 2.50, 1e2, 12345678901234567890123]}`,
	`{"b":[1,2.5,100,12345678901234567890123],"a":1}`, `  [ 1 ,  "\u00fc\n\\" ]  `, `{"it's": "\"", "é": null}`, `{"nested": {"deep": [[[]]]}}`,
})

var zones = []*time.Location{
	time.UTC, time.FixedZone("east", 5*3600+1800), time.FixedZone("west", -9*3600), time.FixedZone("far", 14*3600),
}

var drawTime = rapid.Custom(func(t *rapid.T) time.Time {
	base := rapid.SampledFrom([]time.Time{
		{},
		time.Date(2026, 2, 28, 23, 59, 59, 999999000, time.UTC),
		time.Date(2026, 3, 29, 1, 30, 0, 1000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 500000000, time.UTC),
		time.Date(9999, 12, 30, 12, 0, 0, 0, time.UTC),
		time.Date(1582, 10, 10, 0, 0, 0, 123456000, time.UTC),
	}).Draw(t, "time")
	return base.In(rapid.SampledFrom(zones).Draw(t, "zone"))
})

func drawSeen(t *rapid.T) *time.Time {
	if rapid.Bool().Draw(t, "seen") {
		return pointTo(drawTime.Draw(t, "seen"))
	}
	return nil
}

var drawDay = rapid.SampledFrom([]replayDay{"2026-02-28", "0001-01-01", "9999-12-31", "1600-02-29"})

// Arrays, in the text of PostgreSQL.
var (
	drawWords   = rapid.SampledFrom([]replayArray{`{}`, `{a,b}`, `{{a,b},{NULL,"d"}}`, `{NULL,"NULL","","comma,","quote\"","back\\slash","{brace}","ünï 🙂"}`})
	drawNumbers = rapid.SampledFrom([]replayArray{`{}`, `{1,2,3}`, `{9223372036854775807,NULL,-9223372036854775808}`})
	drawMoments = rapid.SampledFrom([]replayArray{`{}`, `{{"2000-01-01 12:00:00+00"},{NULL}}`, `{"2026-02-28 23:59:59.999999+05:30",NULL}`, `{"1999-12-31 00:00:00-08"}`})
	drawChunks  = rapid.SampledFrom([]replayArray{`{}`, `{"\\x00ff",NULL,"\\x"}`, `{"\\x5c"}`})
)

// Texts of PostgreSQL's own types.
var (
	drawSpan   = rapid.SampledFrom([]replayText{"", "1 day", "24:00:00", "-3 mons 2 days 00:00:01.5"})
	drawNet    = rapid.SampledFrom([]replayText{"", "192.168.7.1/24", "10.0.0.0/8", "fe80::1/64"})
	drawWindow = rapid.SampledFrom([]replayText{"", "[1,5)", "empty", "(,7]"})
	drawExact  = rapid.SampledFrom([]replayText{"", `{"a":1}`, `{ "a": 1 }`, `{"b":2,"a":1.00}`, `{"a":1,"a":2}`, `null`})
	drawLocal  = rapid.SampledFrom([]replayText{"", "2026-02-28 23:59:59.999999", "0001-01-01 00:00:00"})
	drawPrice  = rapid.SampledFrom([]replayText{"", "0", "1.5", "-9999999999.99"})
)

func pointTo[T any](v T) *T { return &v }
