package gormhook_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// A trigger of one partition, or of one table that inherits, changes rows of the
// table that is written to.
func TestTriggersOfParts(t *testing.T) {
	for _, r := range routes()[1:] {
		for name, kind := range map[string][2]string{
			"partition": {`PARTITION BY RANGE (id)`, `PARTITION OF shelves FOR VALUES FROM (0) TO (100)`},
			"inherited": {``, `() INHERITS (shelves)`},
		} {
			t.Run(r.name+" "+name, func(t *testing.T) {
				d := newFixture(t, r)
				d.run(t, `CREATE TABLE shelves (id bigint NOT NULL, name text, touched int DEFAULT 0, PRIMARY KEY (id)) `+kind[0],
					`CREATE TABLE shelves_1 `+kind[1],
					`CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.touched = OLD.touched + 1; RETURN NEW; END $$`,
					`CREATE TRIGGER touch BEFORE UPDATE ON shelves_1 FOR EACH ROW EXECUTE FUNCTION touch()`,
					`INSERT INTO shelves_1 VALUES (1, 'a')`)
				if err := d.db.Use(r.plugin); err != nil {
					t.Fatal(err)
				}
				must(t, d.db.Table("shelves").Where("id = 1").Updates(map[string]any{"name": "b"}))
				entries := d.wants(t, "update shelf 1")
				if len(entries) == 1 && spelled(entries[0].after)["touched"] != "1" {
					t.Errorf("the trigger's change is not in %s", entries[0])
				}
			})
		}
	}
}

// A month that stays in the default partition is told to the operators.
func TestMissingPartitionIsTold(t *testing.T) {
	db := testdb.OpenPostgres(t)
	if err := store.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	month := time.Now().UTC()
	if err := db.Exec("DROP TABLE audit_logs" + month.Format("_y2006m01")).Error; err != nil {
		t.Fatal(err)
	}
	id := trail.NewID(month)
	if err := store.Insert(t.Context(), db.Statement.ConnPool, "postgres", []trail.Entry{{
		ID: id, TraceID: id, Actor: trail.Actor{Kind: trail.KindSystem}, Event: trail.Update, Outcome: trail.Success,
	}}); err != nil {
		t.Fatal(err)
	}
	var told []error
	if err := db.Use(gormhook.Plugin{OnError: func(_ context.Context, err error) { told = append(told, err) }}); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || !errors.Is(told[0], store.ErrPartition) {
		t.Errorf("OnError was told %v, want %v", told, store.ErrPartition)
	}
}
