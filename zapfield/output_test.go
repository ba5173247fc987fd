package zapfield_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// printed returns the lines that come of parts that are written one by one.
func printed(tb testing.TB, parts ...string) []string {
	tb.Helper()
	w := &kept{}
	s, logger := newSink(tb, w)
	ctx, _ := start(tb, tb.Context())
	out := zapfield.NewOutput(zapfield.Logger(ctx, logger), zap.WarnLevel)
	for _, p := range parts {
		b := []byte(p)
		if n, err := out.Write(b); n != len(b) || err != nil {
			tb.Fatalf("wrote %d of %d bytes, %v", n, len(b), err)
		}
		clear(b) // it is the caller's
	}
	for range 2 {
		if err := out.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	if _, err := out.Write([]byte("late")); !errors.Is(err, zapfield.ErrClosed) {
		tb.Fatalf("a write behind the end: %v", err)
	}
	mustSync(tb, s)
	return w.messages()
}

func TestOutput(t *testing.T) {
	long := strings.Repeat("ä", 40_000) // 80,000 bytes
	for _, c := range []struct {
		why   string
		parts []string
		want  []string
	}{
		{"lines", []string{"one\ntwo\n"}, []string{"one", "two"}},
		{"parts of lines", []string{"o", "ne\nt", "", "wo", "\n"}, []string{"one", "two"}},
		{"the end without a newline", []string{"one\ntwo"}, []string{"one", "two"}},
		{"nothing", nil, nil},
		{"empty lines", []string{"\n\none\n\n"}, []string{"one"}},
		{"lines of Windows", []string{"one\r\ntwo\r", "\nthree\r\n"}, []string{"one", "two", "three"}},
		{"a progress bar", []string{"  1%\r", " 50%", "\r100%\n", "done\n"}, []string{"100%", "done"}},
		{"a progress bar at the end", []string{"1%\r2%\r"}, []string{"2%"}},
		{"colours stay", []string{"\x1b[31mred\x1b[0m\n"}, []string{"\x1b[31mred\x1b[0m"}},
		{"not UTF-8", []string{"a\xffb\n"}, []string{"a\ufffdb"}},
		{"a character in two parts", []string{"\xc3", "\xa4\n"}, []string{"ä"}},
		{"NUL", []string{"a\x00b\n"}, []string{"a\ufffdb"}},
		{"long", []string{"x" + long + "\nshort\n"}, []string{"x" + long[:65534], long[65534:], "short"}},
		{"a secret", []string{"password=hunter2\n"}, []string{"password=***"}},
	} {
		if diff := cmp.Diff(c.want, printed(t, c.parts...)); diff != "" {
			t.Errorf("%s (-want +got):\n%.2000s", c.why, diff)
		}
	}
}

// reads is a writer that keeps nothing.
type reads func(lines []trail.Line)

func (r reads) WriteLines(_ context.Context, lines []trail.Line) error {
	r(lines)
	return nil
}

// A hundred megabytes that a command prints, in a hurry, are all there, in
// their order, under its trace, and are not held in memory.
func TestOutputOfACommand(t *testing.T) {
	const lines, width, room = 100_000, 1000, 8 << 20
	text := " a line of output" + strings.Repeat(" that is as long as few lines are", width)[:width]
	var s *zapfield.Sink
	next, seq, most := 1, int64(0), 0
	ctx, id := start(t, t.Context())
	w := reads(func(batch []trail.Line) {
		for _, l := range batch {
			if number, rest, _ := strings.Cut(l.Message, " "); number != fmt.Sprint(next) || " "+rest != text || l.TraceID.String() != id || l.Seq <= seq {
				t.Errorf("line %d, behind place %d, is of trace %s, at place %d: %q", next, seq, l.TraceID, l.Seq, l.Message)
				break
			}
			next, seq = next+1, l.Seq
		}
		most = max(most, s.Stats().QueuedBytes)
	})
	s, logger := newSink(t, w, zapfield.WithBuffer(1<<20, room))
	out := zapfield.NewOutput(zapfield.Logger(ctx, logger), zapcore.InfoLevel)
	cmd := exec.CommandContext(t.Context(), "seq", "-f", "%.0f"+text, fmt.Sprint(lines))
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if next != lines+1 || most > room {
		t.Errorf("%d lines came, %d expected; at most %d bytes were held, %d allowed", next-1, lines, most, room)
	}
	t.Logf("%d MB in %d lines, of which at most %d KiB were held", lines*(width+17)/1_000_000, lines, most>>10)
}

// FuzzOutput: however output is cut into parts, the lines are the same, each is
// text within the bounds, and what is visible text is not lost.
func FuzzOutput(f *testing.F) {
	f.Add("one\ntwo\r\nthree\rfour\n\xff\x00\n", uint16(3))
	f.Add(strings.Repeat("ä", 70_000), uint16(65535))
	f.Fuzz(func(t *testing.T, text string, n uint16) {
		var lines [2][]string
		for i, size := range []int{len(text) + 1, int(n)%1000 + 1} {
			core := zapcore.NewCore(zapcore.NewJSONEncoder(encoding()), new(buffer), zap.InfoLevel)
			l := zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
				lines[i] = append(lines[i], e.Message)
				return nil
			}))
			out := zapfield.NewOutput(l, zap.InfoLevel)
			for at := 0; at < len(text); at += size {
				if _, err := out.Write([]byte(text[at:min(at+size, len(text))])); err != nil {
					t.Fatal(err)
				}
			}
			if err := out.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(lines[0], lines[1]); diff != "" {
			t.Fatalf("as a whole and in parts (-whole +parts):\n%s", diff)
		}
		all := strings.Join(lines[0], "")
		if !utf8.ValidString(all) || strings.ContainsAny(all, "\r\n") {
			t.Fatalf("%q became %q", text, lines[0])
		}
		if !strings.ContainsAny(text, "\r") && utf8.ValidString(text) && all != strings.ReplaceAll(text, "\n", "") {
			t.Fatalf("%q became %q", text, all)
		}
		for _, l := range lines[0] {
			if len(l) == 0 || len(l) > 3*(64<<10) {
				t.Fatalf("a line of %d bytes", len(l))
			}
		}
	})
}
