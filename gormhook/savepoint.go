package gormhook

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// savepoint runs f in the transaction pool, all or nothing: if f fails or
// panics, what it did is taken back, also for a caller whose ctx has ended. It
// reports whether the transaction can go on: where that is false, nobody knows
// what it is like.
func savepoint(ctx context.Context, pool gorm.ConnPool, f func() error) (intact bool, err error) {
	const point = `audit_savepoint`
	if _, err := pool.ExecContext(ctx, `SAVEPOINT `+point); err != nil {
		return false, err
	}
	ctx = context.WithoutCancel(ctx)
	returned := false
	defer func() {
		if !returned || err != nil {
			if _, e := pool.ExecContext(ctx, `ROLLBACK TO SAVEPOINT `+point); e != nil {
				intact, err = false, errors.Join(err, e)
				return
			}
		}
		if _, e := pool.ExecContext(ctx, `RELEASE SAVEPOINT `+point); e != nil {
			intact, err = false, errors.Join(err, e)
		}
	}()
	err = f()
	returned = true
	return true, err
}
