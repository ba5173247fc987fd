package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/infrakitchen/audit/trail"
)

// refusesValue reports whether PostgreSQL refused a value for what it is: it is
// a data exception, or exceeds a limit.
func refusesValue(err error) bool {
	code := state(err)
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "54")
}

// refusal explains why PostgreSQL refused entries that passed check, with the
// field if that can be told.
func refusal(entries []trail.Entry, err error) error {
	for i := range entries {
		if field := beyondLimits(&entries[i]); field != "" {
			return fmt.Errorf("%w entry %s: %s: %w", ErrInvalid, entries[i].ID, field, err)
		}
	}
	if len(entries) == 1 {
		return fmt.Errorf("%w entry %s: %w", ErrInvalid, entries[0].ID, err)
	}
	return fmt.Errorf("%w entries: %w", ErrInvalid, err)
}

// Limits of PostgreSQL. SQLite has none of them, and keeps what it was given.
const (
	maxWhole    = 131_072 // digits of a number before the decimal point
	maxFraction = 16_383  // digits after it
	// maxIndexed is how many bytes of text always fit into an index entry. There
	// may be more if they can be compressed.
	maxIndexed = 2600
)

// beyondLimits returns what PostgreSQL may have refused of an entry, or nothing.
func beyondLimits(e *trail.Entry) string {
	for _, f := range []struct {
		name string
		raw  json.RawMessage
	}{{"Before", e.Before}, {"After", e.After}, {"Context", e.Context}} {
		if number := beyondNumeric(f.raw); number != "" {
			return fmt.Sprintf("the %s has the number %.40s, beyond PostgreSQL's range", f.name, number)
		}
	}
	switch {
	case len(e.Actor.ID) > maxIndexed:
		return fmt.Sprintf("the Actor.ID of %d bytes is too long", len(e.Actor.ID))
	case len(e.Event) > maxIndexed:
		return fmt.Sprintf("the Event of %d bytes is too long", len(e.Event))
	case len(e.Model)+len(e.EntityID) > maxIndexed:
		return fmt.Sprintf("the Model and the EntityID, of %d bytes, are too long", len(e.Model)+len(e.EntityID))
	}
	return ""
}

// beyondNumeric returns the first number of valid JSON that PostgreSQL's numeric
// cannot hold, or nothing.
func beyondNumeric(raw json.RawMessage) string {
	tokens := json.NewDecoder(bytes.NewReader(raw))
	tokens.UseNumber()
	for {
		token, err := tokens.Token()
		if err != nil {
			return ""
		}
		number, ok := token.(json.Number)
		if !ok {
			continue
		}
		text := strings.ToLower(strings.TrimPrefix(number.String(), "-"))
		mantissa, power, scientific := strings.Cut(text, "e")
		whole, fraction, _ := strings.Cut(mantissa, ".")
		shift, err := strconv.Atoi(power)
		if scientific && err != nil || len(whole)+shift > maxWhole || len(fraction)-shift > maxFraction {
			return number.String()
		}
	}
}
