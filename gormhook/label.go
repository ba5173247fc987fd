package gormhook

import (
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/infrakitchen/audit/trail"
)

// label returns the label of the nth row.
func (r *request) label(n, of int, img *image) string {
	if r.names != nil {
		if len(r.names) == 1 && of > 1 || n >= len(r.names) {
			return ""
		}
		return r.names[n]
	}
	if i, ok := r.table.column(r.subject.name); ok && r.subject.name != "" && r.subject.rule(r.subject.name) == ruleShow {
		if text := unquoteJSON(img.values[i]); text != "null" {
			return text
		}
	}
	return ""
}

// names returns the labels of the rows that the statement names by values: of
// those that are inserted, in their order, or of the one that a model with a
// key stands for. It is nil where the model has no labels of its own.
func (c *capture) names(s *subject, t *table) []string {
	if !s.namer {
		return nil
	}
	stmt := c.db.Statement
	switch v := stmt.ReflectValue; v.Kind() {
	case reflect.Struct:
		if v.Type() != s.schema.ModelType || c.deleted && !keyed(stmt, s.schema, v) {
			return nil
		}
		_, creating := stmt.Clauses["VALUES"]
		if !creating && !keyed(stmt, s.schema, v) {
			return nil
		}
		name := nameOf(v)
		if !creating && name == s.blank {
			return nil // it says which row, and nothing of it
		}
		return []string{name}
	case reflect.Slice, reflect.Array:
		if _, creating := stmt.Clauses["VALUES"]; !creating || v.Len() == 0 {
			return nil
		}
		if _, conflict := stmt.Clauses["ON CONFLICT"]; conflict {
			return nil // rows may be skipped, so the order says nothing
		}
		if t.rewritten {
			return nil // nor if a trigger may do so
		}
		names := make([]string, v.Len())
		for i := range names {
			e := reflect.Indirect(v.Index(i))
			if e.Kind() != reflect.Struct || e.Type() != s.schema.ModelType {
				return nil
			}
			names[i] = nameOf(e)
		}
		return names
	default:
		return nil
	}
}

func keyed(stmt *gorm.Statement, sch *schema.Schema, v reflect.Value) bool {
	for _, f := range sch.PrimaryFields {
		if _, zero := f.ValueOf(stmt.Context, v); zero {
			return false
		}
	}
	return len(sch.PrimaryFields) > 0
}

// maxName bounds a label, in characters.
const maxName = 256

func nameOf(v reflect.Value) string {
	var value any
	if v.CanAddr() {
		value = v.Addr().Interface()
	} else {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		value = p.Interface()
	}
	n, ok := value.(Namer)
	if !ok {
		return ""
	}
	return trail.Printable(n.AuditName(), maxName)
}
