package gormhook_test

import (
	"maps"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// library makes a company, two authors, three books and what belongs to them.
func library(db *gorm.DB) error {
	return rows(
		&Company{1, "press"}, &Author{ID: 1, Name: "Ann", CompanyID: ptr(int64(1))}, &Author{ID: 2, Name: "Bob"},
		&Profile{1, ptr(int64(1)), "short"},
		&Book{ID: 1, AuthorID: ptr(int64(1)), Title: "one"}, &Book{ID: 2, AuthorID: ptr(int64(1)), Title: "two"}, &Book{ID: 3, Title: "three"},
		&[]Tag{{1, "a"}, {2, "b"}, {3, "c"}}, &[]Remark{{1, 1, "authors", "x"}, {2, 2, "authors", "y"}, {3, 1, "others", "z"}},
		&[]Draft{{ID: 1, BookID: ptr(int64(1)), Text: "d"}, {ID: 2, BookID: ptr(int64(2)), Text: "e"}},
		joined("book_tags", map[string]any{"book_id": 1, "tag_id": 1}, map[string]any{"book_id": 1, "tag_id": 2}, map[string]any{"book_id": 2, "tag_id": 1}),
	)(db)
}

var libraryTables = []string{"companies", "authors", "profiles", "books", "tags", "book_tags", "remarks", "drafts"}

func associations() []*trial {
	author := func() *Author { return &Author{ID: 1, Name: "Ann", CompanyID: ptr(int64(1))} }
	book := func(id int64) *Book { return &Book{ID: id, AuthorID: ptr(int64(1)), Title: "one"} }
	list := []*trial{{
		name: "`Create` of a nested struct", why: "belongs-to goes first, has-one, has-many, polymorphic and join rows follow, all in one transaction",
		want: []string{
			"insert company 101", "insert author 101", "insert profile 101", "insert book 101..102",
			"insert tag 101..102", "insert book_tag 101,101", "insert book_tag 101,102", "insert book_tag 102,101", "insert remark 101",
		},
		do: func(r *run) error {
			shared := Tag{ID: 101, Name: "shared"}
			a := Author{
				Name: "Cid", Company: &Company{Name: "new"}, Profile: &Profile{Bio: "long"},
				Books:   []Book{{Title: "x", Tags: []Tag{shared, {ID: 102, Name: "own"}}}, {Title: "y", Tags: []Tag{shared}}},
				Remarks: []Remark{{Text: "good"}},
			}
			return r.note(r.db.Create(&a), &a)
		},
	}, {
		name: "`Create` with an existing association", why: "GORM's ON CONFLICT DO NOTHING does not insert the company",
		given: library, want: []string{"insert author 101"},
		do: func(r *run) error {
			a := Author{Name: "Cid", Company: &Company{ID: 1, Name: "press"}}
			return r.note(r.db.Create(&a), &a)
		},
	}, {
		name: "`Create` with children of another parent", why: "GORM's upsert of a child moves it: an update, not a create",
		given: library, want: []string{"insert author 101", "update book 3"},
		do: func(r *run) error {
			a := Author{Name: "Cid", Books: []Book{{ID: 3, Title: "not written"}}}
			return r.note(r.db.Create(&a), &a)
		},
	}, {
		name: "`Omit(clause.Associations).Create`", why: "the associations are left out", want: []string{"insert author 101"},
		do: func(r *run) error {
			a := Author{Name: "Cid", Profile: &Profile{Bio: "long"}, Books: []Book{{Title: "x"}}}
			return r.note(r.db.Omit(clause.Associations).Create(&a), &a)
		},
	}, {
		name: "`Omit(\"Tags.*\").Create`", why: "join rows are written, the rows they join are not",
		given: library, want: []string{"insert book 101", "insert book_tag 101,1"},
		do: func(r *run) error {
			b := Book{Title: "x", Tags: []Tag{{ID: 1, Name: "not written"}}}
			return r.note(r.db.Omit("Tags.*").Create(&b), &b)
		},
	}, {
		name: "`Save` with associations", why: "children are upserted, and unchanged ones are left alone",
		given: library, want: []string{"update author 1", "insert book 101"},
		do: func(r *run) error {
			a := author()
			a.Name, a.Books = "Anna", []Book{*book(1), {Title: "new"}}
			a.Profile = &Profile{1, ptr(int64(1)), "not written"}
			return r.note(r.db.Save(a), a)
		},
	}, {
		name: "`FullSaveAssociations`", why: "all columns of the associations are written",
		given: library, want: []string{"update company 1", "update author 1", "update profile 1", "update book 1"},
		do: func(r *run) error {
			a := author()
			a.Name, a.Company = "Anna", &Company{1, "renamed"}
			a.Profile, a.Books = &Profile{1, nil, "longer"}, []Book{{ID: 1, Title: "retitled"}, {ID: 2, Title: "two"}}
			return r.note(r.db.Session(&gorm.Session{FullSaveAssociations: true}).Updates(a), a)
		},
	}, {
		name: "`Updates` of a parent with loaded children", why: "what was only loaded has not changed",
		given: library, want: []string{"update author 1"},
		do: func(r *run) error {
			var a Author
			if err := r.note(r.db.Preload("Books").Preload("Profile").First(&a, 1), &a); err != nil {
				return err
			}
			a.Name = "Anna"
			return r.note(r.db.Updates(&a), &a)
		},
	}, {
		name: "`Association.Append`, has-many", why: "one new child, one taken from another parent",
		given: library, want: []string{"insert book 101", "update book 3"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Books").Append([]Book{{Title: "new"}, {ID: 3, Title: "three"}}), a)
		},
	}, {
		name: "`Association.Append`, many2many", why: "join rows are rows too, of a table without a model",
		given: library, want: []string{"insert tag 101", "insert book_tag 2,2", "insert book_tag 2,101"},
		do: func(r *run) error {
			b := book(2)
			return r.noteError(r.db.Model(b).Association("Tags").Append([]Tag{{ID: 2, Name: "b"}, {ID: 101, Name: "new"}}), b)
		},
	}, {
		name: "`Association.Append`, belongs-to and has-one", why: "the foreign key changes, on either side",
		given: library, want: []string{"update author 2", "update profile 1"},
		do: func(r *run) error {
			a := &Author{ID: 2, Name: "Bob"}
			if err := r.noteError(r.db.Model(a).Association("Company").Append(&Company{1, "press"}), a); err != nil {
				return err
			}
			return r.noteError(r.db.Model(a).Association("Profile").Append(&Profile{ID: 1, Bio: "short"}), a)
		},
	}, {
		name: "`Association.Replace`, has-many", why: "removed children are updated, they stay in their table",
		given: library, want: []string{"update book 3", "update book 1..2"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Books").Replace(&Book{ID: 3, Title: "three"}), a)
		},
	}, {
		name: "`Association.Replace`, many2many", why: "join rows come and go",
		given: library, want: []string{"insert book_tag 1,3", "delete book_tag 1,1"},
		do: func(r *run) error {
			b := book(1)
			return r.noteError(r.db.Model(b).Association("Tags").Replace([]Tag{{2, "b"}, {3, "c"}}), b)
		},
	}, {
		name: "`Association.Delete`, has-many", why: "the foreign key becomes null",
		given: library, want: []string{"update book 2"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Books").Delete(&Book{ID: 2}), a)
		},
	}, {
		name: "`Association.Delete`, many2many", why: "a join row is deleted",
		given: library, want: []string{"delete book_tag 1,2"},
		do: func(r *run) error {
			b := book(1)
			return r.noteError(r.db.Model(b).Association("Tags").Delete(&Tag{ID: 2}), b)
		},
	}, {
		name: "`Association.Delete`, belongs-to", why: "the foreign key of the parent becomes null",
		given: library, want: []string{"update author 1"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Company").Delete(&Company{ID: 1}), a)
		},
	}, {
		name: "`Association.Unscoped().Delete`", why: "the child is gone", given: library, want: []string{"delete profile 1"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Profile").Unscoped().Delete(&Profile{ID: 1}), a)
		},
	}, {
		name: "`Association.Clear`, many2many", why: "all join rows of one side", given: library,
		want: []string{"delete book_tag 1,1", "delete book_tag 1,2"},
		do: func(r *run) error {
			b := book(1)
			return r.noteError(r.db.Model(b).Association("Tags").Clear(), b)
		},
	}, {
		name: "`Association.Clear`, polymorphic", why: "rows of other owners in the same table stay", given: library,
		want: []string{"update remark 1"},
		do: func(r *run) error {
			a := author()
			return r.noteError(r.db.Model(a).Association("Remarks").Clear(), a)
		},
	}, {
		name: "`Association` of several parents", why: "one statement for the join rows of all", given: library,
		want: []string{"insert book_tag 1,3", "insert book_tag 2,3"},
		do: func(r *run) error {
			list := []Book{*book(1), *book(2)}
			return r.noteError(r.db.Model(&list).Association("Tags").Append(&[]Tag{{3, "c"}}, &[]Tag{{3, "c"}}))
		},
	}, {
		name: "`Select(\"Books\").Delete`", why: "the children are deleted before their parent", want: []string{"delete book 1..2", "delete author 1"},
		given: rows(&Author{ID: 1, Name: "Ann"}, &[]Book{{ID: 1, AuthorID: ptr(int64(1))}, {ID: 2, AuthorID: ptr(int64(1))}, {ID: 3}}),
		do: func(r *run) error {
			a := author()
			return r.note(r.db.Select("Books").Delete(a), a)
		},
	}, {
		name: "`Select(clause.Associations).Delete`", why: "soft-deleted children, and join rows", shuffled: true, given: library,
		want: []string{"delete book_tag 2,1", "softdelete draft 2", "delete book 2"},
		do: func(r *run) error {
			b := book(2)
			return r.note(r.db.Select(clause.Associations).Delete(b), b)
		},
	}}
	for _, tr := range list {
		tr.tables = libraryTables
	}
	return list
}

// joined makes rows of a table that has no model.
func joined(table string, list ...map[string]any) func(*gorm.DB) error {
	return func(db *gorm.DB) error {
		for _, m := range list {
			if err := db.Table(table).Create(maps.Clone(m)).Error; err != nil { // GORM puts the key into it
				return err
			}
		}
		return nil
	}
}
