package store_test

import (
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// script returns the SQL of docs/roles.md, block by block, with roles of names
// that no other test has.
func script(t *testing.T, owner, app, password string) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/roles.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"audit_owner", owner, " app ", " "+app+" ", " app;", " "+app+";",
		"'change me, too'", "'"+password+"'", "'change me'", "'"+password+"'",
	).Replace(string(page))
	var blocks []string
	for {
		_, rest, ok := strings.Cut(text, "```sql\n")
		if !ok {
			return blocks
		}
		block, rest, ok := strings.Cut(rest, "```")
		if !ok {
			t.Fatal("a block has no end")
		}
		blocks, text = append(blocks, block), rest
	}
}

// run runs statements on a connection of their own.
func run(t *testing.T, dsn, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

func TestRoles(t *testing.T) {
	admin := testdb.Postgres(t)
	suffix := strings.ToLower(rand.Text())
	owner, app, password := "audit_owner_"+suffix, "app_"+suffix, rand.Text()
	blocks := script(t, owner, app, password)
	if len(blocks) != 2 {
		t.Fatalf("docs/roles.md has %d blocks of SQL, 2 expected", len(blocks))
	}
	as := func(role string) string {
		u, err := url.Parse(admin)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(role, password)
		return u.String()
	}
	run(t, admin, blocks[0])
	dropped := engines[1].open(t, admin)
	t.Cleanup(func() {
		for _, role := range []string{app, owner} {
			if err := dropped.Exec(`DROP OWNED BY ` + role + ` CASCADE`).Error; err != nil {
				t.Error(err)
			}
			if err := dropped.Exec(`DROP ROLE ` + role).Error; err != nil {
				t.Error(err)
			}
		}
	})
	ownerDB := engines[1].open(t, as(owner))
	migrated(t, ownerDB)
	run(t, as(owner), blocks[1])

	db := engines[1].open(t, as(app))
	s, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Exec("CREATE TEMPORARY TABLE things (id int)").Error; err != nil {
		t.Fatal(err)
	}

	t.Run("may", func(t *testing.T) {
		e := entry(month(t, db, 0))
		record(t, s, e, entry(noon), entry(noon))
		if err := s.Finish(t.Context(), finished(e.TraceID)); err != nil {
			t.Error(err)
		}
		if err := db.Transaction(func(tx *gorm.DB) error {
			return store.Insert(t.Context(), tx.Statement.ConnPool, "postgres", []trail.Entry{entry(noon)})
		}); err != nil {
			t.Error(err)
		}
		if found := entries(t, s, store.Query{}); len(found) != 4 {
			t.Errorf("%d entries, 4 expected", len(found))
		}
		logged := line(e.TraceID, 1)
		for range 2 { // by COPY, and again without it
			write(t, s, logged)
		}
		insertLine(t, db, line(e.TraceID, 1))
		if lines, err := s.Lines(t.Context(), e.TraceID, 1); err != nil || len(lines) != 1 {
			t.Errorf("got %v, %v, want a line", lines, err)
		}
		if _, err := s.Events(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("may have partitions made", func(t *testing.T) {
		if err := ownerDB.Exec("DROP TABLE " + named("audit_logs", month(t, db, 3))).Error; err != nil {
			t.Fatal(err)
		}
		if err := store.MakePartitions(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if n := len(partitions(t, db, "audit_logs")); n != 5 {
			t.Errorf("%d partitions, 5 expected", n)
		}
	})

	for _, table := range []string{"audit_logs", "audit_outcomes"} {
		for _, name := range []string{table, named(table, month(t, db, 0)), table + "_default"} {
			name = "audit." + name
			// Not an error on the parents, where it has privileges: a warning.
			_ = db.Exec("GRANT ALL ON " + name + " TO " + app)
			for _, statement := range []string{
				"UPDATE " + name + " SET outcome = 'x'",
				"UPDATE " + name + " SET outcome = 'x' WHERE false",
				"DELETE FROM " + name,
				"TRUNCATE " + name,
				"DROP TABLE " + name,
				"ALTER TABLE " + name + " ADD COLUMN x int",
				"ALTER TABLE " + name + " RENAME TO x",
				"ALTER TABLE " + name + " DISABLE TRIGGER ALL",
				"ALTER TABLE " + name + " DISABLE TRIGGER audit_append_only",
				"ALTER TABLE " + name + " OWNER TO " + app,
				"DROP TRIGGER audit_append_only ON " + name,
				"CREATE TRIGGER x BEFORE INSERT ON " + name + " FOR EACH ROW EXECUTE FUNCTION audit.audit_refuse_change()",
				"CREATE RULE x AS ON INSERT TO " + name + " DO INSTEAD NOTHING",
				"LOCK TABLE " + name + " IN ACCESS EXCLUSIVE MODE",
			} {
				refused(t, db, statement)
			}
		}
	}
	for _, statement := range []string{
		"ALTER TABLE audit.audit_logs DETACH PARTITION audit.audit_logs_default",
		"INSERT INTO audit." + named("audit_logs", month(t, db, 0)) + " SELECT * FROM audit.audit_logs",
		"CREATE OR REPLACE FUNCTION audit.audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
		"DROP FUNCTION audit.audit_refuse_change() CASCADE",
		"CREATE TABLE audit.x (id int)",
		"DROP SCHEMA audit CASCADE",
		"SELECT setval('audit.audit_logs_seq', 1)",
		"SET session_replication_role = replica",
		"SET ROLE " + owner,
		"DELETE FROM audit.audit_migrations",
		"DELETE FROM audit.execution_logs",
	} {
		refused(t, db, statement)
	}
}

// refused tries a statement, which must fail for want of a privilege.
func refused(t *testing.T, db *gorm.DB, statement string) {
	t.Helper()
	err := db.Transaction(func(tx *gorm.DB) error { return tx.Exec(statement).Error })
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "42501" { // insufficient_privilege
		t.Errorf("%s: got %v, want a refusal for want of a privilege", statement, err)
	}
}
