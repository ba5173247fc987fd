package store_test

import (
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
)

// gooseOf returns goose with the migrations of a dialect, as its command has them.
func gooseOf(t *testing.T, db *gorm.DB, opts ...goose.ProviderOption) *goose.Provider {
	t.Helper()
	dialect := goose.DialectPostgres
	if db.Name() == "sqlite" {
		dialect = goose.DialectSQLite3
	}
	conn, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(dialect, conn, os.DirFS("migrations/"+db.Name()), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A role that finds the trail in a schema behind its own does not get a second
// one. It may call Migrate all the same, as long as there is nothing to migrate.
func TestMigrateBehindTheOwner(t *testing.T) {
	admin := testdb.Postgres(t)
	role, password := "app_"+strings.ToLower(rand.Text()), rand.Text()
	owner := engines[1].open(t, admin+"&search_path=audit")
	for _, statement := range []string{
		`CREATE SCHEMA audit`,
		`CREATE ROLE ` + role + ` LOGIN PASSWORD '` + password + `'`,
		`GRANT USAGE ON SCHEMA audit TO ` + role,
		`GRANT CREATE ON SCHEMA public TO ` + role, // or PostgreSQL 15 would refuse by itself
	} {
		if err := owner.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := owner.Exec(`DROP OWNED BY ` + role + `; DROP ROLE ` + role).Error; err != nil {
			t.Error(err)
		}
	})
	migrated(t, owner)
	u, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	app := engines[1].open(t, u.String()+"&search_path=public,audit")
	refuses := func(reason string) {
		t.Helper()
		err := store.Migrate(t.Context(), app)
		if err == nil {
			t.Fatal("a second trail was made")
		}
		for _, want := range []string{"the schema public", "the schema audit", "the owner", "search_path", reason} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %q", err, want)
			}
		}
		if got := owner.Exec(`SELECT FROM public.audit_logs`).Error; got == nil {
			t.Error("a second trail was made")
		}
	}
	run := func(statement string) {
		t.Helper()
		if err := owner.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	refuses("cannot be read")
	run(`GRANT SELECT ON audit_logs, audit_outcomes, execution_logs, audit_migrations TO ` + role)
	run(`DROP TABLE ` + named("audit_logs", month(t, owner, 3)))
	if err := store.Migrate(t.Context(), app); err != nil {
		t.Error(err)
	}
	if n := len(partitions(t, owner, "audit_logs")); n != 5 {
		t.Errorf("%d partitions, 5 expected", n)
	}
	run(`UPDATE audit_migrations SET version_id = 0`)
	refuses("older version")
}

// What a newer version of the package has migrated, an older one leaves alone:
// the two run side by side while a service is replaced.
func TestMigrateLeavesNewerVersions(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		if err := db.Exec(`INSERT INTO audit_migrations (version_id, is_applied) VALUES (2, true)`).Error; err != nil {
			t.Fatal(err)
		}
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if n := count(t, db, "audit_migrations"); n != 3 {
			t.Errorf("%d versions, 3 expected", n)
		}
		record(t, s, entry(noon))
	})
}

// A trail whose version is in another table is not migrated, and can be after
// what the error says.
func TestMigrateWithoutVersions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if _, err := gooseOf(t, db).Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := store.Migrate(t.Context(), db)
		if err == nil || !strings.Contains(err.Error(), "rename that to audit_migrations") {
			t.Fatalf("got %v, want an error that says what to rename", err)
		}
		if err := db.Exec(`ALTER TABLE goose_db_version RENAME TO audit_migrations`).Error; err != nil {
			t.Fatal(err)
		}
		migrated(t, db)
	})
}

// Nobody takes a trail back by mistake, nor its version alone.
func TestMigrateDown(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, s *store.Store) {
		record(t, s, entry(noon))
		_, err := gooseOf(t, db, goose.WithTableName("audit_migrations")).Down(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the trail is kept") {
			t.Errorf("got %v, want a refusal", err)
		}
		if n := count(t, db, "audit_migrations WHERE version_id = 1"); n != 1 {
			t.Error("the version was forgotten")
		}
		if n := count(t, db, "audit_logs"); n != 1 {
			t.Errorf("%d entries, 1 expected", n)
		}
	})
}
