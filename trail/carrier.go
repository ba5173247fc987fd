package trail

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// CarrierKey is the only key that Inject writes and Extract reads. It is in the
// canonical form of an HTTP header.
const CarrierKey = "Audit-Trace"

// maxCarrier bounds what Extract reads, in bytes. Whatever Inject writes fits.
const maxCarrier = 16 << 10

// ErrCarrier is wrapped by [Trace.Err] if the carrier that the trace was
// extracted from was malformed.
var ErrCarrier = errors.New("trail: the carrier holds no usable trace")

// Carrier holds text under a key on its way through a queue: an http.Header is
// one, a [MapCarrier] turns any message's header map or a row's JSON into one.
// Get returns the empty string for a missing key.
type Carrier interface {
	Get(key string) string
	Set(key, value string)
}

// MapCarrier is a map as a [Carrier].
type MapCarrier map[string]string

var _ Carrier = MapCarrier(nil)

// Get implements [Carrier].
func (m MapCarrier) Get(key string) string { return m[key] }

// Set implements [Carrier].
func (m MapCarrier) Set(key, value string) { m[key] = value }

// carried is what travels: all that a worker needs to continue the same action.
type carried struct {
	Version  int       `json:"v"`
	Trace    uuid.UUID `json:"trace"`
	Actor    Actor     `json:"actor"`
	Event    Event     `json:"event"`
	Model    string    `json:"model,omitempty"`
	EntityID string    `json:"entity,omitempty"`
	Tenant   string    `json:"tenant,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Moment   Moment    `json:"moment"`
}

// Inject writes the trace of ctx, with its action and actor, into c, so that
// [Extract] can continue it elsewhere. Without a trace it writes nothing.
func Inject(ctx context.Context, c Carrier) {
	t, ok := FromContext(ctx)
	if !ok {
		return
	}
	t.share()
	a := t.Action()
	out := carried{
		Version: 1, Trace: t.id, Actor: a.Actor, Event: a.Event, Model: a.Model,
		EntityID: a.EntityID, Tenant: a.Tenant, Reason: a.Reason, Moment: a.Moment,
	}
	text := out.encode()
	if len(text) > maxCarrier { // long text in a multi-byte script; the entry has the reason
		out.Reason = ""
		text = out.encode()
	}
	c.Set(CarrierKey, text)
}

// share notes that others may write the action's own entry from now on.
func (t *Trace) share() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared = true
}

func (out carried) encode() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(out); err != nil { // plain strings: cannot happen
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(bytes.TrimSpace(b.Bytes()))
}

// Extract returns a context that continues the trace that [Inject] wrote into
// c: entries and lines carry its id, and [Trace.End] writes the outcome of the
// action that the other side began. Without one in c it returns ctx.
//
// The content of c is trusted: extract only from where strangers cannot write,
// such as your own queue or table, never from the headers of a public request.
// A malformed carrier never fails the work: it yields a new trace, of an unknown
// actor, whose [Trace.Err] wraps [ErrCarrier].
func Extract(ctx context.Context, c Carrier) context.Context {
	text := c.Get(CarrierKey)
	if text == "" {
		return ctx
	}
	recorder := recorderOf(ctx)
	if recorder == nil {
		recorder = noRecorder{}
	}
	s := &Scope{Context: ctx}
	t := &s.trace
	t.recorder, t.ctx = recorder, ctx

	in, err := decode(text)
	if err != nil {
		t.started = time.Now()
		t.name(NewID(t.started))
		t.action = Action{Actor: Unknown(), Event: Execute, Moment: WithChange}
		t.err = err
		return s
	}
	t.name(in.Trace)
	t.started, t.remote = Time(in.Trace), true
	t.own.phase = ownKept // the other side's to write
	t.action = Action{
		Actor: in.Actor, Event: in.Event, Model: in.Model, EntityID: in.EntityID,
		Tenant: in.Tenant, Reason: in.Reason, Moment: in.Moment,
	}.normalize()
	return s
}

func decode(text string) (carried, error) {
	var in carried
	if len(text) > maxCarrier {
		return in, fmt.Errorf("%w: %d bytes, at most %d expected", ErrCarrier, len(text), maxCarrier)
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return in, fmt.Errorf("%w: %w", ErrCarrier, err)
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return in, fmt.Errorf("%w: %w", ErrCarrier, err)
	}
	switch {
	case in.Version != 1:
		return in, fmt.Errorf("%w: version %d, 1 expected", ErrCarrier, in.Version)
	case !Plausible(in.Trace):
		return in, fmt.Errorf("%w: %s is not the id of a past action", ErrCarrier, in.Trace)
	case in.Event == "":
		return in, fmt.Errorf("%w: no event", ErrCarrier)
	case in.Moment > Ahead:
		return in, fmt.Errorf("%w: unknown moment %d", ErrCarrier, in.Moment)
	}
	return in, nil
}

// Err returns why the trace is not the one that it was meant to continue, an
// error that wraps [ErrCarrier], or nil.
func (t *Trace) Err() error { return t.err }

// noRecorder fails every write, for a trace that was extracted before a recorder
// was set.
type noRecorder struct{}

var _ Recorder = noRecorder{}

func (noRecorder) Record(context.Context, ...Entry) error { return ErrNoRecorder }
func (noRecorder) Finish(context.Context, Outcome) error  { return ErrNoRecorder }
