package gormhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// Plugin audits the writes of a [gorm.DB]. The zero value audits every model
// of this db. Pass it to Use, by value and once:
//
//	err := db.Use(gormhook.Plugin{})
//
// Initialize also makes the database the default recorder of package trail
// if there is none, and creates the coming months' partitions on PostgreSQL.
// The tables must exist by the first write: see store.Migrate.
//
// A second Use on the same db is refused. Each handle needs its own plugin,
// handles of several databases as well as two handles of one database.
type Plugin struct {
	// RequireActor refuses writes outside any action with [ErrNoActor]: those of
	// jobs without trail.Start, and those of handlers that forgot WithContext. By
	// default each such statement is a separate action, of the actor
	// trail.Unknown. Writes under trail.Skip are neither refused nor recorded.
	RequireActor bool

	// Include, if not empty, lists everything that is audited; Exclude lists
	// what is not. A name is that of a model (source_code), of a table
	// (source_codes) or of a type (SourceCode).
	Include, Exclude []string

	// Models registers models, such as &User{}, before first use: if a
	// statement names only a table, its model tells what is masked, left out and,
	// on SQLite, a flag. Models that were read or written are known anyway.
	Models []any

	// MaskColumns are masked in addition to those whose names are sensitive
	// (see trail.Sensitive) and those tagged `audit:"mask"`; ShowColumns are
	// not masked although their names are sensitive, as those tagged
	// `audit:"show"`; OmitColumns are left out, as those tagged `audit:"-"`.
	// A name is that of a column, or model.column. Where these and a tag
	// disagree, the stricter holds.
	MaskColumns, ShowColumns, OmitColumns []string

	// Raw says what happens to raw SQL that changes data, which cannot be
	// imaged. The default is [RawRecord].
	Raw RawPolicy

	// MaxRows bounds the rows of one statement that are imaged, those that
	// foreign keys change along with its own included; zero means no bound. Above it one summary entry is written, with the condition and the
	// number of rows, or, with RefuseAbove, the statement is refused with
	// [ErrTooManyRows].
	MaxRows     int
	RefuseAbove bool

	// BestEffort lets a change stand although it could not be recorded. Each
	// such change is counted and reported to OnError. By default the change
	// fails with the error. It costs a savepoint for each statement in a
	// caller's transaction.
	BestEffort bool

	// OnError is called for each failure to record, with either policy. It runs
	// on the goroutine of the write and must not write through the same db. Use
	// also calls it, if the coming months' partitions could not be created. A
	// panic in it is ignored.
	OnError func(ctx context.Context, err error)

	// KeepTransaction keeps the BEGIN and COMMIT of GORM's implicit
	// transaction around single statements on PostgreSQL, which are otherwise
	// skipped if nothing else would be in it, and nothing comes back that the
	// caller may be unable to take: through code of the application's, or in a
	// field of less than 64 bits or without a sign that is not the key.
	KeepTransaction bool

	// Portable uses the portable path on PostgreSQL as well.
	Portable bool
}

var _ gorm.Plugin = Plugin{}

// RawPolicy says what happens to raw SQL that changes data.
type RawPolicy uint8

const (
	// RawRecord writes one entry with the verb, the table, the number of rows
	// and the SQL text without its literals.
	RawRecord RawPolicy = iota
	// RawRefuse fails the statement with [ErrRawSQL] before it is run.
	RawRefuse
	// RawIgnore ignores it.
	RawIgnore
)

var (
	// ErrNoActor is returned by a write outside any action, if
	// Plugin.RequireActor is set.
	ErrNoActor = errors.New("gormhook: a write requires an action: its context carries no trace")
	// ErrRawSQL is returned for raw SQL that changes data, if Plugin.Raw is
	// RawRefuse.
	ErrRawSQL = errors.New("gormhook: raw SQL that changes data is refused")
	// ErrTooManyRows is returned by a statement above Plugin.MaxRows, if
	// Plugin.RefuseAbove is set.
	ErrTooManyRows = errors.New("gormhook: the statement changes more rows than are allowed at once")
	// ErrKeyChanged is returned by an update in a transaction that waited
	// while another changed the key of a row to be updated. It has changed
	// nothing; run the transaction again, as after a serialization failure.
	// Outside a transaction the plugin does so by itself.
	ErrKeyChanged = errors.New("gormhook: the key of a row was changed while its update waited: run the transaction again")
	// ErrNotRecorded is wrapped by every error of recording, as opposed to the
	// change itself; the cause is wrapped as well.
	ErrNotRecorded = errors.New("gormhook: the change could not be recorded")
)

// Name implements [gorm.Plugin].
func (Plugin) Name() string { return "audit" }

// Initialize implements [gorm.Plugin]. It fails for databases other than
// PostgreSQL and SQLite, for settings that contradict each other, and if
// GORM's own callbacks are not in their places.
func (p Plugin) Initialize(db *gorm.DB) error {
	switch name := db.Dialector.Name(); name {
	case postgresName, sqliteName:
	default:
		return fmt.Errorf("gormhook: database %q is not supported: postgres and sqlite are", name)
	}
	if err := p.check(); err != nil {
		return err
	}
	h := newHook(p, db)
	for i, model := range p.Models {
		stmt := &gorm.Statement{DB: db}
		if err := stmt.Parse(model); err != nil {
			return fmt.Errorf("gormhook: Plugin.Models[%d], a %T, is not a model: %w", i, model, err)
		}
		h.subjects.tell(stmt.Schema)
		if err := h.subjects.named(&h.plugin, stmt.Schema, stmt.Schema.Table).invalid; err != nil {
			return err
		}
	}
	return h.register()
}

func (p *Plugin) check() error {
	if p.MaxRows < 0 {
		return fmt.Errorf("gormhook: Plugin.MaxRows is %d, must be zero or more", p.MaxRows)
	}
	if p.RefuseAbove && p.MaxRows == 0 {
		return errors.New("gormhook: Plugin.RefuseAbove is set without a bound in MaxRows")
	}
	if p.Raw > RawIgnore {
		return fmt.Errorf("gormhook: Plugin.Raw is %d, must be RawRecord, RawRefuse or RawIgnore", p.Raw)
	}
	return nil
}

// excludes reports whether any of a table's names keeps it out of the trail.
func (p *Plugin) excludes(names naming, any ...string) bool {
	listed := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool {
			return slices.ContainsFunc(any, func(name string) bool { return names.table(s) == names.table(name) })
		})
	}
	return len(p.Include) > 0 && !listed(p.Include) || listed(p.Exclude)
}

// columnRule returns what the lists say of a model's column, which is given as
// names compares it.
func (p *Plugin) columnRule(names naming, model, column string) rule {
	prefix := model + "."
	listed := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool {
			if len(s) > len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) && names.column(s[len(prefix):]) == column {
				return true
			}
			return names.column(s) == column
		})
	}
	switch {
	case listed(p.OmitColumns):
		return ruleOmit
	case listed(p.MaskColumns):
		return ruleMask
	case listed(p.ShowColumns):
		return ruleShow
	default:
		return ruleByName
	}
}
