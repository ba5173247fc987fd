package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/infrakitchen/audit/gormhook"
)

// million is a million entries of small updates, made by the server: of this
// month, in the order of their time, of entities and users at random.
const million = `INSERT INTO audit_logs (id, trace_id, created_at, user_id, user_name, user_kind, event, operation, model,
	entity_id, before, after, outcome)
SELECT id, id, at, 'u-' || (random() * 1000)::int, 'Ada Lovelace', 'user',
	(ARRAY['create', 'update', 'update', 'update', 'delete'])[1 + i % 5], 'update', 'order', gen_random_uuid()::text,
	jsonb_build_object('status', 'paid-' || i, 'total', i, 'updated_at', at),
	jsonb_build_object('status', 'paid-' || i + 1, 'total', i + 1, 'updated_at', at), 'success'
FROM (SELECT i, at, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' ||
		substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid AS id
	FROM (SELECT i, date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' +
			(now() - date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') * ($1 + i / 1e6) / $2 AS at
		FROM generate_series(0, 999999) AS i) AS instants) AS ids`

// growthPart measures whether existing entries slow down the next one.
func (b *bench) growthPart(ctx context.Context, millions []int) (err error) {
	kinds := []kind{{name: nameBase}, {name: "audited, no entries yet", plugin: &gormhook.Plugin{}, audited: true, writer: inAction}}
	for _, n := range millions {
		kinds = append(kinds, kind{
			name: fmt.Sprintf("audited, %d million", n), plugin: &gormhook.Plugin{}, audited: true, writer: inAction,
		})
	}
	b.progress("growth: making the tables")
	variants, err := postgresVariants(ctx, b.url, "growth", kinds, b.sizes)
	defer func() { err = errors.Join(err, closeAll(variants)) }()
	if err != nil {
		return err
	}
	for i, n := range millions {
		b.progress("growth: %d million entries", n)
		for part := range n {
			if _, err := variants[2+i].conn.ExecContext(ctx, million, part, n); err != nil {
				return err
			}
		}
		if err := variants[2+i].vacuum(ctx); err != nil {
			return err
		}
	}
	for _, v := range variants {
		v.connections(crowdConnections)
	}
	b.report.printf("## Growth: updates of one row, each an action, %d goroutines\n\n"+
		"|existing entries|entries per second|time relative to none|\n|---|---:|---:|\n", crowdConnections)
	var update operation
	for _, o := range operations() {
		if o.name == "update" {
			update = o
		}
	}
	b.progress("growth: measuring")
	times, err := crowd(ctx, variants, update, crowdConnections, max(5*b.rounds, 20))
	if err != nil {
		return err
	}
	for _, v := range variants[1:] {
		m := median(times[v])
		b.report.printf("|%s|%.0f|%.2f|\n", v.name, float64(time.Second)/float64(m), ratio(m, median(times[variants[1]])))
	}
	b.report.printf("\n")
	return nil
}
