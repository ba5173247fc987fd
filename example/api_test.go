package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"

	"github.com/infrakitchen/audit/trail"
)

// kitchen makes one row of everything, and a resource in each state that stays.
func kitchen(s *service) {
	s.create(admin, "/api/integrations", `{"name": "code host", "provider": "github", "token": "confidential"}`)
	s.create(admin, "/api/source_codes", `{"name": "modules", "url": "https://git.example.com/m.git", "integration_id": 1}`)
	s.create(admin, "/api/templates", `{"name": "bucket", "source_code_id": 1}`)
	s.create(admin, "/api/templates", `{"name": "retired"}`)
	s.must(admin, "POST", "/api/templates/2/disable", "", 200)

	s.create(requester, "/api/resources", `{"name": "one", "template_id": 1}`) // requested
	s.create(requester, "/api/resources", `{"name": "two", "template_id": 1}`) // approved
	s.must(approver, "POST", "/api/resources/2/approve", "", 200)
	s.create(requester, "/api/resources", `{"name": "three", "template_id": 1}`) // provisioned
	s.must(approver, "POST", "/api/resources/3/approve", "", 200)
	s.must(requester, "POST", "/api/resources/3/execute", "", 202)
	s.until("/api/resources/3", "provisioned")
	s.create(requester, "/api/resources", `{"name": "four", "template_id": 1}`) // rejected
	s.must(admin, "POST", "/api/resources/4/reject", "", 200)
}

func TestRefusals(t *testing.T) {
	wrong, unknown, nobody := account{id: "admin", password: "guessed"}, account{id: "root", password: "kitchen"}, account{}
	crossSite := []string{"Sec-Fetch-Site", "cross-site"}
	cases := []struct {
		name         string
		as           account
		method, path string
		body         string
		header       []string
		status       int
		says         string // part of the error
		entry        string // event, model and id of the entry; none where nothing was to be changed
	}{
		{"broken JSON", admin, "POST", "/api/templates", `{"name": `, nil, 400, "unexpected EOF", "create template"},
		{"no object", admin, "POST", "/api/templates", `["name"]`, nil, 400, "not a JSON object", "create template"},
		{"null", admin, "PATCH", "/api/templates/1", `null`, nil, 400, "not a JSON object", "update template 1"},
		{"no body", admin, "POST", "/api/templates", ``, nil, 400, "not a JSON object", "create template"},
		{"two objects", admin, "POST", "/api/templates", `{"name": "a"} {}`, nil, 400, "continues", "create template"},
		{"not UTF-8", admin, "POST", "/api/templates", "{\"name\": \"\xff\"}", nil, 400, "UTF-8", "create template"},
		{"unknown field", admin, "POST", "/api/templates", `{"name": "a", "owner": "b"}`, nil, 400, `unknown field "owner"`, "create template"},
		{"a field that is not for callers", requester, "POST", "/api/resources", `{"name": "a", "state": "approved"}`, nil, 400, `unknown field "state"`, "create resource"},
		{"wrong type", admin, "PUT", "/api/templates/1", `{"name": 7}`, nil, 400, "number", "update template 1"},
		{"no name", admin, "POST", "/api/integrations", `{"provider": "aws"}`, nil, 400, "name", "create integration"},
		{"a secret that is not text", admin, "POST", "/api/integrations", `{"name": "a", "provider": "aws", "token": {}}`, nil, 400, "a secret must be text", "create integration"},
		{"reference to nothing", requester, "POST", "/api/resources", `{"name": "a", "template_id": 99}`, nil, 400, "no template 99", "create resource"},
		{"reference that is too large", requester, "POST", "/api/resources", `{"name": "a", "template_id": 9223372036854775808}`, nil, 400, "no template 9223372036854775808", "create resource"},
		{"password in a URL", admin, "PATCH", "/api/source_codes/1", `{"url": "https://me:confidential@git.example.com/m.git"}`, nil, 400, "credentials", "update source_code 1"},
		{"path that hides something", admin, "PATCH", "/api/templates/1", `{"path": "a\u202eb"}`, nil, 400, "path:", "update template 1"},
		{"no branch", admin, "PATCH", "/api/source_codes/1", `{"branch": ""}`, nil, 400, "branch:", "update source_code 1"},
		{"no https", admin, "PATCH", "/api/source_codes/1", `{"url": "file:///etc/passwd"}`, nil, 400, "an https URL", "update source_code 1"},
		{"body of a verb", approver, "POST", "/api/resources/1/approve", `{"why": "because"}`, nil, 400, "unknown field", "approve resource 1"},
		{"long body", admin, "POST", "/api/templates", `{"name": "` + strings.Repeat("a", maxBody) + `"}`, nil, 413, "too long", "create template"},

		{"no credentials", nobody, "POST", "/api/resources/1/approve", "", nil, 401, "unauthorized", "approve resource 1"},
		{"wrong password", wrong, "POST", "/api/resources/1/execute", "", nil, 401, "unauthorized", "execute resource 1"},
		{"unknown account", unknown, "DELETE", "/api/resources/1", "", nil, 401, "unauthorized", "delete resource 1"},
		{"reading without credentials", nobody, "GET", "/api/resources", "", nil, 401, "unauthorized", ""},
		{"the trail without credentials", nobody, "GET", "/audit/", "", nil, 401, "unauthorized", ""},

		{"requester approves", requester, "POST", "/api/resources/1/approve", "", nil, 403, "may not", "approve resource 1"},
		{"requester rejects", requester, "POST", "/api/resources/1/reject", "", nil, 403, "may not", "reject resource 1"},
		{"another site", admin, "POST", "/api/resources/1/approve", "", crossSite, 403, "cross-origin", "approve resource 1"},

		{"unknown id, show", admin, "GET", "/api/resources/99", "", nil, 404, "no resource 99", ""},
		{"unknown id, update", admin, "PUT", "/api/resources/99", `{"name": "a"}`, nil, 404, "no resource 99", "update resource 99"},
		{"unknown id, delete", admin, "DELETE", "/api/source_codes/99", "", nil, 404, "no source code 99", "delete source_code 99"},
		{"unknown id, approve", admin, "POST", "/api/resources/99/approve", "", nil, 404, "no resource 99", "approve resource 99"},
		{"unknown id, execute", admin, "POST", "/api/resources/99/execute", "", nil, 404, "no resource 99", "execute resource 99"},
		{"unknown id, dryrun", admin, "POST", "/api/resources/99/dryrun", "", nil, 404, "no resource 99", "dryrun resource 99"},
		{"unknown id, sync", admin, "POST", "/api/source_codes/99/sync", "", nil, 404, "no source code 99", "sync source_code 99"},
		{"another spelling of an id", approver, "POST", "/api/resources/01/approve", "", nil, 404, `"01" is not a valid id`, "approve resource 01"},
		{"no number", admin, "DELETE", "/api/resources/one", "", nil, 404, `"one" is not a valid id`, "delete resource one"},
		{"unknown route", admin, "POST", "/api/things", "{}", nil, 404, "no such route", ""},
		{"unknown verb", admin, "POST", "/api/templates/1/approve", "", nil, 404, "no such route", ""},
		{"unknown method", admin, "DELETE", "/api/templates", "", nil, 405, "DELETE", ""},

		{"approved twice", approver, "POST", "/api/resources/2/approve", "", nil, 409, "is approved and cannot be approved", "approve resource 2"},
		{"rejected after approval", approver, "POST", "/api/resources/2/reject", "", nil, 409, "is approved and cannot be rejected", "reject resource 2"},
		{"executed before approval", requester, "POST", "/api/resources/1/execute", "", nil, 409, "is requested and cannot be executed", "execute resource 1"},
		{"executed twice", requester, "POST", "/api/resources/3/execute", "", nil, 409, "is provisioned and cannot be executed", "execute resource 3"},
		{"retried without failure", requester, "POST", "/api/resources/3/retry", "", nil, 409, "is provisioned and cannot be retried", "retry resource 3"},
		{"recreated before it was made", requester, "POST", "/api/resources/2/recreate", "", nil, 409, "cannot be recreated", "recreate resource 2"},
		{"destroyed before it was made", requester, "POST", "/api/resources/2/destroy", "", nil, 409, "cannot be destroyed", "destroy resource 2"},
		{"plan of what is rejected", requester, "POST", "/api/resources/4/dryrun", "", nil, 409, "cannot be planned", "dryrun resource 4"},
		{"deleted while it exists", requester, "DELETE", "/api/resources/3", "", nil, 409, "cannot be deleted", "delete resource 3"},
		{"enabled twice", admin, "POST", "/api/integrations/1/enable", "", nil, 409, "enabled already", "enable integration 1"},
		{"disabled twice", admin, "POST", "/api/templates/2/disable", "", nil, 409, "disabled already", "disable template 2"},
		{"made from a disabled template", requester, "POST", "/api/resources", `{"name": "a", "template_id": 2}`, nil, 409, "template 2 is disabled", "create resource"},
		{"deleted while it is referred to", admin, "DELETE", "/api/source_codes/1", "", nil, 409, "other rows refer to it", "delete source_code 1"},
	}
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		kitchen(s)
		db := database(t, at)
		images := func() (n int) {
			for _, e := range entries(t, db) {
				if e.Operation != "" {
					n++
				}
			}
			return n
		}
		before := images()
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				a := s.call(c.as, c.method, c.path, c.body, c.header...)
				says, _ := a.row["error"].(string)
				if a.status != c.status || !strings.Contains(says, c.says) || len(a.row) != 1 {
					t.Fatalf("answered %d %s, want %d with an error that says %q", a.status, a.body, c.status, c.says)
				}
				if got := a.header.Get("Content-Type"); got != "application/json; charset=utf-8" {
					t.Errorf("Content-Type %q", got)
				}
				if c.status == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
				}
				if c.entry == "" {
					if got := a.header.Get("X-Trace-Id"); got != "" {
						t.Errorf("there was nothing to change, and trace %s", got)
					}
					return
				}
				e := own(t, db, a.trace(t), true)
				result := trail.Failure
				if c.status == 401 || c.status == 403 {
					result = trail.Denied
				}
				got := strings.TrimSpace(string(e.Event) + " " + e.Model + " " + e.EntityID)
				if got != c.entry || e.Result != result || e.Operation != "" || e.Before != nil || e.After != nil {
					t.Errorf("entry %q %s %q %s %s, want %q %s and no change", got, e.Result, e.Operation, e.Before, e.After, c.entry, result)
				}
			})
		}
		if after := images(); after != before {
			t.Errorf("refused requests left %d entries of changes", after-before)
		}
	})
}

// PostgreSQL has no NUL in a text; what it cannot keep is the caller's mistake.
func TestUnkeepableValue(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		want := map[bool]int{true: 400, false: 201}[strings.HasPrefix(at, "postgres")]
		a := s.must(requester, "POST", "/api/resources", `{"name": "a", "variables": {"a": "\u0000"}}`, want)
		if e := own(t, database(t, at), a.trace(t), true); (e.Result == trail.Success) != (want == 201) {
			t.Errorf("answered %d, recorded as %s", want, e.Result)
		}
	})
}

func TestPanic(t *testing.T) {
	a, err := newApp(t.Context(), config{db: t.TempDir() + "/test.db", empty: true}, &output{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	router, ok := a.http.(*gin.Engine)
	if !ok {
		t.Fatalf("the handler is a %T", a.http)
	}
	router.POST("/api/things/:id/enable", func(*gin.Context) { panic("confidential") })
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/api/things/1/enable", nil)
	r.SetBasicAuth(admin.id, admin.password)
	w := httptest.NewRecorder()
	a.http.ServeHTTP(w, r)
	if got := w.Body.String(); w.Code != 500 || got != `{"error":"internal error"}` {
		t.Errorf("answered %d %s", w.Code, got)
	}
	e := own(t, a.db, answer{header: w.Header()}.trace(t), true)
	if e.Event != trail.Enable || e.Model != "thing" || e.Result != trail.Failure {
		t.Errorf("recorded as %s %s %s", e.Event, e.Model, e.Result)
	}
}

// Where nothing can be recorded, nothing is done.
func TestWithoutATrail(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		row := s.create(requester, "/api/resources", `{"name": "one"}`)
		s.must(approver, "POST", row+"/approve", "", 200)
		db := database(t, at)
		if err := db.Exec("ALTER TABLE audit_logs RENAME TO audit_logs_away").Error; err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { // the service has lines to keep before it ends
			if err := db.Exec("ALTER TABLE audit_logs_away RENAME TO audit_logs").Error; err != nil {
				t.Error(err)
			}
		})
		before := s.must(requester, "GET", "/api/resources", "", 200).body
		for _, c := range []struct {
			method, path, body string
			want               int
		}{
			{"POST", row + "/execute", "", 503}, // refused before the work
			{"POST", "/api/resources", `{"name": "two"}`, 500},
			{"PATCH", row, `{"name": "three"}`, 500},
			{"DELETE", row, "", 500},
		} {
			if a := s.call(admin, c.method, c.path, c.body); a.status != c.want || a.row["error"] == nil {
				t.Errorf("%s %s: answered %d %s, want %d", c.method, c.path, a.status, a.body, c.want)
			}
		}
		if after := s.must(requester, "GET", "/api/resources", "", 200).body; after != before {
			t.Errorf("the resources were %s, and are %s", before, after)
		}
		if !strings.Contains(s.out.String(), "not recorded") {
			t.Errorf("no line says that actions were not recorded:\n%s", s.out)
		}
	})
}

func TestRows(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		db := database(t, at)

		created := s.must(admin, "POST", "/api/integrations", `{"name": "cloud", "provider": "aws", "token": "confidential"}`, 201)
		shown := s.must(admin, "GET", "/api/integrations/1", "", 200)
		if diff := cmp.Diff(created.row, shown.row); diff != "" {
			t.Errorf("created and shown (-created +shown):\n%s", diff)
		}
		if shown.row["token"] != "***" {
			t.Errorf("the token is shown: %s", shown.body)
		}
		changed := s.must(admin, "PATCH", "/api/integrations/1", `{"name": "clouds", "token": "***"}`, 200)
		var row Integration
		if err := db.First(&row, 1).Error; err != nil {
			t.Fatal(err)
		}
		if row.Token != "confidential" || row.Name != "clouds" || row.Provider != "aws" {
			t.Errorf("after the change: %+v", row)
		}
		deleted := s.must(admin, "DELETE", "/api/integrations/1", "", 204)
		s.must(admin, "GET", "/api/integrations/1", "", 404)

		for trace, want := range map[string]string{
			created.header.Get("X-Trace-Id"): "create insert",
			changed.header.Get("X-Trace-Id"): "update update",
			deleted.header.Get("X-Trace-Id"): "delete update", // a soft delete
		} {
			e := own(t, db, answer{header: http.Header{"X-Trace-Id": {trace}}}.trace(t), true)
			if got := string(e.Event) + " " + string(e.Operation); got != want || e.EntityID != "1" || e.Actor.ID != "admin" || e.Actor.Name != "Ada Holm" {
				t.Errorf("entry %s %s by %+v, want %s", got, e.EntityID, e.Actor, want)
			}
		}

		// Numbers stay as they were written.
		exact := `{"big":9223372036854775807,"price":0.10}`
		s.create(requester, "/api/resources", `{"name": "exact", "variables": `+exact+`}`)
		if a := s.must(requester, "GET", "/api/resources/1", "", 200); !strings.Contains(strings.ReplaceAll(a.body, " ", ""), `"big":9223372036854775807,"price":0.10`) {
			t.Errorf("the variables were %s, and are in %s", exact, a.body)
		}
	})
}

func TestCommandsOfTheGreetingWork(t *testing.T) {
	engines(t, func(t *testing.T, at string) {
		s := start(t, config{db: at, empty: true})
		var begun answer
		for i, want := range []int{201, 200, 202} {
			as, method, path, body := parseCurl(t, s.commands()[i])
			if begun = s.call(as, method, strings.TrimPrefix(path, s.base), body); begun.status != want {
				t.Errorf("%s: answered %d %s, want %d", s.commands()[i], begun.status, begun.body, want)
			}
		}
		if !strings.Contains(s.String(), s.base+"/audit") {
			t.Errorf("the greeting does not say where the page is:\n%s", s.greeting)
		}
		list := s.must(requester, "GET", strings.TrimPrefix(s.executed(), s.base), "", 200)
		if !strings.Contains(s.String(), s.executed()) || !strings.Contains(list.body, "/traces/"+begun.trace(t).String()) {
			t.Errorf("the greeting does not say where to see the job:\n%s", s.greeting)
		}
		for _, a := range accounts {
			if !strings.Contains(s.String(), a.id) || !strings.Contains(s.String(), a.password) {
				t.Errorf("the greeting does not name the account %s", a.id)
			}
		}
	})
}

// parseCurl reads the few options of curl that the greeting uses.
func parseCurl(t *testing.T, command string) (as account, method, url, body string) {
	t.Helper()
	var words []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	method = "GET"
	for i := 1; i < len(words); i++ {
		switch words[i] {
		case "-u":
			i++
			as.id, as.password, _ = strings.Cut(words[i], ":")
		case "-d":
			i++
			method, body = "POST", words[i]
		case "-X":
			i++
			method = words[i]
		default:
			url = words[i]
		}
	}
	return as, method, url, body
}
