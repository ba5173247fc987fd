package gormhook_test

import "testing"

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
