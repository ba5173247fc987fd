package zapfield

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/infrakitchen/audit/trail"
)

const (
	firstPause   = 50 * time.Millisecond // after the first attempt that failed
	longestPause = 5 * time.Second
	writeTimeout = 30 * time.Second // per attempt

	// slowAttempt is how long lines wait in memory for an attempt, if they can
	// wait in the spill file.
	slowAttempt = time.Second
	// grace is how long a cancelled attempt has to end before it is left alone.
	grace = 100 * time.Millisecond
)

// work writes lines until the sink is closed and none are left.
func (s *Sink) work() {
	defer close(s.done)
	w := &worker{Sink: s}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		c, wait, last := s.queue.take()
		switch {
		case len(c.lines) > 0:
			w.held = c.lines
			w.deliver()
			// Two for one: the spill file becomes empty though lines keep coming.
			for range 2 {
				if w.spilling() && !time.Now().Before(w.again) && s.ctx.Err() == nil {
					w.restore()
				}
			}
			continue
		case last && (!w.spilling() || w.pauses > 0 || s.ctx.Err() != nil):
			return // what is in the spill file is kept
		case w.spilling() && !time.Now().Before(w.again):
			w.restore()
			continue
		case w.spilling() && (wait < 0 || time.Until(w.again) < wait):
			wait = time.Until(w.again)
		}
		if wait < 0 {
			wait = time.Hour // until woken: nothing is to be done
		}
		timer.Reset(wait)
		select {
		case <-s.queue.wake:
		case <-timer.C:
		}
	}
}

// worker is the state of the worker.
type worker struct {
	*Sink
	pauses int       // since the last success
	again  time.Time // when to try again
	front  int       // lines at the front of the spill file that are settled

	held    []trail.Line // taken from the queue, and stored nowhere yet
	stashed int          // lines that went into the spill file since direct began
	busy    bool         // an attempt has not ended
}

// spilling reports whether lines are in the spill file, which others must not
// overtake.
func (w *worker) spilling() bool { return w.spill != nil && w.spill.size() > 0 }

// deliver returns when the held lines are stored, in the database or in the
// spill file, or when the sink is closed and they never will be.
func (w *worker) deliver() {
	for len(w.held) > 0 {
		if !w.spilling() && w.direct() || w.stash() {
			continue
		}
		if !w.pause() {
			w.lost.Add(uint64(len(w.held)))
			w.report(fmt.Errorf("zapfield: the sink was closed, %d lines were lost%s", len(w.held), w.because()))
			w.held = nil
			break
		}
		if w.spilling() {
			w.restore()
		}
	}
	w.queue.settle(!w.busy)
}

// direct writes the held lines, and reports whether that succeeded. If it takes
// long, these lines go into the spill file as well, and after it others may be
// held.
func (w *worker) direct() bool {
	lines, before := w.held, w.written.Load()
	w.stashed = 0
	settled, err := w.write(lines)
	inFile := min(w.stashed, len(lines)) // they were the first
	if inFile < len(lines) {
		w.held = lines[max(settled, inFile):]
	}
	w.front = min(settled, inFile)
	w.restored.Add(min(w.written.Load()-before, uint64(inFile))) //nolint:gosec // a number of lines
	if err != nil {
		w.failed(err)
	}
	return err == nil
}

// stash moves the held lines into the spill file, and reports whether all are
// in it now.
func (w *worker) stash() bool {
	if w.spill == nil {
		return false
	}
	added, err := w.spill.append(w.held)
	w.measureSpill()
	w.spilled.Add(uint64(added)) //nolint:gosec // a number of lines
	w.stashed += added
	if w.held = w.held[added:]; err != nil {
		w.note(err)
	}
	return err == nil
}

// overflow moves what waits in memory into the spill file during an attempt, and
// returns when to look again.
func (w *worker) overflow() time.Duration {
	for w.stash() {
		w.queue.settle(false) // the attempt may have these lines
		c, wait, _ := w.queue.take()
		if len(c.lines) == 0 {
			if wait < 0 {
				wait = time.Hour // until woken
			}
			return wait
		}
		w.held = c.lines
	}
	return slowAttempt
}

// restore writes the next batch of the spill file.
func (w *worker) restore() {
	defer w.measureSpill()
	lines, next, err := w.spill.next()
	switch {
	case errors.Is(err, errDamaged):
		w.front = 0
		w.note(err)
		w.report(fmt.Errorf("zapfield: %w", err))
		return
	case err != nil: // the lines are still there
		w.failed(err)
		return
	}
	if w.front < len(lines) {
		before := w.written.Load()
		settled, err := w.write(lines[w.front:])
		w.restored.Add(w.written.Load() - before) // not those that were refused
		if w.front += settled; err != nil {
			w.failed(err)
			return
		}
	}
	w.front -= len(lines)
	if err := w.spill.advance(next); err != nil { // they are only read once more, by the next process
		w.note(err)
		w.report(fmt.Errorf("zapfield: emptying the spill file: %w", err))
	}
}

// measureSpill makes the state of the spill file known to Stats.
func (s *Sink) measureSpill() {
	s.spillSize.Store(s.spill.size())
	s.damaged.Store(s.spill.damaged)
}

// write writes lines once. A line that can never be stored is left out. On an
// error it returns how many lines need not be written again: a batch that holds
// such a line is written in parts.
func (w *worker) write(lines []trail.Line) (settled int, err error) {
	err = w.attempt(lines)
	switch {
	case err == nil:
		w.written.Add(uint64(len(lines)))
		w.pauses = 0
		w.failure.Store(nil)
		return len(lines), nil
	case !errors.Is(err, trail.ErrLine):
		return 0, err
	case len(lines) == 1:
		w.refused.Add(1)
		w.report(fmt.Errorf("zapfield: a line of trace %s was refused: %w", lines[0].TraceID, err))
		return 1, nil
	}
	half := len(lines) / 2
	if settled, err = w.write(lines[:half]); err != nil {
		return settled, err
	}
	rest, err := w.write(lines[half:])
	return settled + rest, err
}

// attempt calls the writer, and turns its panic into an error. While the call
// takes long, it sees to the lines in memory. When the sink gives up, it leaves
// a call that does not return alone.
func (w *worker) attempt(lines []trail.Line) error {
	if w.busy {
		return errBusy
	}
	w.busy = true
	result := make(chan error, 1)
	go func() { result <- w.call(lines) }()
	timer := time.NewTimer(slowAttempt)
	defer timer.Stop()
	var wake <-chan struct{} // once it takes long
	over := w.ctx.Done()
	for {
		select {
		case err := <-result:
			w.busy = false
			return err
		case <-over:
			over, wake = nil, nil
			timer.Reset(grace)
			continue
		case <-wake:
		case <-timer.C:
			if over == nil {
				return errBusy
			}
			wake = w.queue.wake
		}
		timer.Reset(w.overflow())
	}
}

var errBusy = errors.New("the LineWriter does not return")

func (w *worker) call(lines []trail.Line) (err error) {
	ctx, cancel := context.WithTimeout(w.ctx, writeTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %s", described(v))
		}
	}()
	return w.writer.WriteLines(ctx, lines)
}

// failed notes that an attempt failed and when the next one is due.
func (w *worker) failed(err error) {
	w.retried.Add(1)
	w.note(err)
	if w.pauses == 0 {
		w.report(fmt.Errorf("zapfield: lines cannot be written and are retried: %w", err))
	}
	pause := min(firstPause<<min(w.pauses, 10), longestPause)
	pause = pause/2 + rand.N(pause/2+1) //nolint:gosec // so that not all processes try at once
	w.pauses++
	w.again = time.Now().Add(pause)
}

func (w *worker) note(err error) {
	text := trail.MaskText(err.Error())
	w.failure.Store(&text)
}

// pause waits until it is time to try again, and reports whether to.
func (w *worker) pause() bool {
	timer := time.NewTimer(time.Until(w.again))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.ctx.Done():
		return false
	}
}

func (s *Sink) report(err error) {
	if s.set.onError == nil {
		return
	}
	defer func() { _ = recover() }() // it is the user's code, and the worker continues
	s.set.onError(err)
}
