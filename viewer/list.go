package viewer

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer/internal/visible"
)

// listView is the page of entries.
type listView struct {
	page
	Problem string // why there is no list
	Again   bool   // there may be one later
	Tenants bool   // an entry has one
	Entity  string // whose activity it is, if the list is of one entity
	Form    form
	Filters []filter // in force
	Clear   string   // the address without them
	Columns []column
	Rows    []row
	Pager   pager
	Sizes   []option
}

// option is one choice of several.
type option struct {
	Value, Label, Href string
	Chosen             bool
}

// filter is a parameter in force, with the address of the list without it.
type filter struct{ Name, Value, Href string }

// column is a heading of the list, with an addition. Sort is the value of aria-sort:
// ascending, descending, or empty if the list is sorted by another column.
type column struct{ Label, Aside, Href, Sort string }

// row is an entry in the list.
type row struct {
	ID                             string
	Own                            bool // it is an action, not a change made during one
	Time                           moment
	User, UserID, UserHref         string
	UserName                       string // set if User is the id
	Kind                           string // of user, empty for a person
	Event, EventHref               string
	Entity, EntityName, EntityHref string
	Model, ModelHref               string
	Tenant, TenantHref             string
	Outcome                        string
	Trace                          string // the address of the entry in its trace
}

// pager links to the neighbours of a page; an address is empty if there is none.
type pager struct{ First, Previous, Next, FirstLabel, PreviousLabel, NextLabel string }

func (q *request) list() error {
	values := q.values
	query, err := q.query(values)
	if err != nil {
		return err
	}
	clean := given(values)
	keep(clean, paramFrom, query.From)
	keep(clean, paramTo, query.To)
	if len(clean) < len(values) {
		// A form sends its empty fields too; an address for sharing has only
		// those that are set.
		cursor := clean.Get(paramCursor)
		q.redirect(with(q.root, clean, paramCursor, cursor))
		return nil
	}
	query.Brief = true
	found, err := q.entries(query)
	if err != nil {
		return err
	}
	events, err := q.events()
	if err != nil {
		return err
	}
	view := listView{
		page:    q.page("All actions"),
		Form:    q.form(clean, events),
		Filters: q.filters(clean, query),
		Pager:   q.pager(clean, query, found),
		Sizes:   q.sizes(clean, query),
	}
	view.Clear = with(q.root, clean, paramEvent, "", paramModel, "", paramEntity, "", paramUser, "",
		paramTenant, "", paramOutcome, "", paramTrace, "", paramFrom, "", paramTo, "")
	switch {
	case query.Model != "" && query.EntityID != "":
		view.Entity = query.Model + " " + query.EntityID
		view.Heading = "Activity of " + visible.Text(view.Entity)
	case len(view.Filters) > 0:
		view.Heading = heading(view.Filters)
	}
	for _, e := range found.Entries {
		r := q.row(e)
		if query.Sort == store.SortUser && r.UserID != "" { // what is sorted comes first
			r.User, r.UserName, r.UserID = r.UserID, r.User, ""
		}
		view.Rows = append(view.Rows, r)
		view.Tenants = view.Tenants || e.Tenant != ""
	}
	view.Form.ShowTenant = view.Form.ShowTenant || view.Tenants
	view.Columns = q.columns(clean, query, view.Tenants)
	return q.html(http.StatusOK, "list.html", view)
}

// maxHeading bounds what a heading has of one filter, in bytes.
const maxHeading = 60

// heading names the filters in force.
func heading(filters []filter) string {
	var parts []string
	for _, f := range filters {
		value, cut := visible.Cut(f.Value, maxHeading)
		if cut {
			value += "…"
		}
		switch f.Name {
		case labels[paramFrom]:
			value = "from " + value
		case labels[paramTo]:
			value = "before " + value
		}
		parts = append(parts, visible.Text(value))
	}
	return strings.Join(parts, " · ")
}

// entries asks the store for a page. All but the cursor has been checked.
func (q *request) entries(query store.Query) (found store.Page, err error) {
	err = q.bounded(costly(query), func(ctx context.Context) error {
		found, err = q.handler.store.Entries(ctx, query)
		return err
	})
	if errors.Is(err, store.ErrQuery) && query.Cursor != "" {
		return found, q.badParam(paramCursor, "is %.60q, which is not a page of this list. Start from its first page.", query.Cursor)
	}
	return found, err
}

// row lays out an entry. Its links begin a list with that one filter only:
// "everything this user did".
func (q *request) row(e store.Entry) row {
	r := row{
		ID:         e.ID.String(),
		Own:        e.ID == e.TraceID,
		Time:       q.handler.moment(e.CreatedAt),
		User:       e.Actor.Name,
		UserHref:   with(q.root, nil, paramUser, e.Actor.ID),
		Event:      string(e.Event),
		EventHref:  with(q.root, nil, paramEvent, string(e.Event)),
		Entity:     e.EntityID,
		EntityName: e.EntityName,
		Model:      e.Model,
		ModelHref:  with(q.root, nil, paramModel, e.Model),
		Tenant:     e.Tenant,
		TenantHref: with(q.root, nil, paramTenant, e.Tenant),
		Outcome:    string(e.Result),
		Trace:      entryAddress(q.root, e.TraceID, e.ID),
	}
	if e.Actor.ID != e.Actor.Name {
		r.UserID = e.Actor.ID
	}
	if e.Actor.Kind != trail.KindUser && string(e.Actor.Kind) != e.Actor.Name {
		r.Kind = string(e.Actor.Kind)
	}
	if e.EntityID != "" {
		r.EntityHref = with(q.root, nil, paramModel, e.Model, paramEntity, e.EntityID)
	}
	return r
}

// labels are the names of the filters for readers.
var labels = map[string]string{
	paramEvent: "Event", paramModel: "Model", paramEntity: "Entity id", paramUser: "User id", paramTenant: "Tenant",
	paramOutcome: "Outcome", paramTrace: "Trace", paramFrom: "From", paramTo: "Before",
}

func (q *request) filters(values url.Values, query store.Query) []filter {
	var out []filter
	for _, name := range params {
		if labels[name] == "" {
			continue
		}
		for i, v := range values[name] {
			rest := url.Values{}
			for n, all := range values {
				rest[n] = all
			}
			rest[name] = slices.Delete(slices.Clone(values[name]), i, i+1)
			if len(rest[name]) == 0 {
				delete(rest, name)
			}
			f := filter{Name: labels[name], Value: v, Href: with(q.root, rest)}
			switch name {
			case paramFrom:
				f.Value = q.handler.exact(query.From)
			case paramTo:
				f.Value = q.handler.exact(query.To)
			}
			out = append(out, f)
		}
	}
	return out
}

// columns are the headings; those that the store sorts by are links. An id
// begins with its time, so sorting by either is the same.
func (q *request) columns(values url.Values, query store.Query, tenants bool) []column {
	type heading struct {
		label string
		sort  store.Sort
	}
	all := []heading{
		{"Time", store.SortTime},
		{"User", store.SortUser},
		{"Event", store.SortEvent},
		{"Entity id", store.SortEntity},
		{"Model", store.SortModel},
		{"Tenant", ""},
		{"Outcome", ""},
		{"Audit log id", store.SortTime},
	}
	if !tenants {
		all = slices.DeleteFunc(all, func(h heading) bool { return h.label == "Tenant" })
	}
	columns := make([]column, len(all))
	for i, c := range all {
		columns[i].Label = c.label
		if c.sort == store.SortUser && query.Sort == c.sort {
			columns[i].Aside = "by id"
		}
		if c.label == "Time" {
			columns[i].Aside = q.handler.zone()
		}
		if c.sort == "" {
			continue
		}
		// A second click reverses the order; the first one begins with the
		// newest, or with A.
		order := "asc"
		switch {
		case c.sort == query.Sort && query.Ascending:
			columns[i].Sort, order = "ascending", ""
		case c.sort == query.Sort:
			columns[i].Sort = "descending"
		case c.sort == store.SortTime:
			order = ""
		}
		by := string(c.sort)
		if c.sort == store.SortTime {
			by = "" // the default
		}
		columns[i].Href = with(q.root, values, paramSort, by, paramOrder, order)
	}
	columns[len(columns)-1].Sort = "" // Time shows it; one heading does
	return columns
}

func (q *request) pager(values url.Values, query store.Query, found store.Page) pager {
	p := pager{FirstLabel: "First", PreviousLabel: "Previous", NextLabel: "Next"}
	if query.Sort == store.SortTime {
		p = pager{FirstLabel: "Newest", PreviousLabel: "Newer", NextLabel: "Older"}
		if query.Ascending {
			p = pager{FirstLabel: "Oldest", PreviousLabel: "Older", NextLabel: "Newer"}
		}
	}
	if query.Cursor != "" {
		p.First = with(q.root, values)
	}
	if found.Previous != "" {
		p.Previous = with(q.root, values, paramCursor, found.Previous)
	}
	if found.Next != "" {
		p.Next = with(q.root, values, paramCursor, found.Next)
	}
	return p
}

func (q *request) sizes(values url.Values, query store.Query) []option {
	choices := []int{25, 50, 100, 250}
	if !slices.Contains(choices, query.Limit) {
		choices = append(choices, query.Limit)
		slices.Sort(choices)
	}
	var out []option
	for _, n := range choices {
		text := strconv.Itoa(n)
		param := text
		if n == q.handler.options.PageSize {
			param = ""
		}
		out = append(out, option{
			Value: text, Label: text, Href: with(q.root, values, paramLimit, param), Chosen: n == query.Limit,
		})
	}
	return out
}
