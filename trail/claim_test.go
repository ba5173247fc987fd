package trail_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/infrakitchen/audit/trail"
)

// tx is a transaction of a database that there is not.
type tx struct {
	name string
	over atomic.Bool
}

func ended(v any) bool { return v.(*tx).over.Load() }

// overTx returns a transaction that has ended.
func overTx() *tx {
	t := &tx{name: "over"}
	t.over.Store(true)
	return t
}

// TestClaim is the table of who may write the action's own entry.
func TestClaim(t *testing.T) {
	one, other := &tx{name: "one"}, &tx{name: "other"}
	over := overTx()
	// earlier is a statement that has run.
	type earlier struct {
		tx               *tx
		written, durable bool
		open             bool // it is still running
	}
	for _, c := range []struct {
		reason    string
		event     trail.Event
		model     string // of the statement
		operation trail.Operation
		nobody    bool // the action has not named its entity
		held      bool
		earlier   []earlier
		before    func(*trail.Trace)
		tx        *tx
		committed *tx
	}{
		{reason: "the first", model: "thing", held: true},
		{reason: "the first, in a transaction", model: "thing", tx: one, held: true},
		{reason: "of another model", model: "part"},
		{reason: "of an action ahead", event: trail.Execute, model: "thing"},
		{
			reason: "when it has ended", model: "thing", before: func(tr *trail.Trace) { _ = tr.End(nil) },
		},
		{
			reason: "when the end is somebody else's, and the entry is kept", model: "thing",
			before: func(tr *trail.Trace) { _ = tr.Finish(trail.Outcome{Result: trail.Pending}) },
		},
		{reason: "while another is running, which may be of another row", model: "thing", earlier: []earlier{{open: true}}, held: true},
		{reason: "while another is running, and any row will do", model: "thing", nobody: true, earlier: []earlier{{open: true}}},
		{reason: "behind one that is running and one that is durable", model: "thing", earlier: []earlier{{open: true}, {written: true, durable: true}}},
		{reason: "an insert, of a create", event: trail.Create, model: "thing", nobody: true, operation: trail.OpInsert, held: true},
		{reason: "an update, of a create", event: trail.Create, model: "thing", nobody: true, operation: trail.OpUpdate},
		{reason: "an update, of a create that names its entity", event: trail.Create, model: "thing", operation: trail.OpUpdate, held: true},
		{reason: "behind one that wrote nothing", model: "thing", earlier: []earlier{{}}, held: true},
		{reason: "behind one that is durable", model: "thing", earlier: []earlier{{written: true, durable: true}}},
		{reason: "behind one in the same transaction, which was not taken back to a savepoint", model: "thing", earlier: []earlier{{tx: one, written: true}}, tx: one},
		{reason: "while the transaction of one is open", model: "thing", earlier: []earlier{{tx: one, written: true}}, tx: other},
		{reason: "while the transaction of one is open, in none", model: "thing", earlier: []earlier{{tx: one, written: true}}},
		{reason: "behind one whose transaction is over", model: "thing", earlier: []earlier{{tx: over, written: true}}, tx: one, held: true},
		{reason: "behind one whose transaction is over, in none", model: "thing", earlier: []earlier{{tx: over, written: true}}, held: true},
		{reason: "behind one whose transaction was committed", model: "thing", earlier: []earlier{{tx: one, written: true}}, committed: one, tx: other},
		{reason: "behind a commit of another transaction", model: "thing", earlier: []earlier{{tx: one, written: true}}, committed: other, tx: one},
		{reason: "behind one that is over and one that wrote nothing", model: "thing", earlier: []earlier{{tx: over, written: true}, {tx: one}}, tx: other, held: true},
		{
			reason: "behind one whose end is unknown", model: "thing", earlier: []earlier{{written: true}}, held: true,
		},
	} {
		t.Run(c.reason, func(t *testing.T) {
			recording(t)
			if c.event == "" {
				c.event = trail.Update
			}
			action := trail.Action{Actor: una, Event: c.event, Model: "thing", EntityID: "42"}
			if c.nobody {
				action.EntityID = ""
			}
			_, trace := start(t, t.Context(), action)
			for _, e := range c.earlier {
				claim, err := trace.Claim(trail.Work{Model: "thing", Tx: key(e.tx), Done: ended})
				if err != nil || !claim.Held {
					t.Fatalf("an earlier statement holds no claim: %v", err)
				}
				if !e.open {
					claim.Settle(e.written, e.durable)
				}
			}
			if c.committed != nil {
				trace.Committed(c.committed)
			}
			if c.before != nil {
				c.before(trace)
			}
			claim, err := trace.Claim(trail.Work{Model: c.model, Operation: c.operation, Tx: key(c.tx), Done: ended})
			if err != nil || claim.Held != c.held {
				t.Errorf("the claim is held: %t (%v), want %t", claim.Held, err, c.held)
			}
			if claim.Held && claim.EntityID != action.EntityID {
				t.Errorf("the claim is for entity %q", claim.EntityID)
			}
			claim.Settle(false, false)
		})
	}
}

// key keeps a nil transaction from becoming an interface that is not nil.
func key(t *tx) any {
	if t == nil {
		return nil
	}
	return t
}

// An action without a model has no row that could be its own.
func TestClaimWithoutModel(t *testing.T) {
	recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
	if claim, err := trace.Claim(trail.Work{Model: ""}); err != nil || claim.Held {
		t.Errorf("the claim is held: %t, %v", claim.Held, err)
	}
}

// database keeps own entries as a database does: what a transaction wrote is
// there for itself, and for others when it is committed.
type database struct {
	committed int // own entries that are durable
	in        *tx // where one is written that is not
}

// insert writes the own entry where there is none, as Claim.Held says.
func (d *database) insert(in *tx) bool {
	if d.committed > 0 || d.in != nil {
		return false
	}
	if in == nil {
		d.committed++
	} else {
		d.in = in
	}
	return true
}

func (d *database) end(t *tx, commit bool) {
	t.over.Store(true)
	if d.in == t {
		d.in = nil
		if commit {
			d.committed++
		}
	}
}

// TestClaimProperty: whatever a handler does with statements, transactions and
// savepoints, with commits that are heard of and others that are not, at most
// one entry with the id of the trace is durable at any time, and when the
// action has ended and its transactions have, exactly one is.
func TestClaimProperty(t *testing.T) {
	defer trail.SetDefault(nil)
	rapid.Check(t, func(t *rapid.T) {
		m := &memory{}
		trail.SetDefault(m)
		_, trace, err := trail.Start(t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing", EntityID: "42"})
		if err != nil {
			t.Fatal(err)
		}
		db := &database{}
		var open []*tx
		pick := func(label string) *tx {
			if i := rapid.IntRange(-1, len(open)-1).Draw(t, label); i >= 0 {
				return open[i]
			}
			return nil
		}
		finish := func(x *tx, commit, heard bool) {
			db.end(x, commit)
			if commit && heard {
				trace.Committed(x)
			}
			for i := range open {
				if open[i] == x {
					open = append(open[:i], open[i+1:]...)
					return
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"begin": func(t *rapid.T) {
				if len(open) < 3 {
					open = append(open, &tx{})
				}
			},
			"statement": func(t *rapid.T) {
				in := pick("in")
				claim, err := trace.Claim(trail.Work{Model: "thing", Tx: key(in), Done: ended})
				if err != nil {
					t.Fatal(err)
				}
				if !claim.Held {
					return
				}
				if db.in != nil && db.in != in {
					t.Fatal("a statement holds the claim while the entry is written in another open transaction: it would wait for it")
				}
				switch rapid.SampledFrom([]string{"own", "another", "fails", "lost"}).Draw(t, "what") {
				case "own":
					written := db.insert(in)
					claim.Settle(written, in == nil)
				case "another", "fails":
					claim.Settle(false, false)
				case "lost": // it was done, but the answer did not come
					if in == nil {
						db.insert(nil)
						claim.Settle(true, false)
					} else {
						claim.Settle(false, false)
						finish(in, false, false) // with its connection
					}
				}
			},
			"rollback to a savepoint": func(t *rapid.T) {
				if in := pick("in"); in != nil {
					trace.RolledBack(in)
					if db.in == in {
						db.in = nil
					}
				}
			},
			"end of a transaction": func(t *rapid.T) {
				if in := pick("in"); in != nil {
					finish(in, rapid.Bool().Draw(t, "commit"), rapid.Bool().Draw(t, "heard"))
				}
			},
			"": func(t *rapid.T) {
				if db.committed > 1 {
					t.Fatalf("%d own entries are durable", db.committed)
				}
			},
		})
		commit := rapid.Bool().Draw(t, "commit")
		if err := trace.End(nil); err != nil {
			t.Fatal(err)
		}
		for len(open) > 0 { // ended without a word to the recorder
			finish(open[0], commit, false)
		}
		for db.committed == 0 && !m.recorded() { // once it is over, the end is recorded
			time.Sleep(time.Millisecond)
		}
		recorded := 0
		if db.committed == 0 {
			recorded = 1 // what the database has already is passed over
		}
		if db.committed+recorded != 1 {
			t.Fatalf("%d own entries are durable when all is over", db.committed+recorded)
		}
	})
}

// Of any number of goroutines, one holds the claim at a time, and none after
// the one that was durable.
func TestClaimOfManyGoroutines(t *testing.T) {
	recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
	var mu sync.Mutex
	holding, durable := 0, false
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 100 {
				claim, err := trace.Claim(trail.Work{Model: "thing"})
				if err != nil {
					t.Error(err)
				}
				if !claim.Held {
					continue
				}
				mu.Lock()
				holding++
				if holding != 1 || durable {
					t.Errorf("%d hold the claim, and it was durable: %t", holding, durable)
				}
				durable = g*i > 500
				written := durable
				holding--
				mu.Unlock()
				claim.Settle(written, written)
			}
		})
	}
	wg.Wait()
	if err := trace.End(nil); err != nil {
		t.Error(err)
	}
}

// A claim that is settled after the end does not change it.
func TestSettleBehindTheEnd(t *testing.T) {
	m := recording(t)
	_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"})
	claim, err := trace.Claim(trail.Work{Model: "thing"})
	if err != nil || !claim.Held {
		t.Fatalf("the claim is held: %t, %v", claim.Held, err)
	}
	if err := trace.End(nil); err != nil {
		t.Fatal(err)
	}
	claim.Settle(true, true)
	claim.Fail()
	if err := trace.End(nil); !errors.Is(err, trail.ErrEnded) || len(m.entries) != 1 {
		t.Errorf("got %v, %d entries", err, len(m.entries))
	}
}

// TestSole: a claim is the only one to the id until others know it, or a
// statement has failed whose outcome nobody knows.
func TestSole(t *testing.T) {
	for _, c := range []struct {
		reason  string
		options trail.Options
		before  func(context.Context, *trail.Trace)
		sole    bool
	}{
		{reason: "a trace of its own", sole: true},
		{reason: "an id from outside", options: trail.Options{ID: trail.NewID(time.Now())}},
		{reason: "a trace that was handed on", before: func(ctx context.Context, _ *trail.Trace) { trail.Inject(ctx, trail.MapCarrier{}) }},
		{reason: "behind a statement without a row", sole: true, before: func(_ context.Context, tr *trail.Trace) {
			claim, _ := tr.Claim(trail.Work{Model: "thing"})
			claim.Settle(false, true)
		}},
		{reason: "behind a statement that failed", before: func(_ context.Context, tr *trail.Trace) {
			claim, _ := tr.Claim(trail.Work{Model: "thing"})
			claim.Fail()
		}},
		{reason: "behind a transaction that is over", before: func(_ context.Context, tr *trail.Trace) {
			claim, _ := tr.Claim(trail.Work{Model: "thing", Tx: overTx(), Done: ended})
			claim.Settle(true, false)
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			recording(t)
			s := new(trail.Scope)
			if err := s.Start(t.Context(), trail.Action{Actor: una, Event: trail.Update, Model: "thing"}, c.options); err != nil {
				t.Fatal(err)
			}
			if c.before != nil {
				c.before(s, s.Trace())
			}
			claim, err := s.Trace().Claim(trail.Work{Model: "thing"})
			if err != nil || !claim.Held || claim.Sole != c.sole {
				t.Errorf("the claim is held: %t, alone: %t (%v), want %t", claim.Held, claim.Sole, err, c.sole)
			}
			claim.Settle(false, true)
		})
	}
}
