package zapfield_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

var errAway = errors.New("the database is away: password=hunter2")

func TestSinkKeepsWhatALineHas(t *testing.T) {
	w := &kept{}
	s, logger := newSink(t, w)
	ctx, id := start(t, t.Context())
	logger.Info("nobody's")
	logger.Info("nobody's", zap.String(zapfield.Key, "no id"))
	logger = logger.WithOptions(zap.AddCaller()).Named("jobs").With(zap.Int("run", 7), zap.Namespace("n"))
	logger.Warn("\x1b[31mred\x1b[0m token=abc\x00", zap.String("zone", "eu-1"), zapfield.Context(ctx))
	zapfield.Logger(ctx, logger).WithOptions(zap.AddStacktrace(zap.ErrorLevel)).Error("failed")
	mustSync(t, s)

	all := w.all()
	if len(all) != 2 {
		t.Fatalf("%d lines, 2 expected: %v", len(all), w.messages())
	}
	l := all[0]
	if l.TraceID.String() != id || l.Level != "warn" || l.Logger != "jobs" || l.Message != "\x1b[31mred\x1b[0m token=***" ||
		!strings.HasPrefix(l.Caller, "zapfield/sink_test.go:") || string(l.Fields) != `{"run":7,"n":{"zone":"eu-1"}}` || l.ExpireAt != nil {
		t.Errorf("kept %+v, fields %s", l, l.Fields)
	}
	if !trail.Time(l.ID).Equal(l.CreatedAt) || l.CreatedAt.Location() != time.UTC {
		t.Errorf("logged at %v, the id says %v", l.CreatedAt, trail.Time(l.ID))
	}
	var fields struct {
		Stack string `json:"stacktrace"`
	}
	if err := json.Unmarshal(all[1].Fields, &fields); err != nil || all[1].Seq <= l.Seq {
		t.Errorf("%v; seq %d behind %d", err, all[1].Seq, l.Seq)
	}
	if !strings.Contains(string(all[1].Fields), "TestSinkKeepsWhatALineHas") {
		t.Errorf("no stack in %s", all[1].Fields)
	}
}

// Over a sink every shape of logger keeps the lines that it writes elsewhere,
// if they are stamped, and no others.
func TestSinkShapes(t *testing.T) {
	for _, sh := range shapes {
		t.Run(sh.name, func(t *testing.T) {
			a, idA := start(t, t.Context())
			b, idB := start(t, a)
			w, out := &kept{}, new(buffer)
			s, err := zapfield.NewSink(w)
			if err != nil {
				t.Fatal(err)
			}
			tee := zapcore.NewTee(jsonCore(out, zap.DebugLevel), s.Core(zap.DebugLevel))
			logger := zapfield.Wrap(sh.build(tee, new(buffer)))
			script{a: a, b: b, none: context.Background(), stampAll: zapfield.Logger}.run(logger)
			if err := s.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, line := range out.lines() {
				var l struct {
					Message string `json:"msg"`
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				for _, id := range stamps(line) {
					want = append(want, l.Message+" "+id)
				}
			}
			for _, l := range w.all() {
				got = append(got, l.Message+" "+l.TraceID.String())
			}
			if diff := cmp.Diff(want, got); diff != "" || !slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, idA) }) ||
				!slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, idB) }) {
				t.Errorf("lines with their traces (-written +kept):\n%s", diff)
			}
		})
	}
}

// Lines of many goroutines are kept once each, those of one in their order, in
// batches that are not too large, without anybody asking for it.
func TestSinkManyGoroutines(t *testing.T) {
	const goroutines, each = 8, 2000
	w := &kept{}
	s, logger := newSink(t, w, zapfield.WithBatch(100), zapfield.WithInterval(time.Millisecond), zapfield.WithBuffer(500, 1<<20))
	var wg sync.WaitGroup
	for g := range goroutines {
		ctx, _ := start(t, t.Context())
		own := zapfield.Logger(ctx, logger)
		wg.Go(func() {
			for i := range each {
				own.Info(fmt.Sprintf("%d %d", g, i))
			}
		})
	}
	wg.Wait()
	for len(w.all()) < goroutines*each { // the interval does it
		time.Sleep(time.Millisecond)
	}
	var next [goroutines]int
	var seq int64
	for _, l := range w.all() {
		var g, i int
		if _, err := fmt.Sscan(l.Message, &g, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[g] || l.Seq <= seq {
			t.Fatalf("%q where %d is due, seq %d behind %d", l.Message, next[g], l.Seq, seq)
		}
		next[g], seq = i+1, l.Seq
	}
	if most := slices.Max(w.sizes); most > 100 {
		t.Errorf("a batch of %d lines", most)
	}
	if st := s.Stats(); st.Logged != goroutines*each || st.Written != st.Logged || st.Dropped+st.Refused+st.Lost+st.Retried != 0 {
		t.Errorf("%+v", st)
	}
}

// While the database is away, lines wait; then they are kept, in order.
func TestSinkWaitsForTheDatabase(t *testing.T) {
	w := &kept{}
	attempts := 0
	w.fail(func(_ context.Context, lines []trail.Line) error {
		switch attempts++; attempts {
		case 1:
			return errAway
		case 2:
			panic("oh")
		case 3: // it was kept, but the answer was lost
			w.mu.Lock()
			defer w.mu.Unlock()
			w.ids[lines[0].ID] = true
			w.lines = append(w.lines, lines[0])
			return errAway
		default:
			return nil
		}
	})
	w.ids = map[uuid.UUID]bool{}
	var told []string
	s, logger := newSink(t, w, zapfield.WithBatch(2), zapfield.WithErrorHandler(func(err error) { told = append(told, err.Error()) }))
	ctx, _ := start(t, t.Context())
	for i := range 7 {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
	}
	mustSync(t, s)
	if diff := cmp.Diff([]string{"0", "1", "2", "3", "4", "5", "6"}, w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Retried != 3 || st.Written != 7 || st.Queued != 0 || st.Failure != "" {
		t.Errorf("%+v", st)
	}
	if len(told) != 1 || !strings.Contains(told[0], "cannot be written") {
		t.Errorf("told %q, want one word of it", told)
	}
}

// A line that can never be kept costs itself.
func TestSinkRefusedLine(t *testing.T) {
	w := &kept{}
	w.fail(func(_ context.Context, lines []trail.Line) error {
		for _, l := range lines {
			if l.Message == "3" || l.Message == "4" {
				return fmt.Errorf("%w: %s", trail.ErrLine, l.Message)
			}
		}
		return nil
	})
	told := 0
	s, logger := newSink(t, w, zapfield.WithErrorHandler(func(error) { told++; panic("the user's") }))
	ctx, _ := start(t, t.Context())
	for i := range 9 {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
	}
	mustSync(t, s)
	if diff := cmp.Diff([]string{"0", "1", "2", "5", "6", "7", "8"}, w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Refused != 2 || st.Written != 7 || told != 2 {
		t.Errorf("told %d times, %+v", told, st)
	}
}

// A batch with such a line is written in parts. The part that was stored before
// the database went away is neither written nor counted again.
func TestSinkRefusedLineInAnOutage(t *testing.T) {
	for _, c := range []struct {
		why      string
		opts     []zapfield.SinkOption
		restored uint64
	}{
		{"from memory", nil, 0},
		{"from the spill file", []zapfield.SinkOption{zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1<<20)}, 3},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := &kept{}
			var asked []string
			w.fail(func(_ context.Context, lines []trail.Line) error {
				first := lines[0].Message + "+" + strconv.Itoa(len(lines)-1)
				asked = append(asked, first)
				switch n := len(asked); {
				case n == 1 && c.opts != nil: // so that they go into the file
					return errAway
				case len(lines) > 1 && (lines[0].Message == "0" || lines[0].Message == "2"):
					return fmt.Errorf("%w: one of them", trail.ErrLine)
				case first == "2+0" && !slices.Contains(asked[:n-1], first):
					return errAway
				case lines[0].Message == "1":
					return fmt.Errorf("%w: 1", trail.ErrLine)
				default:
					return nil
				}
			})
			s, logger := newSink(t, w, append(c.opts, zapfield.WithInterval(time.Hour), zapfield.WithErrorHandler(func(error) {}))...)
			ctx, _ := start(t, t.Context())
			for i := range 4 {
				logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
			}
			for st := s.Stats(); st.Written+st.Refused < 4; st = s.Stats() {
				mustSync(t, s)
			}
			if diff := cmp.Diff([]string{"0", "2", "3"}, w.messages()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if st := s.Stats(); st.Logged != 4 || st.Written != 3 || st.Refused != 1 || st.Restored != c.restored {
				t.Errorf("%+v; asked to write %q", st, asked)
			}
		})
	}
}

// A line without a time was logged now: the store takes none without one.
func TestSinkLineWithoutATime(t *testing.T) {
	w := &kept{}
	s, _ := newSink(t, w)
	_, id := start(t, t.Context())
	before := time.Now().Truncate(time.Microsecond)
	entry := zapcore.Entry{Level: zapcore.InfoLevel, Message: "when?"}
	if err := s.Core(zapcore.DebugLevel).Write(entry, []zap.Field{zap.String(zapfield.Key, id)}); err != nil {
		t.Fatal(err)
	}
	mustSync(t, s)
	l := w.all()[0]
	if l.CreatedAt.Before(before) || l.CreatedAt.After(time.Now()) || !trail.Time(l.ID).Equal(l.CreatedAt) {
		t.Errorf("logged at %v, the id says %v", l.CreatedAt, trail.Time(l.ID))
	}
}

// Without room a line waits, or is dropped, as one likes.
func TestSinkFull(t *testing.T) {
	for _, c := range []struct {
		why   string
		opts  []zapfield.SinkOption
		kept  int
		block bool
	}{
		{"lines wait", nil, 20, true},
		{"and wait too long", []zapfield.SinkOption{zapfield.WithBlockTimeout(time.Millisecond)}, 8, false},
		{"or are dropped", []zapfield.SinkOption{zapfield.WithOverflow(zapfield.DropNewest)}, 8, false},
		{"by their bytes", []zapfield.SinkOption{zapfield.WithOverflow(zapfield.DropNewest), zapfield.WithBuffer(100, 1)}, 1, false},
	} {
		t.Run(c.why, func(t *testing.T) {
			w, release := &kept{}, make(chan struct{})
			w.fail(func(context.Context, []trail.Line) error { <-release; return nil })
			s, logger := newSink(t, w, append([]zapfield.SinkOption{zapfield.WithBuffer(8, 1<<20), zapfield.WithBatch(3)}, c.opts...)...)
			ctx, _ := start(t, t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for i := range 20 {
					logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
				}
			}()
			if c.block {
				for s.Stats().Queued < 8 {
					time.Sleep(time.Millisecond)
				}
				if n := s.Stats().Logged; n != 8 {
					t.Errorf("%d lines went in, there is room for 8", n)
				}
				close(release)
				<-done
			} else {
				<-done
				close(release)
			}
			mustSync(t, s)
			if got := w.messages(); len(got) != c.kept || got[len(got)-1] != fmt.Sprint(c.kept-1) {
				t.Errorf("kept %q, want the first %d", got, c.kept)
			}
			if st := s.Stats(); st.Dropped != uint64(20-c.kept) || st.QueuedBytes != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Close writes what is queued, gives up when asked to, and says so.
func TestSinkClose(t *testing.T) {
	w := &kept{}
	s, logger := newSink(t, w, zapfield.WithInterval(time.Hour))
	ctx, _ := start(t, t.Context())
	logger.Info("one", zapfield.Context(ctx))
	for range 2 {
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	logger.Info("late", zapfield.Context(ctx))
	if st := s.Stats(); len(w.all()) != 1 || st.Dropped != 1 {
		t.Errorf("kept %q, %+v", w.messages(), st)
	}

	w = &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger = newSink(t, w)
	for range 3 {
		logger.Info("lost", zapfield.Context(ctx))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Close(over)
	if err == nil || !strings.Contains(err.Error(), "3 lines were lost") || !strings.Contains(err.Error(), "away") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	if st := s.Stats(); st.Lost != 3 || s.Close(over) != nil {
		t.Errorf("%+v", st)
	}

	unused, err := zapfield.NewSink(w)
	if err != nil || unused.Sync() != nil || unused.Close(context.Background()) != nil {
		t.Errorf("a sink that nobody used: %v", err)
	}
}

// A line after which the process may end is stored when it has been logged.
func TestSinkPanic(t *testing.T) {
	w := &kept{}
	_, logger := newSink(t, w, zapfield.WithInterval(time.Hour))
	ctx, _ := start(t, t.Context())
	func() {
		defer func() { _ = recover() }()
		logger.Panic("the end", zapfield.Context(ctx))
	}()
	if diff := cmp.Diff([]string{"the end"}, w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSinkRefusesOptions(t *testing.T) {
	w := &kept{}
	for want, o := range map[string]zapfield.SinkOption{
		"WithBatch": zapfield.WithBatch(0), "WithInterval": zapfield.WithInterval(0), "WithBuffer": zapfield.WithBuffer(0, 1),
		"WithOverflow": zapfield.WithOverflow(7), "WithBlockTimeout": zapfield.WithBlockTimeout(-1), "WithSpill": zapfield.WithSpill("", 1),
		"WithSecrets": zapfield.WithSecrets(""), "WithErrorHandler": zapfield.WithErrorHandler(nil),
	} {
		if s, err := zapfield.NewSink(w, o); err == nil || s != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v", want, s, err)
		}
	}
	if _, err := zapfield.NewSink(nil); err == nil {
		t.Error("a sink over nothing")
	}
}

// A sink is a variable of package expvar.
func TestSinkString(t *testing.T) {
	s, logger := newSink(t, &kept{})
	ctx, _ := start(t, t.Context())
	logger.Info("one", zapfield.Context(ctx))
	mustSync(t, s)
	var got zapfield.SinkStats
	if err := json.Unmarshal([]byte(s.String()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(zapfield.SinkStats{Logged: 1, Written: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
