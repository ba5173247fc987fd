package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/infrakitchen/audit/trail"
)

// outcomes is a recorder that keeps how actions ended.
type outcomes struct {
	mu   sync.Mutex
	kept []string
}

func (o *outcomes) Record(context.Context, ...trail.Entry) error { return nil }

func (o *outcomes) Finish(_ context.Context, out trail.Outcome) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, strings.TrimSpace(string(out.Result)+" "+out.Error))
	return nil
}

func TestEndOfJobs(t *testing.T) {
	broken := errors.New("broken")
	works := func(context.Context, *terminal) error { return nil }
	waits := func(ctx context.Context, _ *terminal) error {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for _, c := range []struct {
		name  string
		work  func(context.Context, *terminal) error
		done  error // of done
		panic bool  // of done
		close string
		want  string
	}{
		{name: "success", work: works, want: "success"},
		{name: "failure", work: func(context.Context, *terminal) error { return broken }, want: "failure broken"},
		{name: "panic", work: func(context.Context, *terminal) error { panic("oh") }, want: "failure panic: oh"},
		{name: "success that is not stored", work: works, done: broken, want: "failure broken"},
		{
			name: "failure that is not stored", work: func(context.Context, *terminal) error { return broken }, done: errors.New("gone"),
			want: "failure broken, and that was not stored: gone",
		},
		{name: "panic behind the work", work: works, panic: true, want: "failure panic: oh"},
		{name: "closed meanwhile", work: waits, close: "after", want: "failure interrupted"},
		{name: "closed before", work: waits, close: "before", want: "failure interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kept := &outcomes{}
			var scope trail.Scope
			request, cancel := context.WithCancel(t.Context())
			if err := scope.Start(request, trail.Action{Event: trail.Execute}, trail.Options{Recorder: kept}); err != nil {
				t.Fatal(err)
			}
			j := newJobs(zap.NewNop(), 0)
			if c.close == "before" {
				if err := j.close(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			began := make(chan struct{})
			j.start(&scope, job{
				work: func(ctx context.Context, con *terminal) error {
					close(began)
					return c.work(ctx, con)
				},
				done: func(ctx context.Context, _ error) error {
					if c.panic {
						panic("oh")
					}
					return errors.Join(ctx.Err(), c.done)
				},
			})
			cancel() // as the server does once the request is answered
			<-began
			if c.close != "after" {
				j.running.Wait()
			}
			if err := j.close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.want}, kept.kept); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}

// A job that does not listen does not keep the service from ending.
func TestCloseDoesNotWaitForever(t *testing.T) {
	j := newJobs(zap.NewNop(), 0)
	release := make(chan struct{})
	j.start(t.Context(), job{
		work: func(context.Context, *terminal) error { <-release; return nil },
		done: func(context.Context, error) error { return nil },
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := j.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close returned %v", err)
	}
	close(release)
	if err := j.close(t.Context()); err != nil {
		t.Errorf("the second close returned %v", err)
	}
}
