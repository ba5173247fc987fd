package zapfield_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// A file that is smaller than a batch takes as much of it as there is room for.
func TestSpillSmallerThanABatch(t *testing.T) {
	const lines, limit = 1000, 40_000
	path := filepath.Join(t.TempDir(), "lines")
	ctx, _ := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger := newSink(t, w, zapfield.WithInterval(time.Hour), zapfield.WithSpill(path, limit))
	for i := range lines {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Close(over)
	st := s.Stats()
	if st.SpillBytes < limit*8/10 || st.SpillBytes > limit || st.Spilled+st.Lost != lines ||
		err == nil || !strings.Contains(err.Error(), fmt.Sprintf(": %d lines were lost", st.Lost)) {
		t.Errorf("%v; %+v", err, st)
	}

	w.fail(nil)
	s, _ = newSink(t, w, zapfield.WithSpill(path, limit))
	s.Start()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(numbers(0, int(st.Spilled)), w.messages()); diff != "" { //nolint:gosec // a number of lines
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is no spill file is refused, and not touched. What a crash has left of the
// beginning of one is set aside.
func TestSpillIntoAnotherFile(t *testing.T) {
	for _, c := range []struct {
		why, content string
		refused      bool
		damaged      int64
	}{
		{"settings", strings.Repeat("important: content\n", 100), true, 0},
		{"a short text", "x", true, 0},
		{"a spill file of a later version", "zapfield spill 2\n12345678", true, 0},
		{"nothing", "", false, 0},
		{"a spill file without batches", "zapfield spill 1\n", false, 0},
		{"a part of the title", "zapfield s", false, 10},
		{"zeros", strings.Repeat("\x00", 300), false, 300},
		{"a few zeros", "\x00", false, 1},
	} {
		t.Run(c.why, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lines")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := zapfield.NewSink(&kept{}, zapfield.WithSpill(path, 1<<20))
			want := c.content
			if c.refused {
				if err == nil || !strings.Contains(err.Error(), path+": this is no spill file") {
					t.Errorf("NewSink: %v", err)
				}
			} else {
				want = ""
				if err != nil {
					t.Fatal(err)
				}
				if st := s.Stats(); st.DamagedBytes != c.damaged || st.SpillBytes != 0 {
					t.Errorf("%+v", st)
				}
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
			if content, err := os.ReadFile(path); err != nil || string(content) != want {
				t.Errorf("the file is now %q, %v", content, err)
			}
		})
	}
}

// A clock that is wrong by thousands of years keeps no line out of the file.
func TestSpillAnyTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	_, id := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, _ := newSink(t, w, zapfield.WithSpill(path, 1<<20))
	var want []time.Time
	for _, year := range []int{-5, 2026, 9999, 10_000, 250_000} {
		at := time.Date(year, 1, 2, 3, 4, 5, 6000, time.UTC)
		entry := zapcore.Entry{Level: zapcore.InfoLevel, Time: at, Message: fmt.Sprint(year)}
		if err := s.Core(zapcore.DebugLevel).Write(entry, []zap.Field{zap.String(zapfield.Key, id)}); err != nil {
			t.Fatal(err)
		}
		want = append(want, at)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.fail(nil)
	s, _ = newSink(t, w, zapfield.WithSpill(path, 1<<20))
	s.Start()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	var got []time.Time
	for _, l := range w.all() {
		got = append(got, l.CreatedAt)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times (-logged +restored):\n%s", diff)
	}
}
