package gormhook_test

import (
	"sync"
	"testing"
)

// twin is a database without the plugin. It is of one engine and serves all of
// its routes: what the caller gets there is worked out once.
type twin struct {
	side *side
	mu   sync.Mutex
	runs map[twinKey]twinRun
}

// twinKey is all that the caller's results may depend on.
type twinKey struct {
	trial  string
	handle handle
	depth  int
}

// twinRun is what the caller got, and what the tables held then.
type twinRun struct {
	run   *run
	after content
}

func newTwin(tb testing.TB, engine string) *twin {
	tb.Helper()
	s := newSide(tb, engine)
	s.furnish(tb, engine)
	return &twin{side: s, runs: map[twinKey]twinRun{}}
}

func (tw *twin) run(t *testing.T, w *world, tr *trial, m mode) twinRun {
	t.Helper()
	tw.mu.Lock()
	defer tw.mu.Unlock()
	key := twinKey{tr.name, m.handle, m.depth}
	if done, ok := tw.runs[key]; ok {
		return done
	}
	empty(t, w, tw.side, tr)
	r := tr.run(&run{ctx: t.Context(), engine: w.engine}, tw.side.handle(m.handle), m.depth)
	done := twinRun{r, w.snapshot(t, tw.side, tr)}
	tw.runs[key] = done
	return done
}
