package gormhook_test

import (
	"testing"

	"github.com/infrakitchen/audit/gormhook"
)

// A trigger that is known to leave a column as it is does not cost the one
// statement of an update, and of one that may set it no change is missed.
func TestTriggerAssigns(t *testing.T) {
	for _, c := range []struct {
		source string
		want   bool
	}{
		{``, true}, // in another language
		{`BEGIN NEW.updated_at := now(); RETURN NEW; END`, false},
		{`BEGIN NEW.updated_at = now(); /* of slug */ RETURN NEW; END`, false},
		{`BEGIN IF OLD.name = 'slug' THEN RETURN NULL; END IF; RETURN OLD; END`, false},
		{`BEGIN NEW.slug := lower(NEW.name); RETURN NEW; END`, true},
		{`BEGIN SELECT x INTO NEW."Slug" FROM y; RETURN NEW; END`, true},
		{`BEGIN NEW := made(OLD); RETURN NEW; END`, true},
		{`BEGIN SELECT * INTO NEW FROM y; RETURN NEW; END`, true},
		{`DECLARE r record; BEGIN SELECT * INTO r FROM y; RETURN r; END`, true},
		{`BEGIN RETURN made(NEW.id); END`, true},
		{`BEGIN EXECUTE 'UPDATE y SET slug = 1'; RETURN NEW; END`, true},
	} {
		if got := gormhook.Assigns(c.source, "slug"); got != c.want {
			t.Errorf("%s: %t, want %t", c.source, got, c.want)
		}
	}
}
