package trail

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// Masked replaces a secret value in the trail.
const Masked = "***"

// secrets are the words that make a name sensitive.
var secrets = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "api_key", "apikey",
	"access_key", "secret_key", "private_key", "signing_key", "encryption_key",
	"credential", "authorization", "cookie", "otp", "pin_code", "cvv",
}

// tails are endings after which a name still means the secret itself: a
// password_hash is as good as a password, a token_count is not.
var tails = []string{"hash", "digest", "encrypted", "enc", "cipher", "ciphertext", "value", "salt", "text", "raw", "data"}

// Sensitive reports whether a value of this name (of a column, a field, a
// key) is masked by default: whether its last words are password, secret,
// token, api_key, private_key or similar, also in the plural and with an ending
// such as _hash. Case and word separators do not matter.
func Sensitive(name string) bool {
	words := strings.Split(SnakeCase(name), "_")
	for len(words) > 1 && slices.Contains(tails, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	joined := strings.Join(words, "_")
	for _, s := range secrets {
		for _, end := range []string{s, s + "s"} {
			if joined == end || strings.HasSuffix(joined, "_"+end) {
				return true
			}
		}
	}
	for _, s := range []string{"password", "passwd", "secret"} { // PGPASSWORD
		if strings.HasSuffix(joined, s) {
			return true
		}
	}
	return false
}

// Digest returns what tells a secret apart from others where an id is needed, as
// for a row whose key is one: "sha256:" and the SHA-256 of it in hex. A secret that
// can be guessed can be recognized by it.
func Digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// SnakeCase writes a name as models and events are, in lower case with
// underscores between its words: DBPassword is db_password.
func SnakeCase(name string) string {
	var b strings.Builder
	upper := func(i int) bool { return i < len(name) && name[i] >= 'A' && name[i] <= 'Z' }
	lower := func(i int) bool {
		return i >= 0 && i < len(name) && (name[i] >= 'a' && name[i] <= 'z' || name[i] >= '0' && name[i] <= '9')
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case upper(i):
			if lower(i-1) || i > 0 && upper(i-1) && lower(i+1) {
				b.WriteByte('_')
			}
			b.WriteByte(c + 'a' - 'A')
		case c == '-' || c == '.' || c == ' ':
			b.WriteByte('_')
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// form is what text with a secret looks like, and what it is replaced by.
type form struct {
	// Whatever matches has one of these in it, in any case or as it is. Looking
	// for them is a hundred times faster than matching.
	anyCase, parts []string
	unmarked       bool // and it may have none of the characters of marked
	match          *regexp.Regexp
	with           string
}

// forms are applied in turn; assignments to a sensitive name come after them. In
// any case, ſ is an s and the Kelvin sign a k.
var forms = []form{
	{
		parts: []string{"://"}, match: regexp.MustCompile(`(://[^\s/:@]*:)\S*@`), with: "${1}" + Masked + "@",
	},
	{
		anyCase: []string{"bearer", "basic", "baſic"}, unmarked: true,
		match: regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~\-]{6,}`), with: "${1} " + Masked,
	},
	// What PostgreSQL adds to a constraint error: the values of a key or of the
	// whole row, and nothing here tells which of them are masked.
	{
		parts: []string{")=("},
		match: regexp.MustCompile(`(?s)(\b[Kk]ey \([^=]*\)=\().*?(\) (?:already exists|is not present|is still referenced|conflicts with)|$)`),
		with:  "${1}" + Masked + "${2}",
	},
	{
		parts: []string{"Failing row contains ("}, match: regexp.MustCompile(`(?s)(\bFailing row contains \().*`), with: "${1}" + Masked + ")",
	},
	// What a database says of a value that it cannot read, whatever it was for.
	{
		parts: []string{`: "`},
		match: regexp.MustCompile(`(?s)(\b(?:invalid input (?:syntax|value) for [^:]*|(?:date/time|interval) field value out of range|malformed [a-z ]*literal|invalid (?:byte sequence|[a-z ]*value)): ").*("[^"]*$)`),
		with:  "${1}" + Masked + "${2}",
	},
	{
		parts: []string{" is out of range", " to a "},
		match: regexp.MustCompile(`(?s)(\b(?:value|converting driver\.Value type \w+) \(?").*?("\)? (?:is out of range|to a ))`),
		with:  "${1}" + Masked + "${2}",
	},
	{
		anyCase: []string{"cookie", "coo\u212aie"},
		match:   regexp.MustCompile(`(?i)\b((?:set-)?cookie["']?\s*[:=]\s*).*`), with: "${1}" + Masked,
	},
}

// in reports whether text, which is marked or not, may match.
func (f *form) in(text string, isMarked bool) bool {
	if !isMarked && !f.unmarked {
		return false
	}
	for _, part := range f.parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	for _, word := range f.anyCase {
		if containsFold(text, word) {
			return true
		}
	}
	return false
}

// marked reports whether text has one of the characters that assignments and
// most forms have.
func marked(text string) bool {
	return strings.IndexByte(text, ':') >= 0 || strings.IndexByte(text, '=') >= 0 ||
		strings.IndexByte(text, '"') >= 0 || strings.IndexByte(text, '(') >= 0
}

// containsFold reports whether text contains word, which begins with a lower
// case letter, in any case.
func containsFold(text, word string) bool {
	for _, first := range [...]byte{word[0], word[0] - 'a' + 'A'} {
		for at := strings.IndexByte(text, first); at >= 0 && len(text)-at >= len(word); {
			if strings.EqualFold(text[at:at+len(word)], word) {
				return true
			}
			next := strings.IndexByte(text[at+1:], first)
			if next < 0 {
				break
			}
			at += 1 + next
		}
	}
	return false
}

var (
	// A name and the assignment. The name may be quoted, the quotes escaped.
	assigns = regexp.MustCompile(`\\*["']?([A-Za-z][A-Za-z0-9_.\-]*)\\*["']?\s*(?:=>|:=|==|=|:)\s*`)
	// A value: in quotes that are escaped any number of times, in quotes, in
	// unterminated quotes, or a word.
	assigned = regexp.MustCompile(`^(?:\\+"(?:[^"\\]|\\[^"\\])*\\+"|"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|\\*["'].*|[^\s,;&)}\]]+)`)
)

// MaskText returns text with what looks like a secret replaced by [Masked]:
// the value after a [Sensitive] name and an equals sign or colon, a bearer or
// basic credential, the password in a URL. It is for error texts and messages
// of unknown form; columns and fields are masked by name. Runs in linear time.
func MaskText(text string) string {
	if text == "" {
		return text
	}
	isMarked := marked(text)
	for i := range forms {
		if forms[i].in(text, isMarked) {
			text = forms[i].match.ReplaceAllString(text, forms[i].with)
		}
	}
	if !isMarked {
		return text
	}

	var b strings.Builder
	done := 0
	for _, at := range assigns.FindAllStringSubmatchIndex(text, -1) {
		end := at[1]
		if at[0] < done || !Sensitive(text[at[2]:at[3]]) {
			continue
		}
		value := assigned.FindString(text[end:])
		if value == "" {
			continue
		}
		quotes := value[:len(value)-len(strings.TrimLeft(value, `\"'`))]
		b.WriteString(text[done:end] + quotes + Masked + quotes)
		done = end + len(value)
	}
	if done == 0 {
		return text
	}
	return b.String() + text[done:]
}
