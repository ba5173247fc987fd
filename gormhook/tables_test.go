package gormhook_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"
)

// The models of tables that are made by hand.

// Widget has a key that the database makes.
type Widget struct {
	ID   string `gorm:"default:(none)"`
	Name string
}

// Invoice has a column that is computed from others.
type Invoice struct {
	ID, Net, Tax int64
	Gross        int64 `gorm:"->"`
}

// Badge is changed by a trigger as it is written.
type Badge struct {
	ID       int64
	Name     string
	Slug     string `gorm:"->"`
	Revision int    `gorm:"->"`
}

// Parcel is changed by a trigger once it has been written.
type Parcel struct {
	ID       int64
	Name     string
	Revision int `gorm:"->"`
}

// Atom is kept without a rowid.
type Atom struct {
	Symbol string `gorm:"primaryKey"`
	Mass   int    `gorm:"primaryKey"`
	Weight int
}

// Measure is kept in partitions.
type Measure struct {
	Region int64 `gorm:"primaryKey;autoIncrement:false"`
	Number int64 `gorm:"primaryKey;autoIncrement:false"`
	Value  int
}

// Thing is kept in another schema.
type Thing struct {
	ID   int64
	Name string
}

func (Thing) TableName() string { return "elsewhere.things" }

// Ledger has conditions.
type Ledger struct {
	ID      int64
	Balance int64
}

// Moment has a key of types whose text is not what the database shows.
type Moment struct {
	At   time.Time `gorm:"primaryKey"`
	Raw  []byte    `gorm:"primaryKey"`
	Flag bool      `gorm:"primaryKey"`
	Note string
}

// Flagged is deleted softly by a number that is zero while the row lives.
type Flagged struct {
	ID      int64
	Name    string
	Deleted deletedFlag
}

// deletedFlag is what soft-delete plugins for GORM keep instead of a time.
type deletedFlag uint

func (deletedFlag) QueryClauses(f *schema.Field) []clause.Interface {
	return []clause.Interface{flagClause{field: f}}
}

func (deletedFlag) UpdateClauses(f *schema.Field) []clause.Interface {
	return []clause.Interface{flagClause{field: f}}
}

func (deletedFlag) DeleteClauses(f *schema.Field) []clause.Interface {
	return []clause.Interface{flagClause{field: f, deletes: true}}
}

type flagClause struct {
	field   *schema.Field
	deletes bool
}

func (flagClause) Name() string               { return "" }
func (flagClause) Build(clause.Builder)       {}
func (flagClause) MergeClause(*clause.Clause) {}

func (c flagClause) ModifyStatement(stmt *gorm.Statement) {
	if stmt.SQL.Len() > 0 || stmt.Unscoped {
		return
	}
	column := clause.Column{Table: clause.CurrentTable, Name: c.field.DBName}
	alive := clause.Where{Exprs: []clause.Expression{clause.Eq{Column: column, Value: 0}}}
	if !c.deletes {
		stmt.AddClause(alive)
		return
	}
	stmt.AddClause(clause.Set{{Column: clause.Column{Name: c.field.DBName}, Value: 1}})
	_, keys := schema.GetIdentityFieldValuesMap(stmt.Context, stmt.ReflectValue, stmt.Schema.PrimaryFields)
	if name, values := schema.ToQueryValues(stmt.Table, stmt.Schema.PrimaryFieldDBNames, keys); len(values) > 0 {
		stmt.AddClause(clause.Where{Exprs: []clause.Expression{clause.IN{Column: name, Values: values}}})
	}
	stmt.AddClause(alive)
	stmt.AddClauseIfNotExists(clause.Update{})
	stmt.Build("UPDATE", "SET", "WHERE")
}

// Animal has a table that others inherit from.
type Animal struct {
	ID   int64
	Name string
}

// Swap has a unique column that is checked when the transaction ends.
type Swap struct {
	ID, Other int64
}

// Frozen is passed over by a trigger once it has the name.
type Frozen struct {
	ID   int64
	Name string
}

func (Frozen) TableName() string { return "frozen" }

// landmark has a key of types that PostgreSQL alone has.
func landmark(n, note string) map[string]any {
	return map[string]any{"n": n, "d": "2026-02-28", "i": "10.0.0.1", "c": "ab", "m": "glad", "note": note}
}

// Guarded is passed over by a trigger, by its name.
type Guarded struct {
	ID   int64
	Name string
}

func (Guarded) TableName() string { return "guarded" }

// Clash has columns that are called as what the plugin adds to statements.
type Clash struct {
	ID                                                                    int64
	AuditID                                                               int64
	AuditEntity, AuditBefore, AuditAfter, AuditName, AuditEvent, AuditRow string
	AuditK0                                                               int64 `gorm:"column:audit_k0"`
	AuditO1                                                               int64 `gorm:"column:audit_o1"`
}

func handmade() []*relation {
	wide := "CREATE TABLE wides (id bigint PRIMARY KEY"
	for _, c := range wideColumns() {
		wide += ", " + c + " text"
	}
	return []*relation{
		{table: "wides", model: "wide", ddl: []string{wide + ")"}},
		{table: "readings", model: "reading", ddl: []string{`CREATE TABLE readings (sensor text, value integer)`}},
		{table: "looses", model: "loose", ddl: []string{`CREATE TABLE looses (id bigint, name text)`}, key: []string{"id"}},
		{table: "widgets", model: "widget", ddlOn: map[string][]string{
			sqliteEngine:   {`CREATE TABLE widgets (id text PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))), name text)`},
			postgresEngine: {`CREATE TABLE widgets (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text)`},
		}},
		{table: "invoices", model: "invoice", ddlOn: map[string][]string{
			sqliteEngine: {`CREATE TABLE invoices (id bigint PRIMARY KEY, net bigint, tax bigint, gross bigint GENERATED ALWAYS AS (net + tax) STORED,
				half bigint GENERATED ALWAYS AS (net / 2) VIRTUAL)`},
			postgresEngine: {`CREATE TABLE invoices (id bigint PRIMARY KEY, net bigint, tax bigint, gross bigint GENERATED ALWAYS AS (net + tax) STORED)`},
		}},
		{table: "badges", model: "badge", on: postgresEngine, ddl: []string{
			`CREATE TABLE badges (id bigint PRIMARY KEY, name text, slug text, revision integer NOT NULL DEFAULT 0)`,
			`CREATE FUNCTION badge_written() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				NEW.slug := lower(NEW.name);
				NEW.revision := NEW.revision + 1;
				RETURN NEW;
			END $$`,
			`CREATE TRIGGER badge_written BEFORE INSERT OR UPDATE ON badges FOR EACH ROW EXECUTE FUNCTION badge_written()`,
		}},
		{
			table: "parcels", model: "parcel",
			ddl: []string{`CREATE TABLE parcels (id bigint PRIMARY KEY, name text, revision integer NOT NULL DEFAULT 0)`},
			ddlOn: map[string][]string{
				sqliteEngine: {
					`CREATE TRIGGER parcel_made AFTER INSERT ON parcels BEGIN UPDATE parcels SET revision = 1 WHERE id = NEW.id; END`,
					`CREATE TRIGGER parcel_changed AFTER UPDATE OF name ON parcels BEGIN UPDATE parcels SET revision = revision + 1 WHERE id = NEW.id; END`,
				},
				postgresEngine: {
					`CREATE FUNCTION parcel_written() RETURNS trigger LANGUAGE plpgsql AS $$
					BEGIN
						IF pg_trigger_depth() = 1 THEN
							UPDATE parcels SET revision = revision + 1 WHERE id = NEW.id;
						END IF;
						RETURN NULL;
					END $$`,
					`CREATE TRIGGER parcel_written AFTER INSERT OR UPDATE ON parcels FOR EACH ROW EXECUTE FUNCTION parcel_written()`,
				},
			},
		},
		{table: "ledgers", model: "ledger", ddl: []string{
			`CREATE TABLE ledgers (id bigint PRIMARY KEY, balance bigint NOT NULL CONSTRAINT solvent CHECK (balance >= 0))`,
		}},
		{table: "guarded", model: "guarded", on: postgresEngine, ddl: []string{
			`CREATE TABLE guarded (id bigint PRIMARY KEY, name text)`,
			`CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				IF TG_OP = 'DELETE' THEN
					RETURN CASE WHEN OLD.name LIKE 'shut%' THEN NULL ELSE OLD END;
				END IF;
				RETURN CASE WHEN NEW.name LIKE 'shut%' THEN NULL ELSE NEW END;
			END $$`,
			`CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON guarded FOR EACH ROW EXECUTE FUNCTION guard()`,
		}},
		{table: "frozen", model: "frozen", on: postgresEngine, ddl: []string{
			`CREATE TABLE frozen (id bigint PRIMARY KEY, name text)`,
			`CREATE FUNCTION keep_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN
				RETURN CASE WHEN OLD.name = 'frozen' THEN NULL ELSE NEW END;
			END $$`,
			`CREATE TRIGGER keep_frozen BEFORE UPDATE ON frozen FOR EACH ROW EXECUTE FUNCTION keep_frozen()`,
		}},
		{table: "landmarks", model: "landmark", on: postgresEngine, ddl: []string{
			`CREATE TABLE landmarks (n numeric(10,2), d date, i inet, c char(4), m mood, note text, PRIMARY KEY (n, d, i, c, m))`,
		}},
		{table: "counters", model: "counter", on: postgresEngine, key: []string{"n"}, ddl: []string{
			`CREATE TABLE counters (n integer)`,
			`CREATE FUNCTION count_up() RETURNS integer LANGUAGE sql AS 'INSERT INTO counters SELECT count(*) FROM counters RETURNING n'`,
		}},
		{table: "clashes", model: "clash", ddl: []string{
			`CREATE TABLE clashes (id bigint PRIMARY KEY, audit_id bigint, audit_entity text, audit_before text, audit_after text,
				audit_name text, audit_event text, audit_row text, audit_k0 bigint, audit_o1 bigint)`,
		}},
		{table: "audit_old", model: "audit_old", ddl: []string{`CREATE TABLE audit_old (id bigint PRIMARY KEY, name text)`}},
		{table: "audit_new", model: "audit_new", ddl: []string{`CREATE TABLE audit_new (id bigint PRIMARY KEY, name text)`}},
		{table: "my_audit_logs", model: "my_audit_log", ddl: []string{`CREATE TABLE my_audit_logs (id bigint PRIMARY KEY, name text)`}},
		{table: "quotes", model: "quote", ddl: []string{
			`CREATE TABLE quotes (id bigint PRIMARY KEY, plain text, "say ""hi""" text DEFAULT 'a', "back\slash" text DEFAULT 'b',
				"new` + "\n" + `line" text DEFAULT 'c', "👩‍👧" text DEFAULT 'd', "it's" text DEFAULT 'e', "a.b" text DEFAULT 'f', "%s" text DEFAULT 'g')`,
		}},
		{table: "shadows", model: "shadow", on: sqliteEngine, ddl: []string{`CREATE TABLE shadows (code text PRIMARY KEY, rowid text, name text)`}},
		{table: "swaps", model: "swap", ddlOn: map[string][]string{
			sqliteEngine:   {`CREATE TABLE swaps (id bigint PRIMARY KEY, other bigint UNIQUE)`},
			postgresEngine: {`CREATE TABLE swaps (id bigint PRIMARY KEY, other bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)`},
		}},
		{table: "flaggeds", model: "flagged", of: &Flagged{}},
		{table: "moments", model: "moment", of: &Moment{}},
		{table: "front_tags", model: "front_tag", on: sqliteEngine, view: true, key: []string{"id"}, ddl: []string{
			`CREATE VIEW front_tags AS SELECT id, name FROM tags`,
			`CREATE TRIGGER front_made INSTEAD OF INSERT ON front_tags BEGIN INSERT INTO tags (id, name) VALUES (NEW.id, NEW.name); END`,
			`CREATE TRIGGER front_changed INSTEAD OF UPDATE ON front_tags BEGIN UPDATE tags SET name = NEW.name WHERE id = OLD.id; END`,
			`CREATE TRIGGER front_gone INSTEAD OF DELETE ON front_tags BEGIN DELETE FROM tags WHERE id = OLD.id; END`,
		}},
		{table: "animals", model: "animal", on: postgresEngine, ddl: []string{`CREATE TABLE animals (id bigint PRIMARY KEY, name text)`}},
		{table: "cats", model: "cat", on: postgresEngine, ddl: []string{`CREATE TABLE cats (lives integer DEFAULT 9, PRIMARY KEY (id)) INHERITS (animals)`}},
		{table: "atoms", model: "atom", on: sqliteEngine, ddl: []string{
			`CREATE TABLE atoms (symbol text, mass integer, weight integer, PRIMARY KEY (symbol, mass)) WITHOUT ROWID`,
		}},
		{table: "measures", model: "measure", on: postgresEngine, ddl: []string{
			`CREATE TABLE measures (region bigint, number bigint, value integer, PRIMARY KEY (region, number)) PARTITION BY LIST (region)`,
			`CREATE TABLE measures_1 PARTITION OF measures FOR VALUES IN (1)`,
			`CREATE TABLE measures_2 (value integer, number bigint NOT NULL, region bigint NOT NULL)`, // columns in another order
			`ALTER TABLE measures ATTACH PARTITION measures_2 FOR VALUES IN (2)`,
			`CREATE TABLE measures_rest PARTITION OF measures DEFAULT`,
		}},
		{table: "elsewhere.things", model: "thing", on: postgresEngine, ddl: []string{
			`CREATE SCHEMA elsewhere`, `CREATE TABLE elsewhere.things (id bigint PRIMARY KEY, name text)`,
		}},
		{table: "lamps", model: "lamp", on: postgresEngine, view: true, key: []string{"id"}, ddl: []string{
			`CREATE VIEW lamps AS SELECT id, code, name, stock FROM products`,
		}},
	}
}

func wideColumns() []string {
	list := make([]string, 120)
	for i := range list {
		list[i] = "c" + strconv.Itoa(i)
	}
	return list
}

// digest is what stands for a secret in an entity id.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])
}
