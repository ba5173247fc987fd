package gormhook_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Folder is in another folder, and goes with it.
type Folder struct {
	ID       int64
	ParentID *int64
	Path     string
}

// File goes with its folder, and outlives its reviewer.
type File struct {
	ID       int64
	FolderID int64
	Reviewer *string
	Name     string
}

// Reviewer is referred to by a key that is not the primary one.
type Reviewer struct {
	ID   int64
	Code string
	Name string
}

// referring are tables that change along with others.
func referring() []*relation {
	return []*relation{
		{table: "parents", model: "parent", ddl: []string{`CREATE TABLE parents (id bigint PRIMARY KEY)`}},
		{table: "children", model: "child", ddl: []string{
			`CREATE TABLE children (id bigint PRIMARY KEY, parent_id bigint REFERENCES parents (id) ON DELETE CASCADE)`,
		}},
		{table: "reviewers", model: "reviewer", ddl: []string{
			`CREATE TABLE reviewers (id integer PRIMARY KEY, code text NOT NULL UNIQUE, name text)`,
		}},
		{table: "folders", model: "folder", ddl: []string{
			`CREATE TABLE folders (id integer PRIMARY KEY, parent_id integer REFERENCES folders ON DELETE CASCADE, path text)`,
		}},
		{table: "files", model: "file", ddl: []string{
			`CREATE TABLE files (id integer PRIMARY KEY, folder_id integer NOT NULL REFERENCES folders (id) ON DELETE CASCADE,
				reviewer text REFERENCES reviewers (code) ON DELETE SET NULL ON UPDATE CASCADE, name text)`,
		}},
		// Its key is made of keys that it refers to.
		{table: "shares", model: "share", ddl: []string{
			`CREATE TABLE shares (folder_id integer REFERENCES folders ON DELETE CASCADE, reviewer text,
				level integer, PRIMARY KEY (folder_id, reviewer),
				FOREIGN KEY (reviewer) REFERENCES reviewers (code) ON DELETE CASCADE ON UPDATE CASCADE)`,
		}},
		{table: "excerpts", model: "excerpt", ddl: []string{ // without a key
			`CREATE TABLE excerpts (parent_id bigint REFERENCES parents ON DELETE CASCADE,
				source_id bigint REFERENCES parents ON DELETE SET NULL ON UPDATE CASCADE, note text)`,
		}},
		{table: "stamps", model: "stamp", ddl: []string{
			`CREATE TABLE stamps (id integer PRIMARY KEY, folder_id integer DEFAULT 1 REFERENCES folders ON DELETE SET DEFAULT, secret text)`,
		}},
		{table: "shelves", model: "shelf", on: postgresEngine, ddl: []string{
			`CREATE TABLE shelves (region integer, number integer, PRIMARY KEY (region, number)) PARTITION BY LIST (region)`,
			`CREATE TABLE shelves_1 PARTITION OF shelves FOR VALUES IN (1)`,
			`CREATE TABLE shelves_2 PARTITION OF shelves FOR VALUES IN (2)`,
		}},
		{table: "jars", model: "jar", on: postgresEngine, ddl: []string{
			`CREATE TABLE jars (id integer, region integer, number integer, PRIMARY KEY (id, region),
				FOREIGN KEY (region, number) REFERENCES shelves ON DELETE CASCADE) PARTITION BY LIST (region)`,
			`CREATE TABLE jars_1 PARTITION OF jars FOR VALUES IN (1)`,
			`CREATE TABLE jars_2 PARTITION OF jars FOR VALUES IN (2)`,
		}},
	}
}

// archive makes folder 1 with 2 in it and 3 in that, beside 4; files in them,
// of reviewers a and b, and what hangs on those.
func archive(db *gorm.DB) error {
	return rows(
		&[]Reviewer{{1, "a", "Ann"}, {2, "b", "Bob"}},
		&[]Folder{{1, nil, "/"}, {2, ptr(int64(1)), "/x"}, {3, ptr(int64(2)), "/x/y"}, {4, ptr(int64(1)), "/z"}},
		&[]File{{1, 1, ptr("a"), "one"}, {2, 2, ptr("b"), "two"}, {3, 3, ptr("a"), "three"}, {4, 4, nil, "four"}},
		joined("shares", map[string]any{"folder_id": 2, "reviewer": "a", "level": 1}, map[string]any{"folder_id": 4, "reviewer": "b", "level": 2}),
		joined("stamps", map[string]any{"id": 1, "folder_id": 3, "secret": "hush"}, map[string]any{"id": 2, "folder_id": 4, "secret": "hush"}),
	)(db)
}

var archived = []string{"stamps", "shares", "files", "folders", "reviewers"}

func cascades() []*trial {
	return []*trial{{
		name: "ON DELETE CASCADE", why: "what the database deletes along with a row is recorded too",
		tables: []string{"children", "parents"},
		given: rows(joined("parents", map[string]any{"id": 1}, map[string]any{"id": 2}),
			joined("children", map[string]any{"id": 1, "parent_id": 1}, map[string]any{"id": 2, "parent_id": 2}, map[string]any{"id": 3, "parent_id": 1})),
		want: []string{"delete parent 1", "delete child 1", "delete child 3"},
		do:   func(r *run) error { return r.note(r.db.Table("parents").Where("id = 1").Delete(nil)) },
	}, {
		name: "ON DELETE CASCADE of 1,200 rows", long: true, why: "more rows than one query can name", tables: []string{"children", "parents"},
		given: rows(joined("parents", map[string]any{"id": 1}), func(db *gorm.DB) error {
			list := make([]map[string]any, 1200)
			for i := range list {
				list[i] = map[string]any{"id": i + 1, "parent_id": 1}
			}
			return joined("children", list...)(db)
		}),
		want: []string{"delete parent 1", "delete child 1..1200"}, shuffled: true,
		do: func(r *run) error { return r.note(r.db.Table("parents").Where("id = 1").Delete(nil)) },
	}, {
		name: "ON DELETE CASCADE, nothing refers", why: "one entry too many would be as wrong as one too few",
		tables: []string{"children", "parents"}, given: rows(joined("parents", map[string]any{"id": 1})),
		want: []string{"delete parent 1"},
		do:   func(r *run) error { return r.note(r.db.Table("parents").Where("id = 1").Delete(nil)) },
	}, {
		name: "ON DELETE and ON UPDATE without a key", why: "nothing identifies the row, but what the foreign key does is known",
		tables: []string{"excerpts", "children", "parents"}, opaque: true, shuffled: true,
		given: rows(joined("parents", map[string]any{"id": 1}, map[string]any{"id": 2}),
			joined("excerpts", map[string]any{"parent_id": 1, "source_id": 2, "note": "x"},
				map[string]any{"parent_id": nil, "source_id": 1, "note": "y"}, map[string]any{"parent_id": nil, "source_id": 2, "note": "z"})),
		want: []string{"delete parent 1", "delete excerpt ", "update excerpt ", "update parent 2", "update excerpt "},
		do: func(r *run) error {
			if err := r.note(r.db.Table("parents").Where("id = 1").Delete(nil)); err != nil {
				return err
			}
			return r.note(r.db.Table("parents").Where("id = 2").Update("id", 3))
		},
		verify: func(t *testing.T, entries []*record) {
			var got []string
			for _, e := range entries {
				if e.model == "excerpt" {
					got = append(got, fmt.Sprint(e.before, e.after))
				}
			}
			slices.Sort(got)
			want := []string{
				"map[note:x parent_id:1 source_id:2] map[]",
				"map[source_id:1] map[source_id:<nil>]",
				"map[source_id:2] map[source_id:3]",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the rows without a key (-want +got):\n%s", diff)
			}
		},
	}, {
		name: "ON DELETE, over several tables", why: "a tree in one table, rows that depend on it, and a row that is set to its default",
		tables: archived, given: archive, shuffled: true,
		want: []string{
			"delete folder 2", "delete folder 3", "delete file 2", "delete file 3", "delete share 2,a",
			"update stamp 1",
		},
		do: func(r *run) error { return r.note(r.db.Delete(&Folder{ID: 2})) },
	}, {
		name: "ON DELETE, by condition with RETURNING", why: "the caller gets only its own rows", tables: archived, given: archive, shuffled: true,
		want: []string{
			"delete folder 2", "delete folder 3", "delete folder 4", "delete file 2..4", "delete share 2,a", "delete share 4,b",
			"update stamp 1", "update stamp 2",
		},
		do: func(r *run) error {
			var gone []Folder
			return r.note(r.db.Clauses(clause.Returning{}).Where("path IN ?", []string{"/x", "/z"}).Delete(&gone), &gone)
		},
	}, {
		name: "ON DELETE SET NULL", why: "the rows stay and change", tables: archived, given: archive, shuffled: true,
		want: []string{"delete reviewer 1", "update file 1", "update file 3", "delete share 2,a"},
		do:   func(r *run) error { return r.note(r.db.Where("code = ?", "a").Delete(&Reviewer{})) },
	}, {
		name: "ON UPDATE CASCADE", why: "rows follow the key that they refer to, also if it is part of their own",
		tables: archived, given: archive, shuffled: true,
		want: []string{"update reviewer 1", "update file 1", "update file 3", "update share 2,a"},
		do: func(r *run) error {
			return r.note(r.db.Model(&Reviewer{}).Where("id = 1").Updates(map[string]any{"code": "c", "name": "Cat"}))
		},
	}, {
		name: "`Save` of a row that others refer to", why: "all columns are set, and the key is what it was", tables: archived, given: archive,
		want: []string{"update reviewer 2"},
		do:   func(r *run) error { return r.note(r.db.Save(&Reviewer{2, "b", "Bea"})) },
	}, {
		name: "ON DELETE that fails", why: "nothing is deleted, and nothing is recorded", tables: archived, given: archive,
		do: func(r *run) error {
			_ = r.note(r.db.Delete(&Folder{ID: 1})) // a stamp would be of a folder that is gone
			return nil
		},
	}, {
		name: "ON DELETE CASCADE with partitions", why: "a row's physical place is unique only within its partition", on: postgresEngine,
		tables: []string{"jars", "shelves"}, shuffled: true,
		given: rows(joined("shelves", map[string]any{"region": 1, "number": 1}, map[string]any{"region": 2, "number": 1}),
			joined("jars", map[string]any{"id": 1, "region": 1, "number": 1}, map[string]any{"id": 1, "region": 2, "number": 1})),
		want: []string{"delete shelf 2,1", "delete jar 1,2"},
		do:   func(r *run) error { return r.note(r.db.Table("shelves").Where("region = 2").Delete(nil)) },
	}, {
		name: "ON DELETE CASCADE from one partition", why: "the foreign key belongs to the whole table", on: postgresEngine,
		tables: []string{"jars", "shelves"}, shuffled: true,
		given: rows(joined("shelves", map[string]any{"region": 1, "number": 1}), joined("jars", map[string]any{"id": 1, "region": 1, "number": 1})),
		want:  []string{"delete shelves_1 1,1", "delete jar 1,1"}, opaque: true,
		do: func(r *run) error { return r.note(r.db.Table("shelves_1").Where("region = 1").Delete(nil)) },
	}}
}
