package trail

import (
	"regexp"
	"strings"
)

// Masked stands in the trail where a secret stood in the data.
const Masked = "***"

// secrets are the words that make a name sensitive.
var secrets = []string{
	"password", "passwd", "passphrase", "pwd", "secret", "token", "api_key", "apikey",
	"access_key", "secret_key", "private_key", "signing_key", "encryption_key",
	"credential", "authorization", "cookie", "otp", "pin_code", "cvv",
}

// tails are what a name may end in and still be about the secret itself: a
// password_hash is as good as a password, a token_count is not.
var tails = []string{"hash", "digest", "encrypted", "enc", "cipher", "ciphertext", "value", "salt", "text", "raw", "data"}

// Sensitive reports whether a value of this name (of a column, a field, a
// key) is masked by default: whether its last words are password, secret,
// token, api_key, private_key or one of their kin, also in the plural and with
// an ending such as _hash. Case and the style of joining words do not matter.
func Sensitive(name string) bool {
	words := strings.Split(snake(name), "_")
	for len(words) > 1 && contains(tails, words[len(words)-1]) {
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
	return false
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}

// snake writes name in lower case with underscores between its words.
func snake(name string) string {
	var b strings.Builder
	lower := false // the character before was lower case or a digit
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'A' && c <= 'Z':
			if lower {
				b.WriteByte('_')
			}
			b.WriteByte(c + 'a' - 'A')
			lower = false
		case c == '-' || c == '.' || c == ' ':
			b.WriteByte('_')
			lower = false
		default:
			b.WriteByte(c)
			lower = c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		}
	}
	return b.String()
}

var (
	assigned  = regexp.MustCompile(`(["']?)([A-Za-z][A-Za-z0-9_.\-]*)(["']?\s*(?:=|:|=>)\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&)}\]]+)`)
	bearer    = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~\-]{6,}`)
	userinfo  = regexp.MustCompile(`(://[^\s/:@]*:)[^\s/@]+@`)
	keyedJSON = `"` + Masked + `"`
)

// MaskText returns text with what looks like a secret replaced by [Masked]:
// the value behind a [Sensitive] name and an equals sign or colon, a bearer or
// basic credential, the password in a URL. It is for error texts and
// messages, whose form nobody knows; columns and fields are masked by name.
func MaskText(text string) string {
	if text == "" {
		return text
	}
	text = userinfo.ReplaceAllString(text, "${1}"+Masked+"@")
	text = bearer.ReplaceAllString(text, "${1} "+Masked)
	return assigned.ReplaceAllStringFunc(text, func(m string) string {
		p := assigned.FindStringSubmatch(m)
		if !Sensitive(p[2]) {
			return m
		}
		value := Masked
		if strings.HasPrefix(p[4], `"`) {
			value = keyedJSON
		}
		return p[1] + p[2] + p[3] + value
	})
}
