package gormhook

import (
	"context"

	"gorm.io/gorm"
)

// recordsAlong reports whether a statement on a table that is not audited may
// change rows of one that is, by foreign keys.
func (h *hook) recordsAlong(ctx context.Context, pool gorm.ConnPool, s *subject, query string) (bool, error) {
	p, ok := h.parse(trimmed(query, h.dialect))
	if !ok || ours[bareName(p.table)] || p.verb == verbInsert && !p.or {
		return false, nil
	}
	key := h.tableKey(s, p.table)
	if _, known := h.tables.cached(key); !known && h.dialect == sqliteName && transaction(pool) != nil {
		if err := h.lockSQLite(ctx, pool); err != nil {
			return false, err
		}
	}
	t, err := h.tables.of(ctx, pool, h.dialect, key)
	if err != nil || !t.plain || !t.followed(p) {
		return false, err
	}
	return h.reaches(ctx, pool, t, map[string]bool{})
}

// reaches reports whether foreign keys lead from a table to one that is audited.
func (h *hook) reaches(ctx context.Context, pool gorm.ConnPool, t *table, passed map[string]bool) (bool, error) {
	for _, ref := range t.references {
		if passed[ref.table] {
			continue
		}
		passed[ref.table] = true
		sub := h.subjects.named(&h.plugin, h.subjects.seen(ref.table), ref.table)
		if !sub.excluded {
			return true, nil
		}
		next, err := h.tables.of(ctx, pool, h.dialect, h.tableKey(sub, ref.table))
		if err != nil {
			return false, err
		}
		if found, err := h.reaches(ctx, pool, next, passed); found || err != nil {
			return found, err
		}
	}
	return false, nil
}
