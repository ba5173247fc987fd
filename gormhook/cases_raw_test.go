package gormhook_test

import (
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// raws are statements that the application writes itself.
func raws() []*trial {
	tables := []string{"products"}
	exec := func(statements ...string) func(r *run) error {
		return func(r *run) error {
			for _, s := range statements {
				if err := r.note(r.db.Exec(s)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	list := []*trial{{
		name: "`Exec` of UPDATE", why: "one entry with the verb, the table, the number of rows and the text without its literals",
		tables: tables, given: products(1, 2), want: []string{"raw update product 2"},
		do: func(r *run) error {
			return r.note(r.db.Exec("UPDATE products SET name = 'hunter2', stock = 4711 WHERE code LIKE ? -- hunter2\n AND stock < 1e6", "p%"))
		},
		verify: func(t *testing.T, entries []*record) {
			sql, table := entries[0].context["sql"], entries[0].context["table"]
			if table != "products" {
				t.Errorf("the table is %v", table)
			}
			for _, secret := range []string{"hunter2", "4711", "1e6", "p%"} {
				if strings.Contains(entries[0].contextText.String, secret) {
					t.Errorf("the literal %q is in %s", secret, entries[0].contextText.String)
				}
			}
			if text, ok := sql.(string); !ok || !strings.HasPrefix(text, "UPDATE products SET name = ?, stock = ? WHERE code LIKE") {
				t.Errorf("the text is %v", sql)
			}
		},
	}, {
		name: "`Exec` of INSERT", why: "of several rows, from values and from a query",
		tables: tables, given: products(1), want: []string{"raw insert product 2", "raw insert product 1"},
		do: exec(
			"INSERT INTO products (id, code) VALUES (8, 'a'), (9, 'b')",
			"INSERT INTO products (id, code) SELECT id + 100, code || 'x' FROM products WHERE id = 1",
		),
	}, {
		name: "`Exec` of DELETE", why: "also if the name is quoted and the verb is not in upper case",
		tables: tables, given: products(1, 2), want: []string{"raw delete product 1"},
		do: exec(`delete /* from nowhere */ from "products" where id = 1`),
	}, {
		name: "`Exec` that changes no row", why: "nothing has changed", tables: tables, given: products(1),
		do: exec("UPDATE products SET name = 'x' WHERE id = 99", "DELETE FROM products WHERE id = 99"),
	}, {
		name: "`Exec` of WITH", why: "the verb comes after the query", tables: tables, given: products(1, 2),
		want: []string{"raw update product 1"},
		do: func(r *run) error {
			return r.note(r.db.Exec("WITH few AS (SELECT id FROM products WHERE stock < ?) UPDATE products SET name = 'x' WHERE id IN (SELECT id FROM few)", 15))
		},
	}, {
		name: "`Exec` of INSERT ... ON CONFLICT", why: "the rows may be new or not", tables: tables, given: products(1),
		want: []string{"raw insert product 2"},
		do:   exec("INSERT INTO products (id, code) VALUES (1, 'p1'), (2, 'p2') ON CONFLICT (id) DO UPDATE SET name = 'x'"),
	}, {
		name: "`Exec` of REPLACE", why: "SQLite's INSERT OR REPLACE", on: sqliteEngine, tables: tables, given: products(1),
		want: []string{"raw insert product 1"}, do: exec("REPLACE INTO products (id, code) VALUES (1, 'p1')"),
	}, {
		name: "`Exec` of several statements", why: "one entry has the text of all", on: sqliteEngine, tables: tables, given: products(1, 2),
		want: []string{"raw update product 1"}, do: exec("UPDATE products SET name = 'x'; DELETE FROM products WHERE id = 1"),
		verify: func(t *testing.T, entries []*record) {
			if text, ok := entries[0].context["sql"].(string); !ok || !strings.Contains(text, "DELETE FROM products") {
				t.Errorf("the text is %v", entries[0].context["sql"])
			}
		},
	}, {
		name: "`Exec` of MERGE", why: "it may insert, update and delete at once", on: postgresEngine, tables: tables, given: products(1),
		want: []string{"raw update product 2"},
		do: exec(`MERGE INTO products p USING (VALUES (1, 'p1'), (2, 'p2')) v (id, code) ON p.id = v.id
			WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN INSERT (id, code) VALUES (v.id, v.code)`),
	}, {
		name: "`Exec` of TRUNCATE", why: "PostgreSQL does not count the rows", on: postgresEngine, tables: tables, given: products(1, 2),
		want: []string{"raw delete product 0"}, do: exec("TRUNCATE TABLE products"),
	}, {
		name: "`Raw(...).Scan` of INSERT ... RETURNING", why: "a query that writes", tables: tables,
		want: []string{"raw insert product 2"},
		do: func(r *run) error {
			var ids []int64
			return r.note(r.db.Raw("INSERT INTO products (id, code) VALUES (8, 'a'), (9, 'b') RETURNING id").Scan(&ids), &ids)
		},
	}, {
		name: "`Raw(...).Find` of UPDATE ... RETURNING", why: "the query processor, with a model", tables: tables, given: products(1, 2),
		want: []string{"raw update product 2"},
		do: func(r *run) error {
			var list []Product
			tx := r.db.Raw("UPDATE products SET name = ? RETURNING *", "sofa").Find(&list)
			return r.note(tx, inOrder(list))
		},
	}, {
		name: "`Raw(...).Row` and `Rows` of RETURNING", why: "the caller reads the rows itself", tables: tables, given: products(1, 2),
		want: []string{"raw update product 1", "raw delete product 2"},
		do: func(r *run) error {
			var name string
			if err := r.noteError(r.db.Raw("UPDATE products SET name = 'sofa' WHERE id = 1 RETURNING name").Row().Scan(&name), &name); err != nil {
				return err
			}
			rows, err := r.db.Raw("DELETE FROM products RETURNING id, name, active, note, updated_at").Rows()
			if err != nil {
				return r.noteError(err)
			}
			defer rows.Close() //nolint:errcheck // it is read to its end
			var all []map[string]any
			for rows.Next() {
				m := map[string]any{}
				if err := r.db.ScanRows(rows, &m); err != nil {
					return r.noteError(err)
				}
				all = append(all, m)
			}
			types, err := rows.ColumnTypes()
			if err != nil {
				return r.noteError(err)
			}
			var names []string
			for _, c := range types {
				names = append(names, c.Name(), c.DatabaseTypeName())
			}
			return r.noteError(rows.Err(), all, names)
		},
	}, {
		name: "`Raw(...).Row`, no row", why: "sql.ErrNoRows as usual", tables: tables,
		do: func(r *run) error {
			var name string
			_ = r.noteError(r.db.Raw("UPDATE products SET name = 'sofa' WHERE id = 1 RETURNING name").Row().Scan(&name))
			return nil
		},
	}, {
		name: "a data-modifying WITH in front of a SELECT", why: "the statement begins as a query and ends as one", on: postgresEngine, tables: tables, given: products(1, 2),
		want: []string{"raw delete product 1"},
		do: func(r *run) error {
			var n int
			return r.note(r.db.Raw("WITH gone AS (DELETE FROM products WHERE id = ? RETURNING *) SELECT count(*) FROM gone", 1).Scan(&n), &n)
		},
	}, {
		name: "reads", why: "write keywords inside names, literals, comments and locks do not count", tables: tables, given: products(1),
		do: func(r *run) error {
			var n int
			for _, q := range []string{
				"SELECT count(*) FROM products WHERE name <> 'delete from products'",
				"SELECT 1 /* update products set name = 1 */ -- insert into products",
				`SELECT replace(name, 'a', 'b') AS "update" FROM products`,
				"WITH a AS (SELECT 1 AS n) SELECT n FROM a",
				"VALUES (1)",
			} {
				if err := r.note(r.db.Raw(q).Scan(&n)); err != nil {
					return err
				}
			}
			if r.engine == postgresEngine {
				return r.note(r.db.Raw("SELECT id FROM products FOR UPDATE").Scan(&n), &n)
			}
			return r.note(r.db.Exec("PRAGMA optimize"))
		},
	}, {
		name: "EXPLAIN and GRANT", why: "they name writes, but do not write", tables: tables, given: products(1),
		do: func(r *run) error {
			if r.engine == sqliteEngine {
				return r.note(r.db.Raw("EXPLAIN QUERY PLAN UPDATE products SET name = 'x'").Scan(&[]map[string]any{}))
			}
			return errors.Join(
				r.note(r.db.Raw("EXPLAIN UPDATE products SET name = 'x'").Scan(&[]string{})),
				r.note(r.db.Exec("GRANT INSERT, UPDATE, DELETE, TRUNCATE ON products TO CURRENT_USER")),
				r.note(r.db.Exec("REVOKE TRUNCATE ON products FROM PUBLIC")),
				r.note(r.db.Exec("COMMENT ON TABLE products IS 'delete from products'")),
			)
		},
	}, {
		name: "functions, procedures and DO", why: "their text does not show what they do: they are not recorded", on: postgresEngine, tables: []string{"counters"},
		do: func(r *run) error {
			var n int
			return errors.Join(
				r.note(r.db.Raw("SELECT count_up()").Scan(&n), &n), r.note(r.db.Exec("DO $$ BEGIN PERFORM count_up(); END $$")),
			)
		},
	}, {
		name: "changes of the schema", why: "they do not change rows", tables: tables, given: products(1),
		do: exec("CREATE TABLE fleeting (id bigint)", "CREATE INDEX fleeting_id ON fleeting (id)", "ALTER TABLE fleeting ADD COLUMN name text", "DROP TABLE fleeting"),
	}, {
		name: "raw SQL that fails", why: "the caller's error is the database's", tables: tables, given: products(1, 2),
		do: func(r *run) error { return r.note(r.db.Exec("UPDATE products SET code = 'p1' WHERE id = 2")) },
	}, {
		name: "raw SQL in a transaction that is rolled back", why: "it did not happen", tables: tables, given: products(1),
		do: func(r *run) error {
			_ = r.noteError(r.db.Transaction(func(tx *gorm.DB) error {
				if err := r.note(tx.Exec("DELETE FROM products")); err != nil {
					return err
				}
				return errRefused
			}))
			return nil
		},
	}}
	for _, tr := range list {
		tr.opaque = true
	}
	return list
}
