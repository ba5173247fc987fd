package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// errInterrupted is why jobs end that were told to stop.
var errInterrupted = errors.New("interrupted")

// keepTimeout bounds how long the end of a job may take to be written down.
const keepTimeout = 5 * time.Second

// job is work that continues after a 202 response. Its context carries the
// trace of the request: the rows that it changes, the lines that it logs and
// how it ends all belong to the action that began it.
type job struct {
	name string
	work func(context.Context, *terminal) error
	// done records how the work ended. Its context is not cancelled with that
	// of the work.
	done func(ctx context.Context, failure error) error
}

// jobs runs jobs, each on its own goroutine.
type jobs struct {
	log  *zap.Logger
	pace atomic.Int64 // how long each takes: a time.Duration

	stop chan struct{} // closed when the jobs are to end

	mu      sync.Mutex // guards closed, so that none begins after the wait
	closed  bool
	running sync.WaitGroup
}

func newJobs(log *zap.Logger, pace time.Duration) *jobs {
	j := &jobs{log: log, stop: make(chan struct{})}
	j.pace.Store(int64(pace))
	return j
}

// start runs the job under the trace of ctx, but not under its cancellation: a
// request's context is cancelled as soon as the request is answered. If the
// jobs are closed it returns when the interrupted job has ended.
func (j *jobs) start(ctx context.Context, job job) {
	ctx = context.WithoutCancel(ctx)
	j.mu.Lock()
	closed := j.closed
	if !closed {
		j.running.Go(func() { j.run(ctx, job) })
	}
	j.mu.Unlock()
	if closed {
		j.run(ctx, job)
	}
}

func (j *jobs) run(ctx context.Context, job job) {
	work, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-j.stop:
			cancel(errInterrupted)
		case <-work.Done():
		}
	}()

	log := zapfield.Logger(ctx, j.log).Named(job.name)
	failure := guarded(func() error {
		return job.work(work, &terminal{log: log, pace: time.Duration(j.pace.Load())})
	})

	keep, cancelKeep := context.WithTimeout(ctx, keepTimeout)
	defer cancelKeep()
	if err := guarded(func() error { return job.done(keep, failure) }); err != nil {
		log.Error("the end of the job was not stored", zap.Error(err))
		if failure != nil {
			err = fmt.Errorf("%w, and that was not stored: %w", failure, err)
		}
		failure = err
	}
	if trace, ok := trail.FromContext(ctx); ok {
		if err := trace.End(failure); err != nil { //nolint:contextcheck // the end is kept whatever became of ctx
			log.Error("the end of the action was not recorded", zap.Error(err))
		}
	}
}

// guarded turns a panic, which would end the whole service, into an error.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return f()
}

// close interrupts the jobs that are running and waits until each has ended its
// trace, at most as long as ctx says.
func (j *jobs) close(ctx context.Context) error {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		close(j.stop)
	}
	j.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		j.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for jobs to end: %w", context.Cause(ctx))
	}
}
