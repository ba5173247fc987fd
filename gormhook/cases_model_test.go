package gormhook_test

import (
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// shapes are models whose keys, columns and names are not as most are.
func shapes() []*trial {
	return []*trial{{
		name: "composite keys", why: "the parts are joined by commas; those within a part are escaped",
		tables: []string{"places"}, given: rows(&Place{"it", "Roma", 1}, &Place{"it", "Milano", 1}),
		want: []string{`insert place a\,b,c\\d`, `insert place ,`, `update place a\,b,c\\d`, "update place it,Roma", "delete place it,Milano", `delete place ,`},
		do: func(r *run) error {
			odd, blank := Place{`a,b`, `c\d`, 1}, Place{"", "", 2}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&odd) },
				func() *gorm.DB { return r.db.Create(&blank) },
				func() *gorm.DB { return r.db.Model(&odd).Update("population", 5) },
				func() *gorm.DB { return r.db.Save(&Place{"it", "Roma", 7}) },
				func() *gorm.DB { return r.db.Delete(&[]Place{{"it", "Milano", 0}, {"fr", "Roma", 0}}) },
				func() *gorm.DB { return r.db.Where("country = '' AND city = ''").Delete(&Place{}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a part of a composite key is updated", why: "the entity is the row as it was",
		tables: []string{"places"}, given: rows(&Place{"it", "Roma", 1}), want: []string{"update place it,Roma", "delete place va,Roma"},
		do: func(r *run) error {
			if err := r.note(r.db.Model(&Place{}).Where("city = ?", "Roma").Update("country", "va")); err != nil {
				return err
			}
			return r.note(r.db.Delete(&Place{Country: "va", City: "Roma"}))
		},
	}, {
		name: "embedded structs", why: "their columns have prefixes, and a nil pointer becomes nulls",
		tables: []string{"people"}, want: []string{"insert person 101..102", "update person 101", "update person 102"},
		do: func(r *run) error {
			list := []Person{{Name: "Ann", Home: Address{"Elm", "1"}}, {Name: "Bob", Work: &Address{"Oak", "2"}}}
			if err := r.note(r.db.Create(&list), &list); err != nil {
				return err
			}
			if err := r.note(r.db.Model(&list[0]).Updates(Person{Home: Address{Zip: "9"}}), &list); err != nil {
				return err
			}
			list[1].Work.Street = "Ash"
			return r.note(r.db.Save(&list[1]), &list)
		},
	}, {
		name: "renamed columns and tables", why: "images use column names, the model its type's name",
		tables: []string{"relabelled"}, want: []string{"insert renamed k 1", "update renamed k 1", "delete renamed k 1"},
		do: func(r *run) error {
			v := Renamed{"k 1", "t"}
			if err := r.note(r.db.Create(&v)); err != nil {
				return err
			}
			if err := r.note(r.db.Model(&v).Update("Title", "u"), &v); err != nil {
				return err
			}
			return r.note(r.db.Delete(&v))
		},
	}, {
		name: "reserved words as names", why: "a table named order with the columns select, from, where and group",
		tables: []string{"order"}, given: rows(&Order{ID: 1, Select: "s", From: "f"}),
		want: []string{"insert order 101", "update order 1", "update order 1", "update order 1", "delete order 1"},
		do: func(r *run) error {
			o := Order{Select: "a", From: "b", Where: 3, Group: true}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&o) },
				func() *gorm.DB {
					return r.db.Model(&Order{ID: 1}).Updates(map[string]any{"select": "set", "from": "returning", "where": 2})
				},
				func() *gorm.DB {
					return r.db.Table("order").Where(`"from" = ?`, "returning").Updates(map[string]any{"group": true})
				},
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Order{ID: 1, Select: "up"})
				},
				func() *gorm.DB { return r.db.Delete(&Order{}, 1) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "odd names", why: "spaces, case, dollars, question marks, quotes and letters beyond ASCII in names",
		tables: []string{"odd Table?"}, given: rows(&Odd{ID: 1, Space: "a"}),
		want: []string{"insert odd 2", "update odd 1", "update odd 1", "update odd 1", "delete odd 1"},
		do: func(r *run) error {
			o := Odd{ID: 2, Space: "a", Upper: "b", Dollar: "c", Question: "d", Single: "e", Umlaut: "f", Percent: "g"}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&o) },
				func() *gorm.DB { return r.db.Model(&Odd{ID: 1}).Updates(Odd{Space: "x", Upper: "y", Dollar: "$1"}) },
				func() *gorm.DB { return r.db.Save(&Odd{ID: 1, Question: "?", Single: "'", Umlaut: "ö", Percent: "%"}) },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Odd{ID: 1, Single: "s"})
				},
				func() *gorm.DB { return r.db.Delete(&Odd{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "120 columns", why: "more than the arguments of a PostgreSQL function",
		tables: []string{"wides"}, want: []string{"insert wide 1", "update wide 1", "update wide 1", "delete wide 1"},
		do: func(r *run) error {
			m, all := map[string]any{"id": 1}, map[string]any{}
			for _, c := range wideColumns() {
				m[c] = c
				all[c] = strings.ToUpper(c)
			}
			all["c7"] = "c7"
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table("wides").Create(m) },
				func() *gorm.DB { return r.db.Table("wides").Where("id = 1").Updates(all) },
				func() *gorm.DB {
					return r.db.Table("wides").Where("id = 1").Updates(map[string]any{"c3": nil, "c4": "x"})
				},
				func() *gorm.DB { return r.db.Table("wides").Where("id = 1").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "keys generated by the database", why: "a uuid from the column's default", chance: true,
		tables: []string{"widgets"}, want: []string{"insert widget *", "insert widget *", "insert widget *"},
		do: func(r *run) error {
			w := Widget{Name: "a"}
			if err := r.note(r.db.Create(&w), &w); err != nil {
				return err
			}
			return r.note(r.db.Create(&[]Widget{{Name: "b"}, {Name: "c"}}))
		},
	}, {
		name: "masked and omitted columns", why: "a secret is in no image, but its change is",
		tables: []string{"logins"}, given: rows(&Login{ID: 1, Email: "a@b", Password: "old", APIKey: ptr("k"), Pin: "1", Scratch: "s"}, &Login{ID: 2}),
		want: []string{"insert login 101", "update login 1", "update login 2", "update login 2", "delete login 1"},
		do: func(r *run) error {
			l := Login{Email: "c@d", Password: "hunter2", PasswordHash: []byte{1, 2}, TokenCount: 3, RefreshToken: "shown", Scratch: "not kept"}
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&l) },
				func() *gorm.DB { return r.db.Model(&Login{ID: 1}).Update("password", "new") },
				func() *gorm.DB { return r.db.Model(&Login{ID: 1}).Update("password", "new") },
				func() *gorm.DB { return r.db.Model(&Login{ID: 1}).Update("scratch", "only this") },
				func() *gorm.DB { return r.db.Model(&Login{ID: 2}).Updates(map[string]any{"api_key": "k", "pin": ""}) },
				func() *gorm.DB {
					return r.db.Model(&Login{ID: 2}).Updates(map[string]any{"api_key": nil, "email": "x"})
				},
				func() *gorm.DB { return r.db.Delete(&Login{ID: 1}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a key that is a secret", why: "its digest tells rows apart, and nothing else", opaque: true,
		tables: []string{"vaults"}, given: rows(&Vault{"k1", "a"}),
		want: []string{"insert vault " + digest("k2"), "update vault " + digest("k1"), "delete vault " + digest("k1")},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Vault{"k2", "b"}) },
				func() *gorm.DB { return r.db.Model(&Vault{Token: "k1"}).Update("name", "x") },
				func() *gorm.DB { return r.db.Delete(&Vault{Token: "k1"}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "keys that are times, bytes and flags", why: "their text is spelled as in the trail, and commas in them are not taken for separators",
		tables: []string{"moments"}, given: rows(&Moment{At: now, Raw: []byte{1, 2}, Flag: true, Note: "a"}),
		want: []string{`insert moment 2026-03-03T23:36:07.891234Z,\\x2c,false`, `update moment 2026-03-03T23:36:07.891234Z,\\x0102,true`, `delete moment 2026-03-03T23:36:07.891234Z,\\x2c,false`},
		do: func(r *run) error {
			m := Moment{At: now, Raw: []byte{','}, Note: "b"}
			if err := r.note(r.db.Create(&m)); err != nil {
				return err
			}
			if err := r.note(r.db.Model(&Moment{}).Where("flag").Update("note", "c")); err != nil {
				return err
			}
			return r.note(r.db.Where("NOT flag").Delete(&Moment{}))
		},
	}, {
		name: "soft delete by a flag", why: "GORM plugins store a number instead of a time", tables: []string{"flaggeds"},
		given: rows(&Flagged{ID: 1, Name: "a"}, &Flagged{ID: 2, Name: "b"}, &Flagged{ID: 3, Deleted: 1}),
		want:  []string{"softdelete flagged 1", "softdelete flagged 2", "restore flagged 1", "update flagged 1", "softdelete flagged 1", "delete flagged 3", "restore flagged 2"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Delete(&Flagged{ID: 1}) },
				func() *gorm.DB { return r.db.Where("name = 'b'").Delete(&Flagged{}) },
				func() *gorm.DB { return r.db.Delete(&Flagged{ID: 3}) }, // is deleted
				func() *gorm.DB { return r.db.Unscoped().Model(&Flagged{ID: 1}).Update("deleted", 0) },
				func() *gorm.DB { return r.db.Model(&Flagged{ID: 1}).Update("name", "c") },
				func() *gorm.DB { return r.db.Model(&Flagged{ID: 1}).Update("deleted", 7) },
				func() *gorm.DB { return r.db.Unscoped().Delete(&Flagged{ID: 3}) },
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&Flagged{ID: 2, Name: "b"})
				},
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "keys of further types", why: "decimals, dates, addresses and padded text in a key", on: postgresEngine,
		tables: []string{"landmarks"}, given: rows(joined("landmarks", landmark("1.50", "a"))),
		want: []string{
			"insert landmark 2.00,2026-02-28,10.0.0.1,ab  ,glad", "update landmark 1.50,2026-02-28,10.0.0.1,ab  ,glad",
			"update landmark 1.50,2026-02-28,10.0.0.1,ab  ,glad", "delete landmark 2.00,2026-02-28,10.0.0.1,ab  ,glad",
		},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table("landmarks").Create(landmark("2", "b")) },
				func() *gorm.DB { return r.db.Table("landmarks").Where("n < 2").Updates(map[string]any{"note": "x"}) },
				func() *gorm.DB {
					columns := []clause.Column{{Name: "n"}, {Name: "d"}, {Name: "i"}, {Name: "c"}, {Name: "m"}}
					return r.db.Table("landmarks").Clauses(clause.OnConflict{Columns: columns, DoUpdates: clause.AssignmentColumns([]string{"note"})}).Create(landmark("1.5", "y"))
				},
				func() *gorm.DB { return r.db.Table("landmarks").Where("n = 2").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "columns named like the plugin's own", why: "the application may use any name that the plugin uses in a statement",
		tables: []string{"clashes"}, given: rows(&Clash{ID: 1, AuditID: 5, AuditEntity: "e", AuditBefore: "b"}),
		want: []string{"insert clash 2", "update clash 1", "update clash 1", "insert clash 3", "delete clash 1"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Create(&Clash{ID: 2, AuditName: "n"}) },
				func() *gorm.DB {
					return r.db.Model(&Clash{}).Where("audit_id = ? AND audit_k0 = 0", 5).Updates(map[string]any{"audit_id": gorm.Expr("audit_id + audit_o1 + 1"), "audit_after": "x"})
				},
				func() *gorm.DB {
					return r.db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&[]Clash{{ID: 1, AuditEvent: "y"}, {ID: 3}})
				},
				func() *gorm.DB { return r.db.Where("audit_entity = ''").Where("id = 1").Delete(&Clash{}) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "tables named like the plugin's own", why: "the same for tables",
		tables: []string{"audit_old", "audit_new"}, given: rows(joined("audit_old", map[string]any{"id": 1}), joined("audit_new", map[string]any{"id": 1})),
		want: []string{
			"insert audit_old 2", "update audit_old 1", "update audit_old 1", "delete audit_old 1",
			"insert audit_new 2", "update audit_new 1", "update audit_new 1", "delete audit_new 1",
		},
		do: func(r *run) error {
			for _, table := range []string{"audit_old", "audit_new"} {
				for _, f := range []func() *gorm.DB{
					func() *gorm.DB { return r.db.Table(table).Create(map[string]any{"id": 2}) },
					func() *gorm.DB {
						return r.db.Table(table).Where(table + ".id = 1").Updates(map[string]any{"name": "x"})
					},
					func() *gorm.DB {
						return r.db.Table(table).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).
							Create(map[string]any{"id": 1, "name": "y"})
					},
					func() *gorm.DB { return r.db.Table(table).Where("name = 'y'").Delete(nil) },
				} {
					if err := r.note(f()); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}, {
		name: "a table whose name ends like the plugin's own", why: "its errors are the application's", tables: []string{"my_audit_logs"},
		given: rows(joined("my_audit_logs", map[string]any{"id": 1, "name": "a"})), want: []string{"insert my_audit_log 2"},
		do: func(r *run) error {
			if err := r.note(r.db.Table("my_audit_logs").Create(map[string]any{"id": 2, "name": "b"})); err != nil {
				return err
			}
			return r.note(r.db.Table("my_audit_logs").Create(map[string]any{"id": 1, "name": "b"}))
		},
	}, {
		name: "quotes, line ends and emoji in column names", why: "GORM does not write these columns, but the images have them",
		tables: []string{"quotes"}, want: []string{"insert quote 1", "update quote 1", "delete quote 2"}, given: rows(joined("quotes", map[string]any{"id": 2})),
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table("quotes").Create(map[string]any{"id": 1}) },
				func() *gorm.DB { return r.db.Table("quotes").Where("id = 1").Updates(map[string]any{"plain": "x"}) },
				func() *gorm.DB { return r.db.Table("quotes").Where("id = 2").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}, {
		name: "a column named rowid", why: "it hides SQLite's own rowid", on: sqliteEngine, tables: []string{"shadows"},
		given: rows(joined("shadows", map[string]any{"code": "a", "rowid": "same"}, map[string]any{"code": "b", "rowid": "same"})),
		want:  []string{"insert shadow c", "update shadow a", "update shadow b", "update shadow a", "delete shadow b"},
		do: func(r *run) error {
			for _, f := range []func() *gorm.DB{
				func() *gorm.DB { return r.db.Table("shadows").Create(map[string]any{"code": "c", "rowid": "same"}) },
				func() *gorm.DB {
					return r.db.Table("shadows").Where("code < 'c'").Updates(map[string]any{"name": gorm.Expr("code || '!'")})
				},
				func() *gorm.DB {
					return r.db.Table("shadows").Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "code"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).
						Create(map[string]any{"code": "a", "name": "z"})
				},
				func() *gorm.DB { return r.db.Table("shadows").Where("code = 'b'").Delete(nil) },
			} {
				if err := r.note(f()); err != nil {
					return err
				}
			}
			return nil
		},
	}}
}
