package main

import (
	"context"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
)

// run is what an event does to a resource: the states in which it may begin, the
// state while the job is at work, and the state after it.
type run struct {
	from          []State
	during, after State
}

var runs = map[audit.Event]run{
	audit.Execute:  {[]State{Approved}, Provisioning, Provisioned},
	audit.Retry:    {[]State{Failed}, Provisioning, Provisioned},
	audit.Recreate: {[]State{Provisioned, Failed}, Provisioning, Provisioned},
	audit.Destroy:  {[]State{Provisioned, Failed}, Destroying, Destroyed},
}

// provision serves the events that change something outside: it takes the
// resource into the run and answers at once; the rest is a job.
func (a *app) provision(event audit.Event) func(*gin.Context) (int, any, error) {
	return func(c *gin.Context) (int, any, error) {
		if err := noBody(c); err != nil {
			return 0, nil, err
		}
		id, err := rowID(c)
		if err != nil {
			return 0, nil, err
		}
		step := runs[event]
		resource, err := locked(c.Request.Context(), a.db, id, func(tx *gorm.DB, r *Resource) error {
			if err := r.in(past[event], step.from...); err != nil {
				return err
			}
			if event == audit.Retry { // repeats what failed
				step = runs[r.LastRun]
			} else {
				r.LastRun = event
			}
			r.State, r.Runs, r.Problem = step.during, r.Runs+1, ""
			return tx.Model(r).Select("state", "last_run", "runs", "problem").Updates(r).Error
		})
		if err != nil {
			return 0, nil, err
		}
		work := *resource // a copy: the response is being written meanwhile
		a.jobs.start(c.Request.Context(), job{
			name: "tofu",
			work: func(ctx context.Context, con *terminal) error { return con.play(ctx, tofu(&work)) },
			done: func(ctx context.Context, err error) error { return a.provisioned(ctx, &work, step, err) },
		})
		return accepted(c), resource, nil
	}
}

var past = map[audit.Event]string{
	audit.Execute: "executed", audit.Retry: "retried", audit.Recreate: "recreated", audit.Destroy: "destroyed",
}

// provisioned stores how a run ended.
func (a *app) provisioned(ctx context.Context, r *Resource, step run, failure error) error {
	change := map[string]any{"state": step.after}
	if failure != nil {
		change = map[string]any{"state": Failed, "problem": failure.Error()}
	}
	return leave(a.db.WithContext(ctx).Model(&Resource{}).
		Where("id = ? AND state = ?", r.ID, step.during).Updates(change))
}

// dryrun begins to find out what a run would do; it changes nothing outside.
func (a *app) dryrun(c *gin.Context) (int, any, error) {
	if err := noBody(c); err != nil {
		return 0, nil, err
	}
	id, err := rowID(c)
	if err != nil {
		return 0, nil, err
	}
	var resource Resource
	if err := a.db.WithContext(c.Request.Context()).First(&resource, id).Error; err != nil {
		return 0, nil, found(resource.kind(), id, err)
	}
	if err := resource.in("planned", Requested, Approved, Provisioned, Failed); err != nil {
		return 0, nil, err
	}
	work := resource // a copy: the response is being written meanwhile
	a.jobs.start(c.Request.Context(), job{
		name: "tofu",
		work: func(ctx context.Context, con *terminal) error { return con.play(ctx, plan(&work)) },
		done: func(ctx context.Context, err error) error {
			if err != nil {
				return nil // nothing was found out
			}
			return leave(a.db.WithContext(ctx).Model(&Resource{}).
				Where("id = ?", id).Updates(map[string]any{"plan": summary(&work)}))
		},
	})
	return accepted(c), resource, nil
}
