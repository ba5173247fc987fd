package gormhook

import (
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
	"github.com/jinzhu/inflection"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/infrakitchen/audit/trail"
)

// Modeler names the model of a type in the trail. An empty name keeps its
// rows out of the trail.
type Modeler interface{ AuditModel() string }

// Namer labels a row in the trail, as people call it.
type Namer interface{ AuditName() string }

// subject is what the trail calls a table, and which of its columns it records.
// It is computed once for each model and table.
type subject struct {
	model string
	// collection is what a route calls the model: the singular of the table.
	collection string
	excluded   bool
	schema     *schema.Schema // nil for a table without a model
	namer      bool
	blank      string // the label of a row of which nothing is known
	name       string // the column that labels a row
	// softDelete is the column that marks a row as deleted, or empty.
	softDelete string
	rules      map[string]rule // by a column's name as it is compared
	ruled      atomic.Pointer[ruled]
	plugin     *Plugin
	names      naming
	// uncut are the names of columns that the database has cut.
	uncut map[string]string
	// invalid is what is wrong with the model's tags, or nil.
	invalid error
	// scans: a field is read by code of the application's; scansDefaults: one
	// that comes back from an insert.
	scans, scansDefaults bool
}

// rule is what becomes of a column's values, the stricter the later.
type rule uint8

const (
	ruleByName rule = iota // masked if the name is sensitive
	ruleShow
	ruleMask
	ruleOmit
	ruleDigest // of a masked column, to tell whether it changed
)

// ours are the tables of the trail itself, which are never audited.
var ours = map[string]bool{
	"audit_logs": true, "audit_outcomes": true, "execution_logs": true, "audit_migrations": true,
}

type subjectKey struct {
	schema *schema.Schema
	table  string
}

type subjects struct {
	names naming
	known memo[subjectKey, *subject]
	mu    sync.Mutex
	// models: a table's name, and its bare name behind a dot -> the schemas used
	// with it, the one that knows most first.
	models sync.Map
	// others counts the names in models that are not a model's own; rest are the
	// schemas used with tables for which there was no room.
	others int
	rest   []*schema.Schema
	told   sync.Map // *schema.Schema of a model that was read or named, not written
}

// maxNames bounds the names of tables that are not a model's own: an application
// may make them up.
var maxNames = 4096

// tell registers a model for its own table, before anything is written with it.
func (s *subjects) tell(sch *schema.Schema) {
	if _, known := s.told.Load(sch); known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.meet(sch, sch.Table) {
		s.known.clear()
	}
	s.told.Store(sch, true)
}

// subjectOf returns the subject of a statement. Where the text alone says which
// table it is, GORM knows an alias at best.
func (h *hook) subjectOf(stmt *gorm.Statement, query string) *subject {
	table := stmt.Table
	if textual(stmt) {
		if read, ok := h.parse(query); ok {
			table = strings.Join(read.names, ".")
		} else if s := summaryOf(query, h.dialect, nil); s.table != "" {
			table = s.table
		}
	}
	return h.subjects.named(&h.plugin, stmt.Schema, table)
}

// textual reports whether a statement may be of another table than GORM's
// Statement.Table: that is an expression, or a clause of the caller's names one.
func textual(stmt *gorm.Statement) bool {
	if stmt.TableExpr != nil {
		return true
	}
	for _, name := range []string{"INSERT", "UPDATE", "FROM"} {
		c, ok := stmt.Clauses[name]
		if !ok {
			continue
		}
		table := clause.Table{}
		switch e := c.Expression.(type) {
		case nil:
		case clause.Insert:
			table = e.Table
		case clause.Update:
			table = e.Table
		case clause.From:
			if len(e.Tables) > 0 {
				return true
			}
		default:
			return true
		}
		if c.Builder != nil || table.Name != "" && table.Name != clause.CurrentTable && table.Name != stmt.Table {
			return true
		}
	}
	return false
}

func (s *subjects) named(p *Plugin, sch *schema.Schema, table string) *subject {
	key := subjectKey{sch, table}
	if sub, ok := s.known.load(key); ok {
		return sub
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sch != nil && s.meet(sch, table) {
		s.known.clear() // of those made of the table's name alone, some now have a model
	}
	sub, ok := s.known.load(key)
	if !ok {
		models := s.with(table)
		if models == nil {
			models = s.rest // it may be any of theirs: what one of them masks stays out
		}
		sub = newSubject(p, s.names, sch, table, models)
		s.known.keep(key, sub, 0)
	}
	return sub
}

// meet notes that a model was used with a table, and reports whether that is new.
func (s *subjects) meet(sch *schema.Schema, table string) (news bool) {
	for n, name := range []string{sch.Table, "." + bareName(sch.Table), table, "." + bareName(table)} {
		name = s.names.table(name)
		v, met := s.models.Load(name)
		list, _ := v.([]*schema.Schema)
		made := !met && n > 1
		full := made && s.others >= maxNames
		if full {
			list = s.rest
		}
		if slices.Contains(list, sch) {
			continue
		}
		list = append(slices.Clone(list), sch)
		slices.SortStableFunc(list, func(a, b *schema.Schema) int { return len(b.DBNames) - len(a.DBNames) })
		news = true
		if full {
			s.rest = list
			continue
		}
		s.models.Store(name, list)
		if made {
			s.others++
		}
	}
	return news
}

// with returns the schemas of the models that were used with a table.
func (s *subjects) with(table string) []*schema.Schema {
	v, ok := s.models.Load(s.names.table(table))
	if !ok {
		v, _ = s.models.Load(s.names.table("." + bareName(table)))
	}
	list, _ := v.([]*schema.Schema)
	return list
}

// model returns the schema of the model that was seen with a table, for a
// statement that names only the table. SQLite cannot recognize a bool, the
// model can.
func (s *subjects) model(sub *subject, table string) *schema.Schema {
	if sub.schema != nil {
		return sub.schema
	}
	return s.seen(table)
}

// seen returns the schema of the model that was seen with a table, or nil.
func (s *subjects) seen(table string) *schema.Schema {
	if list := s.with("." + bareName(table)); len(list) > 0 {
		return list[0]
	}
	return nil
}

// newSubject makes the subject of a table; models are those that were used with
// it. If the statement's own model is another table's, or it has none, the
// table's own applies. What any of them masks or leaves out is a secret, whoever
// writes it.
func newSubject(p *Plugin, names naming, sch *schema.Schema, table string, models []*schema.Schema) *subject {
	bare := names.table(bareName(table))
	owns := func(m *schema.Schema) bool { return m != nil && names.table(bareName(m.Table)) == bare }
	if i := slices.IndexFunc(models, owns); i >= 0 && !owns(sch) {
		sch = models[i]
	}
	s := &subject{schema: sch, plugin: p, names: names, rules: map[string]rule{}, uncut: map[string]string{}}
	s.model = snake(inflection.Singular(bareName(table)))
	s.collection = s.model
	typeName := ""
	if sch != nil {
		s.readModel(sch, owns(sch))
		typeName = sch.Name
	}
	for _, m := range models {
		s.keepSecrets(m)
	}
	s.excluded = s.excluded || ours[bare] || p.excludes(names, s.model, bare, typeName)
	return s
}

// keepSecrets takes over the rules of another model of the table if there are none.
func (s *subject) keepSecrets(sch *schema.Schema) {
	for _, f := range sch.Fields {
		if f.DBName == "" {
			continue
		}
		column := s.column(f)
		if s.rules[column] != ruleByName {
			continue
		}
		if r, _ := s.tagged(sch, f.Name, f.Tag); r >= ruleMask {
			s.rules[column] = r
		}
	}
}

// tagged reads the tag of a field: what becomes of its column, and whether that
// labels a row. Of a tag that says neither, one that was misspelled, nobody
// knows what it was to keep out of the trail.
func (s *subject) tagged(sch *schema.Schema, field string, tag reflect.StructTag) (r rule, name bool) {
	switch value := tag.Get("audit"); value {
	case "":
	case "-":
		r = ruleOmit
	case "mask":
		r = ruleMask
	case "show":
		r = ruleShow
	case "name":
		name = true
	default:
		s.invalid = fmt.Errorf("gormhook: the tag audit:%q of %s.%s is not known: -, mask, show or name expected", value, sch.Name, field)
	}
	return r, name
}

// readModel reads what a model says. Its type names the rows of its own table
// only: those of an archive of the same shape are others, though their keys may
// be the same.
func (s *subject) readModel(sch *schema.Schema, owns bool) {
	if sch.ModelType == nil {
		return
	}
	if named := sch.ModelType.Name(); named != "" && owns {
		s.model = snake(named)
	}
	v := reflect.New(sch.ModelType).Interface()
	if m, ok := v.(Modeler); ok {
		s.model = m.AuditModel()
		s.excluded = s.model == ""
	}
	if n, ok := v.(Namer); ok {
		s.namer, s.blank = true, blank(n)
	}
	s.scans = slices.ContainsFunc(sch.Fields, scanner)
	s.scansDefaults = slices.ContainsFunc(sch.FieldsWithDefaultDBValue, scanner)
	if blank, ok := sch.ModelType.FieldByName("_"); ok {
		r, _ := s.tagged(sch, blank.Name, blank.Tag)
		s.excluded = s.excluded || r == ruleOmit
	}
	for _, f := range sch.Fields {
		if f.DBName == "" {
			continue
		}
		if _, soft := reflect.New(f.IndirectFieldType).Interface().(schema.DeleteClausesInterface); soft {
			s.softDelete = s.names.kept(f.DBName)
		}
		r, name := s.tagged(sch, f.Name, f.Tag)
		column := s.column(f)
		s.rules[column] = max(s.rules[column], r)
		if name {
			s.name = s.names.kept(f.DBName)
		}
	}
}

// blank returns the label of a value that is all zero, if it has one.
func blank(n Namer) (name string) {
	defer func() { _ = recover() }() // such a value need not exist
	return trail.Printable(n.AuditName(), maxName)
}

// spellKey spells an entity id that a request gave as the trail spells that of a
// row: a database takes 01 for 1, and a UUID in capitals.
func (s *subject) spellKey(id string) string {
	if s.schema == nil || len(s.schema.PrimaryFields) != 1 {
		return id
	}
	f := s.schema.PrimaryFields[0]
	switch kind := f.IndirectFieldType.Kind(); {
	case kind == reflect.Array && f.IndirectFieldType.Len() == 16, strings.EqualFold(f.TagSettings["TYPE"], "uuid"):
		if key, err := uuid.Parse(id); err == nil {
			return key.String()
		}
	case f.DataType == schema.Int, f.DataType == schema.Uint:
		if key, ok := new(big.Int).SetString(strings.TrimSpace(id), 10); ok {
			return key.String()
		}
	}
	return id
}

// column returns the name of a field's column as used in rules.
func (s *subject) column(f *schema.Field) string {
	column := s.names.column(f.DBName)
	if len(s.names.kept(f.DBName)) < len(f.DBName) {
		s.uncut[column] = f.DBName
	}
	return column
}

// rule returns what happens to a column.
func (s *subject) rule(column string) rule {
	name := s.names.column(column)
	r := max(s.rules[name], s.plugin.columnRule(s.names, s.model, name))
	if s.invalid != nil {
		r = max(r, ruleMask)
	}
	if r != ruleByName {
		return r
	}
	if trail.Sensitive(column) || trail.Sensitive(s.uncut[name]) {
		return ruleMask
	}
	return ruleShow
}

// ruled is the rules of a table's columns, in their order.
type ruled struct {
	table *table
	rules []rule
}

// rulesOf returns the rules of the columns of t. They are made once.
func (s *subject) rulesOf(t *table) []rule {
	if r := s.ruled.Load(); r != nil && r.table == t {
		return r.rules
	}
	r := &ruled{table: t, rules: make([]rule, len(t.columns))}
	for i := range t.columns {
		r.rules[i] = s.rule(t.columns[i].name)
	}
	s.ruled.Store(r)
	return r.rules
}

// digested is rule with digests in place of masks.
func (s *subject) digested(column string) rule {
	if r := s.rule(column); r != ruleMask {
		return r
	}
	return ruleDigest
}

// masked returns the columns of t that are masked.
func (s *subject) masked(t *table) []string {
	var names []string
	for i := range t.columns {
		if s.rule(t.columns[i].name) == ruleMask {
			names = append(names, t.columns[i].name)
		}
	}
	return names
}

// snake writes a Go or SQL name in snake case, as GORM does, initialisms
// included.
func snake(name string) string {
	return schema.NamingStrategy{}.ColumnName("", name)
}
