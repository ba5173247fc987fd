package gormhook_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const capturePage = "../docs/capture.md"

// documented checks that docs/capture.md says what the suite does, or writes
// it with -update.
func documented(t *testing.T) {
	page := captureDocument(t)
	if *update {
		if err := os.MkdirAll("../docs", 0o755); err != nil { //nolint:gosec // a folder of the repository
			t.Fatal(err)
		}
		if err := os.WriteFile(capturePage, []byte(page), 0o644); err != nil { //nolint:gosec // a file of the repository
			t.Fatal(err)
		}
	}
	there, err := os.ReadFile(capturePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(there), page); diff != "" {
		t.Errorf("docs/capture.md is out of date, run `go test ./gormhook -run TestConformance -update` (-there +due):\n%s", diff)
	}
}

const captureHead = `<!-- Written by "go test ./gormhook -run TestConformance -update": change the suite, not this page. -->

# What is captured

Every line below is a case of the conformance suite. Each is run on SQLite, on
PostgreSQL with one statement and on PostgreSQL with the portable path, and on
each of them in these ways:

%s
Each time the suite checks that

- the entries are exactly those of the line, in the order in which the changes
  took effect, each with its own id and the trace it belongs to;
- their images, applied to the old content of the tables, give the new content:
  an insert has the whole row, a delete the row as it was, an update only the
  columns that changed;
- the caller sees what it would see without the plugin: the same RowsAffected,
  the same error, the same values filled in, the same rows.

"create ×2 product" means two entries with the event create and the model
product. A soft delete is an update for the database and has the event delete.
"Summary" is one entry without images: it has the verb, the table, the number of
rows and the statement's text without its literals.

`

const captureTail = `## What cannot be seen

The plugin sees what goes through the gorm.DB that it is used on, and nothing
else. These changes leave no entry:

- Writes that bypass GORM: other programs, a console, another service on the same
  database, and this program's own *sql.DB or pgx connections. Revoke write
  privileges where that matters: docs/roles.md.
- Writes through a second gorm.DB on which the plugin is not used, and those under
  trail.Skip.
- Rows that triggers write: of other tables, other rows of the same table, or the
  row itself where the trigger turns the statement away (a BEFORE DELETE trigger
  that marks the row instead) or waits for the commit. What a trigger or a
  generated column changes in the row that is written is recorded, and so is what
  foreign keys do (ON DELETE CASCADE and similar), unless an upsert changes a key
  that others refer to, or ON DELETE SET DEFAULT applies to a table without its
  own key.
- Functions and procedures that write: SELECT of a function, CALL, DO, and EXECUTE
  of a statement that was prepared in SQL. Their text does not show what they do.
- Tables that a query fills: SELECT INTO, CREATE TABLE AS.
- COPY through a driver's own interface.
- What a foreign key or a trigger adds that another process has made, for up to a
  minute: as long is remembered what a table is like.

These leave an entry, but no images:

- Raw SQL. Plugin.Raw can refuse it instead. A script that begins or ends
  transactions, or that has a PRAGMA of SQLite's, runs as it is, in no transaction
  of the capture: its entry is written ahead of it, with the outcome pending, and
  without the entry it does not run.
- Statements of GORM's that a clause has made into others: a WITH in front of an
  INSERT, UPDATE or DELETE, UPDATE ONLY, or several conflict clauses.
- Views: the rows are another table's.
- Statements above Plugin.MaxRows, if it is set.
- Tables of a database that is attached to SQLite.

The caller may notice that the last generated number (lastval() of PostgreSQL,
last_insert_rowid() of SQLite) belongs to the entry. GORM itself does not ask for
it.

One statement of PostgreSQL's that is a transaction of its own may be committed,
with its entry, although its context ended while it waited for a lock: the answer
came too late. Where an application sets search_path or its role in SQL, each
audited write asks for the table that its name means, which takes a round trip.

Where another connection drops a column, the next write to its table fails if it
is in a transaction of PostgreSQL's: run that again, as after a serialization
failure.

A column of type json, not jsonb, that holds \u0000 or a number beyond numeric
cannot be imaged: the write fails. So does one of a row whose key takes more than
2.6 kB, which does not fit in an index.

Some distinctions are only as fine as the database's:

- Rows of a table without any key have entries without an entity id.
- JSON is compared as JSON: spacing and the order of keys are not changes. So it
  is with a date of SQLite's that has a time of day: only the date counts.
- Intervals, and times inside of composite types, multiranges and arrays of ranges,
  are spelled as the session's settings say.
- SQLite has no types of its own for flags and times: if a table is written
  without a model, a column is treated according to its declared type.
`

func captureDocument(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	var ways strings.Builder
	for _, m := range modes() {
		ways.WriteString("- " + m.way() + "\n")
	}
	fmt.Fprintf(&b, captureHead, ways.String())
	for _, c := range chapters() {
		fmt.Fprintf(&b, "## %s\n\n| Operation | SQLite | PostgreSQL | Why it is tried |\n|---|---|---|---|\n", c.title)
		for _, tr := range c.trials {
			cells := []string{tr.name, tr.recorded(t, sqliteEngine), tr.recorded(t, postgresEngine), tr.why}
			for i := range cells {
				cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
			}
			b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
		}
		b.WriteString("\n")
	}
	return b.String() + captureTail
}

// way is what a mode is called on the page.
func (m mode) way() string {
	return map[string]string{
		"default":                "with GORM's defaults",
		"SkipDefaultTransaction": "with SkipDefaultTransaction",
		"PrepareStmt":            "with PrepareStmt",
		"Transaction":            "inside db.Transaction",
		"savepoint":              "under a savepoint (a Transaction in a Transaction)",
		"another action":         "during an action of another entity: the rows carry its trace",
		"the entity's action":    "during an action of the entity: the first of its rows is the action",
		"the model's action":     "during an action that names only the model: its first row is the action",
	}[m.name]
}

// recorded is what a trial leaves in the trail, in words.
func (tr *trial) recorded(t *testing.T, engine string) string {
	t.Helper()
	if tr.on != "" && tr.on != engine {
		return "–"
	}
	type group struct {
		what  string
		times int
	}
	var groups []group
	for _, l := range parseWant(t, tr.wants(engine, modes()[0])) {
		verb, model, entity := splitLabel(l)
		what := verb + " " + model
		switch verb {
		case "insert":
			what = "create " + model
		case "softdelete":
			what = "soft delete " + model
		}
		if strings.HasPrefix(l, "raw ") {
			what = "summary: " + verb + " " + model + ", " + entity + " rows"
			switch entity {
			case "0":
				what = "summary: " + verb + " " + model + ", rows not counted"
			case "1":
				what = strings.TrimSuffix(what, "s")
			}
		}
		if n := len(groups); n > 0 && groups[n-1].what == what {
			groups[n-1].times++
		} else {
			groups = append(groups, group{what, 1})
		}
	}
	if len(groups) == 0 {
		return "nothing"
	}
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = g.what
		if g.times > 1 {
			verb, model, _ := strings.Cut(g.what, " ")
			if strings.HasPrefix(g.what, "soft delete ") {
				verb, model = "soft delete", strings.TrimPrefix(g.what, "soft delete ")
			}
			words[i] = fmt.Sprintf("%s ×%d %s", verb, g.times, model)
		}
	}
	return strings.Join(slices.Clip(words), ", ")
}
