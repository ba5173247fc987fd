package trail_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/trail"
)

func TestActorNormalize(t *testing.T) {
	for _, c := range []struct {
		reason   string
		in, want trail.Actor
	}{
		{"nobody", trail.Actor{}, trail.Unknown()},
		{"nobody, anonymous", trail.Actor{Kind: trail.KindAnonymous}, trail.Anonymous()},
		{"nobody, a service", trail.Actor{Kind: trail.KindService}, trail.Actor{ID: "unknown", Name: "unknown", Kind: trail.KindService}},
		{"nobody, on behalf of somebody", trail.Actor{OnBehalfOf: "7"}, trail.Actor{ID: "unknown", Name: "unknown", Kind: trail.KindSystem, OnBehalfOf: "7"}},
		{"an id", trail.Actor{ID: "7"}, trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser}},
		{"a name", trail.Actor{Name: "Ada"}, trail.Actor{ID: "Ada", Name: "Ada", Kind: trail.KindUser}},
		{"a kind that there is not", trail.Actor{ID: "7", Kind: "god"}, trail.Actor{ID: "7", Name: "7", Kind: trail.KindUser}},
		{"all of it", trail.Actor{"7", "Ada", trail.KindSystem, "8"}, trail.Actor{"7", "Ada", trail.KindSystem, "8"}},
		{
			"what is hidden shows, what is long is cut",
			trail.Actor{strings.Repeat("i", 300), strings.Repeat("n", 300), trail.KindUser, "a\n"},
			trail.Actor{strings.Repeat("i", 255) + "…", strings.Repeat("n", 255) + "…", trail.KindUser, `a\u000a`},
		},
	} {
		got := c.in.Normalize()
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
		if again := got.Normalize(); again != got {
			t.Errorf("%s: normalized again it is %+v", c.reason, again)
		}
	}
}
