package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/trail"
)

// PruneOptions are the settings of [Store.Prune]. The zero value deletes the
// lines that have expired by now.
type PruneOptions struct {
	// Before also deletes all lines logged before it, whatever their expiry.
	// Default: none.
	Before time.Time
	// Batch is the most lines that one transaction deletes. Default: 5000.
	Batch int
	// Actor is who prunes, for the trail. Default: the actor of the trace that
	// the context carries, else the system with the id "retention".
	Actor trail.Actor
	// Now is the time by which lines expire. Default: time.Now(). Like Before, it
	// must be in the years 1 to 9999.
	Now time.Time
}

// Pruned is what [Store.Prune] did.
type Pruned struct {
	// TraceID is that of the prune's own entry, zero if there was nothing to
	// delete.
	TraceID uuid.UUID `json:"-"`
	// Lines is how many lines were deleted one by one.
	Lines int64 `json:"lines"`
	// Postponed is how many lines this prune found to expire later or never, or
	// to be of an action whose event is still not known, see [WithRetention].
	Postponed int64 `json:"postponed,omitempty"`
	// Partitions are those dropped, with all their lines.
	Partitions []string `json:"partitions,omitempty"`
}

const (
	defaultPrune = 5000
	pruneModel   = "execution_log"
)

// Prune deletes the execution logs that have expired. Entries are never
// deleted. On PostgreSQL a monthly partition whose lines are all to be deleted is
// dropped as a whole, if the month is past by the database's clock as well as by
// Now, and the connection's role owns the partition. That takes an exclusive
// lock of execution_logs: it is waited for two seconds at most, in which other
// readers and writers of lines wait behind it, and is held while the partition is
// checked once more. Everything else, partitions that were not to be had included,
// is deleted in batches, to keep locks short. It needs the right to DELETE lines,
// and to UPDATE them if [WithRetention] names events that lines can precede; see
// docs/roles.md. It may be called by several processes at once.
//
// Each prune that finds something is an action in the trail, with the event
// delete and the model execution_log: one entry is written before the work, a
// second one has what was deleted as its before image, and the outcome says how
// it ended. If the first cannot be written, nothing is deleted.
//
// On failure or cancellation it returns what it did so far.
func (s *Store) Prune(ctx context.Context, o PruneOptions) (_ Pruned, err error) {
	if o.Batch == 0 {
		o.Batch = defaultPrune
	}
	if o.Batch < 0 {
		return Pruned{}, fmt.Errorf("%w: PruneOptions.Batch is %d, must be zero or more", ErrInvalid, o.Batch)
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	if err := cmp.Or(checkTime("PruneOptions.Now", o.Now), checkTime("PruneOptions.Before", o.Before)); err != nil {
		return Pruned{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	o.Now = o.Now.Truncate(time.Microsecond)
	p := pruning{Store: s, PruneOptions: o, now: stamp(o.Now)}
	if !o.Before.IsZero() {
		p.before = firstID(o.Before).String()
	}
	due, err := p.due(ctx)
	if err != nil || !due {
		return Pruned{}, explain("looking for lines to prune", err)
	}
	var scope trail.Scope
	if err := scope.Start(ctx, p.action(ctx), trail.Options{Recorder: s}); err != nil {
		return Pruned{}, fmt.Errorf("store: pruning: %w", err)
	}
	trace := scope.Trace()
	p.did.TraceID = trace.ID()
	err = explain("pruning lines", p.run(&scope))                  //nolint:contextcheck // scope is made from ctx
	return p.did, errors.Join(err, p.tell(&scope), trace.End(err)) //nolint:contextcheck // the end is kept whatever became of ctx
}

// pruning is a prune in progress.
type pruning struct {
	*Store
	PruneOptions
	now, before string
	did         Pruned
}

func (p *pruning) action(ctx context.Context) trail.Action {
	a := trail.Action{
		Actor: p.Actor, Event: trail.Delete, Model: pruneModel, Moment: trail.Ahead,
		Reason: "lines that expired by " + p.now,
	}
	if !p.Before.IsZero() {
		a.Reason += ", and all from before " + stamp(p.Before)
	}
	if a.Actor == (trail.Actor{}) {
		a.Actor = trail.Actor{ID: "retention", Name: "retention", Kind: trail.KindSystem}
		if outer, ok := trail.FromContext(ctx); ok {
			a.Actor = outer.Action().Actor
		}
	}
	return a
}

// tell writes the entry that says what was deleted.
func (p *pruning) tell(scope *trail.Scope) error {
	if p.did.Lines == 0 && len(p.did.Partitions) == 0 {
		return nil
	}
	e := scope.Trace().Own()
	e.ID, e.Operation, e.Context = trail.NewID(time.Now()), trail.OpDelete, nil
	e.CreatedAt = trail.Time(e.ID)
	var err error
	if e.Before, err = json.Marshal(p.did); err != nil {
		return err
	}
	return p.Record(context.WithoutCancel(scope), e)
}

// goes is the condition on lines to delete; it takes now and before.
func (p *pruning) goes() (string, []any) {
	if p.before == "" {
		return `expire_at <= ?`, []any{p.now}
	}
	return `(expire_at <= ? OR id < ?)`, []any{p.now, p.before}
}

// due reports whether there is anything to delete.
func (p *pruning) due(ctx context.Context) (bool, error) {
	found, err := p.some(ctx, 1)
	return len(found) > 0, err
}

// some returns lines to delete: those that expired first, or else those that
// were logged first.
func (p *pruning) some(ctx context.Context, n int) ([]Line, error) {
	found, err := list(p.write(ctx), scanLine, `SELECT `+lineColumns+` FROM execution_logs
WHERE expire_at <= ? ORDER BY expire_at LIMIT ?`, p.now, n)
	if err != nil || len(found) > 0 || p.before == "" {
		return found, err
	}
	return list(p.write(ctx), scanLine, `SELECT `+lineColumns+` FROM execution_logs
WHERE id < ? ORDER BY id LIMIT ?`, p.before, n)
}

func (p *pruning) run(ctx context.Context) error {
	if err := p.partitions(ctx); err != nil {
		return err
	}
	for {
		lines, err := p.some(ctx, p.Batch)
		if err != nil || len(lines) == 0 {
			return err
		}
		if err := p.batch(ctx, lines); err != nil && state(err) != deadlock {
			return err
		}
	}
}

// batch deletes lines, except those that by now are known to expire later. Some
// may have been deleted or postponed by another prune meanwhile; after a deadlock
// with it, the caller looks again.
func (p *pruning) batch(ctx context.Context, lines []Line) error {
	postponed, err := p.postponed(ctx, lines)
	if err != nil {
		return err
	}
	// In one order, so that prunes do not wait for each other crosswise.
	slices.SortFunc(lines, func(a, b Line) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	goes, args := p.goes()
	var did Pruned
	err = p.write(ctx).Transaction(func(tx *gorm.DB) error {
		change := func(text string, args ...any) (int64, error) {
			done := tx.Exec(text, args...)
			return done.RowsAffected, done.Error
		}
		var ids []string
		for _, l := range lines {
			at, later := postponed[l.ID]
			if !later {
				ids = append(ids, l.ID.String())
				continue
			}
			n, err := change(`UPDATE execution_logs SET expire_at = ? WHERE id = ? AND expire_at <= ?`, at, l.ID.String(), p.now)
			if err != nil {
				return err
			}
			did.Postponed += n
		}
		for chunk := range slices.Chunk(ids, 1000) {
			n, err := change(`DELETE FROM execution_logs WHERE id IN ? AND `+goes, append([]any{chunk}, args...)...)
			if err != nil {
				return err
			}
			did.Lines += n
		}
		return nil
	})
	if err != nil {
		return err // what was done in it has been undone
	}
	p.did.Lines += did.Lines
	p.did.Postponed += did.Postponed
	return nil
}

// postponed returns the new expiry of those lines that got theirs before the
// event of their action was known, and that stay longer because of it, or
// because it is still not known.
func (p *pruning) postponed(ctx context.Context, lines []Line) (map[uuid.UUID]any, error) {
	var unsure []Line
	for _, l := range lines {
		if p.before != "" && l.ID.String() < p.before {
			continue
		}
		if p.retention.unsure(&l) {
			unsure = append(unsure, l)
		}
	}
	if len(unsure) == 0 {
		return nil, nil //nolint:nilnil // none
	}
	events, err := p.eventsOf(ctx, unsure)
	if err != nil {
		return nil, err
	}
	later := map[uuid.UUID]any{}
	for i := range unsure {
		l := &unsure[i]
		_, at := p.retention.of(l, events[l.TraceID])
		if at != nil && !at.After(p.Now) {
			continue
		}
		if events[l.TraceID] == "" {
			at = p.retention.again(l, p.Now, at)
		}
		later[l.ID] = nil
		if at != nil {
			later[l.ID] = stamp(*at)
		}
	}
	return later, nil
}

// partitions drops the partitions of past months whose lines are all to be
// deleted.
func (p *pruning) partitions(ctx context.Context) error {
	if p.db.Name() != postgres || slices.ContainsFunc(p.retention.rules, Keep.late) {
		return nil // or lines would be deleted whose expiry is uncertain
	}
	names, err := list(p.write(ctx), func(rows *sql.Rows) (name string, err error) { return name, rows.Scan(&name) }, `
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'execution_logs'::regclass AND pg_has_role(c.relowner, 'USAGE')
  AND c.relname ~ '^execution_logs_y[0-9]{4}m[0-9]{2}$'
  AND c.relname < to_char(least(?::timestamptz, clock_timestamp()) AT TIME ZONE 'UTC', '"execution_logs_y"YYYY"m"MM')
ORDER BY c.relname`, p.now)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := p.partition(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// partition drops a partition if all of its lines are to be deleted and no
// reader holds it for long. What it does not drop is deleted in batches.
func (p *pruning) partition(ctx context.Context, name string) error {
	dropped, err := p.drop(ctx, name)
	if dropped && err == nil {
		p.did.Partitions = append(p.did.Partitions, name)
	}
	switch state(err) {
	case lockNotAvailable, deadlock, undefinedTable: // the last one: another prune was faster
		return nil
	default:
		return err
	}
}

func (p *pruning) drop(ctx context.Context, name string) (dropped bool, err error) {
	goes, args := p.goes()
	table := p.db.Statement.Quote(name)
	stays := `SELECT EXISTS (SELECT FROM ` + table + ` WHERE (` + goes + `) IS NOT TRUE)`
	// Most partitions stay: that is found out without a lock that others notice.
	var some bool
	if err := p.write(ctx).Raw(stays, args...).Scan(&some).Error; err != nil || some {
		return false, err
	}
	err = p.write(ctx).Transaction(func(tx *gorm.DB) error {
		for _, statement := range []string{
			`SET LOCAL lock_timeout = '2s'`,
			// As all who read or write lines lock them: first the whole, which DROP
			// needs as well, then the part. The other way round is a deadlock.
			`LOCK TABLE ONLY execution_logs IN ACCESS EXCLUSIVE MODE`,
			`LOCK TABLE ` + table + ` IN ACCESS EXCLUSIVE MODE`,
		} {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		if err := tx.Raw(stays, args...).Scan(&some).Error; err != nil || some {
			return err
		}
		dropped = true
		return tx.Exec(`DROP TABLE ` + table).Error
	})
	return dropped, err
}
