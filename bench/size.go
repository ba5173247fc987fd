package main

import (
	"context"
	"errors"
)

// sized is how many updates the size of an entry is taken from.
const sized = 10_000

// sizePart measures what an entry of a small update takes on disk.
func (b *bench) sizePart(ctx context.Context) (err error) {
	b.progress("bytes of an entry")
	var kinds []kind
	for _, k := range postgresKinds() {
		if k.audited && k.crowd {
			kinds = append(kinds, k)
		}
	}
	const share = 5 // of the standard rows, enough for as many updates
	variants, err := postgresVariants(ctx, b.url, "size", kinds, sizes{Bulk: sized, Batch: b.sizes.Batch / share})
	defer func() { err = errors.Join(err, closeAll(variants)) }()
	if err != nil {
		return err
	}
	var update operation
	for _, o := range operations() {
		if o.name == "update" {
			update = o
		}
	}
	b.report.printf("## Bytes per entry of a small update, after %d of them\n\n|variant|heap|indexes|total|\n|---|---:|---:|---:|\n", sized)
	var inAll [2]float64
	for _, v := range variants {
		for n := range sized {
			if err := update.prepare(v, n)(ctx); err != nil {
				return err
			}
		}
		var heap, indexes, count float64
		if err := v.conn.QueryRowContext(ctx, `SELECT sum(pg_table_size(relid)), sum(pg_indexes_size(relid)), (SELECT count(*) FROM audit_logs)
FROM pg_partition_tree('audit_logs') WHERE isleaf AND pg_relation_size(relid) > 0`).Scan(&heap, &indexes, &count); err != nil {
			return err
		}
		b.report.printf("|%s|%.0f|%.0f|%.0f|\n", v.name, heap/count, indexes/count, (heap+indexes)/count)
		switch v.name {
		case nameAudited:
			inAll[0] = (heap + indexes) / count
		case nameAction:
			inAll[1] = (heap + indexes) / count
		}
	}
	b.report.printf("\n")
	b.report.add(check{what: "bytes per entry of a small update", bound: bound{600, 450}, values: inAll})
	return nil
}
