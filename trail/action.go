package trail

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Action is one actor doing one event to one entity. Event is required. Model
// and EntityID name the entity and may be empty if the action has none or it is
// not known yet, as for a create. Tenant is for services with tenants. Reason is
// free text, stored in the entry's context.
type Action struct {
	Actor           Actor
	Event           Event
	Model, EntityID string
	Tenant, Reason  string
	// Moment overrides when the action's own entry is written.
	Moment Moment
}

// Limits of an action's text, in characters.
const (
	maxEvent  = 64
	maxModel  = 128
	maxEntity = 512 // of an id that is not kept as it is
	maxTenant = 256
	maxReason = 1024
	maxError  = 4096
)

func (a Action) normalize() Action {
	a.Event = Event(Printable(string(a.Event), maxEvent))
	a.Model = Printable(a.Model, maxModel)
	a.EntityID = key(a.EntityID)
	a.Tenant = Printable(a.Tenant, maxTenant)
	a.Reason = masked(a.Reason, maxReason)
	if a.Moment == ByEvent {
		a.Moment = a.Event.Moment()
	}
	return a
}

// maxKey bounds an entity id that is kept as it is, in bytes: an entry of an
// index of PostgreSQL must fit in a third of a page.
const maxKey = 2000

// key returns an entity id as it is stored: as it is, like that of a row, if a
// database can keep it.
func key(id string) string {
	if len(id) <= maxKey && utf8.ValidString(id) && !strings.Contains(id, "\x00") {
		return id
	}
	return Printable(id, maxEntity)
}

// Details are the recorded circumstances of an action, stored in the context of
// its own entry. Every field may be empty; all text is bounded when it is
// stored. Bodies, query values and headers do not belong here.
type Details struct {
	RequestID string `json:"request_id,omitempty"`
	Method    string `json:"method,omitempty"`
	Route     string `json:"route,omitempty"` // the template, /things/:id
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
	Status    int    `json:"status,omitempty"`
	// W3CTraceID and W3CSpanID come from a traceparent header (W3C Trace
	// Context), in lower-case hex.
	W3CTraceID string `json:"w3c_trace_id,omitempty"`
	W3CSpanID  string `json:"w3c_span_id,omitempty"`
	// ParentTraceID is the trace in whose context the action was started.
	ParentTraceID string `json:"parent_trace_id,omitempty"`
	Reason        string `json:"reason,omitempty"`
}

const maxDetail = 512

// json returns the details as the context of an entry, nil if all are empty.
func (d Details) json() json.RawMessage {
	if d == (Details{}) {
		return nil
	}
	for _, s := range []*string{
		&d.RequestID, &d.Method, &d.Route, &d.IP, &d.UserAgent, &d.W3CTraceID, &d.W3CSpanID,
	} {
		*s = Printable(*s, maxDetail)
	}
	d.Reason = Printable(d.Reason, maxReason)
	b, err := json.Marshal(d)
	if err != nil { // strings and an int: cannot happen
		return nil
	}
	return b
}
