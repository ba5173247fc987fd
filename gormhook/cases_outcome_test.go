package gormhook_test

// keyed are tables whose rows change in ways that no foreign key says alone:
// those that refer to others by their own key, and those that are computed.
func keyed() []*relation {
	return []*relation{
		{table: "bonds", model: "bond", ddl: []string{ // twice to the same table
			`CREATE TABLE bonds (a bigint REFERENCES parents (id) ON UPDATE CASCADE, b bigint REFERENCES parents (id) ON UPDATE CASCADE,
				PRIMARY KEY (a, b))`,
		}},
		{table: "medals", model: "medal", ddl: []string{
			`CREATE TABLE medals (parent_id bigint REFERENCES parents (id) ON UPDATE CASCADE, no integer,
				label bigint GENERATED ALWAYS AS (parent_id * 100 + no) STORED, PRIMARY KEY (parent_id, no))`,
		}},
		{table: "portraits", model: "portrait", ddlOn: map[string][]string{ // its key is the other's
			sqliteEngine:   {`CREATE TABLE portraits (parent_id integer PRIMARY KEY REFERENCES parents (id) ON UPDATE CASCADE, note text)`},
			postgresEngine: {`CREATE TABLE portraits (parent_id bigint PRIMARY KEY REFERENCES parents (id) ON UPDATE CASCADE, note text)`},
		}},
		{table: "cities", model: "city", ddl: []string{
			`CREATE TABLE cities (id bigint PRIMARY KEY, name text, slug text GENERATED ALWAYS AS (lower(name)) STORED UNIQUE)`,
		}},
		{table: "streets", model: "street", ddl: []string{
			`CREATE TABLE streets (id bigint PRIMARY KEY, city text REFERENCES cities (slug) ON UPDATE CASCADE,
				alias text GENERATED ALWAYS AS (upper(city)) STORED UNIQUE)`,
		}},
		{table: "houses", model: "house", ddl: []string{
			`CREATE TABLE houses (id bigint PRIMARY KEY, street text REFERENCES streets (alias) ON UPDATE CASCADE)`,
		}},
		{
			table: "tribes", model: "tribe", ddl: []string{`CREATE TABLE tribes (id bigint PRIMARY KEY, name text, slug text UNIQUE)`},
			ddlOn: map[string][]string{
				sqliteEngine: {`CREATE TRIGGER tribe_named AFTER UPDATE OF name ON tribes BEGIN UPDATE tribes SET slug = lower(NEW.name) WHERE id = NEW.id; END`},
				postgresEngine: {
					`CREATE FUNCTION tribe_named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.slug := lower(NEW.name); RETURN NEW; END $$`,
					`CREATE TRIGGER tribe_named BEFORE UPDATE ON tribes FOR EACH ROW EXECUTE FUNCTION tribe_named()`,
				},
			},
		},
		{table: "feasts", model: "feast", ddl: []string{
			`CREATE TABLE feasts (id bigint PRIMARY KEY, tribe text REFERENCES tribes (slug) ON UPDATE CASCADE)`,
		}},
		{table: "bindings", model: "binding", on: sqliteEngine, ddl: []string{
			`CREATE TABLE bindings (a integer REFERENCES parents (id) ON UPDATE CASCADE, b integer REFERENCES parents (id) ON UPDATE CASCADE,
				note text, PRIMARY KEY (a, b)) WITHOUT ROWID`,
		}},
		{table: "letters", model: "letter", on: postgresEngine, ddl: []string{
			`CREATE DOMAIN address AS text NOT NULL CHECK (VALUE LIKE '%@%')`,
			`CREATE TABLE letters (id bigint PRIMARY KEY, parent_id bigint REFERENCES parents (id) ON DELETE SET NULL, sent_to address)`,
		}},
		{table: "steps", model: "step", on: postgresEngine, ddl: []string{ // a trigger counts its revisions
			`CREATE TABLE steps (parent_id bigint REFERENCES parents (id) ON UPDATE CASCADE, no integer, revision integer NOT NULL DEFAULT 0,
				PRIMARY KEY (parent_id, no))`,
			`CREATE FUNCTION step_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.revision := OLD.revision + 1; RETURN NEW; END $$`,
			`CREATE TRIGGER step_taken BEFORE UPDATE ON steps FOR EACH ROW EXECUTE FUNCTION step_taken()`,
		}},
		{table: "members", model: "member", on: postgresEngine, ddl: []string{
			`CREATE TABLE members (tenant integer, id integer, PRIMARY KEY (tenant, id))`,
		}},
		{table: "posts", model: "post", on: postgresEngine, ddl: []string{ // only one column of the foreign key is set
			`CREATE TABLE posts (tenant integer, id integer, author integer, PRIMARY KEY (tenant, id),
				FOREIGN KEY (tenant, author) REFERENCES members ON DELETE SET NULL (author))`,
		}},
		{table: "notices", model: "notice", on: postgresEngine, ddl: []string{ // the same in partitions
			`CREATE TABLE notices (tenant integer, id integer, author integer, PRIMARY KEY (tenant, id),
				FOREIGN KEY (tenant, author) REFERENCES members ON UPDATE CASCADE ON DELETE SET NULL (author)) PARTITION BY LIST (tenant)`,
			`CREATE TABLE notices_1 PARTITION OF notices FOR VALUES IN (1)`,
			`CREATE TABLE notices_2 PARTITION OF notices FOR VALUES IN (2)`,
		}},
	}
}

func outcomes() []*trial {
	parents := joined("parents", map[string]any{"id": 1}, map[string]any{"id": 2})
	move := func(r *run) error { return r.note(r.db.Table("parents").Where("id = 1").Update("id", 10)) }
	members := joined("members", map[string]any{"tenant": 1, "id": 7}, map[string]any{"tenant": 1, "id": 8})
	return []*trial{{
		name: "ON UPDATE CASCADE, twice in one key", why: "both foreign keys change the row", tables: []string{"bonds", "parents"}, shuffled: true,
		given: rows(parents, joined("bonds", map[string]any{"a": 1, "b": 1}, map[string]any{"a": 1, "b": 2}, map[string]any{"a": 2, "b": 1})),
		want:  []string{"update parent 1", "update bond 1,1", "update bond 1,2", "update bond 2,1"}, do: move,
	}, {
		name: "ON UPDATE CASCADE, twice in one key without a rowid", why: "nothing but the key tells what became of the row",
		on: sqliteEngine, tables: []string{"bindings", "parents"}, shuffled: true,
		given: rows(parents, joined("bindings", map[string]any{"a": 1, "b": 1}, map[string]any{"a": 1, "b": 2}, map[string]any{"a": 2, "b": 1})),
		want:  []string{"update parent 1", "update binding 1,1", "update binding 1,2", "update binding 2,1"}, do: move,
	}, {
		name: "ON UPDATE CASCADE of a whole key", why: "the row is under another key afterwards", tables: []string{"portraits", "parents"},
		given: rows(parents, joined("portraits", map[string]any{"parent_id": 1, "note": "x"}, map[string]any{"parent_id": 2, "note": "y"})),
		want:  []string{"update parent 1", "update portrait 1"}, do: move,
	}, {
		name: "ON UPDATE CASCADE with a generated column", why: "it changes along with the key", tables: []string{"medals", "parents"}, shuffled: true,
		given: rows(parents, joined("medals", map[string]any{"parent_id": 1, "no": 1}, map[string]any{"parent_id": 1, "no": 2})),
		want:  []string{"update parent 1", "update medal 1,1", "update medal 1,2"}, do: move,
	}, {
		name: "ON UPDATE CASCADE of generated columns", why: "no statement sets them, and still they change",
		tables: []string{"houses", "streets", "cities"},
		given: rows(joined("cities", map[string]any{"id": 1, "name": "Rome"}), joined("streets", map[string]any{"id": 1, "city": "rome"}),
			joined("houses", map[string]any{"id": 1, "street": "ROME"})),
		want: []string{"update city 1", "update street 1", "update house 1"},
		do:   func(r *run) error { return r.note(r.db.Table("cities").Where("id = 1").Update("name", "Roma")) },
	}, {
		name: "ON UPDATE CASCADE of what a trigger sets", why: "neither does a statement set that", tables: []string{"feasts", "tribes"},
		given: rows(joined("tribes", map[string]any{"id": 1, "name": "Sabines", "slug": "sabines"}), joined("feasts", map[string]any{"id": 1, "tribe": "sabines"})),
		want:  []string{"update tribe 1", "update feast 1"},
		do:    func(r *run) error { return r.note(r.db.Table("tribes").Where("id = 1").Update("name", "Latins")) },
	}, {
		name: "ON UPDATE CASCADE with a trigger", why: "it runs for these rows too", on: postgresEngine, tables: []string{"steps", "parents"}, shuffled: true,
		given: rows(parents, joined("steps", map[string]any{"parent_id": 1, "no": 1}, map[string]any{"parent_id": 1, "no": 2})),
		want:  []string{"update parent 1", "update step 1,1", "update step 1,2"}, do: move,
	}, {
		name: "ON UPDATE CASCADE into another partition", why: "the row is at another place then, which it does not say",
		on: postgresEngine, tables: []string{"notices", "members"}, shuffled: true,
		given: rows(members, joined("notices", map[string]any{"tenant": 1, "id": 1, "author": 7}, map[string]any{"tenant": 1, "id": 2, "author": 8})),
		want:  []string{"update member 1,7", "update notice 1,1"},
		do: func(r *run) error {
			return r.note(r.db.Table("members").Where("id = 7").Updates(map[string]any{"tenant": 2, "id": 9}))
		},
	}, {
		name: "ON DELETE SET NULL of one column", why: "the other columns of the foreign key stay", on: postgresEngine,
		tables: []string{"posts", "notices", "members"}, shuffled: true,
		given: rows(members, joined("posts", map[string]any{"tenant": 1, "id": 1, "author": 7}),
			joined("notices", map[string]any{"tenant": 1, "id": 1, "author": 7})),
		want: []string{"delete member 1,7", "update post 1,1", "update notice 1,1"},
		do:   func(r *run) error { return r.note(r.db.Table("members").Where("id = 7").Delete(nil)) },
	}, {
		name: "ON DELETE SET NULL beside a domain", why: "its type takes no null, and none is needed to find the row", on: postgresEngine,
		tables: []string{"letters", "parents"},
		given:  rows(parents, joined("letters", map[string]any{"id": 1, "parent_id": 1, "sent_to": "a@b"})),
		want:   []string{"delete parent 1", "update letter 1"},
		do:     func(r *run) error { return r.note(r.db.Table("parents").Where("id = 1").Delete(nil)) },
	}}
}
