package trail_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// past is when the actions began that are carried here.
var past = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)

// row is a carrier that goes through a column of a table.
type row struct{ JSON string }

func (r *row) Get(key string) string {
	var m map[string]string
	if json.Unmarshal([]byte(r.JSON), &m) != nil {
		return ""
	}
	return m[key]
}

func (r *row) Set(key, value string) {
	m := map[string]string{}
	_ = json.Unmarshal([]byte(r.JSON), &m) // nothing may be there yet
	m[key] = value
	b, _ := json.Marshal(m)
	r.JSON = string(b)
}

// TestInjectAndExtract: what is injected comes out, through carriers of any
// kind, with whatever texts.
func TestInjectAndExtract(t *testing.T) {
	actions := map[string]trail.Action{
		"an update": {Actor: una, Event: trail.Update, Model: "thing", EntityID: "42", Moment: trail.WithChange},
		"one ahead": {Actor: una, Event: trail.Execute, Model: "thing", EntityID: "42", Moment: trail.Ahead},
		"all of it": {
			Actor: trail.Actor{ID: "root", Name: "Zoë 👩‍🚀", Kind: trail.KindService, OnBehalfOf: "una"}, Event: "publish",
			Model: "thing", EntityID: `a\,b,c`, Tenant: "acme", Reason: "because \"so\"\n", Moment: trail.Ahead,
		},
		"next to nothing": {Event: "x", Moment: trail.WithChange},
	}
	carriers := map[string]func() trail.Carrier{
		"http.Header": func() trail.Carrier { return http.Header{} },
		"a map":       func() trail.Carrier { return trail.MapCarrier{} },
		"a row":       func() trail.Carrier { return &row{} },
	}
	for name, action := range actions {
		for kind, carrier := range carriers {
			t.Run(name+" through "+kind, func(t *testing.T) {
				m := recording(t)
				ctx, trace := start(t, t.Context(), action)
				c := carrier()
				trail.Inject(ctx, c)

				far := trail.Extract(t.Context(), c)
				remote, ok := trail.FromContext(far)
				if !ok || remote == trace || remote.ID() != trace.ID() || remote.String() != trace.String() {
					t.Fatalf("the trace %s came out as %v", trace, remote)
				}
				if err := remote.Err(); err != nil {
					t.Error(err)
				}
				if id, ok := trail.TraceID(far); !ok || id != trace.ID() {
					t.Errorf("the context's trace id is %s", id)
				}
				if diff := cmp.Diff(trace.Action(), remote.Action()); diff != "" {
					t.Errorf("the action (-injected +extracted):\n%s", diff)
				}
				if claim, err := remote.Claim(trail.Work{Model: action.Model}); err != nil || claim.Held {
					t.Errorf("the far side claims the own entry: %v", err)
				}
				// The near side leaves the end to the far one.
				if err := trace.Finish(trail.Outcome{Result: trail.Pending, Status: 202}); err != nil {
					t.Fatal(err)
				}
				if got := m.result(trace.ID()); got != trail.Pending {
					t.Errorf("the outcome is %s ahead of the end", got)
				}
				if err := remote.End(errDown); err != nil {
					t.Fatal(err)
				}
				if got := m.result(trace.ID()); got != trail.Failure || len(m.entries) != 1 || len(m.outcomes) != 1 {
					t.Errorf("the outcome is %s, %d entries, %d outcomes", got, len(m.entries), len(m.outcomes))
				}
				if o := m.outcomes[0]; o.Error != errDown.Error() || o.Duration < 0 {
					t.Errorf("the outcome is %+v", o)
				}
				if err := remote.End(nil); !errors.Is(err, trail.ErrEnded) {
					t.Errorf("the second end returns %v", err)
				}
				if err := remote.Annotate(trail.Approve, "", trail.ByEvent); !errors.Is(err, trail.ErrRecorded) {
					t.Errorf("an annotation by the far side returns %v", err)
				}
			})
		}
	}
}

// TestLongestTexts: what Inject writes Extract takes, however long the texts of
// the action are, in whatever script.
func TestLongestTexts(t *testing.T) {
	recording(t)
	for _, letter := range []string{"x", "ä", "字", "👩", "<", "\\", "\x00"} {
		long := strings.Repeat(letter, 5000)
		ctx, trace := start(t, t.Context(), trail.Action{
			Actor: trail.Actor{ID: long, Name: long, OnBehalfOf: long}, Event: trail.Event(long),
			Model: long, EntityID: long, Tenant: long, Reason: long, Moment: trail.WithChange,
		})
		c := trail.MapCarrier{}
		trail.Inject(ctx, c)
		remote, _ := trail.FromContext(trail.Extract(t.Context(), c))
		if err := remote.Err(); err != nil || remote.ID() != trace.ID() {
			t.Errorf("texts of %q, %d bytes: %v", letter, len(c[trail.CarrierKey]), err)
			continue
		}
		if diff := cmp.Diff(trace.Action(), remote.Action()); diff != "" {
			t.Errorf("texts of %q: the action (-injected +extracted):\n%s", letter, diff)
		}
	}
}

// TestFarSideAlone: where the near side did not come to write the action's
// entry, the far side's end does, so that the trace leads somewhere.
func TestFarSideAlone(t *testing.T) {
	m := recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing", EntityID: "42"})
	c := trail.MapCarrier{}
	trail.Inject(ctx, c)
	remote, _ := trail.FromContext(trail.Extract(t.Context(), c))
	if err := remote.End(nil); err != nil {
		t.Fatal(err)
	}
	if len(m.entries) != 1 || m.entries[0].ID != trace.ID() || m.entries[0].EntityID != "42" || m.result(trace.ID()) != trail.Success {
		t.Errorf("the entries are %+v, the outcome %s", m.entries, m.result(trace.ID()))
	}
	// The near side comes late, and changes nothing of it.
	if err := trace.End(errDown); err != nil {
		t.Error(err)
	}
	if len(m.entries) != 1 || m.result(trace.ID()) != trail.Success {
		t.Errorf("%d entries, the outcome %s", len(m.entries), m.result(trace.ID()))
	}
}

// TestTwoFarSides: a message that is delivered twice has one outcome, the
// first.
func TestTwoFarSides(t *testing.T) {
	m := recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Execute})
	c := trail.MapCarrier{}
	trail.Inject(ctx, c)
	for _, end := range []error{nil, errDown} {
		remote, _ := trail.FromContext(trail.Extract(t.Context(), c))
		if err := remote.End(end); err != nil {
			t.Error(err)
		}
	}
	if got := m.result(trace.ID()); got != trail.Success || len(m.entries) != 1 || len(m.outcomes) != 1 {
		t.Errorf("the outcome is %s, %d entries, %d outcomes", got, len(m.entries), len(m.outcomes))
	}
}

// TestRelay: a far side may hand the trace on.
func TestRelay(t *testing.T) {
	recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Execute, Model: "thing"})
	for range 3 {
		c := trail.MapCarrier{}
		trail.Inject(ctx, c)
		ctx = trail.Extract(context.Background(), c)
	}
	if id, _ := trail.TraceID(ctx); id != trace.ID() {
		t.Errorf("the trace is %s in the end, want %s", id, trace.ID())
	}
}

func TestNothingToCarry(t *testing.T) {
	recording(t)
	c := trail.MapCarrier{"other": "x"}
	trail.Inject(t.Context(), c)
	if len(c) != 1 {
		t.Errorf("without a trace it is injected: %v", c)
	}
	for _, c := range []trail.Carrier{trail.MapCarrier{}, trail.MapCarrier(nil), http.Header(nil), &row{}} {
		if ctx := trail.Extract(t.Context(), c); ctx != t.Context() {
			t.Errorf("%T: the context is another one", c)
		}
	}
	// A trace that is there stays.
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	if found, _ := trail.FromContext(trail.Extract(ctx, trail.MapCarrier{})); found != trace {
		t.Error("the trace of the context is gone")
	}
}

// TestExtractWithoutRecorder: the work continues, and its end says what is
// missing.
func TestExtractWithoutRecorder(t *testing.T) {
	recording(t)
	ctx, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Execute})
	c := trail.MapCarrier{}
	trail.Inject(ctx, c)
	trail.SetDefault(nil)
	remote, _ := trail.FromContext(trail.Extract(t.Context(), c))
	if remote.ID() != trace.ID() {
		t.Errorf("the trace is %s", remote.ID())
	}
	if err := remote.End(nil); !errors.Is(err, trail.ErrNoRecorder) {
		t.Errorf("the end returns %v", err)
	}
}

// forged returns a carrier with any JSON in it.
func forged(text string) trail.MapCarrier {
	return trail.MapCarrier{trail.CarrierKey: base64.RawURLEncoding.EncodeToString([]byte(text))}
}

// TestGarbledCarriers: a malformed trace yields a new one, of an unknown actor,
// that says why; the work continues.
func TestGarbledCarriers(t *testing.T) {
	id := trail.NewID(past).String()
	good := `{"v":1,"trace":"` + id + `","actor":{"ID":"7"},"event":"execute","moment":2}`
	set := func(old, new string) trail.Carrier { return forged(strings.Replace(good, old, new, 1)) }
	if remote, ok := trail.FromContext(trail.Extract(t.Context(), forged(good))); !ok || remote.Err() != nil {
		t.Fatalf("what is good is refused: %v", remote.Err())
	}
	for reason, c := range map[string]trail.Carrier{
		"no base64":               trail.MapCarrier{trail.CarrierKey: "%%%"},
		"padded":                  trail.MapCarrier{trail.CarrierKey: base64.URLEncoding.EncodeToString([]byte(good + " "))},
		"cut":                     trail.MapCarrier{trail.CarrierKey: forged(good)[trail.CarrierKey][:40]},
		"a space":                 trail.MapCarrier{trail.CarrierKey: " "},
		"no JSON":                 forged("hello"),
		"JSON of another kind":    forged(`[1]`),
		"null":                    forged(`null`),
		"an empty object":         forged(`{}`),
		"too large":               trail.MapCarrier{trail.CarrierKey: strings.Repeat("A", 1<<20)},
		"another version":         set(`"v":1`, `"v":2`),
		"no version":              set(`"v":1,`, ``),
		"no id":                   set(id, ""),
		"the nil id":              set(id, uuid.Nil.String()),
		"an id of version 4":      set(id, "8a2e0b1c-41d5-4c6e-9f6a-111111111111"),
		"another variant":         set(id, id[:19]+"2"+id[20:]),
		"an id of the future":     set(id, trail.NewID(time.Now().Add(48*time.Hour)).String()),
		"an id of the year 10889": set(id, "ffffffff-ffff-7fff-bfff-ffffffffffff"),
		"no event":                set(`"execute"`, `""`),
		"a moment there is not":   set(`"moment":2`, `"moment":3`),
		"a moment below":          set(`"moment":2`, `"moment":-1`),
		"an actor that is none":   set(`{"ID":"7"}`, `7`),
		"two values":              forged(good + good),
	} {
		t.Run(reason, func(t *testing.T) {
			m := recording(t)
			ctx := trail.Extract(t.Context(), c)
			trace, ok := trail.FromContext(ctx)
			if !ok || !errors.Is(trace.Err(), trail.ErrCarrier) {
				t.Fatalf("a trace: %t, its error: %v", ok, trace.Err())
			}
			if got := trace.ID(); got.String() == id || got.Version() != 7 || got.Variant() != uuid.RFC4122 {
				t.Errorf("the new trace is %s", got)
			}
			if got := trace.Action().Actor; got != trail.Unknown() {
				t.Errorf("the actor is %+v", got)
			}
			if n := len(trace.Err().Error()); n > 300 {
				t.Errorf("the error has %d bytes", n)
			}
			if err := trace.End(nil); err != nil {
				t.Error(err)
			}
			if len(m.entries) != 1 || m.entries[0].ID != trace.ID() || m.result(trace.ID()) != trail.Success {
				t.Errorf("the entries are %+v", m.entries)
			}
		})
	}
}

// TestForgedTexts: what a forged carrier says is bounded and printable, so that
// it can be kept.
func TestForgedTexts(t *testing.T) {
	m := recording(t)
	id := trail.NewID(past)
	hostile := `\u0000\u202e` + strings.Repeat("x", 600)
	ctx := trail.Extract(t.Context(), forged(`{"v":1,"trace":"`+id.String()+`","actor":{"ID":"`+hostile+`","Name":"`+hostile+`","Kind":"`+hostile+
		`","OnBehalfOf":"`+hostile+`"},"event":"`+hostile+`","model":"`+hostile+`","entity":"`+hostile+`","tenant":"`+hostile+`","reason":"`+hostile+`","moment":0}`))
	trace, _ := trail.FromContext(ctx)
	if err := trace.Err(); err != nil {
		t.Fatal(err)
	}
	if err := trace.End(nil); err != nil {
		t.Fatal(err)
	}
	keepable(t, m.entries[0])
}

// keepable holds an entry to what any database can keep.
func keepable(t *testing.T, e trail.Entry) {
	t.Helper()
	for _, text := range []string{
		e.Tenant, e.Actor.ID, e.Actor.Name, string(e.Actor.Kind), e.Actor.OnBehalfOf, string(e.Event), e.Model, e.EntityID, string(e.Context),
	} {
		if strings.ContainsAny(text, "\x00\u202e") || !utf8.ValidString(text) || len(text) > 8<<10 {
			t.Errorf("%.40q (%d bytes) is kept", text, len(text))
		}
	}
	switch e.Actor.Kind {
	case trail.KindUser, trail.KindService, trail.KindSystem, trail.KindAnonymous:
	default:
		t.Errorf("the kind %q is kept", e.Actor.Kind)
	}
	if e.Event == "" || e.ID == uuid.Nil || e.CreatedAt.Year() > 9999 {
		t.Errorf("an entry %s of %q at %s is kept", e.ID, e.Event, e.CreatedAt)
	}
}

// FuzzExtract: whatever is in a carrier, there is a trace, no panic, and what
// it leaves can be kept.
func FuzzExtract(f *testing.F) {
	id := trail.NewID(past).String()
	good := `{"v":1,"trace":"` + id + `","actor":{"ID":"7","Kind":"user"},"event":"execute","model":"thing","entity":"42","moment":2}`
	f.Add(good, true)
	f.Add(good, false)
	f.Add(strings.ReplaceAll(good, "7", `\u0000`), true)
	f.Add("", false)
	f.Add("null", true)
	f.Fuzz(func(t *testing.T, text string, encode bool) {
		m := recording(t)
		c := trail.MapCarrier{trail.CarrierKey: text}
		if encode {
			c = forged(text)
		}
		ctx := trail.Extract(t.Context(), c)
		trace, ok := trail.FromContext(ctx)
		if c[trail.CarrierKey] == "" {
			if ok {
				t.Fatal("there is a trace of nothing")
			}
			return
		}
		if !ok || trace.Err() != nil && !errors.Is(trace.Err(), trail.ErrCarrier) {
			t.Fatalf("a trace: %t, its error: %v", ok, trace.Err())
		}
		again := trail.MapCarrier{}
		trail.Inject(ctx, again)
		if id, ok := trail.TraceID(trail.Extract(context.Background(), again)); !ok || id != trace.ID() {
			t.Fatalf("handed on, the trace %s is %s", trace, id)
		}
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		keepable(t, m.entries[0])
	})
}
