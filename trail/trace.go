package trail

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/google/uuid"
)

var (
	// ErrNoRecorder is returned if an action must be recorded and there is
	// no recorder.
	ErrNoRecorder = errors.New("trail: no recorder: register gormhook.Plugin or call trail.SetDefault first")
	// ErrNoEvent is returned for an action that names no event.
	ErrNoEvent = errors.New("trail: an action needs an event")
	// ErrEnded is returned by a second End of a trace, which changes nothing.
	ErrEnded = errors.New("trail: the trace has ended already")
	// ErrRecorded is returned if the recorded action can no longer be
	// changed.
	ErrRecorded = errors.New("trail: the action has been recorded already")
	// ErrUnconfirmed is wrapped by the error of an End that could not make sure
	// of an entry which was written with a change, in a transaction that is over.
	// If that was committed, as is likely, nothing is missing.
	ErrUnconfirmed = errors.New("trail: it is not known whether the action's entry was committed")
	// ErrDenied marks an error, by wrapping, that ends an action as [Denied].
	ErrDenied = errors.New("denied")
)

// writeTimeout bounds how long the end of a trace waits for its recorder, whose
// context is detached from the cancellation of the action's.
const writeTimeout = 10 * time.Second

// Source provides what is known only after an action has started: who
// authenticated, and the circumstances. It is asked by whatever goroutine needs
// them, never by two at once and never after the trace has ended. The trace is
// locked meanwhile: of its methods only ID, String and Span may be called, and
// nothing may be written under it.
type Source interface {
	// Actor returns the actor, and whether it is known yet.
	Actor() (Actor, bool)
	// Details returns the circumstances. Once the trace is being ended it may
	// still be asked, Actor is not.
	Details() Details
}

// LateReporter is an optional interface of a [Source], or else of a [Recorder],
// that is told of an end that could not be recorded after [Trace.End] had
// returned.
type LateReporter interface{ ReportLate(err error) }

// Options are for code that opens traces for others; see [Scope.Start].
type Options struct {
	Recorder Recorder  // default: that of the trace in the context, else Default()
	Source   Source    // default: none, the action has everything
	ID       uuid.UUID // default: a new one. Version 7, see [Plausible]
	Parent   uuid.UUID // default: the trace that the context carries, if any
	Started  time.Time // default: now
	// Late defers what is written before the work until [Trace.Open] is called,
	// for a caller that does not know yet who acts. gormhook opens it before
	// the first write outside a transaction, but not while it is Held.
	Late bool
	// Held says that the work has not begun, until [Trace.Release] is called:
	// writes neither open the trace nor are the action's own.
	Held bool
}

// Trace is an action in progress. It is safe for concurrent use.
type Trace struct {
	id       uuid.UUID
	text     [36]byte // id, as String returns it
	started  time.Time
	action   Action
	parent   uuid.UUID
	remote   bool
	shared   bool // its id came from outside, or was passed on
	recorder Recorder
	source   Source
	spans    Spanner         // or nil; not changed once the trace has begun
	ctx      context.Context //nolint:containedctx // the values of the action's context, for its end

	held atomic.Bool // the work has not begun

	mu     sync.Mutex // guards what follows, and action, recorder, source and shared
	late   bool       // the entry before the work is still to be written
	own    ownState
	claims int         // statements running that may write it
	last   transaction // that rows were changed in under the trace
	// exclusive: nobody else can write while that is open.
	exclusive bool
	says      Result // what the own entry says of the outcome, as far as it is known
	ended     bool
	openErr   error
	frozen    bool // the source's Actor may be gone
	// identified: somebody knows the actor better than the source.
	identified bool
	err        error // of the carrier it came from
}

// Start begins an action and returns a context that carries its trace. If the
// action is recorded before its work (see [Event.Moment]) its entry is durable
// when Start returns, written through a connection of its own: such an action
// must not be started inside a transaction, which SQLite and a pool of one
// connection would wait for. The caller ends the trace with [Trace.End].
//
// The error is [ErrNoEvent], [ErrNoRecorder] or the recorder's; then there is
// no trace, the returned context is ctx, and the work must not be begun.
func Start(ctx context.Context, a Action) (context.Context, *Trace, error) {
	s := new(Scope)
	if err := s.Start(ctx, a, Options{}); err != nil {
		return ctx, nil, err
	}
	return s, &s.trace, nil
}

// Start begins an action in s, whose parent becomes ctx. See the function
// [Start] for the details.
func (s *Scope) Start(ctx context.Context, a Action, o Options) error {
	if a.Event == "" {
		return ErrNoEvent
	}
	if o.Recorder == nil {
		if o.Recorder = recorderOf(ctx); o.Recorder == nil {
			return ErrNoRecorder
		}
	}
	if o.Started.IsZero() {
		o.Started = time.Now()
	}
	s.Context = ctx
	t := &s.trace
	if t.shared = o.ID != uuid.Nil; !t.shared {
		o.ID = NewID(o.Started)
	} else if !Plausible(o.ID) {
		return fmt.Errorf("trail: Options.ID is %s, which is not an id of version 7 of the past: see Plausible", o.ID)
	}
	t.name(o.ID)
	t.started = o.Started
	t.action = a.normalize()
	t.recorder, t.source, t.ctx = o.Recorder, o.Source, ctx
	t.spans, _ = o.Source.(Spanner)
	t.parent = o.Parent
	if outer, ok := FromContext(ctx); ok {
		if t.parent == uuid.Nil {
			t.parent = outer.id
		}
		if t.spans == nil {
			t.spans = outer.spans
		}
	}
	t.held.Store(o.Held)
	t.late = t.action.Moment == Ahead
	if o.Late {
		return nil
	}
	return t.Open()
}

// Release says that the work begins, see [Options].
func (t *Trace) Release() { t.held.Store(false) }

// BeforeWrite is [Trace.Open] for those who are about to write outside a
// transaction: it leaves a trace that is held to whoever holds it.
func (t *Trace) BeforeWrite() error {
	if t.held.Load() {
		return nil
	}
	return t.Open()
}

// Open writes the entry of an action that is recorded before its work, if that
// was deferred. Otherwise it does nothing, and returns the same result every
// time. The cancellation of the action's context does not stop it. It must not
// be called while the caller holds a transaction: the entry is written through
// another connection, which a pool of one does not have.
func (t *Trace) Open() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.late {
		return t.openErr
	}
	t.late = false
	e := ending{recorder: t.recorder, record: true, entry: t.entryLocked(Pending, 0)}
	if err := t.write(&e); err != nil {
		t.openErr = fmt.Errorf("trail: recording the action before its work: %w", err)
		return t.openErr
	}
	t.own.phase, t.says = ownKept, Pending
	return nil
}

// ID returns the id of the trace, which is the id of its action's own entry.
func (t *Trace) ID() uuid.UUID { return t.id }

// String returns the id as text. It costs nothing: the text is made once.
func (t *Trace) String() string { return unsafe.String(&t.text[0], len(t.text)) }

// name gives the trace its id. The text is never written again, so that the
// string over it is constant.
func (t *Trace) name(id uuid.UUID) {
	t.id = id
	hex.Encode(t.text[:], id[:4])
	t.text[8], t.text[13], t.text[18], t.text[23] = '-', '-', '-', '-'
	hex.Encode(t.text[9:13], id[4:6])
	hex.Encode(t.text[14:18], id[6:8])
	hex.Encode(t.text[19:23], id[8:10])
	hex.Encode(t.text[24:], id[10:])
}

// Action returns the action, with its actor as far as it is known yet.
func (t *Trace) Action() Action {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.actionLocked()
}

func (t *Trace) actionLocked() Action {
	if t.source != nil && !t.frozen && !t.identified {
		if actor, ok := t.source.Actor(); ok {
			t.action.Actor = actor
		}
	}
	a := t.action
	a.Actor = a.Actor.Normalize()
	return a
}

// Annotate changes the action's event, and its model if model is not empty, for
// code that knows better than whoever began it. A moment of [ByEvent] is the
// event's own. It fails with [ErrRecorded] once the action's entry has been
// written or is being written.
func (t *Trace) Annotate(event Event, model string, moment Moment) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if event == "" {
		return ErrNoEvent
	}
	if t.own.phase != ownFree || t.claims > 0 || t.ended {
		return ErrRecorded
	}
	t.action.Event, t.action.Moment = event, moment
	if model != "" {
		t.action.Model = model
	}
	t.action = t.action.normalize()
	t.late = t.action.Moment == Ahead
	return nil
}

// Identify sets the actor, for code that authenticates after the action began.
// It wins over what a [Source] says. It fails with [ErrRecorded] once the
// action's entry has been written or is being written.
func (t *Trace) Identify(actor Actor) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase != ownFree || t.claims > 0 || t.ended {
		return ErrRecorded
	}
	t.action.Actor, t.identified = actor, true
	return nil
}

// SetTenant sets the tenant, for code that learns of it after the action began.
// It fails as [Trace.Identify] does.
func (t *Trace) SetTenant(tenant string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase != ownFree || t.claims > 0 || t.ended {
		return ErrRecorded
	}
	t.action.Tenant = tenant
	t.action = t.action.normalize()
	return nil
}

// SetEntity names the entity, for code that learns of it after the action began:
// of a key of several columns the id is what [JoinKey] makes. It fails as
// [Trace.Identify] does.
func (t *Trace) SetEntity(model, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.own.phase != ownFree || t.claims > 0 || t.ended {
		return ErrRecorded
	}
	t.action.Model, t.action.EntityID = model, id
	t.action = t.action.normalize()
	return nil
}

// Recorder returns what records the action: what it began with, or what a
// [Work] of its own entry named.
func (t *Trace) Recorder() Recorder {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recorder
}

// Own returns the action's own entry as it would be written now, with the
// outcome [Success] and without images.
func (t *Trace) Own() Entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entryLocked(Success, 0)
}

func (t *Trace) entryLocked(r Result, status int) Entry {
	a := t.actionLocked()
	var d Details
	if t.source != nil {
		d = t.source.Details()
	}
	d.Reason, d.Status = a.Reason, status
	if t.parent != uuid.Nil {
		d.ParentTraceID = t.parent.String()
	}
	return Entry{
		ID: t.id, TraceID: t.id, CreatedAt: Time(t.id), Tenant: a.Tenant,
		Actor: a.Actor, Event: a.Event, Model: a.Model, EntityID: a.EntityID,
		Outcome: r, Context: d.json(),
	}
}

// freezeLocked asks the source for the actor a last time.
func (t *Trace) freezeLocked() {
	t.actionLocked()
	t.frozen = true
}

// Ended reports whether the trace has ended.
func (t *Trace) Ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}
