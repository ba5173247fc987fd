package zapfield_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// fieldsOf returns what is kept of the fields of a line.
func fieldsOf(tb testing.TB, fields ...zap.Field) string {
	tb.Helper()
	w := &kept{}
	s, logger := newSink(tb, w, zapfield.WithSecrets("MagicWord"))
	ctx, _ := start(tb, tb.Context())
	zapfield.Logger(ctx, logger).Info("m", fields...)
	mustSync(tb, s)
	if all := w.all(); len(all) == 1 {
		return string(all[0].Fields)
	}
	tb.Fatalf("%d lines, one expected", len(w.all()))
	return ""
}

type object func(zapcore.ObjectEncoder) error

func (o object) MarshalLogObject(enc zapcore.ObjectEncoder) error { return o(enc) }

type loud struct{ error }

func (l loud) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "at length: token=abc") }

type brittle struct{}

func (brittle) MarshalJSON() ([]byte, error) { return nil, errors.New("no JSON: token=abc") }
func (brittle) String() string               { panic("no text") }

func TestFields(t *testing.T) {
	at := time.Date(2026, 11, 23, 13, 0, 0, 123456789, time.FixedZone("", 3600))
	var none *net.OpError
	type pair struct {
		Name     string         `json:"name"`
		Password string         `json:"password"`
		Deep     map[string]any `json:"deep"`
	}
	for _, c := range []struct {
		why    string
		fields []zap.Field
		want   string
	}{
		{"none", nil, ``},
		{"numbers are exact", []zap.Field{
			zap.Int64("max", math.MaxInt64), zap.Uint64("umax", math.MaxUint64), zap.Int8("small", -8), zap.Float64("f", 0.1), zap.Float32("g", 0.1), zap.Float64("h", 1e21), zap.Float64("i", 1e6),
		}, `{"max":9223372036854775807,"umax":18446744073709551615,"small":-8,"f":0.1,"g":0.1,"h":1e+21,"i":1000000}`},
		{"numbers of JSON are exact", []zap.Field{zap.Any("n", json.RawMessage(`{"a":12345678901234567890.10,"b":1e400}`))}, `{"n":{"a":12345678901234567890.10,"b":1e400}}`},
		{"a number that no database has", []zap.Field{zap.Any("n", json.RawMessage(`[1e99999]`))}, `{"n":["1e99999"]}`},
		{"no numbers", []zap.Field{zap.Float64("a", math.NaN()), zap.Float64("b", math.Inf(-1))}, `{"a":"NaN","b":"-Inf"}`},
		{"times and durations", []zap.Field{zap.Time("at", at), zap.Duration("took", 1500*time.Millisecond)}, `{"at":"2026-11-23T12:00:00.123456Z","took":"1.5s"}`},
		{"bytes", []zap.Field{zap.Binary("b", []byte{0, 255}), zap.ByteString("s", []byte("text"))}, `{"b":"\\x00ff","s":"text"}`},
		{"text of all kinds", []zap.Field{zap.String("s", "a\"\\\n\x00\x1b[31m\xff\u2028ä")}, `{"s":"a\"\\\n` + "\ufffd" + `\u001b[31m` + "\ufffd\u2028ä" + `"}`},
		{"arrays", []zap.Field{zap.Ints("a", []int{1, 2}), zap.Strings("b", nil), zap.Durations("c", []time.Duration{1})}, `{"a":[1,2],"b":[],"c":["1ns"]}`},
		{"namespaces", []zap.Field{zap.Int("a", 1), zap.Namespace("n"), zap.Int("b", 2), zap.Namespace("m"), zap.Int("c", 3)}, `{"a":1,"n":{"b":2,"m":{"c":3}}}`},
		{"an inline object", []zap.Field{zap.Inline(object(func(e zapcore.ObjectEncoder) error { e.AddInt("a", 1); return nil })), zap.Bool("b", true)}, `{"a":1,"b":true}`},
		{"an error and its chain", []zap.Field{zap.Error(fmt.Errorf("opening: %w", fmt.Errorf("dialling: %w", errors.New("refused, password=hunter2"))))}, `{"error":"opening: dialling: refused, password=***","errorCauses":["dialling: refused, password=***","refused, password=***"]}`},
		{"joined errors", []zap.Field{zap.NamedError("e", errors.Join(errors.New("a"), errors.New("b")))}, `{"e":"a\nb","eCauses":["a","b"]}`},
		{"an error that has more to say", []zap.Field{zap.Error(loud{errors.New("x")})}, `{"error":"x","errorVerbose":"at length: token=***"}`},
		{"no error", []zap.Field{zap.Error(nil), zap.Int("n", 1)}, `{"n":1}`},

		{"secrets by name", []zap.Field{zap.String("password", "x"), zap.Int("api_key", 7), zap.Any("dbToken", pair{}), zap.Strings("cookies", []string{"x"}), zap.Error(nil), zap.NamedError("secret", errors.New("x")), zap.Stringer("otp", brittle{})}, `{"password":"***","api_key":"***","dbToken":"***","cookies":"***","secret":"***","otp":"***"}`},
		{"secrets of the user's", []zap.Field{zap.String("magic_word", "x"), zap.String("magic", "y")}, `{"magic_word":"***","magic":"y"}`},
		{"secrets that are deep", []zap.Field{zap.Any("p", pair{"n", "x", map[string]any{"token": []int{1}, "n": 1}})}, `{"p":{"name":"n","password":"***","deep":{"n":1,"token":"***"}}}`},
		{"secrets of marshalers", []zap.Field{zap.Object("o", object(func(e zapcore.ObjectEncoder) error {
			e.AddString("token", "x")
			e.OpenNamespace("secret")
			e.AddString("a", "x")
			return e.AddReflected("b", 1)
		})), zap.Int("n", 1)}, `{"o":{"token":"***","secret":"***"},"n":1}`},
		{"secrets in a namespace of that name", []zap.Field{zap.Namespace("credentials"), zap.String("a", "x"), zap.Error(errors.New("x"))}, `{"credentials":"***"}`},
		{"secrets in texts", []zap.Field{zap.String("url", "postgres://u:hunter2@h/d"), zap.String("h", "Bearer abcdefgh")}, `{"url":"postgres://u:***@h/d","h":"Bearer ***"}`},

		{"a field that fails costs itself", []zap.Field{zap.Int("a", 1), zap.Reflect("x", brittle{}), zap.Int("b", 2)}, `{"a":1,"xError":"json: error calling MarshalJSON for type zapfield_test.brittle: no JSON: token=***","b":2}`},
		{"a field that cannot be JSON", []zap.Field{zap.Reflect("x", func() {}), zap.Int("b", 2)}, `{"xError":"json: unsupported type: func()","b":2}`},
		{"a field that panics", []zap.Field{zap.Int("a", 1), zap.Stringer("x", brittle{}), zap.NamedError("y", none), zap.Int("b", 2)}, `{"a":1,"xError":"panic: no text","yError":"panic: runtime error: invalid memory address or nil pointer dereference","b":2}`},
		{"a field that panics in its middle", []zap.Field{zap.Object("x", object(func(e zapcore.ObjectEncoder) error {
			e.AddInt("half", 1)
			e.OpenNamespace("n")
			panic("oh")
		})), zap.Int("b", 2)}, `{"xError":"panic: oh","b":2}`},
		{"an object that passes over its own failures", []zap.Field{zap.Object("x", object(func(e zapcore.ObjectEncoder) error {
			_ = e.AddReflected("bad", brittle{})
			e.AddInt("n", 1)
			return nil
		}))}, `{"x":{"n":1}}`},
		{"a field that is too large", []zap.Field{zap.Any("x", make([]int, 200_000)), zap.Int("b", 2)}, `{"xError":"too large to be stored","b":2}`},
	} {
		got := fieldsOf(t, c.fields...)
		if got != c.want {
			t.Errorf("%s:\n%.1000s\nwant\n%.1000s", c.why, got, c.want)
		}
		if got != "" && !json.Valid([]byte(got)) {
			t.Errorf("%s: no JSON: %.1000s", c.why, got)
		}
	}
}

// Text that is too long is cut, which shows.
func TestLongText(t *testing.T) {
	long := "token=hunter2 " + strings.Repeat("ä", 100_000)
	w := &kept{}
	s, logger := newSink(t, w)
	ctx, _ := start(t, t.Context())
	logger.Info(long, zapfield.Context(ctx), zap.String("s", long))
	mustSync(t, s)
	l := w.all()[0]
	var fields map[string]string
	if err := json.Unmarshal(l.Fields, &fields); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{l.Message, fields["s"]} {
		if !strings.HasPrefix(text, "token=*** ä") || !utf8.ValidString(text) || len(text) > 66_000 ||
			!strings.HasSuffix(text, "ä … (cut: 65536 of 200014 bytes)") {
			t.Errorf("%d bytes: %.30q … %q", len(text), text, text[len(text)-50:])
		}
	}
}

// What trail.MaskText masks is masked wherever a line has text.
func TestTextsAreMasked(t *testing.T) {
	for _, text := range []string{
		"Failing row contains (1, hunter2, 2026-01-02).",
		`value "hunter2" is out of range for type integer`,
		`converting driver.Value type string ("hunter2") to a int64`,
		"Key (email)=(hunter2) already exists.",
		`invalid input syntax for type integer: "hunter2"`,
		"password=hunter2", "token: hunter2", "bearer hunter2hunter2", "postgres://audit:hunter2@localhost/audit", "Set-Cookie: hunter2",
	} {
		w := &kept{}
		s, logger := newSink(t, w)
		ctx, _ := start(t, t.Context())
		logger.Error(text, zapfield.Context(ctx), zap.String("s", text), zap.ByteString("b", []byte(text)), zap.Error(errors.New(text)),
			zap.Any("m", map[string]string{"detail": text}), zap.Strings("l", []string{text}), zap.Dict("d", zap.Stringer("detail", spoken(text))))
		mustSync(t, s)
		l := w.all()[0]
		if want := trail.MaskText(text); l.Message != want || strings.Count(string(l.Fields), trail.Masked) != 6 || strings.Contains(string(l.Fields), "hunter2") {
			t.Errorf("%q is kept as %q with %s", text, l.Message, l.Fields)
		}
	}
}

type spoken string

func (b spoken) String() string { return string(b) }

// FuzzFields: whatever the fields are, they are kept as one JSON object without
// NUL, and no secret is in it.
func FuzzFields(f *testing.F) {
	f.Add("key", "value", []byte(`{"password":"x","n":[1,{"token":2}]}`), int64(1), 0.5)
	f.Add("", "\xff\x00", []byte(`[`), int64(math.MinInt64), math.Inf(1))
	f.Fuzz(func(t *testing.T, key, value string, raw []byte, n int64, x float64) {
		const secret = "s3cr3tvalue"
		got := fieldsOf(t, zap.String(key, value), zap.Any("raw", json.RawMessage(raw)), zap.Binary(key, raw), zap.Int64(key, n),
			zap.Float64("x", x), zap.String("password", secret), zap.Namespace(key), zap.Any(key, map[string]any{key: value, "token": secret}),
			zap.Object("o", object(func(e zapcore.ObjectEncoder) error { e.AddString("secret", secret); return nil })))
		var object map[string]any
		if err := json.Unmarshal([]byte(got), &object); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if !utf8.ValidString(got) || strings.Contains(got, `\u0000`) && !bytes.Contains(raw, []byte(`\\u0000`)) && !strings.Contains(key+value, `\u0000`) {
			t.Fatalf("PostgreSQL cannot keep %q", got)
		}
		if strings.Contains(got, secret) && !strings.Contains(key+value+string(raw), secret) {
			t.Fatalf("a secret is in %s", got)
		}
	})
}
