package viewer

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/diff"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// fact is one thing known about an action: a text, which may be a link or meant
// for copying, or a time. ID, Name and Tag are shown next to it.
type fact struct {
	Label, Text, Href, ID, Name, Tag string
	Code                             bool
	Time                             *moment
}

// circumstances are the labels of what the context of an entry may hold, in the
// order in which they are shown. Anything else in it is shown by its own name.
var circumstances = []struct{ key, label string }{
	{"reason", "Reason"},
	{"method", "Method"},
	{"route", "Route"},
	{"status", "Status"},
	{"ip", "IP address"},
	{"user_agent", "User agent"},
	{"request_id", "Request id"},
	{"w3c_trace_id", "W3C trace id"},
	{"w3c_span_id", "W3C span id"},
	{"parent_trace_id", "Part of"},
}

// facts lists who, what, when, how it ended, and the circumstances.
func (q *request) facts(f found) []fact {
	var facts []fact
	add := func(x fact) {
		if x.Text != "" || x.Time != nil {
			facts = append(facts, x)
		}
	}
	if a := f.Action; a != nil {
		r := q.row(*a)
		add(fact{Label: "User", Text: r.User, Href: r.UserHref, ID: r.UserID, Tag: r.Kind})
		add(fact{Label: "On behalf of", Text: a.Actor.OnBehalfOf})
		add(fact{Label: "Event", Text: r.Event, Href: r.EventHref})
		add(fact{Label: "Model", Text: r.Model, Href: r.ModelHref})
		add(fact{Label: "Entity id", Text: r.Entity, Href: r.EntityHref, Name: r.EntityName})
		add(fact{Label: "Tenant", Text: r.Tenant, Href: r.TenantHref})
	}
	add(q.when("Started", trail.Time(f.ID)))
	if o := f.Outcome; o != nil {
		add(q.when("Finished", o.FinishedAt))
		add(fact{Label: "Duration", Text: duration(o.Duration)})
		if o.Status != 0 {
			add(fact{Label: "Status", Text: status(strconv.Itoa(o.Status))})
		}
	}
	if f.Action != nil {
		facts = append(facts, q.context(f.Action.Context, f.Outcome)...)
	}
	add(fact{Label: "Audit log id", Text: f.ID.String(), Code: true})
	return facts
}

// maxContext bounds what is shown of the circumstances, in bytes.
const maxContext = 64 << 10

// context lists the circumstances. A status in it is that of an action without a
// separate outcome.
func (q *request) context(raw json.RawMessage, o *trail.Outcome) []fact {
	list, err := diff.Fields(nil, raw, diff.NewRoom(maxContext))
	if err != nil {
		cut, _ := visible.Cut(string(raw), maxMessage)
		return []fact{{Label: "Context", Text: cut}}
	}
	byName := map[string]string{}
	for _, f := range list.Fields {
		byName[f.Name] = f.After.Text
	}
	var facts []fact
	for _, c := range circumstances {
		text, ok := byName[c.key]
		delete(byName, c.key)
		switch {
		case !ok || text == "" || c.key == "status" && o != nil && o.Status != 0:
		case c.key == "status":
			facts = append(facts, fact{Label: c.label, Text: status(text)})
		case c.key == "parent_trace_id":
			x := fact{Label: c.label, Text: text, Code: true}
			if id, err := parseID(text); err == nil {
				x = fact{Label: c.label, Text: text, Href: q.root + "traces/" + id.String()}
			}
			facts = append(facts, x)
		default:
			facts = append(facts, fact{Label: c.label, Text: text, Code: strings.HasSuffix(c.key, "_id")})
		}
	}
	for _, f := range list.Fields {
		if text, left := byName[f.Name]; left {
			facts = append(facts, fact{Label: f.Name, Text: text})
		}
	}
	return facts
}

// when is a fact that is a time; it is empty if the time is not known.
func (q *request) when(label string, t time.Time) fact {
	if t.IsZero() {
		return fact{}
	}
	m := q.handler.moment(t)
	return fact{Label: label, Text: m.Ago, Time: &m}
}

// status adds the words to the number of a status.
func status(number string) string {
	if n, err := strconv.Atoi(number); err == nil && http.StatusText(n) != "" {
		return number + " " + http.StatusText(n)
	}
	return number
}
