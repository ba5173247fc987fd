package store

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

var (
	// ErrNotMigrated is wrapped, together with the database's error, if a table,
	// a column or a function of the trail is not found.
	ErrNotMigrated = errors.New("the tables of the trail are missing, of an older version, or not on the search_path: run store.Migrate")
	// ErrPartition is wrapped by the error for partitions that could not be made,
	// as the default partition has rows of their month already. Entries are kept
	// and read all the same. To mend it the owner runs, in one transaction and with
	// the name of the table:
	//
	//	ALTER TABLE audit_logs DETACH PARTITION audit_logs_default;
	//	ALTER TABLE audit_logs_default RENAME TO audit_logs_left;
	//	CREATE TABLE audit_logs_default PARTITION OF audit_logs DEFAULT;
	//	CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs_default
	//	  FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change(); -- not for execution_logs
	//	SELECT audit_make_partitions(3);
	//	INSERT INTO audit_logs SELECT * FROM audit_logs_left;
	//	DROP TABLE audit_logs_left;
	ErrPartition = errors.New("store: the default partition has rows of months whose partitions are therefore not made; " +
		"it goes on to take such rows (store.ErrPartition says how to move them)")
	// ErrNotFound is returned if there is no entry or trace with an id.
	ErrNotFound = errors.New("store: not found")
	// ErrInvalid is wrapped by the error for an entry, an outcome or a setting
	// that cannot be used as it is. Nothing has been written then.
	ErrInvalid = errors.New("store: invalid")
	// ErrQuery is wrapped by the error for an invalid query: an unknown sort, a
	// limit out of range, a cursor of another query.
	ErrQuery = errors.New("store: invalid query")
)

// SQLSTATEs that the package acts on.
const (
	uniqueViolation  = "23505"
	deadlock         = "40P01"
	undefinedTable   = "42P01"
	lockNotAvailable = "55P03"
)

// state returns the SQLSTATE of an error of PostgreSQL, or nothing.
func state(err error) string {
	if err == nil { // most are, and looking into an error allocates
		return ""
	}
	var pg interface{ SQLState() string } // as drivers have it
	if errors.As(err, &pg) {
		return pg.SQLState()
	}
	return ""
}

// SQLite's result codes for values that it refuses.
const (
	sqliteTooBig     = 18
	sqliteConstraint = 19 // also what a trigger raises
	sqliteMismatch   = 20
)

// sqliteCode returns the primary result code of an error of SQLite, or 0.
func sqliteCode(err error) int {
	var modern interface{ Code() int } // modernc.org/sqlite
	if errors.As(err, &modern) {
		return modern.Code() & 0xff
	}
	for ; err != nil; err = errors.Unwrap(err) { // mattn/go-sqlite3 has no method for it
		if v := reflect.ValueOf(err); v.Kind() == reflect.Struct {
			if code := v.FieldByName("Code"); code.IsValid() && code.CanInt() {
				return int(code.Int()) & 0xff
			}
		}
	}
	return 0
}

// missing are PostgreSQL's SQLSTATEs for missing objects.
var missing = map[string]bool{
	undefinedTable: true,
	"42703":        true, // undefined_column
	"42883":        true, // undefined_function
	"3F000":        true, // invalid_schema_name
}

// explain wraps an error of the database once, with what was being done, and
// with [ErrNotMigrated] if that is the cause.
func explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if notMigrated(err) {
		return fmt.Errorf("store: %s: %w: %w", doing, ErrNotMigrated, err)
	}
	return fmt.Errorf("store: %s: %w", doing, err)
}

func notMigrated(err error) bool {
	if code := state(err); code != "" {
		return missing[code]
	}
	text := err.Error() // SQLite has one code for everything wrong with a statement
	return strings.Contains(text, "no such table: ") || strings.Contains(text, "no such column: ") ||
		strings.Contains(text, "has no column named ")
}
