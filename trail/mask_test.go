package trail_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/infrakitchen/audit/trail"
)

func TestSensitive(t *testing.T) {
	for name, want := range map[string]bool{
		// The words themselves, and in the plural.
		"password": true, "passwd": true, "passphrase": true, "pwd": true, "secret": true, "token": true,
		"api_key": true, "apikey": true, "access_key": true, "secret_key": true, "private_key": true,
		"signing_key": true, "encryption_key": true, "credential": true, "authorization": true,
		"cookie": true, "otp": true, "pin_code": true, "cvv": true,
		"passwords": true, "tokens": true, "secrets": true, "credentials": true, "api_keys": true, "cookies": true,
		// As the last words of a name.
		"user_password": true, "aws_secret_access_key": true, "refresh_token": true, "x_api_key": true,
		"db_pwd": true, "totp": false, "user_otp": true,
		// With an ending.
		"password_hash": true, "password_digest": true, "token_encrypted": true, "secret_value": true,
		"password_hash_salt": true, "secret_data": true, "api_key_ciphertext": true,
		// In any style.
		"Password": true, "PASSWORD": true, "passwordHash": true, "PasswordHash": true, "accessToken": true,
		"X-Api-Key": true, "x-api-key": true, "aws.secret.key": true, "api key": true, "APIKey": true, "UserAPIKey": true,
		"DBPassword": true, "JWTToken": true, "OAuthToken": true, "PGPASSWORD": true, "MYSQL_PWD": true, "dbpassword": true,
		"clientSecret": true, "CLIENT_SECRET": true, "HTTPCookie": true,
		// About a secret, not the secret.
		"token_count": false, "password_changed_at": false, "secret_id": false, "password_policy": false,
		"tokenizer": false, "secretary": false, "cookie_consent": false, "api_key_id": false, "token_type": false,
		// Nothing of the kind.
		"": false, "_": false, "name": false, "key": false, "hash": false, "value": false, "data": false, "text": false,
		"public_key": false, "monkey": false, "author": false, "pin": false, "otpauth": false, "ä": false, "\xff": false,
	} {
		if got := trail.Sensitive(name); got != want {
			t.Errorf("Sensitive(%q) = %t, want %t", name, got, want)
		}
	}
}

// FuzzSensitive: how the words of a name are joined does not matter, nor what
// comes before them, and a hash of a secret is as good as the secret.
func FuzzSensitive(f *testing.F) {
	for _, name := range []string{"password", "user_api_key", "name", "", "_", "a__b", "token_hash", "ä_secret", "\xff"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		want := trail.Sensitive(name)
		for _, join := range []string{"-", ".", " "} {
			if other := strings.ReplaceAll(name, "_", join); trail.Sensitive(other) != want {
				t.Errorf("Sensitive(%q) = %t, Sensitive(%q) = %t", name, want, other, !want)
			}
		}
		if !want {
			return
		}
		for _, other := range []string{"user_" + name, name + "_hash", name + "_salt_value"} {
			if !trail.Sensitive(other) {
				t.Errorf("%q is sensitive, %q is not", name, other)
			}
		}
	})
}

func TestMaskText(t *testing.T) {
	for _, c := range []struct{ reason, in, want string }{
		{"nothing", "", ""},
		{"nothing secret", "no such user: ada (id=42)", "no such user: ada (id=42)"},
		{"an equals sign", "password=hunter2", "password=***"},
		{"a colon", "token: hunter2", "token: ***"},
		{"white space about it", "password = hunter2", "password = ***"},
		{"on the next line", "password:\n  hunter2", "password:\n  ***"},
		{"an arrow", "password => hunter2", "password => ***"},
		{"an assignment", `password := "hunter2"`, `password := "***"`},
		{"a comparison", "password == hunter2", "password == ***"},
		{"any style of name", "dbPassword=hunter2 X-Api-Key: abc", "dbPassword=*** X-Api-Key: ***"},
		{"an environment", "PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"},
		{"another name beside it", "host=db password=hunter2 user=ada", "host=db password=*** user=ada"},
		{"a line of its own", "cannot connect\npassword=hunter2\nuser=ada", "cannot connect\npassword=***\nuser=ada"},
		{"behind a tab", "\tpassword=hunter2", "\tpassword=***"},
		{"a name that is not the secret", "token_count=5 password_policy=strict", "token_count=5 password_policy=strict"},
		{"an assignment in another", "error: password=hunter2", "error: password=***"},
		{"deeply", "a: b: c=d: secret=hunter2", "a: b: c=d: secret=***"},

		{"quoted", `password="hunter 2"`, `password="***"`},
		{"quoted, with a quote in it", `password="hunter \"2\"" x`, `password="***" x`},
		{"quoted once", `password='hunter 2' x`, `password='***' x`},
		{"as SQL quotes", `password = 'it''s hunter2' x`, `password = '***' x`},
		{"a quote that does not end", `password="hunter 2`, `password="***"`},
		{"JSON", `{"password":"hunter2","name":"ada"}`, `{"password":"***","name":"ada"}`},
		{"JSON, with white space", `{"password" : "hunter 2"}`, `{"password" : "***"}`},
		{"JSON in text", `body "{\"password\":\"hunter2\",\"name\":\"ada\"}"`, `body "{\"password\":\"***\",\"name\":\"ada\"}"`},
		{"JSON in JSON in text", `{\\\"password\\\":\\\"hunter2\\\"}`, `{\\\"password\\\":\\\"***\\\"}`},
		{"a hash of Ruby", `{"password" => "hunter2"}`, `{"password" => "***"}`},
		{"a number", `{"otp":123456,"n":1}`, `{"otp":***,"n":1}`},
		{"a query", "/login?token=hunter2&next=/", "/login?token=***&next=/"},
		{"a map of Go", "map[name:ada password:hunter2]", "map[name:ada password:***]"},
		{"a struct of Go", "{Name:ada Password:hunter2}", "{Name:ada Password:***}"},

		{"a bearer", "got Bearer abcdef.ghi-jkl", "got Bearer ***"},
		{"a bearer in a header", "Authorization: Bearer abcdef", "Authorization: *** ***"},
		{"basic", "basic dXNlcjpodW50ZXIy", "basic ***"},
		{"a word that is no credential", "a basic fact", "a basic fact"},
		{"cookies, all of them", "Cookie: a=b; sid=hunter2\nHost: x", "Cookie: ***\nHost: x"},
		{"a cookie that is set", "Set-Cookie: sid=hunter2; Path=/", "Set-Cookie: ***"},

		{"a URL", "dial postgres://ada:hunter2@db:5432/x", "dial postgres://ada:***@db:5432/x"},
		{"a URL without a user", "redis://:hunter2@db", "redis://:***@db"},
		{"a URL with an at sign in the password", "postgres://ada:hun@ter2@db/x", "postgres://ada:***@db/x"},
		{"a URL with a slash in the password", "postgres://ada:hun/ter2@db/x", "postgres://ada:***@db/x"},
		{"a URL without a password", "https://ada@db/x?y=z", "https://ada@db/x?y=z"},
		{"a URL with a port", "https://db:443/x", "https://db:443/x"},
		{"a key of PostgreSQL's", "dup: Key (email)=(hunter2) already exists. (SQLSTATE 23505)", "dup: Key (email)=(***) already exists. (SQLSTATE 23505)"},
		{"a key of several columns", `Key (lower(a), "b c")=(hunter) and (2, x) is not present in table "t".`, `Key (lower(a), "b c")=(***) is not present in table "t".`},
		{"a key that does not end", "Key (email)=(hunter2) conf", "Key (email)=(***"},
		{"two keys", "Key (a)=(hunter) conflicts with existing key (a)=(x); Key (b)=(hunter) already exists", "Key (a)=(***) conflicts with existing key (a)=(***) already exists"},
		{"a row of PostgreSQL's", "check: Failing row contains (1, hunter2,\n2026-01-02).", "check: Failing row contains (***)"},
		{"the bytes around it stay", "\xffä password=hunter2 \x00", "\xffä password=*** \x00"},
	} {
		if got := trail.MaskText(c.in); got != c.want {
			t.Errorf("%s: MaskText(%q)\n got %q\nwant %q", c.reason, c.in, got, c.want)
		}
	}
}

// What a stranger can have quoted in an error is masked in time that grows with
// its length and no faster: otherwise this test does not end.
func TestMaskTextOfAnySize(t *testing.T) {
	const size = 1 << 16
	for _, s := range []string{
		"a:", "a=", "a", `"`, `\`, `\"`, `a="`, `a=\"`, `password=`, `password:"`, "://a:", "@", "cookie:", "bearer ", " ", "'", "a:'", "password='", "-",
		"Key (", "Key (a)=(", "Key (a)=() conflicts with ", "Failing row contains (",
	} {
		text := strings.Repeat(s, size/len(s))
		if got := trail.MaskText(text); len(got) > 4*len(text)+16 {
			t.Errorf("%d bytes of %q become %d", len(text), s, len(got))
		}
	}
}

// FuzzMaskText: a secret of letters, in whatever stands around an assignment
// to a sensitive name, is gone.
func FuzzMaskText(f *testing.F) {
	f.Add("error ", "password", "=", "", "")
	f.Add("{\"a\":", "api_key", "\": \"", "\"", "}")
	f.Add("\n", "secretKey", " => ", "'", "'")
	f.Add("a:b=", "token", ":", "", ",b")
	const canary = "hunterhunter"
	f.Fuzz(func(t *testing.T, ahead, name, assigns, quote, behind string) {
		if !trail.Sensitive(name) || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "" || name[0] == '_' {
			return
		}
		switch strings.Trim(assigns, " ") {
		case "=", ":", "=>", ":=", "==":
		default:
			return
		}
		switch quote {
		case "", `"`, "'":
		default:
			return
		}
		if quote != "" && strings.Contains(behind, quote) {
			return
		}
		// What stands ahead must not make another name of it, nor take it for
		// a part of a value that it begins.
		if strings.ContainsAny(ahead, `"'\`) {
			return
		}
		if n := len(ahead); n > 0 && strings.ContainsAny(ahead[n-1:], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") {
			return
		}
		text := ahead + name + assigns + quote + canary + quote + " " + behind
		if got := trail.MaskText(text); strings.Count(got, canary) > strings.Count(ahead+" "+behind, canary) {
			t.Errorf("MaskText(%q) = %q", text, got)
		}
	})
}

// The error that ends an action is masked before anything else is done to it.
func TestErrorsAreMasked(t *testing.T) {
	m := recording(t)
	for in, want := range map[string]string{
		"dial\npassword=hunter2":                   `dial\u000apassword=***`,
		"dial\tpassword:\thunter2":                 `dial\u0009password:\u0009***`,
		strings.Repeat("x", 4090) + " pwd=hunter2": strings.Repeat("x", 4090) + " pwd=…",
		strings.Repeat("x", 5000):                  strings.Repeat("x", 4095) + "…",
		"a\x00b\xff":                               "a\\u0000b\ufffd",
	} {
		m.outcomes = nil
		_, trace := start(t, t.Context(), trail.Action{Actor: una, Event: trail.Update})
		if err := trace.End(errors.New(in)); err != nil {
			t.Fatal(err)
		}
		if got := m.outcomes[0].Error; got != want {
			t.Errorf("%.60q is kept as %.80q (%d bytes), want %.80q (%d bytes)", in, got, len(got), want, len(want))
		}
	}
}

// A database quotes the value that it could not take, and nothing tells whether
// that was a secret.
func TestValuesInErrorsOfDatabases(t *testing.T) {
	for _, text := range []string{
		`ERROR: invalid input syntax for type uuid: "hunter2-token" (SQLSTATE 22P02)`,
		`ERROR: invalid input value for enum mood: "hunter2" (SQLSTATE 22P02)`,
		`ERROR: date/time field value out of range: "hunter2" (SQLSTATE 22008)`,
		`ERROR: value "hunter2" is out of range for type integer (SQLSTATE 22003)`,
		`ERROR: malformed array literal: "hunter2" (SQLSTATE 22P02)`,
		`ERROR: invalid input syntax for type json: "hunter2" quoted", and more" (SQLSTATE 22P02)`,
		`sql: Scan error on column index 0, name "until": converting driver.Value type string ("hunter2") to a int64: invalid syntax`,
	} {
		got := trail.MaskText(text)
		if strings.Contains(got, "hunter2") || strings.Contains(got, "and more") || !strings.Contains(got, trail.Masked) {
			t.Errorf("%s\nbecame %s", text, got)
		}
		if strings.Contains(text, "SQLSTATE") && !strings.Contains(got, text[strings.Index(text, "(SQLSTATE"):]) {
			t.Errorf("%s lost its code: %s", text, got)
		}
	}
}
