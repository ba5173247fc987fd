package zapfield_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

func numbers(from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

// Lines that cannot be written go into the file, and from there into the
// database, in order, whether the process lives or another one follows it.
func TestSpill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	away := func(context.Context, []trail.Line) error { return errAway }
	ctx, _ := start(t, t.Context())
	w := &kept{}

	w.fail(away)
	s, logger := newSink(t, w, zapfield.WithBatch(3), zapfield.WithSpill(path, 1<<20))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file is %v, %v", info.Mode(), err)
	}
	if _, err := zapfield.NewSink(w, zapfield.WithSpill(path, 1<<20)); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second sink on the file: %v", err)
	}
	for i := range 10 {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx), zap.Int64("n", 1<<62))
	}
	mustSync(t, s)
	if st := s.Stats(); st.Spilled != 10 || st.SpillBytes == 0 || st.Queued != 0 {
		t.Errorf("%+v", st)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Lost != 0 {
		t.Errorf("%+v", st)
	}

	// The rest of a batch that a crash cut short.
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte{0, 0, 0, 200, 1, 2, 3, 4, '['}); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	s, logger = newSink(t, w, zapfield.WithBatch(3), zapfield.WithSpill(path, 1<<20))
	for i := 10; i < 20; i++ {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx), zap.Int64("n", 1<<62))
	}
	mustSync(t, s)
	w.fail(nil)
	for i := 20; i < 30; i++ {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx), zap.Int64("n", 1<<62))
	}
	for len(w.all()) < 30 {
		mustSync(t, s)
	}
	if diff := cmp.Diff(numbers(0, 30), w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, l := range w.all() {
		if string(l.Fields) != `{"n":4611686018427387904}` || l.TraceID == l.ID || l.Level != "info" {
			t.Fatalf("%+v", l)
		}
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the file has %d bytes left, %v", info.Size(), err)
	}
}

// What an earlier process left is written though nobody logs.
func TestSpillOfAnEarlierProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	ctx, _ := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger := newSink(t, w, zapfield.WithSpill(path, 1<<20))
	logger.Info("left", zapfield.Context(ctx))
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	w.fail(nil)
	s, _ = newSink(t, w, zapfield.WithSpill(path, 1<<20))
	s.Start()
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"left"}, w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Restored != 1 || st.SpillBytes != 0 {
		t.Errorf("%+v", st)
	}
}

// A file that is full leaves lines in memory, where they wait their turn.
func TestSpillFull(t *testing.T) {
	ctx, _ := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger := newSink(t, w, zapfield.WithBatch(2), zapfield.WithSpill(filepath.Join(t.TempDir(), "lines"), 1000))
	for i := range 20 {
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
	}
	for s.Stats().Failure != "the spill file is full" {
		if s.Stats().Written > 0 {
			t.Fatal("written")
		}
	}
	w.fail(nil)
	mustSync(t, s)
	for len(w.all()) < 20 {
		mustSync(t, s)
	}
	if diff := cmp.Diff(numbers(0, 20), w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Spilled == 0 || st.Spilled == 20 || st.Written != 20 {
		t.Errorf("%+v", st)
	}
}
