package gormhook_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	msqlite "modernc.org/sqlite"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// chapter is a part of docs/capture.md.
type chapter struct {
	title  string
	trials []*trial
}

// trial is one way of writing with GORM, and what the trail must say of it.
type trial struct {
	name string // as docs/capture.md calls it
	why  string // what would go wrong if it were not for this trial
	on   string // the one engine, empty for all

	tables []string                             // that are emptied before it and watched
	given  func(db *gorm.DB) error              // makes the rows that are there already
	do     func(r *run) error                   // an error takes back the mode's transaction
	want   []string                             // see parseWant
	wantIn func(engine string, m mode) []string // instead of want
	undone []string                             // want where the transaction was taken back

	// verify looks further at what the entries say.
	verify func(t *testing.T, entries []*record)

	opaque   bool // images are not to be had
	shuffled bool // GORM itself sends the statements in any order
	long     bool // it takes its time, and runs in fewer modes
	chance   bool // what the database makes is random: the twins differ
}

// run is a trial that is being run on one database.
type run struct {
	ctx    context.Context
	engine string
	db     *gorm.DB
	notes  []note
	ended  error // of the mode's transaction

	// noted is called after each call of GORM, if it is set.
	noted func()
}

// note is what the caller sees of one call of GORM.
type note struct {
	Rows   int64
	Error  string
	Kinds  []string
	Values []any
}

// sentinels are the errors that callers ask for.
var sentinels = []error{
	gorm.ErrRecordNotFound, gorm.ErrInvalidTransaction, gorm.ErrMissingWhereClause, gorm.ErrPrimaryKeyRequired,
	gorm.ErrInvalidData, gorm.ErrInvalidValue, gorm.ErrEmptySlice, gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated,
	gorm.ErrCheckConstraintViolated, context.Canceled, context.DeadlineExceeded, errRefused,
}

// errRefused is what hooks and callbacks of these tests fail with.
var errRefused = errors.New("refused by the application")

// note keeps what a call of GORM gave to the caller, and returns its error.
func (r *run) note(tx *gorm.DB, values ...any) error {
	n := note{Rows: tx.RowsAffected, Values: values}
	n.setError(tx.Error)
	r.add(n)
	return tx.Error
}

func (r *run) add(n note) {
	r.notes = append(r.notes, n)
	if r.noted != nil {
		r.noted()
	}
}

// noteError keeps the outcome of a call that gives no more than an error.
func (r *run) noteError(err error, values ...any) error {
	n := note{Values: values}
	n.setError(err)
	r.add(n)
	return err
}

func (n *note) setError(err error) {
	if err == nil {
		return
	}
	n.Error = err.Error()
	for _, s := range sentinels {
		if errors.Is(err, s) {
			n.Kinds = append(n.Kinds, s.Error())
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		n.Kinds = append(n.Kinds, pg.Code, pg.TableName, pg.ColumnName, pg.ConstraintName, pg.Detail)
	}
	var lite *msqlite.Error
	if errors.As(err, &lite) {
		n.Kinds = append(n.Kinds, strconv.Itoa(lite.Code()))
	}
}

// run runs the trial on one database.
func (tr *trial) run(r *run, db *gorm.DB, depth int) *run {
	var failed error
	r.ended = within(db.WithContext(r.ctx), depth, func(tx *gorm.DB) error {
		r.db = tx
		failed = tr.doSafely(r)
		return failed
	})
	if depth == 0 {
		r.ended = nil
	} else if failed == nil && r.ended != nil {
		_ = r.noteError(r.ended)
	}
	return r
}

// doSafely makes an error of a panic, which must not leave a hook.
func (tr *trial) doSafely(r *run) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.noteError(fmt.Errorf("panic: %v", p))
		}
	}()
	return tr.do(r)
}

// compare checks that the caller saw the same with and without the plugin.
func compare(t *testing.T, plain, audited *run, tr *trial) {
	t.Helper()
	if tr.chance {
		for _, r := range []*run{plain, audited} {
			for i := range r.notes {
				r.notes[i].Values = nil
			}
		}
	}
	if diff := cmp.Diff(plain.notes, audited.notes, cmp.Exporter(func(reflect.Type) bool { return true })); diff != "" {
		t.Errorf("the caller's results differ (-without +with the plugin):\n%s", diff)
	}
}

// expectation is what the trail must say of a trial in a mode.
type expectation struct {
	mode     mode
	labels   []string // see record.label
	action   trail.Action
	trace    *trail.Trace
	known    bool // others know the id of the action, and may write its entry
	shuffled bool
}

// parseWant reads what a trial wants: "insert product 1", "update product
// 1..3", "softdelete item 7", "restore item 7", "delete product 1", where the
// rest of the line is the entity id, and "raw update product 3", where it is
// the number of rows.
func parseWant(t testing.TB, lines []string) (labels []string) {
	t.Helper()
	for _, line := range lines {
		head, tail, ok := strings.Cut(line, "..")
		if !ok {
			labels = append(labels, line)
			continue
		}
		i := strings.LastIndexByte(head, ' ')
		first, err := strconv.Atoi(head[i+1:])
		if err != nil {
			t.Fatal(err)
		}
		last, err := strconv.Atoi(tail)
		if err != nil {
			t.Fatal(err)
		}
		for n := first; n <= last; n++ {
			labels = append(labels, head[:i+1]+strconv.Itoa(n))
		}
	}
	return labels
}

func (tr *trial) wants(engine string, m mode) []string {
	if tr.wantIn != nil {
		return tr.wantIn(engine, m)
	}
	return tr.want
}

func (tr *trial) expected(t *testing.T, w *world, m mode) *expectation {
	t.Helper()
	e := &expectation{mode: m, shuffled: tr.shuffled, known: len(tr.name)%2 == 0, labels: parseWant(t, tr.wants(w.engine, m))}
	switch m.acting {
	case another:
		e.action = trail.Action{Event: trail.Approve, Model: "elsewhere", EntityID: "1"}
	case ofEntity, ofModel:
		e.action = trail.Action{Event: trail.Approve, Model: "elsewhere", EntityID: "1"}
		for _, l := range e.labels {
			if _, model, entity := splitLabel(l); !strings.HasPrefix(l, "raw ") && model != "" && entity != "*" {
				e.action.Model, e.action.EntityID = model, entity
				break
			}
		}
		if m.acting == ofModel {
			e.action.EntityID = ""
		}
	}
	if e.action.Event != "" {
		e.action.Actor = trail.Actor{ID: "u1", Name: "Ann", Kind: trail.KindUser}
		e.action.Tenant = "t1"
	}
	return e
}

func splitLabel(l string) (verb, model, entity string) {
	l = strings.TrimPrefix(l, "raw ")
	parts := strings.SplitN(l, " ", 3)
	for len(parts) < 3 {
		parts = append(parts, "")
	}
	return parts[0], parts[1], parts[2]
}

// start begins the action of the mode, if it has one.
func (e *expectation) start(t *testing.T, ctx context.Context, st *store.Store) context.Context {
	t.Helper()
	if e.action.Event == "" {
		return ctx
	}
	s := new(trail.Scope)
	o := trail.Options{Recorder: st}
	if e.known {
		o.ID = trail.NewID(time.Now())
	}
	if err := s.Start(ctx, e.action, o); err != nil {
		t.Fatal(err)
	}
	e.trace = s.Trace()
	return s
}

// end ends the action, so that its own entry is there.
func (e *expectation) end(t *testing.T) {
	t.Helper()
	if e.trace != nil {
		if err := e.trace.End(nil); err != nil {
			t.Fatal(err)
		}
	}
}
