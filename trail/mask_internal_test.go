package trail

import (
	"strings"
	"testing"
)

// FuzzForms: a text in which the parts of a form are not found does not match it.
func FuzzForms(f *testing.F) {
	for _, text := range []string{
		"postgres://audit:hunter2@localhost/db", "Bearer hunter2hunter2", "Authorization: Basic aHVudGVyMg==", "ba\u017fic hunter2hunter2",
		"Key (email)=(hunter2) already exists.", "key (a, b)=(1, hunter2) conflicts with", "Failing row contains (1, hunter2).",
		`invalid input syntax for type integer: "hunter2"`, `date/time field value out of range: "hunter2"`, `malformed array literal: "hunter2"`,
		`value "hunter2" is out of range for type integer`, `value ("hunter2") is out of range`,
		`converting driver.Value type string ("hunter2") to a int64: invalid syntax`, `converting driver.Value type string "hunter2" to a int64`,
		"Set-Cookie: hunter2", "cookie=hunter2", "coo\u212aie: hunter2", "coo\u212aie' = hunter2",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, strings.ToUpper(text), strings.ToLower(text), strings.ToTitle(text)} {
			for i := range forms {
				if forms[i].match.MatchString(text) && !forms[i].in(text, marked(text)) {
					t.Errorf("%q matches %s, and has none of %q, %q", text, forms[i].match, forms[i].parts, forms[i].anyCase)
				}
			}
			if assigns.MatchString(text) && !marked(text) {
				t.Errorf("%q matches %s", text, assigns)
			}
		}
	})
}
