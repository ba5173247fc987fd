package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/infrakitchen/audit/trail"
)

// check reports what keeps an entry from being written, by the field's name.
func check(e *trail.Entry) error {
	if e.ID == uuid.Nil {
		return errors.New("the ID is missing")
	}
	if e.TraceID == uuid.Nil {
		return errors.New("the TraceID is missing")
	}
	if created(e).IsZero() {
		return errors.New("the CreatedAt is missing, and the ID is not of version 7")
	}
	if err := checkTime("the CreatedAt", created(e)); err != nil {
		return err
	}
	if e.Event == "" {
		return errors.New("the Event is missing")
	}
	if e.Actor.Kind == "" {
		return errors.New("the Actor.Kind is missing")
	}
	if err := checkResult("Outcome", e.Outcome, trail.Success, trail.Failure, trail.Denied, trail.Pending); err != nil {
		return err
	}
	for _, f := range []struct{ name, text string }{
		{"Tenant", e.Tenant},
		{"Actor.ID", e.Actor.ID},
		{"Actor.Name", e.Actor.Name},
		{"Actor.Kind", string(e.Actor.Kind)},
		{"Actor.OnBehalfOf", e.Actor.OnBehalfOf},
		{"Event", string(e.Event)},
		{"Operation", string(e.Operation)},
		{"Model", e.Model},
		{"EntityID", e.EntityID},
		{"EntityName", e.EntityName},
	} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		raw  json.RawMessage
	}{{"Before", e.Before}, {"After", e.After}, {"Context", e.Context}} {
		if err := checkObject(f.name, f.raw); err != nil {
			return err
		}
		if hasHalfPair(f.raw) {
			return fmt.Errorf("the %s has one half of a surrogate pair without the other", f.name)
		}
	}
	return nil
}

func checkOutcome(o trail.Outcome) error {
	if o.TraceID == uuid.Nil {
		return errors.New("the TraceID is missing")
	}
	if o.FinishedAt.IsZero() {
		return errors.New("the FinishedAt is missing")
	}
	if err := checkTime("the FinishedAt", o.FinishedAt); err != nil {
		return err
	}
	if err := checkResult("Result", o.Result, trail.Success, trail.Failure, trail.Denied); err != nil {
		return err
	}
	if o.Status != int(int32(o.Status)) { //nolint:gosec // that is what is found out
		return fmt.Errorf("the Status is %d, must be of 32 bits", o.Status)
	}
	return checkText("Error", o.Error)
}

func checkResult(field string, r trail.Result, allowed ...trail.Result) error {
	if slices.Contains(allowed, r) {
		return nil
	}
	last := len(allowed) - 1
	names := string(allowed[0])
	for _, a := range allowed[1:last] {
		names += ", " + string(a)
	}
	return fmt.Errorf("the %s is %q, must be %s or %s", field, r, names, allowed[last])
}

// Times of other years cannot be spelled as RFC 3339 has it, nor as JSON. The
// first microsecond is the zero time, which is none.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
)

// inRange reports whether the year of t in UTC is 1 to 9999.
func inRange(t time.Time) bool {
	return t.Unix() >= firstTime.Unix() && t.Unix() <= lastTime.Unix()
}

// nearest returns t, or the first or the last time if it is out of range.
func nearest(t time.Time) time.Time {
	switch {
	case inRange(t):
		return t
	case t.Before(firstTime):
		return firstTime
	default:
		return lastTime
	}
}

func checkTime(what string, t time.Time) error {
	if !inRange(t) {
		return fmt.Errorf("%s is in the year %d, must be 1 to 9999", what, t.UTC().Year())
	}
	return nil
}

// checkText refuses what PostgreSQL cannot store as text, on every engine.
func checkText(name, s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fmt.Errorf("the %s contains a NUL character", name)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("the %s is not valid UTF-8", name)
	}
	return nil
}

func checkObject(name string, raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	if !looksLikeObject(raw) || !json.Valid(raw) {
		return fmt.Errorf("the %s is not a JSON object", name)
	}
	// JSON may have it, but not PostgreSQL's.
	if hasNUL(raw) {
		return fmt.Errorf("the %s contains a NUL character", name)
	}
	if !utf8.Valid(raw) {
		return fmt.Errorf("the %s is not valid UTF-8", name)
	}
	return nil
}

// hasNUL reports whether valid JSON has the escape of a NUL character. After an
// escaped backslash, u0000 is text.
func hasNUL(raw []byte) bool {
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return false
		}
		if raw = raw[at+1:]; bytes.HasPrefix(raw, []byte("u0000")) {
			return true
		}
		raw = raw[1:] // what is escaped
	}
}

// hasHalfPair reports whether valid JSON has the escape of one half of a
// surrogate pair without that of the other, which PostgreSQL refuses.
func hasHalfPair(raw []byte) bool {
	for {
		at := bytes.IndexByte(raw, '\\')
		if at < 0 {
			return false
		}
		first := escaped(raw[at:])
		if raw = raw[at+len(`\n`):]; !utf16.IsSurrogate(first) {
			continue
		}
		if raw = raw[len(`0000`):]; utf16.DecodeRune(first, escaped(raw)) == utf8.RuneError {
			return true
		}
		raw = raw[len(`\u0000`):]
	}
}

// escaped returns what the four digits stand for if valid JSON begins with \u,
// else -1.
func escaped(raw []byte) rune {
	if !bytes.HasPrefix(raw, []byte(`\u`)) {
		return -1
	}
	unit, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(unit)
}

// looksLikeObject reports whether JSON is that of an object, if it is JSON.
func looksLikeObject(raw json.RawMessage) bool {
	text := bytes.TrimLeft(raw, " \t\r\n")
	return len(text) > 0 && text[0] == '{'
}
