package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// tour plays a day in the kitchen over the service's own HTTP API, so that a
// new database has a trail to look at: all events, and what goes wrong on such
// a day. It returns how many requests it made to change something.
func tour(ctx context.Context, base string) (int, error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	t := &tourist{ctx: ctx, base: base, client: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
	requester, approver, admin := accounts[0], accounts[1], accounts[2]
	stranger := account{id: "admin", password: "guessed"}

	// The admin connects the outside systems.
	github := t.create(admin, "/api/integrations", `{"name": "code host", "provider": "github", "token": "first-demo-token"}`)
	t.do(admin, "PATCH", github, `{"token": "second-demo-token"}`, 200)
	cloud := t.create(admin, "/api/integrations", `{"name": "cloud sandbox", "provider": "aws", "token": "another-demo-token"}`)
	t.do(admin, "POST", cloud+"/disable", "", 200)
	t.do(admin, "POST", cloud+"/enable", "", 200)
	t.do(stranger, "DELETE", cloud, "", 401)

	code := t.create(admin, "/api/source_codes", `{"name": "kitchen modules", "url": "https://git.example.com/kitchen/modules.git", "integration_id": `+id(github)+`}`)
	t.job(admin, code+"/sync", "state", string(Syncing))
	lost := t.create(admin, "/api/source_codes", `{"name": "old modules", "url": "https://git.invalid/old/modules.git"}`)
	t.job(admin, lost+"/sync", "state", string(Syncing))
	t.do(admin, "DELETE", lost, "", 204)

	bucket := t.create(admin, "/api/templates", `{"name": "bucket", "path": "storage/bucket", "source_code_id": `+id(code)+`}`)
	database := t.create(admin, "/api/templates", `{"name": "database", "path": "storage/database", "source_code_id": `+id(code)+`}`)
	retired := t.create(admin, "/api/templates", `{"name": "virtual machine", "source_code_id": `+id(code)+`}`)
	t.do(admin, "POST", retired+"/disable", "", 200)

	// One resource goes through its whole life.
	menus := t.create(requester, "/api/resources", `{"name": "menus", "template_id": `+id(bucket)+`, "variables": {"region": "eu-north-1"}}`)
	t.do(requester, "PUT", menus, `{"variables": {"region": "eu-north-1", "versioning": true}}`, 200)
	t.job(requester, menus+"/dryrun", "plan", "")
	t.do(requester, "POST", menus+"/approve", "", 403)
	t.do(approver, "POST", menus+"/approve", "", 200)
	t.do(approver, "POST", menus+"/approve", "", 409)
	t.job(requester, menus+"/execute", "state", string(Provisioning))
	t.job(requester, menus+"/recreate", "state", string(Provisioning))

	// Another one fails, and is retried.
	orders := t.create(requester, "/api/resources", `{"name": "orders", "template_id": `+id(database)+`, "variables": {"storage_gb": 20, "fail": "once"}}`)
	t.do(approver, "POST", orders+"/approve", "", 200)
	t.job(requester, orders+"/execute", "state", string(Provisioning))
	t.job(requester, orders+"/retry", "state", string(Provisioning))

	// A third is rejected, a fourth cannot be created, a fifth is waiting.
	cellar := t.create(requester, "/api/resources", `{"name": "wine cellar", "template_id": `+id(database)+`}`)
	t.do(approver, "POST", cellar+"/reject", "", 200)
	t.do(requester, "DELETE", cellar, "", 204)
	t.do(requester, "POST", "/api/resources", `{"name": "till", "template_id": `+id(retired)+`}`, 409)
	t.create(requester, "/api/resources", `{"name": "recipes", "template_id": `+id(bucket)+`}`)

	t.job(requester, menus+"/destroy", "state", string(Destroying))
	return t.requests, t.err
}

// tourist makes requests. After one with an unexpected response it makes no
// more, and keeps the error.
type tourist struct {
	ctx      context.Context //nolint:containedctx // of the tour that it is made for
	base     string
	client   *http.Client
	requests int
	err      error
}

// create makes a row and returns its path.
func (t *tourist) create(as account, path, body string) string {
	row := t.do(as, "POST", path, body, 201)
	return fmt.Sprintf("%s/%v", path, row["id"])
}

// job begins a job, and waits until the field of its row has none of the values
// of meanwhile.
func (t *tourist) job(as account, path, field string, meanwhile ...string) {
	t.do(as, "POST", path, "", 202)
	row := path[:strings.LastIndexByte(path, '/')]
	deadline := time.Now().Add(time.Minute)
	for t.err == nil {
		if value, _ := t.send(as, "GET", row, "", 200)[field].(string); !slices.Contains(meanwhile, value) {
			return
		}
		if time.Now().After(deadline) {
			t.err = fmt.Errorf("%s does not end", path)
		}
		select {
		case <-t.ctx.Done():
			t.err = context.Cause(t.ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// do makes a request that must be answered with the status want.
func (t *tourist) do(as account, method, path, body string, want int) map[string]any {
	if t.err == nil {
		t.requests++
	}
	return t.send(as, method, path, body, want)
}

func (t *tourist) send(as account, method, path, body string, want int) (row map[string]any) {
	if t.err != nil {
		return nil
	}
	defer func() {
		if t.err != nil {
			t.err = fmt.Errorf("%s %s: %w", method, path, t.err)
		}
	}()
	var request *http.Request
	if request, t.err = http.NewRequestWithContext(t.ctx, method, t.base+path, strings.NewReader(body)); t.err != nil {
		return nil
	}
	request.SetBasicAuth(as.id, as.password)
	request.Header.Set("User-Agent", "tour")
	var response *http.Response
	if response, t.err = t.client.Do(request); t.err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	var answer []byte
	if answer, t.err = io.ReadAll(response.Body); t.err != nil {
		return nil
	}
	if response.StatusCode != want {
		t.err = fmt.Errorf("want status %d, got %d %s", want, response.StatusCode, answer)
		return nil
	}
	if len(answer) > 0 {
		t.err = json.Unmarshal(answer, &row)
	}
	return row
}

// id returns the id at the end of a row's path.
func id(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
