package gormhook_test

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// transactions are those that are rolled back, and statements that fail.
func transactions() []*trial {
	tables := []string{"products"}
	update := func(db *gorm.DB, id int, name string) *gorm.DB {
		return db.Model(&Product{}).Where("id = ?", id).Update("name", name)
	}
	list := []*trial{{
		name: "`Transaction`, committed", why: "the entries of several statements, in order", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "insert product 9", "delete product 2"},
		do: func(r *run) error {
			return r.db.Transaction(func(tx *gorm.DB) error {
				p := product(9)
				return errors.Join(r.note(update(tx, 1, "sofa")), r.note(tx.Create(&p)), r.note(tx.Delete(&Product{}, 2)))
			})
		},
	}, {
		name: "`Transaction`, rolled back", why: "what did not happen is not recorded", tables: tables, given: products(1, 2),
		do: func(r *run) error {
			err := r.db.Transaction(func(tx *gorm.DB) error {
				p := product(9)
				if err := errors.Join(r.note(update(tx, 1, "sofa")), r.note(tx.Create(&p)), r.note(tx.Delete(&Product{}, 2))); err != nil {
					return err
				}
				return errRefused
			})
			_ = r.noteError(err)
			return nil
		},
	}, {
		name: "nested `Transaction`, the inner rolled back", why: "a savepoint rolls back its entries, the others stay", tables: tables, given: products(1, 2, 3),
		want: []string{"update product 1", "update product 2", "update product 3"},
		do: func(r *run) error {
			return r.db.Transaction(func(tx *gorm.DB) error {
				if err := r.note(update(tx, 1, "sofa")); err != nil {
					return err
				}
				_ = r.noteError(tx.Transaction(func(tx *gorm.DB) error {
					if err := errors.Join(r.note(update(tx, 2, "lost")), r.note(tx.Delete(&Product{}, 3))); err != nil {
						return err
					}
					return errRefused
				}))
				return errors.Join(r.note(update(tx, 2, "table")), r.note(update(tx, 3, "chair")))
			})
		},
	}, {
		name: "`SavePoint` and `RollbackTo`", why: "the same by hand, and the row is changed again", tables: tables, given: products(1),
		want: []string{"update product 1", "update product 1"},
		do: func(r *run) error {
			return r.db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(
					r.note(update(tx, 1, "sofa")), tx.SavePoint("here").Error, r.note(update(tx, 1, "lost")),
					tx.RollbackTo("here").Error, r.note(update(tx, 1, "chair")),
				)
			})
		},
	}, {
		name: "a statement that fails under a savepoint", why: "the transaction continues", tables: tables, given: products(1, 2),
		want: []string{"update product 1", "update product 2"},
		do: func(r *run) error {
			return r.db.Transaction(func(tx *gorm.DB) error {
				if err := r.note(update(tx, 1, "sofa")); err != nil {
					return err
				}
				_ = r.noteError(tx.Transaction(func(tx *gorm.DB) error {
					return r.note(tx.Model(&Product{}).Where("id = 1").Update("code", "p2"))
				}))
				return r.note(update(tx, 2, "chair"))
			})
		},
	}, {
		name: "a panic in a `Transaction`", why: "GORM rolls back and lets the panic pass", tables: tables, given: products(1),
		do: func(r *run) error {
			func() {
				defer func() { _ = r.noteError(nil, recover()) }()
				_ = r.db.Transaction(func(tx *gorm.DB) error {
					_ = r.note(update(tx, 1, "lost"))
					panic("the application's")
				})
			}()
			return nil
		},
	}}
	failures := []*trial{{
		name: "a unique key violated", why: "none of several rows is written", tables: tables, given: products(1),
		do: func(r *run) error {
			return r.note(r.db.Create(&[]Product{{ID: 8, Code: "new"}, {ID: 9, Code: "p1"}}))
		},
	}, {
		name: "a key violated by an update", why: "nothing has changed", tables: tables, given: products(1, 2),
		do: func(r *run) error { return r.note(r.db.Model(&Product{ID: 1}).Update("code", "p2")) },
	}, {
		name: "a unique key violated by an upsert", why: "of another key than the one in the conflict", tables: tables, given: products(1, 2),
		do: func(r *run) error {
			return r.note(r.db.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "id"}}, DoUpdates: clause.AssignmentColumns([]string{"code"}),
			}).Create(&Product{ID: 1, Code: "p2"}))
		},
	}, {
		name: "NOT NULL and CHECK violated", why: "the database's own error, unchanged", tables: []string{"ledgers"}, given: rows(&Ledger{1, 5}),
		do: func(r *run) error {
			if err := r.note(r.db.Table("ledgers").Create(map[string]any{"id": 2, "balance": -1})); err == nil {
				return nil
			}
			return errors.Join(
				r.note(r.db.Model(&Ledger{ID: 1}).Update("balance", gorm.Expr("balance - 6"))),
				r.note(r.db.Table("ledgers").Create(map[string]any{"id": 3})),
			)
		},
	}, {
		name: "a foreign key violated", why: "found at the end of the statement", tables: []string{"authors", "books"}, given: rows(&Author{ID: 1}, &Book{ID: 1, AuthorID: ptr(int64(1))}),
		do: func(r *run) error { return r.note(r.db.Delete(&Author{ID: 1})) },
	}, {
		name: "a deferred constraint violated", why: "found when the transaction ends", tables: []string{"swaps"}, given: rows(&Swap{1, 1}, &Swap{2, 2}),
		wantIn: func(string, mode) []string { return nil },
		do:     func(r *run) error { return r.note(r.db.Model(&Swap{ID: 1}).Update("other", 2)) },
	}, {
		name: "a deferred constraint satisfied in the end", why: "two rows change places, in one transaction", tables: []string{"swaps"}, given: rows(&Swap{1, 1}, &Swap{2, 2}),
		want: []string{"update swap 1", "update swap 2"}, on: postgresEngine,
		do: func(r *run) error {
			return r.db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(r.note(tx.Model(&Swap{ID: 1}).Update("other", 2)), r.note(tx.Model(&Swap{ID: 2}).Update("other", 1)))
			})
		},
	}, {
		name: "syntax errors", why: "the caller's error is that of its own statement", tables: tables, given: products(1),
		do: func(r *run) error { return r.note(r.db.Model(&Product{}).Where("id = = 1").Update("name", "x")) },
	}, {
		name: "a missing column", why: "neither in SET nor in WHERE", tables: tables, given: products(1),
		do: func(r *run) error { return r.note(r.db.Model(&Product{}).Where("id = 1").Update("colour", "x")) },
	}, {
		name: "a condition on a missing column", why: "the error names it", tables: tables, given: products(1),
		do: func(r *run) error { return r.note(r.db.Where("colour = ?", "x").Delete(&Product{})) },
	}, {
		name: "a missing table", why: "the error is the database's own", tables: tables,
		do: func(r *run) error { return r.note(r.db.Table("nowhere").Create(map[string]any{"id": 1})) },
	}, {
		name: "a value of the wrong type", why: "found by the driver or by the database", tables: tables, given: products(1), on: postgresEngine,
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{ID: 1}).Update("stock", gorm.Expr("?::int", "many")))
		},
	}, {
		name: "a division by zero", why: "found row by row, as they are changed", tables: tables, given: products(1, 2), on: postgresEngine,
		do: func(r *run) error {
			return r.note(r.db.Model(&Product{}).Where("id > 0").Update("stock", gorm.Expr("100 / (stock - 20)")))
		},
	}, {
		name: "a cancelled context", why: "nothing is sent", tables: tables, given: products(1),
		do: func(r *run) error {
			ctx, cancel := context.WithCancel(r.ctx)
			cancel()
			return errors.Join(r.note(update(r.db.WithContext(ctx), 1, "x")), r.note(r.db.WithContext(ctx).Create(&Product{Code: "a"})))
		},
	}, {
		name: "an error in the chain", why: "GORM runs nothing after it", tables: tables, given: products(1),
		do: func(r *run) error {
			db := r.db.Session(&gorm.Session{})
			_ = db.AddError(errRefused)
			return r.note(update(db, 1, "x"))
		},
	}}
	return append(list, failures...)
}
