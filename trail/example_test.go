package trail_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// printer is a recorder for people. It skips what it has printed already, as the
// contract of a recorder requires.
type printer map[uuid.UUID]bool

func (p printer) Record(_ context.Context, entries ...trail.Entry) error {
	for _, e := range entries {
		if p[e.ID] {
			continue
		}
		p[e.ID] = true
		fmt.Fprintf(os.Stdout, "%s: %s %s %s by %s\n", e.Outcome, e.Event, e.Model, e.EntityID, e.Actor.Name)
	}
	return nil
}

func (p printer) Finish(_ context.Context, o trail.Outcome) error {
	fmt.Fprintf(os.Stdout, "%s: %s\n", o.Result, o.Error)
	return nil
}

// A job is an action: it is in the trail before it begins, and its end is
// recorded, whatever it is. A worker in another process continues the same trace.
func Example() {
	trail.SetDefault(printer{})
	defer trail.SetDefault(nil)

	ctx, trace, err := trail.Start(context.Background(), trail.Action{
		Actor: trail.Actor{ID: "nightly", Kind: trail.KindSystem},
		Event: trail.Sync, Model: "source_code", EntityID: "7",
	})
	if err != nil {
		fmt.Println("the job must not begin:", err)
		return
	}
	message := trail.MapCarrier{}
	trail.Inject(ctx, message)

	// ... and at the other end of the queue:
	work := trail.Extract(context.Background(), message)
	id, _ := trail.TraceID(work)
	fmt.Println("the same trace:", id == trace.ID())
	if t, ok := trail.FromContext(work); ok {
		if err := t.End(errors.New("clone: token=s3cr3t was refused")); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// pending: sync source_code 7 by nightly
	// the same trace: true
	// failure: clone: token=*** was refused
}
