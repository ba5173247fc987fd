package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// byHand is the audit that applications write themselves: the row is read,
// changed, and an entry is inserted for it, in one transaction. It does not know
// what an expression makes of a column.
type byHand struct{ plain }

var _ writer = byHand{}

// entry is a row of audit_logs, as an application would map it.
type entry struct {
	ID        uuid.UUID `gorm:"type:uuid;primaryKey"`
	TraceID   uuid.UUID `gorm:"type:uuid"`
	CreatedAt time.Time
	UserID    string
	UserName  string
	UserKind  string
	Event     string
	Operation string
	Model     string
	EntityID  string
	Before    *string `gorm:"type:jsonb"`
	After     *string `gorm:"type:jsonb"`
	Outcome   string
}

// TableName implements GORM's Tabler.
func (entry) TableName() string { return "audit_logs" }

// note inserts the entry of one row.
func (b byHand) note(ctx context.Context, event, operation, model, id string, before, after any) error {
	now := time.Now()
	e := entry{
		ID: trail.NewID(now), CreatedAt: now, UserID: user.ID, UserName: user.Name, UserKind: string(user.Kind),
		Event: event, Operation: operation, Model: model, EntityID: id, Outcome: "success",
	}
	e.TraceID = e.ID
	var err error
	if e.Before, err = imageOf(before); err != nil {
		return err
	}
	if e.After, err = imageOf(after); err != nil {
		return err
	}
	return b.db.WithContext(ctx).Create(&e).Error
}

func imageOf(row any) (*string, error) {
	if row == nil {
		return nil, nil //nolint:nilnil // there is no row
	}
	j, err := json.Marshal(row)
	text := string(j)
	return &text, err
}

func (b byHand) noteOrder(ctx context.Context, event, operation string, id uuid.UUID, before, after any) error {
	return b.note(ctx, event, operation, "order", id.String(), before, after)
}

// within runs do with the transaction's handle.
func (b byHand) within(ctx context.Context, do func(byHand) error) error {
	if _, ok := b.db.Statement.ConnPool.(gorm.TxCommitter); ok {
		return do(b)
	}
	return b.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return do(byHand{plain{tx}}) })
}

func (b byHand) create(ctx context.Context, o *Order) error {
	return b.within(ctx, func(b byHand) error {
		if err := b.plain.create(ctx, o); err != nil {
			return err
		}
		return b.noteOrder(ctx, "create", "insert", o.ID, nil, o)
	})
}

func (b byHand) createAll(ctx context.Context, o []Order) error {
	return b.within(ctx, func(b byHand) error {
		if err := b.plain.createAll(ctx, o); err != nil {
			return err
		}
		for i := range o {
			if err := b.noteOrder(ctx, "create", "insert", o[i].ID, nil, &o[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b byHand) update(ctx context.Context, id uuid.UUID, status string, total float64) error {
	return b.within(ctx, func(b byHand) error {
		var before Order
		if err := b.db.WithContext(ctx).First(&before, "id = ?", id).Error; err != nil {
			return err
		}
		if err := b.plain.update(ctx, id, status, total); err != nil {
			return err
		}
		after := before
		after.Status, after.Total = status, total
		return b.noteOrder(ctx, "update", "update", id, &before, &after)
	})
}

func (b byHand) updateBatch(ctx context.Context, batch int, status string) error {
	return b.within(ctx, func(b byHand) error {
		before, err := b.find(ctx, batch)
		if err != nil {
			return err
		}
		if err := b.plain.updateBatch(ctx, batch, status); err != nil {
			return err
		}
		for i := range before {
			after := before[i]
			after.Status, after.Total = status, after.Total+1
			if err := b.noteOrder(ctx, "update", "update", after.ID, &before[i], &after); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b byHand) find(ctx context.Context, batch int) (rows []Order, err error) {
	err = b.db.WithContext(ctx).Where("batch = ?", batch).Find(&rows).Error
	return rows, err
}

func (b byHand) delete(ctx context.Context, id uuid.UUID) error {
	return b.within(ctx, func(b byHand) error {
		var before Order
		if err := b.db.WithContext(ctx).First(&before, "id = ?", id).Error; err != nil {
			return err
		}
		if err := b.plain.delete(ctx, id); err != nil {
			return err
		}
		return b.noteOrder(ctx, "delete", "delete", id, &before, nil)
	})
}

func (b byHand) deleteBatch(ctx context.Context, batch int) error {
	return b.within(ctx, func(b byHand) error {
		before, err := b.find(ctx, batch)
		if err != nil {
			return err
		}
		if err := b.plain.deleteBatch(ctx, batch); err != nil {
			return err
		}
		for i := range before {
			if err := b.noteOrder(ctx, "delete", "delete", before[i].ID, &before[i], nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b byHand) upsert(ctx context.Context, o *Order) error {
	return b.within(ctx, func(b byHand) error {
		var before []Order
		if err := b.db.WithContext(ctx).Find(&before, "id = ?", o.ID).Error; err != nil {
			return err
		}
		if err := b.plain.upsert(ctx, o); err != nil {
			return err
		}
		if len(before) == 0 {
			return b.noteOrder(ctx, "create", "insert", o.ID, nil, o)
		}
		after := before[0]
		after.Status, after.Total, after.UpdatedAt = o.Status, o.Total, o.UpdatedAt
		return b.noteOrder(ctx, "update", "update", o.ID, &before[0], &after)
	})
}

func (b byHand) replaceTags(ctx context.Context, article int64, tags []Tag) error {
	return b.within(ctx, func(b byHand) error {
		var before []Tag
		owner := &Article{ID: article}
		if err := b.db.WithContext(ctx).Model(owner).Association("Tags").Find(&before); err != nil {
			return err
		}
		if err := b.plain.replaceTags(ctx, article, tags); err != nil {
			return err
		}
		id := func(t Tag) string {
			return strconv.FormatInt(article, 10) + "," + strconv.FormatInt(t.ID, 10)
		}
		for _, t := range before {
			if err := b.note(ctx, "delete", "delete", "article_tag", id(t), t, nil); err != nil {
				return err
			}
		}
		for _, t := range tags {
			if err := b.note(ctx, "create", "insert", "article_tag", id(t), nil, t); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b byHand) transaction(ctx context.Context, do func(context.Context, writer) error) error {
	return b.within(ctx, func(b byHand) error { return do(ctx, b) })
}
