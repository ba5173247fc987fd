package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// acting is the audited application as in a request or a job: each operation is
// an action of a user, whose own entry is written with the change.
type acting struct {
	plain
	recorder trail.Recorder
}

var _ writer = acting{}

// act does the work in an action. The cost of the action is part of it.
func (a acting) act(ctx context.Context, action trail.Action, do func(context.Context) error) error {
	action.Actor = user
	scope := new(trail.Scope)
	if err := scope.Start(ctx, action, trail.Options{Recorder: a.recorder}); err != nil {
		return err
	}
	err := do(scope)                                //nolint:contextcheck // it is made from ctx
	return errors.Join(err, scope.Trace().End(err)) //nolint:contextcheck // it has its own
}

func (a acting) create(ctx context.Context, o *Order) error {
	return a.act(ctx, trail.Action{Event: trail.Create, Model: "order"}, func(ctx context.Context) error {
		return a.plain.create(ctx, o)
	})
}

func (a acting) createAll(ctx context.Context, o []Order) error {
	return a.act(ctx, trail.Action{Event: trail.Create, Model: "order"}, func(ctx context.Context) error {
		return a.plain.createAll(ctx, o)
	})
}

func (a acting) update(ctx context.Context, id uuid.UUID, status string, total float64) error {
	return a.act(ctx, trail.Action{Event: trail.Update, Model: "order", EntityID: id.String()}, func(ctx context.Context) error {
		return a.plain.update(ctx, id, status, total)
	})
}

func (a acting) updateBatch(ctx context.Context, batch int, status string) error {
	return a.act(ctx, trail.Action{Event: trail.Update, Model: "order"}, func(ctx context.Context) error {
		return a.plain.updateBatch(ctx, batch, status)
	})
}

func (a acting) delete(ctx context.Context, id uuid.UUID) error {
	return a.act(ctx, trail.Action{Event: trail.Delete, Model: "order", EntityID: id.String()}, func(ctx context.Context) error {
		return a.plain.delete(ctx, id)
	})
}

func (a acting) deleteBatch(ctx context.Context, batch int) error {
	return a.act(ctx, trail.Action{Event: trail.Delete, Model: "order"}, func(ctx context.Context) error {
		return a.plain.deleteBatch(ctx, batch)
	})
}

func (a acting) upsert(ctx context.Context, o *Order) error {
	return a.act(ctx, trail.Action{Event: trail.Update, Model: "order", EntityID: o.ID.String()}, func(ctx context.Context) error {
		return a.plain.upsert(ctx, o)
	})
}

// replaceTags changes no row of the article, so that the action's own entry is
// written at its end, in a separate statement.
func (a acting) replaceTags(ctx context.Context, article int64, tags []Tag) error {
	return a.act(ctx, trail.Action{Event: trail.Update, Model: "article", EntityID: strconv.FormatInt(article, 10)}, func(ctx context.Context) error {
		return a.plain.replaceTags(ctx, article, tags)
	})
}

func (a acting) transaction(ctx context.Context, do func(context.Context, writer) error) error {
	return a.act(ctx, trail.Action{Event: trail.Create, Model: "order"}, func(ctx context.Context) error {
		return a.plain.transaction(ctx, do)
	})
}
