package gormhook_test

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// record is a row of audit_logs, read without the library.
type record struct {
	seq                                    int64
	id, trace, created                     string
	tenant, onBehalfOf                     string
	userID, userName, userKind             string
	event, operation, model, entity, name  string
	outcome                                string
	before, after, context                 map[string]any
	beforeText, afterText, contextText     sql.NullString
	hasOperation, hasTenant, hasEntityName bool
}

func (r *record) String() string {
	return fmt.Sprintf("%d %s %s/%s %s [%s] name=%q before=%s after=%s context=%s trace=%s id=%s", r.seq, r.userID, r.event,
		r.operation, r.model, r.entity, r.name, r.beforeText.String, r.afterText.String, r.contextText.String, r.trace, r.id)
}

func lastSeq(tb testing.TB, desk *sql.DB) (seq int64) {
	tb.Helper()
	if err := desk.QueryRowContext(tb.Context(), `SELECT coalesce(max(seq), 0) FROM audit_logs`).Scan(&seq); err != nil {
		tb.Fatal(err)
	}
	return seq
}

// readEntries returns the entries after mark, in the order of seq.
func readEntries(tb testing.TB, desk *sql.DB, mark int64) (entries []*record) {
	tb.Helper()
	rows, err := desk.QueryContext(tb.Context(), `
		SELECT seq, CAST(id AS text), CAST(trace_id AS text), CAST(created_at AS text), tenant_id, user_id, user_name, user_kind,
			on_behalf_of, event, operation, model, entity_id, entity_name, CAST("before" AS text), CAST("after" AS text),
			outcome, CAST(context AS text)
		FROM audit_logs WHERE seq > `+strconv.FormatInt(mark, 10)+` ORDER BY seq`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() {
		if err := rows.Close(); err != nil {
			tb.Error(err)
		}
	}()
	for rows.Next() {
		var r record
		var tenant, behalf, operation, name sql.NullString
		if err := rows.Scan(&r.seq, &r.id, &r.trace, &r.created, &tenant, &r.userID, &r.userName, &r.userKind,
			&behalf, &r.event, &operation, &r.model, &r.entity, &name, &r.beforeText, &r.afterText,
			&r.outcome, &r.contextText); err != nil {
			tb.Fatal(err)
		}
		r.tenant, r.onBehalfOf, r.operation, r.name = tenant.String, behalf.String, operation.String, name.String
		r.hasOperation, r.hasTenant, r.hasEntityName = operation.Valid, tenant.Valid, name.Valid
		r.before, r.after, r.context = readObject(tb, r.beforeText), readObject(tb, r.afterText), readObject(tb, r.contextText)
		entries = append(entries, &r)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return entries
}

func readObject(tb testing.TB, text sql.NullString) (object map[string]any) {
	tb.Helper()
	if !text.Valid {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text.String))
	d.UseNumber()
	if err := d.Decode(&object); err != nil {
		tb.Fatalf("%s: %v", text.String, err)
	}
	return object
}

// verbs are what a label says for an operation with its event.
var verbs = map[[2]string]string{
	{"create", "insert"}: "insert", {"update", "update"}: "update", {"delete", "delete"}: "delete",
	{"delete", "update"}: "softdelete", {"restore", "update"}: "restore",
}

var operations = map[string]string{
	"insert": "insert", "update": "update", "delete": "delete", "softdelete": "update", "restore": "update",
}

// label is what the record says, as a trial wants it.
func (r *record) label() string {
	verb, ok := verbs[[2]string{r.event, r.operation}]
	if !ok {
		verb = r.event
		if r.hasOperation {
			verb += "/" + r.operation
		}
	}
	if _, raw := r.context["sql"]; raw {
		return fmt.Sprintf("raw %s %s %v", verb, r.model, r.context["rows"])
	}
	return verb + " " + r.model + " " + r.entity
}

// check compares entries with what is wanted, in their order. The rows of one
// statement may come in any.
func (e *expectation) check(t *testing.T, entries []*record) {
	t.Helper()
	want := slices.Clone(e.labels)
	var got []string
	for _, r := range entries {
		got = append(got, r.label())
	}
	for i, l := range want { // keys that the database made at random
		if strings.HasSuffix(l, " *") && i < len(got) {
			verb, model, _ := splitLabel(l)
			if v, m, entity := splitLabel(got[i]); v == verb && m == model && entity != "" {
				want[i] = got[i]
			}
		}
	}
	if e.trace != nil {
		want = e.checkOwn(t, entries, want, got)
	}
	if e.shuffled {
		slices.Sort(want)
		slices.Sort(got)
	}
	sortRuns(want)
	sortRuns(got)
	if !slices.Equal(want, got) {
		diff := gocmp.Diff(want, got)
		t.Errorf("the entries differ (-want +got):\n%s", diff)
	}
	for _, r := range entries {
		e.checkRecord(t, r)
	}
	e.checkTraces(t, entries)
}

// checkOwn checks that the action's own entry is the first row of its entity,
// or of its model, that was changed, and stands alone where none was.
func (e *expectation) checkOwn(t *testing.T, entries []*record, want, got []string) []string {
	t.Helper()
	mine := func(model, entity string) bool {
		return model == e.action.Model && (e.action.EntityID == "" || entity == e.action.EntityID)
	}
	at := slices.IndexFunc(entries, func(r *record) bool { return r.id == e.trace.ID().String() })
	if at < 0 {
		t.Error("the action has no entry of its own")
		return want
	}
	own := entries[at]
	if own.event != string(e.action.Event) {
		t.Errorf("the action's own entry has the event %s", own.event)
	}
	for i, l := range want {
		verb, model, entity := splitLabel(l)
		if strings.HasPrefix(l, "raw ") || !mine(model, entity) {
			continue
		}
		if first := slices.IndexFunc(entries, func(r *record) bool {
			return r.context["sql"] == nil && mine(r.model, r.entity)
		}); first != at {
			t.Errorf("the action's own entry is the one at %d, expected at %d", at, first)
		}
		// It has the action's event, so that its operation is all there is.
		if own.entity != entity { // another row of the same statement was first
			for _, l := range want[i:] {
				if v, m, other := splitLabel(l); m == model && other == own.entity {
					verb = v
					break
				}
			}
		}
		if own.operation != operations[verb] {
			t.Errorf("the action's own entry has the operation %q, %q expected", own.operation, operations[verb])
		}
		got[at] = verb + " " + own.model + " " + own.entity
		return want
	}
	return append(want, fmt.Sprintf("%s %s %s", e.action.Event, e.action.Model, e.action.EntityID))
}

// sortRuns sorts neighbours that are of one verb and model.
func sortRuns(labels []string) {
	for i := 0; i < len(labels); {
		verb, model, _ := splitLabel(labels[i])
		j := i + 1
		for ; j < len(labels); j++ {
			if v, m, _ := splitLabel(labels[j]); v != verb || m != model {
				break
			}
		}
		slices.SortFunc(labels[i:j], func(a, b string) int {
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		i = j
	}
}

// checkRecord checks what is the same for all entries.
func (e *expectation) checkRecord(t *testing.T, r *record) {
	t.Helper()
	id, err := uuid.Parse(r.id)
	if err != nil || id.Version() != 7 || id.String() != r.id {
		t.Errorf("the id %s is not of version 7", r.id)
		return
	}
	if created, instant := readInstant(t, r.created), instantOf(id); !created.Equal(instant) {
		t.Errorf("created_at is %s, the instant in the id %s", created, instant)
	}
	got := []string{r.userID, r.userName, r.userKind, r.tenant, r.onBehalfOf, r.outcome}
	want := []string{"unknown", "unknown", "system", "", "", "success"}
	if e.trace != nil {
		want = []string{"u1", "Ann", "user", "t1", "", "success"}
	}
	if !slices.Equal(want, got) {
		t.Errorf("actor, tenant and outcome are %q, want %q", got, want)
	}
	if r.context != nil && r.context["sql"] == nil {
		t.Errorf("an entry of a row has the context %s", r.contextText.String)
	}
	if e.trace == nil && r.hasTenant {
		t.Errorf("outside any action the tenant is %q, null expected", r.tenant)
	}
}

// instantOf reads the time of a version 7 UUID: 48 bits of milliseconds, and
// here the microseconds in the 12 bits behind the version.
func instantOf(id uuid.UUID) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	fraction := (int64(id[6]&0x0f)<<8 | int64(id[7])) * 1000 / 4096
	return time.UnixMicro(ms*1000 + fraction)
}

func readInstant(t *testing.T, text string) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999-07"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at
		}
	}
	t.Errorf("created_at %q is no time", text)
	return time.Time{}
}

// checkTraces checks that each trace id is that of one entry: of the first row
// of a statement outside any action, else of the action's.
func (e *expectation) checkTraces(t *testing.T, entries []*record) {
	t.Helper()
	first := map[string]bool{}
	for _, r := range entries {
		if e.trace != nil {
			if r.trace != e.trace.ID().String() {
				t.Errorf("an entry of the action has the trace id %s", r.trace)
			}
			continue
		}
		if !first[r.trace] && r.id != r.trace {
			t.Errorf("the first row of a statement has the id %s and the trace id %s", r.id, r.trace)
		}
		if first[r.trace] && r.id == r.trace {
			t.Errorf("a further row of a statement has the trace's id")
		}
		first[r.trace] = true
	}
}
