package viewer

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// The parameters of the list. Filters are named after columns.
const (
	paramEvent   = "event"
	paramModel   = "model"
	paramEntity  = "entity_id"
	paramUser    = "user_id"
	paramTenant  = "tenant_id"
	paramOutcome = "outcome"
	paramTrace   = "trace_id"
	paramFrom    = "from"
	paramTo      = "to"
	paramSort    = "sort"
	paramOrder   = "order"
	paramLimit   = "limit"
	paramCursor  = "cursor"
)

// exactOf are the parameters by which the form sends, with a time, what it was if
// the field cannot show that exactly.
var exactOf = map[string]string{paramFrom: "from_exact", paramTo: "to_exact"}

// params are all parameters, in the order in which messages list them.
var params = []string{
	paramEvent, paramModel, paramEntity, paramUser, paramTenant, paramOutcome, paramTrace,
	paramFrom, paramTo, paramSort, paramOrder, paramLimit, paramCursor,
}

var sorts = []store.Sort{store.SortTime, store.SortUser, store.SortEvent, store.SortModel, store.SortEntity}

var outcomes = []trail.Result{trail.Success, trail.Failure, trail.Denied, trail.Pending}

// query reads the parameters of a list. The error is for the client.
func (q *request) query(values url.Values) (store.Query, error) {
	o := q.handler.options
	list := store.Query{Limit: o.PageSize, Sort: store.SortTime}
	for _, event := range values[paramEvent] {
		if event != "" {
			list.Events = append(list.Events, trail.Event(event))
		}
	}
	list.Model = values.Get(paramModel)
	list.EntityID = values.Get(paramEntity)
	list.UserID = values.Get(paramUser)
	list.Tenant = values.Get(paramTenant)
	list.Cursor = values.Get(paramCursor)

	list.Outcome = trail.Result(values.Get(paramOutcome))
	if list.Outcome != "" && !slices.Contains(outcomes, list.Outcome) {
		return list, q.badParam(paramOutcome, "is %.60q; it must be success, failure, denied or pending.", list.Outcome)
	}
	var err error
	if v := values.Get(paramTrace); v != "" {
		if list.TraceID, err = parseID(v); err != nil {
			return list, q.badParam(paramTrace, "cannot be used: %v", err)
		}
	}
	if list.From, err = q.sent(paramFrom, values); err != nil {
		return list, err
	}
	if list.To, err = q.sent(paramTo, values); err != nil {
		return list, err
	}
	if !list.From.IsZero() && !list.To.IsZero() && list.To.Before(list.From) {
		return list, q.badParam(paramTo, "is %.60q, which is before %s, %.60q.", values.Get(paramTo), q.named(paramFrom), values.Get(paramFrom))
	}
	if v := values.Get(paramLimit); v != "" {
		list.Limit, err = strconv.Atoi(v)
		if err != nil || list.Limit < 1 || list.Limit > store.MaxLimit {
			return list, q.badParam(paramLimit, "is %.60q; it must be a number from 1 to %d.", v, store.MaxLimit)
		}
	}
	if v := values.Get(paramSort); v != "" {
		if list.Sort = store.Sort(v); !slices.Contains(sorts, list.Sort) {
			return list, q.badParam(paramSort, "is %.60q; it must be time, user, event, model or entity.", v)
		}
	}
	switch v := values.Get(paramOrder); v {
	case "", "desc":
	case "asc":
		list.Ascending = true
	default:
		return list, q.badParam(paramOrder, "is %.60q; it must be asc or desc.", v)
	}
	return list, nil
}

// layouts are the formats of a time without a zone; the longer ones are those of
// an input of type datetime-local.
var layouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// time reads a time, in the viewer's zone if it has none. It is zero for an empty
// text.
func (q *request) time(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	for i := 0; err != nil && i < len(layouts); i++ {
		t, err = time.ParseInLocation(layouts[i], text, q.handler.options.Location)
	}
	if err != nil {
		return t, q.badParam(name, "is %.60q; it must be a time like 2026-11-23T06:48:00Z or 2026-11-23.", text)
	}
	return t, nil
}

// sent reads a time that may come from the form. It is the exact one that the
// form was filled in with, if its field was not changed since.
func (q *request) sent(name string, values url.Values) (time.Time, error) {
	t, err := q.time(name, values.Get(name))
	if err != nil {
		return t, err
	}
	exact, err := q.time(exactOf[name], values.Get(exactOf[name]))
	if err != nil || t.IsZero() || exact.IsZero() {
		return t, err
	}
	if shown, err := q.time(name, q.input(exact)); err == nil && shown.Equal(t) {
		return exact, nil
	}
	return t, nil
}

// keep puts the exact time that the form was filled in with into its place.
func keep(values url.Values, name string, t time.Time) {
	if values.Has(exactOf[name]) && !t.IsZero() {
		values.Set(name, t.Format(time.RFC3339Nano))
	}
	values.Del(exactOf[name])
}

// given returns the parameters that are set, which are those that the links of a
// page pass on.
func given(values url.Values) url.Values {
	out := url.Values{}
	for name, all := range values {
		for _, v := range all {
			if v != "" {
				out.Add(name, v)
			}
		}
	}
	return out
}

// with returns the address of the list at root with values, the named ones
// replaced; an empty one is left out. A changed list starts from its first page,
// without a cursor.
func with(root string, values url.Values, pairs ...string) string {
	next := url.Values{}
	for name, all := range values {
		if name != paramCursor {
			next[name] = all
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			next.Del(pairs[i])
		} else {
			next.Set(pairs[i], pairs[i+1])
		}
	}
	if len(next) == 0 {
		return root
	}
	return root + "?" + next.Encode()
}
