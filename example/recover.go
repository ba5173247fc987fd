package main

import (
	"context"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/trail"
)

// Recover is an event of the service itself: it cleans up after a crash.
const Recover audit.Event = "recover"

// recoverRows marks as failed what a crash left in the middle of a job. The
// actions that began those jobs stay pending in the trail: nobody saw their end.
// It assumes that no other process runs jobs on the same database.
func (a *app) recoverRows(ctx context.Context) error {
	var resources []Resource
	if err := a.db.WithContext(ctx).Where("state IN ?", []State{Provisioning, Destroying}).Find(&resources).Error; err != nil {
		return fmt.Errorf("looking for unfinished resources: %w", err)
	}
	for _, r := range resources {
		err := a.asSystem(ctx, "resource", r.ID, func(db *gorm.DB) error {
			return db.Model(&r).Updates(map[string]any{"state": Failed, "problem": unfinished}).Error
		})
		if err != nil {
			return err
		}
	}
	var codes []SourceCode
	if err := a.db.WithContext(ctx).Where("state = ?", Syncing).Find(&codes).Error; err != nil {
		return fmt.Errorf("looking for unfinished syncs: %w", err)
	}
	for _, s := range codes {
		err := a.asSystem(ctx, "source_code", s.ID, func(db *gorm.DB) error {
			return db.Model(&s).Updates(map[string]any{"state": SyncFailed, "problem": unfinished}).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const unfinished = "the service ended before the job did"

// asSystem does work that no request asked for, as an action of the service
// itself.
func (a *app) asSystem(ctx context.Context, model string, id uint64, work func(*gorm.DB) error) error {
	ctx, trace, err := trail.Start(ctx, trail.Action{
		Actor:    trail.Actor{ID: "example", Name: "InfraKitchen in miniature", Kind: trail.KindSystem},
		Event:    Recover,
		Model:    model,
		EntityID: strconv.FormatUint(id, 10),
		Reason:   unfinished,
	})
	if err != nil {
		return fmt.Errorf("recovering %s %d: %w", model, id, err)
	}
	err = work(a.db.WithContext(ctx))
	if e := trace.End(err); err == nil { //nolint:contextcheck // the end is kept whatever became of ctx
		err = e
	}
	if err != nil {
		return fmt.Errorf("recovering %s %d: %w", model, id, err)
	}
	return nil
}
