package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// writer is an application that writes orders in its own way. Each method but
// those inside of transaction is one action of one user.
type writer interface {
	create(ctx context.Context, o *Order) error
	createAll(ctx context.Context, o []Order) error
	update(ctx context.Context, id uuid.UUID, status string, total float64) error
	updateBatch(ctx context.Context, batch int, status string) error
	delete(ctx context.Context, id uuid.UUID) error
	deleteBatch(ctx context.Context, batch int) error
	upsert(ctx context.Context, o *Order) error
	replaceTags(ctx context.Context, article int64, tags []Tag) error
	transaction(ctx context.Context, do func(context.Context, writer) error) error
}

// operation is what is measured.
type operation struct {
	name string
	what string
	many bool // enough rows to take milliseconds: done a few times, not hundreds
	// prepare makes the n-th operation of a variant, outside the measured time.
	prepare func(v *variant, n int) func(context.Context) error
	entries func(sizes) int // that one operation leaves
	// after is what an action leaves at its end, because it changed no row of
	// its own entity.
	after int
	// acceptance and goal bound the ratio to the base, if there is a bound.
	postgres, network, sqlite bound
}

type bound struct{ acceptance, goal float64 }

// The user of every action.
var user = trail.Actor{ID: "u-4711", Name: "Ada Lovelace", Kind: trail.KindUser}

func constant(n int) func(sizes) int { return func(sizes) int { return n } }

func operations() []operation {
	return []operation{
		{
			name: "create", what: "one row", entries: constant(1),
			postgres: bound{1, 0.85}, network: bound{0.5, 0.4}, sqlite: bound{1.25, 1.1},
			prepare: func(v *variant, n int) func(context.Context) error {
				o := newOrder(n)
				return func(ctx context.Context) error { return v.writer.create(ctx, &o) }
			},
		},
		{
			name: "update", what: "two columns of one row, by key", entries: constant(1),
			postgres: bound{1, 0.85}, network: bound{0.5, 0.4}, sqlite: bound{2.6, 1.8},
			prepare: func(v *variant, n int) func(context.Context) error {
				id := v.toUpdate()
				return func(ctx context.Context) error {
					return v.writer.update(ctx, id, fmt.Sprint("paid-", n), float64(n+100))
				}
			},
		},
		{
			name: "delete", what: "one row, by key", entries: constant(1),
			postgres: bound{1, 0.85}, network: bound{0.5, 0.4}, sqlite: bound{2, 1.6},
			prepare: func(v *variant, _ int) func(context.Context) error {
				id := v.toDelete()
				return func(ctx context.Context) error { return v.writer.delete(ctx, id) }
			},
		},
		{
			name: "mixed", what: "1 create, 3 updates, 1 delete in one transaction", entries: constant(5),
			postgres: bound{1.4, 1.25},
			prepare: func(v *variant, n int) func(context.Context) error {
				o := newOrder(n)
				return func(ctx context.Context) error {
					return v.writer.transaction(ctx, func(ctx context.Context, w writer) error {
						if err := w.create(ctx, &o); err != nil {
							return err
						}
						for i := range 3 {
							if err := w.update(ctx, o.ID, fmt.Sprint("step-", i), float64(i+100)); err != nil {
								return err
							}
						}
						return w.delete(ctx, o.ID)
					})
				}
			},
		},
		{
			name: "upsert", what: "three columns of one existing row", entries: constant(1),
			prepare: func(v *variant, n int) func(context.Context) error {
				o := newOrder(n)
				o.ID, o.Status, o.Total = v.toUpdate(), fmt.Sprint("merged-", n), float64(n+200)
				return func(ctx context.Context) error { return v.writer.upsert(ctx, &o) }
			},
		},
		{
			name: "replace", what: "the three tags of an article with three others", entries: constant(6), after: 1,
			prepare: func(v *variant, n int) func(context.Context) error {
				article, list := v.toTag()
				return func(ctx context.Context) error { return v.writer.replaceTags(ctx, article, list) }
			},
		},
		{
			name: "create 1000", what: "CreateInBatches(1000)", many: true,
			entries:  func(s sizes) int { return s.Batch },
			postgres: bound{1.8, 1.4},
			prepare: func(v *variant, n int) func(context.Context) error {
				orders := make([]Order, v.sizes.Batch)
				for i := range orders {
					orders[i] = newOrder(n + i)
				}
				return func(ctx context.Context) error { return v.writer.createAll(ctx, orders) }
			},
		},
		{
			name: "update 10000", what: "two columns, by a condition that matches 10,000 rows", many: true,
			entries:  func(s sizes) int { return s.Bulk },
			postgres: bound{2.7, 2},
			prepare: func(v *variant, n int) func(context.Context) error {
				batch := bulk + n%(batches-bulk)
				return func(ctx context.Context) error { return v.writer.updateBatch(ctx, batch, fmt.Sprint("bulk-", n)) }
			},
		},
		{
			name: "delete 10000", what: "by a condition that matches 10,000 rows", many: true,
			entries:  func(s sizes) int { return s.Bulk },
			postgres: bound{1.5, 1.1},
			prepare: func(v *variant, n int) func(context.Context) error {
				batch := bulk + n
				return func(ctx context.Context) error { return v.writer.deleteBatch(ctx, batch) }
			},
		},
	}
}
