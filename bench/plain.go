package main

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// plain writes with GORM as its guide does. It is the base without the plugin,
// and the audited application with it: the code is the same.
type plain struct{ db *gorm.DB }

var _ writer = plain{}

func (p plain) create(ctx context.Context, o *Order) error {
	return p.db.WithContext(ctx).Create(o).Error
}

func (p plain) createAll(ctx context.Context, o []Order) error {
	return p.db.WithContext(ctx).CreateInBatches(o, len(o)).Error
}

func (p plain) update(ctx context.Context, id uuid.UUID, status string, total float64) error {
	return p.db.WithContext(ctx).Model(&Order{ID: id}).
		Updates(map[string]any{"status": status, "total": total}).Error
}

func (p plain) updateBatch(ctx context.Context, batch int, status string) error {
	return p.db.WithContext(ctx).Model(&Order{}).Where("batch = ?", batch).
		Updates(map[string]any{"status": status, "total": gorm.Expr("total + 1")}).Error
}

func (p plain) delete(ctx context.Context, id uuid.UUID) error {
	return p.db.WithContext(ctx).Delete(&Order{ID: id}).Error
}

func (p plain) deleteBatch(ctx context.Context, batch int) error {
	return p.db.WithContext(ctx).Where("batch = ?", batch).Delete(&Order{}).Error
}

func (p plain) upsert(ctx context.Context, o *Order) error {
	return p.db.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{"status", "total", "updated_at"}),
	}).Create(o).Error
}

func (p plain) replaceTags(ctx context.Context, article int64, tags []Tag) error {
	return p.db.WithContext(ctx).Model(&Article{ID: article}).Association("Tags").Replace(tags)
}

func (p plain) transaction(ctx context.Context, do func(context.Context, writer) error) error {
	return p.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return do(ctx, plain{tx}) })
}
