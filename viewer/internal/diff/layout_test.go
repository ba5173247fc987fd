package diff

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Up to the greatest depth the layout is that of the standard library, and in one
// line it is the same value.
func TestLayout(t *testing.T) {
	for _, raw := range []string{
		`[]`, `{ }`, `[ {}, [ ] ]`, `{"a":[1,-2.50e9,{"b c":null}],"d":"x\"y\\","e":{"f":true}}`, `["\\\"[{,:"]`,
		strings.Repeat("[", 20) + "1" + strings.Repeat("]", 20),
	} {
		var want bytes.Buffer
		if err := json.Indent(&want, []byte(raw), "", "  "); err != nil {
			t.Fatal(err)
		}
		if got, cut := layout(raw, maxDepth, maxText); got != want.String() || cut {
			t.Errorf("%s is laid out as %s, cut: %v", raw, got, cut)
		}
		var compact, again bytes.Buffer
		one, _ := layout(raw, 0, maxText)
		if err := json.Compact(&compact, []byte(raw)); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&again, []byte(one)); err != nil || again.String() != compact.String() || strings.Contains(one, "\n") {
			t.Errorf("%s is in one line %s", raw, one)
		}
	}
}

func TestLayoutIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 3000) + "1" + strings.Repeat("]", 3000)
	all, cut := layout(deep, maxDepth, maxText)
	if cut || len(all) > 10_000 {
		t.Errorf("a deep value takes %d bytes, cut: %v", len(all), cut)
	}
	if !json.Valid([]byte(all)) {
		t.Error("a deep value is not the same any more")
	}
	wide := "[" + strings.Repeat(deep+",", 49) + deep + "]"
	if all, cut = layout(wide, maxDepth, maxText); !cut || len(all) > maxText+2*maxDepth+1 {
		t.Errorf("a large value takes %d bytes, cut: %v", len(all), cut)
	}
	if all, cut = layout(`["`+strings.Repeat("é", 20_000)+`"]`, maxDepth, 99); !cut || len(all) > 99 {
		t.Errorf("a long string takes %d bytes, cut: %v", len(all), cut)
	}
	// What is done for a value is bounded by what is shown of it, not by how
	// large it is.
	spaces := testing.AllocsPerRun(5, func() { layout(wide, maxDepth, maxText) })
	if spaces > 100 {
		t.Errorf("%v allocations", spaces)
	}
}
