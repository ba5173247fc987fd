package gormhook

import (
	"sync"
	"testing"
	"time"

	"gorm.io/gorm/schema"
)

// SetMaxTableAge makes tables be read again sooner, for the time of a test that
// runs alone.
func SetMaxTableAge(t *testing.T, age time.Duration) {
	before := maxTableAge
	maxTableAge = age
	t.Cleanup(func() { maxTableAge = before })
}

// SetMaxNames bounds the names of tables that are not a model's own, for the time
// of a test that runs alone.
func SetMaxNames(t *testing.T, names int) {
	before := maxNames
	maxNames = names
	t.Cleanup(func() { maxNames = before })
}

// NamesKept returns how many names of tables are kept of those that a model was
// used with.
func NamesKept(t *testing.T, model any, tables []string) (n int) {
	sch, err := schema.Parse(model, new(sync.Map), schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	s := new(subjects)
	for _, table := range tables {
		s.named(new(Plugin), sch, table)
	}
	s.models.Range(func(any, any) bool {
		n++
		return true
	})
	return n
}

// Ours returns the name of the trail's in the text of an error, if there is one.
func Ours(text string) string { return ourTables.FindString(text) }

// Assigns is assigns.
var Assigns = assigns
