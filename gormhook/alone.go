package gormhook

import (
	"database/sql"
	"reflect"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/infrakitchen/audit/trail"
)

// alone reports whether the statement that is about to be built is all that
// its implicit transaction would hold: one statement of PostgreSQL is its own
// transaction. Whatever might add to it (a hook of the model, an association,
// somebody else's callback) keeps the transaction.
func (h *hook) alone(db *gorm.DB, op trail.Operation, p processor) bool {
	stmt := db.Statement
	switch {
	case h.dialect != postgresName, h.plugin.KeepTransaction, h.plugin.Portable, h.plugin.BestEffort, h.plugin.MaxRows > 0,
		db.DryRun, stmt.Schema == nil, textual(stmt), len(stmt.Joins) > 0,
		transaction(stmt.ConnPool) != nil, trail.Skipped(stmt.Context):
		return false
	}
	if !stmt.SkipHooks && hooked(stmt.Schema, op) {
		return false
	}
	s := h.subjectOf(stmt, "")
	if s.excluded {
		return false
	}
	name, ok := h.quoted.load(stmt.Table)
	if !ok {
		return false // known after the first statement
	}
	t, ok := h.tables.cached(h.tableKey(s, name))
	if !ok || !t.plain || t.after || t.deferred || op == trail.OpUpdate && t.identity(s) == nil {
		return false
	}
	return !h.foreign.in(p) && !associated(stmt, op) && !scans(stmt, op, s)
}

// scans reports whether what comes back may not be taken, by the application's own
// code or by a field that is too small: GORM would roll the change back.
func scans(stmt *gorm.Statement, op trail.Operation, s *subject) bool {
	if _, asked := stmt.Clauses["RETURNING"]; asked {
		return s.scans
	}
	return op == trail.OpInsert && s.scansDefaults
}

var scannerType = reflect.TypeFor[sql.Scanner]()

// scanner reports whether a field is filled in by code that may fail on what the
// database returns. The scanners of database/sql, of GORM and of UUIDs do not; but
// infinity does not fit into a time.Time, and a number may be out of range.
func scanner(f *schema.Field) bool {
	t := f.IndirectFieldType
	switch {
	case f.Serializer != nil, strings.Contains(strings.ToLower(f.DefaultValue), "infinity"):
		return true
	case narrow(f):
		return true
	case t.PkgPath() == "database/sql", t.PkgPath() == "gorm.io/gorm", t.Kind() == reflect.Array && t.Len() == 16:
		return false
	default:
		return reflect.PointerTo(t).Implements(scannerType)
	}
}

// narrow reports whether a number in a field's column may be out of its range:
// the field has fewer than 64 bits, or no sign. A key of 32 bits or more does not
// count, as it counts up from one.
func narrow(f *schema.Field) bool {
	t := f.IndirectFieldType
	if t.PkgPath() == "database/sql" && t.Kind() == reflect.Struct && t.NumField() > 0 {
		t = t.Field(0).Type // of sql.NullInt32 and the like
	}
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Float32, reflect.Float64:
		return f.DBName != "" && t.Bits() < 64 && !(f.PrimaryKey && t.Bits() == 32)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return f.DBName != "" && !(f.PrimaryKey && t.Bits() >= 32)
	default:
		return false
	}
}

// hooked reports whether the model has methods that GORM calls on op.
func hooked(s *schema.Schema, op trail.Operation) bool {
	switch op {
	case trail.OpInsert:
		return s.BeforeSave || s.BeforeCreate || s.AfterCreate || s.AfterSave
	case trail.OpUpdate:
		return s.BeforeSave || s.BeforeUpdate || s.AfterUpdate || s.AfterSave
	default:
		return s.BeforeDelete || s.AfterDelete
	}
}

// associated reports whether the statement may save or delete associations.
func associated(stmt *gorm.Statement, op trail.Operation) bool {
	relations := stmt.Schema.Relationships.Relations
	if len(relations) == 0 {
		return false
	}
	if op == trail.OpDelete {
		return len(stmt.Selects) > 0
	}
	for _, v := range []any{stmt.Dest, stmt.Model} {
		if holdsAssociations(stmt, relations, reflect.ValueOf(v)) {
			return true
		}
	}
	return false
}

func holdsAssociations(stmt *gorm.Statement, relations map[string]*schema.Relationship, v reflect.Value) bool {
	v = reflect.Indirect(v)
	switch v.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if holdsAssociations(stmt, relations, v.Index(i)) {
				return true
			}
		}
		return false
	case reflect.Map:
		for name, r := range relations {
			if r.Schema != stmt.Schema {
				continue
			}
			if v.Type().Key().Kind() != reflect.String || v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())).IsValid() {
				return true
			}
		}
		return false
	case reflect.Struct:
		if v.Type() != stmt.Schema.ModelType {
			return false // the columns of another type; GORM saves none of its associations
		}
		for _, r := range relations {
			if r.Schema != stmt.Schema || r.Field == nil || r.Field.Schema != stmt.Schema {
				continue // the other side's: GORM records a has relation on the child too
			}
			if _, zero := r.Field.ValueOf(stmt.Context, v); !zero {
				return true
			}
		}
		return false
	default:
		return true
	}
}
