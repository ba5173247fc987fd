package viewer

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// form is the state of the filter form. Hidden holds the parameters to pass on.
type form struct {
	Open                        bool // the less common fields are shown, on a narrow screen
	Multiple                    bool // more than one event is chosen
	Events, Outcomes            []option
	Model, Entity, User, Tenant string
	From, To                    timeField
	ShowTenant                  bool
	Hidden                      []filter
}

// timeField is a field of the form for a time; a plain one is for any text. Exact
// is the time if the field shows less of it.
type timeField struct {
	Value, Exact string
	Plain        bool
}

// form fills in the form. What cannot be read is in its field as it was entered.
func (q *request) form(values url.Values, events []trail.Event) form {
	chosen := values[paramEvent]
	f := form{
		Multiple: len(chosen) > 1,
		Model:    values.Get(paramModel), Entity: values.Get(paramEntity), User: values.Get(paramUser), Tenant: values.Get(paramTenant),
		From: q.timeField(paramFrom, values), To: q.timeField(paramTo, values),
		ShowTenant: values.Has(paramTenant),
	}
	f.Open = f.Model+f.Entity+f.User+f.Tenant+f.From.Value+f.To.Value != ""
	events = slices.Clone(events)
	for _, e := range chosen {
		if !slices.Contains(events, trail.Event(e)) {
			events = append(events, trail.Event(e)) // chosen, although it does not occur
		}
	}
	slices.Sort(events)
	for _, e := range events {
		f.Events = append(f.Events, option{
			Value: string(e), Label: visible.Text(string(e)), Chosen: slices.Contains(chosen, string(e)),
		})
	}
	for _, o := range outcomes {
		f.Outcomes = append(f.Outcomes, option{
			Value: string(o), Label: string(o), Chosen: string(o) == values.Get(paramOutcome),
		})
	}
	for _, name := range []string{paramTrace, paramSort, paramOrder, paramLimit} {
		if v := values.Get(name); v != "" {
			f.Hidden = append(f.Hidden, filter{Name: name, Value: v})
		}
	}
	return f
}

// timeField is the field of a time. One that cannot be read is in a plain field:
// that for times would not show it.
func (q *request) timeField(name string, values url.Values) timeField {
	t, err := q.sent(name, values)
	if err != nil {
		return timeField{Value: visible.Text(values.Get(name)), Plain: true}
	}
	f := timeField{Value: q.input(t)}
	if again, err := q.time(name, f.Value); err == nil && !again.Equal(t) {
		f.Exact = t.In(q.handler.options.Location).Format(time.RFC3339Nano)
	}
	return f
}

// listFailed answers with the form as it was filled in, and what is wrong with it.
func (q *request) listFailed(p *problem) {
	values := given(q.values)
	values.Del(paramCursor)
	view := listView{page: q.page("These filters cannot be used"), Problem: p.text}
	if view.Again = p.status == http.StatusServiceUnavailable; view.Again {
		view.Heading = "This list could not be read in time"
	}
	events, err := q.events()
	if err != nil {
		q.failed(err)
		return
	}
	view.Form = q.form(values, events)
	// What the reader cannot change must not fail again.
	view.Form.Hidden = slices.DeleteFunc(view.Form.Hidden, func(f filter) bool { return f.Name == p.param })
	if err := q.html(p.status, "list.html", view); err != nil {
		q.handler.options.OnError(q.Request, err)
		http.Error(q.w, p.text, p.status)
	}
}

// input is a time in the format of an input of type datetime-local.
func (q *request) input(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(q.handler.options.Location)
	if t.Second() == 0 {
		return t.Format("2006-01-02T15:04")
	}
	return t.Format("2006-01-02T15:04:05")
}
