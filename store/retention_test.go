package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// A line whose action is still in progress is neither deleted before its rule is
// known, nor kept for ever because of that.
func TestPruneDuringAnAction(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	const never = -1
	long := []store.Keep{{Event: trail.Create, For: hour}, {Event: trail.Delete, For: 30 * day}, {Level: "info", For: 3 * hour}}
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		for name, c := range map[string]struct {
			rules  []store.Keep
			own    time.Duration   // expiry of the caller's choice
			prunes []time.Duration // before the entry is written, if it is
			event  trail.Event     // of the entry
			then   []time.Duration // prunes
			want   time.Duration   // when it expires then; 0: it is deleted
		}{
			"a short rule":             {long[:1], 0, []time.Duration{90 * time.Minute}, trail.Create, []time.Duration{5 * hour}, 0},
			"a short rule, often":      {long[:1], 0, []time.Duration{hour, 2 * hour, 3 * hour, 9 * hour, 100 * day}, trail.Create, []time.Duration{300 * day}, 0},
			"no rule after all":        {long[:1], 0, []time.Duration{90 * time.Minute}, trail.Update, []time.Duration{5 * hour}, never},
			"never recorded":           {long[:1], 0, []time.Duration{hour, 2 * hour, 5 * hour}, "", nil, 8*hour + time.Microsecond},
			"looked at again":          {long, 0, []time.Duration{90 * time.Minute}, "", nil, 2*hour + time.Microsecond},
			"the rule for any":         {long, 0, []time.Duration{90 * time.Minute}, trail.Update, []time.Duration{150 * time.Minute}, 3 * hour},
			"longer than that for any": {long, 0, []time.Duration{7 * hour}, trail.Delete, []time.Duration{8*hour + time.Second}, 30 * day},
			"recorded at once":         {long[1:], 0, nil, trail.Delete, []time.Duration{4 * hour}, 30 * day},
			"never recorded, at last":  {long, 0, []time.Duration{day, 31 * day}, "", nil, 0},
			"its own expiry":           {long[:1], 2 * hour, []time.Duration{hour, 2 * hour}, "", nil, 0},
			"less than a microsecond":  {[]store.Keep{{Event: trail.Create, For: 1}}, 0, []time.Duration{hour, 2 * hour}, trail.Create, []time.Duration{9 * hour}, 0},
			"with a rule for ever":     {[]store.Keep{{Event: trail.Create}, {For: hour}}, 0, []time.Duration{day}, trail.Create, []time.Duration{3 * day}, never},
		} {
			s, err := store.New(db, store.WithRetention(c.rules...))
			if err != nil {
				t.Fatal(err)
			}
			own := entry(noon)
			own.Event = c.event
			l := line(own.ID, 1)
			if at := noon.Add(c.own); c.own != 0 {
				l.ExpireAt = &at
			}
			write(t, s, l)
			prune := func(after []time.Duration) {
				for _, d := range after {
					if _, err := s.Prune(t.Context(), store.PruneOptions{Now: noon.Add(d)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			prune(c.prunes)
			if c.event != "" {
				record(t, s, own)
			}
			prune(c.then)
			var want, got []time.Duration
			if c.want != 0 {
				want = append(want, c.want)
			}
			for _, l := range must(s.Lines(t.Context(), own.ID, 10)) {
				left := time.Duration(never)
				if l.ExpireAt != nil {
					left = l.ExpireAt.Sub(noon)
				}
				got = append(got, left)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: what is left (-want +got):\n%s", name, diff)
			}
		}
	})
}

// A line of the first year, at which no duration from now ends.
func TestPruneOfTheFirstYear(t *testing.T) {
	each(t, func(t *testing.T, db *gorm.DB, _ *store.Store) {
		s, err := store.New(db, store.WithRetention(store.Keep{Event: trail.Create, For: time.Hour}))
		if err != nil {
			t.Fatal(err)
		}
		l := line(trail.NewID(noon), 1)
		l.CreatedAt = farthest()[0]
		write(t, s, l)
		if done, err := s.Prune(t.Context(), store.PruneOptions{Now: farthest()[1]}); err != nil || done.Postponed != 1 {
			t.Errorf("%+v, %v", done, err)
		}
	})
}
