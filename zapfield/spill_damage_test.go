package zapfield_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// spilled makes a spill file of three batches, with a line each, and returns its
// path and where each batch begins.
func spilled(t *testing.T) (path string, at []int64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "lines")
	ctx, _ := start(t, t.Context())
	w := &kept{}
	w.fail(func(context.Context, []trail.Line) error { return errAway })
	s, logger := newSink(t, w, zapfield.WithSpill(path, 1<<20))
	for i := range 3 {
		at = append(at, int64(len("zapfield spill 1\n"))+s.Stats().SpillBytes)
		logger.Info(fmt.Sprint(i), zapfield.Context(ctx))
		mustSync(t, s)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return path, at
}

// damages are what a disk and a crash do to a file, and how many of the three
// batches are whole after it.
var damages = []struct {
	name  string
	do    func(content []byte, at []int64) []byte
	whole int
}{
	{"a bit of the first length", func(b []byte, at []int64) []byte { return flip(b, at[0]) }, 0},
	{"a bit of the first length, so that it ends early", func(b []byte, at []int64) []byte { return flip(b, at[0]+3) }, 0},
	{"a bit of the first checksum", func(b []byte, at []int64) []byte { return flip(b, at[0]+5) }, 0},
	{"a bit of the first lines", func(b []byte, at []int64) []byte { return flip(b, at[0]+20) }, 0},
	{"a bit of the second lines", func(b []byte, at []int64) []byte { return flip(b, at[1]+20) }, 1},
	{"a bit of the last lines", func(b []byte, at []int64) []byte { return flip(b, at[2]+20) }, 2},
	{"the last length cut off", func(b []byte, at []int64) []byte { return b[:at[2]+3] }, 2},
	{"the last lines cut off", func(b []byte, at []int64) []byte { return b[:at[2]+20] }, 2},
	{"zeros in place of the last batch", func(b []byte, at []int64) []byte {
		clear(b[at[2]:])
		return b
	}, 2},
	{"zeros behind the last batch", func(b []byte, _ []int64) []byte { return append(b, make([]byte, 16)...) }, 3},
}

func flip(b []byte, i int64) []byte {
	b[i] ^= 1
	return b
}

// damage changes the file, and returns what is in it from the damage on.
func damage(t *testing.T, path string, at []int64, do func([]byte, []int64) []byte, whole int) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	from := int64(len(content))
	if whole < len(at) {
		from = at[whole]
	}
	content = do(content, at)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return content[from:]
}

// A spill file that is damaged loses no more than it must, keeps aside what it
// loses, and says so, whether the damage is found when the file is opened or
// when it is read.
func TestSpillDamaged(t *testing.T) {
	for _, test := range damages {
		for _, opened := range []bool{false, true} {
			if opened && test.whole == 3 {
				continue // what somebody else writes behind its end, the sink does not read
			}
			t.Run(fmt.Sprintf("%s, after opening %v", test.name, opened), func(t *testing.T) {
				path, at := spilled(t)
				var rest []byte
				if !opened {
					rest = damage(t, path, at, test.do, test.whole)
				}
				w := &kept{}
				var reports []string
				s, logger := newSink(t, w, zapfield.WithSpill(path, 1<<20),
					zapfield.WithErrorHandler(func(err error) { reports = append(reports, err.Error()) }))
				if !opened && len(reports) != 1 {
					t.Errorf("NewSink reported %q", reports)
				}
				if opened {
					rest = damage(t, path, at, test.do, test.whole)
				}
				s.Start()
				want := numbers(0, test.whole)
				if !opened { // else it is appended to the damaged file
					ctx, _ := start(t, t.Context())
					logger.Info("new", zapfield.Context(ctx))
					want = append(want, "new")
				}
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}

				if diff := cmp.Diff(want, w.messages()); diff != "" {
					t.Errorf("lines (-want +got):\n%s", diff)
				}
				if info, err := os.Stat(path); err != nil || info.Size() != 0 {
					t.Errorf("the file has %d bytes left, %v", info.Size(), err)
				}
				aside, err := os.ReadFile(path + ".damaged")
				if diff := cmp.Diff(rest, aside); err != nil || diff != "" {
					t.Errorf("set aside: %v (-want +got):\n%s", err, diff)
				}
				if st := s.Stats(); st.DamagedBytes != int64(len(rest)) {
					t.Errorf("%+v, %d bytes are damaged", st, len(rest))
				}
				if len(reports) != 1 || !strings.Contains(reports[0], "lines were lost") ||
					!strings.Contains(reports[0], fmt.Sprintf("the last %d bytes of %s ", len(rest), path)) ||
					!strings.Contains(reports[0], path+".damaged") || strings.Contains(reports[0], "retried") {
					t.Errorf("reported %q", reports)
				}
			})
		}
	}
}

// What cannot be set aside stays where it is.
func TestSpillDamagedStays(t *testing.T) {
	path, at := spilled(t)
	if err := os.Mkdir(path+".damaged", 0o700); err != nil {
		t.Fatal(err)
	}
	var reports []string
	onError := zapfield.WithErrorHandler(func(err error) { reports = append(reports, err.Error()) })
	w := &kept{}
	s, _ := newSink(t, w, zapfield.WithSpill(path, 1<<20), onError)
	rest := damage(t, path, at, func(b []byte, at []int64) []byte { return flip(b, at[1]) }, 1)
	s.Start()
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if len(reports) != 1 || !strings.Contains(reports[0], "retried: setting damaged lines aside") {
		t.Errorf("reported %q", reports)
	}
	if st := s.Stats(); st.SpillBytes != int64(len(rest)) || st.DamagedBytes != 0 || st.Failure == "" {
		t.Errorf("%+v", st)
	}
	if diff := cmp.Diff([]string{"0"}, w.messages()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	if _, err := zapfield.NewSink(w, zapfield.WithSpill(path, 1<<20)); err == nil ||
		!strings.Contains(err.Error(), "NewSink: WithSpill: setting damaged lines aside") {
		t.Errorf("NewSink: %v", err)
	}
	content, err := os.ReadFile(path)
	if diff := cmp.Diff(rest, content[at[1]:]); err != nil || diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}

	if err := os.Remove(path + ".damaged"); err != nil {
		t.Fatal(err)
	}
	s, _ = newSink(t, w, zapfield.WithSpill(path, 1<<20))
	if st := s.Stats(); st.DamagedBytes != int64(len(rest)) {
		t.Errorf("%+v", st)
	}
}
