package gormhook

import (
	"strings"
	"unicode/utf8"
)

// naming is how a database of a dialect tells names apart. What is said of a
// table or a column holds for every spelling of its name that the database
// takes, or a secret would be one of a single spelling.
type naming string

// maxIdentifier is how much PostgreSQL keeps of a name, in bytes.
const maxIdentifier = 63

// table returns the name of a table as it is compared: a name of SQLite's has no
// case; one of PostgreSQL's has, for GORM quotes it, but may be too long.
func (n naming) table(name string) string {
	if n == sqliteName {
		return strings.ToLower(name)
	}
	if len(name) <= maxIdentifier {
		return name
	}
	parts := strings.Split(name, ".")
	for i := range parts {
		parts[i] = n.kept(parts[i])
	}
	return strings.Join(parts, ".")
}

// column returns the name of a column as it is compared: a database may spell it
// in another case than the model.
func (n naming) column(name string) string { return strings.ToLower(n.kept(name)) }

// kept is what the database keeps of a name: PostgreSQL cuts what is too long,
// between two characters.
func (n naming) kept(name string) string {
	if n == sqliteName || len(name) <= maxIdentifier {
		return name
	}
	end := maxIdentifier
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// bareName returns a table's name without its schema and quotes.
func bareName(table string) string {
	if i := strings.LastIndexByte(table, '.'); i >= 0 {
		table = table[i+1:]
	}
	return strings.Trim(table, "\"`[]")
}
