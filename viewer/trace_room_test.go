package viewer_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/trail"
)

// Deeply nested values, which would be mostly indentation, make no large page.
func TestTraceOfDeepValues(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		r := newTrail(t, db)
		id := at(0)
		e := own(id, ann, trail.Create, "resource", "1")
		deep := strings.Repeat("[", 900) + "1" + strings.Repeat("]", 900) // SQLite accepts 1000
		e.After = json.RawMessage(`{"deep":[` + strings.Repeat(deep+",", 200) + `7]}`)
		r.record(e)
		r.line(id, time.Second, "info", "deep", string(e.After))
		p := page(t, r.handler(), "/traces/"+id.String())
		if n := p.Body.Len(); n > 60_000 {
			t.Errorf("the page has %d bytes", n)
		}
	})
}
