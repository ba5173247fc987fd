package viewer_test

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/infrakitchen/audit/internal/testdb"
)

var variable = regexp.MustCompile(`--([a-z0-9-]+):\s*#([0-9a-f]{6});`)

// colours reads the colours of a block of the style sheet.
func colours(css string) map[string]float64 {
	out := map[string]float64{}
	for _, m := range variable.FindAllStringSubmatch(css, -1) {
		out[m[1]] = luminance(m[2])
	}
	return out
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(hex string) float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, _ := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func contrast(a, b float64) float64 { return (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05) }

// Every colour of text can be read on every ground that it may stand on (WCAG
// AA: 4.5 for text, 3 for the edges of controls), by day and by night.
func TestContrast(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	a := ask(t, r.handler(), http.MethodGet, "/static/style.css")
	a.must(http.StatusOK)
	light, dark, found := strings.Cut(a.Body.String(), "prefers-color-scheme: dark")
	if !found {
		t.Fatal("there is no dark scheme")
	}
	pairs := map[string][]string{
		"text":      {"ground", "panel", "hover", "bad-ground", "good-ground", "warn-ground"},
		"muted":     {"ground", "panel", "hover", "bad-ground", "warn-ground"},
		"link":      {"ground", "panel", "hover", "bad-ground", "warn-ground"},
		"number":    {"ground", "panel", "bad-ground", "warn-ground"},
		"word":      {"ground", "panel"},
		"good":      {"ground", "panel", "hover", "good-ground"},
		"bad":       {"bad-ground"},
		"warn":      {"warn-ground"},
		"wait":      {"wait-ground"},
		"on-accent": {"accent"},
	}
	for i := range 16 {
		pairs["a"+strconv.Itoa(i)] = []string{"panel", "warn-ground", "bad-ground"}
	}
	for name, css := range map[string]string{"light": light, "dark": dark} {
		c := colours(css)
		for text, grounds := range pairs {
			for _, ground := range grounds {
				if c[text] == 0 && text != "on-accent" || c[ground] == 0 {
					t.Fatalf("%s: no colour %s or %s", name, text, ground)
				}
				if got := contrast(c[text], c[ground]); got < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", name, text, ground, got)
				}
			}
		}
		for _, ground := range []string{"ground", "panel"} {
			for _, line := range []string{"edge", "accent"} {
				if got := contrast(c[line], c[ground]); got < 3 {
					t.Errorf("%s: %s on %s has a contrast of %.2f", name, line, ground, got)
				}
			}
		}
	}
}

func TestAssets(t *testing.T) {
	r, _ := library(t, testdb.OpenSQLite(t))
	h := r.handler()
	id := at(100)
	r.running(id)
	p := page(t, h, "/traces/"+id.String())
	for kind, address := range map[string]string{
		"text/css; charset=utf-8":        attr(p.one("link", "rel=stylesheet"), "href"),
		"image/svg+xml":                  attr(p.one("link", "rel=icon"), "href"),
		"text/javascript; charset=utf-8": attr(p.one("script"), "src"),
	} {
		address = p.follow(address)
		a := ask(t, h, http.MethodGet, address)
		a.must(http.StatusOK)
		if got := a.Header().Get("Content-Type"); got != kind || a.Body.Len() == 0 {
			t.Errorf("%s: %s, %d bytes", address, got, a.Body.Len())
		}
		if got := a.Header().Get("Cache-Control"); got != "private, max-age=31536000, immutable" {
			t.Errorf("%s: %s", address, got)
		}
		stale := ask(t, h, http.MethodGet, strings.TrimSuffix(address, address[len(address)-2:]))
		if got := stale.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: %s", stale.address, got)
		}
	}
	// What the classes of the pages promise, the style sheet keeps.
	css := ask(t, h, http.MethodGet, "/static/style.css").Body.String()
	for i := range 16 {
		for _, class := range []string{".a-fg", ".a-bg"} {
			if !strings.Contains(css, class+strconv.Itoa(i)+" {") {
				t.Errorf("the style sheet has no %s%d", class, i)
			}
		}
	}
	if strings.Contains(css, "url(") || strings.Contains(css, "@import") {
		t.Error("the style sheet loads something")
	}
}
