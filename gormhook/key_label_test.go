package gormhook_test

import (
	"strconv"
	"testing"

	"github.com/infrakitchen/audit/gormhook"
)

// Lab is labelled by what it is called, Ticket by its number.
type Lab struct {
	ID   int64
	Name string
	N    int
}

func (l *Lab) AuditName() string { return "lab " + l.Name }

type Ticket struct {
	ID int64
	N  int
}

func (t Ticket) AuditName() string { return "#" + strconv.FormatInt(t.ID, 10) }

// A model of which only the key is set says which row is meant, not what it is
// called: the label is left out where it is that of no row at all.
func TestLabelOfAKey(t *testing.T) {
	onRoutes(t, gormhook.Plugin{}, func(t *testing.T, d *fixture) {
		migrated(t, d, &Lab{}, &Ticket{})
		lab := Lab{ID: 1, Name: "alpha"}
		for range 2 { // before and after the tables are known
			must(t, d.db.Create(&lab), d.db.Model(&Lab{ID: 1}).Update("n", 5), d.db.Model(&Lab{ID: 1}).Update("name", "beta"),
				d.db.Save(&lab), d.db.Delete(&Lab{ID: 1}), d.db.Create(&lab), d.db.Delete(&lab))
			must(t, d.db.Create(&Ticket{ID: 7}), d.db.Model(&Ticket{ID: 7}).Update("n", 5), d.db.Delete(&Ticket{ID: 7}))
			want := []string{"lab alpha", "", "lab beta", "lab alpha", "", "lab alpha", "lab alpha", "#7", "#7", "#7"}
			entries := readEntries(t, d.desk, d.mark)
			if len(entries) != len(want) {
				t.Fatalf("%d entries, want %d", len(entries), len(want))
			}
			for i, e := range entries {
				if d.mark = e.seq; e.name != want[i] {
					t.Errorf("the label is %q, want %q: %s", e.name, want[i], e)
				}
			}
		}
	})
}
