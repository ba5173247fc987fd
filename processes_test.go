package audit_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// A test starts this binary again with these set, to be a process of its own.
const (
	roleVariable    = "AUDIT_TEST_ROLE"
	dialectVariable = "AUDIT_TEST_DIALECT"
	dsnVariable     = "AUDIT_TEST_DSN"
)

// process is this binary in a role.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Scanner
	lines []logged
}

// logged is a log line of a process.
type logged struct {
	Logger  string `json:"logger"`
	Message string `json:"msg"`
	TraceID string `json:"trace_id"`
}

func (e processEngine) start(t *testing.T, role string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.CommandContext(t.Context(), self)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, dialectVariable+"="+e.dialect, dsnVariable+"="+e.dsn)
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// says reads up to the next line that is not a log line, or to the log line with
// this message.
func (p *process) says(message string) string {
	p.t.Helper()
	for p.out.Scan() {
		var l logged
		if json.Unmarshal(p.out.Bytes(), &l) != nil {
			return p.out.Text()
		}
		p.lines = append(p.lines, l)
		if message != "" && l.Message == message {
			return message
		}
	}
	p.t.Fatalf("%v says no more: %v", p.cmd.Env[len(p.cmd.Env)-3:], p.out.Err())
	return ""
}

func (p *process) tell(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// close stops the process and waits for it, with what it still logs.
func (p *process) close() {
	p.t.Helper()
	if err := p.in.Close(); err != nil {
		p.t.Error(err)
	}
	for p.out.Scan() {
		var l logged
		if err := json.Unmarshal(p.out.Bytes(), &l); err != nil {
			p.t.Errorf("%s: %v", p.out.Bytes(), err)
		}
		p.lines = append(p.lines, l)
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Error(err)
	}
}

// kill is SIGKILL: nothing is deferred, nothing is flushed.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Error(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &exit) {
		p.t.Errorf("the process that was killed ended with %v", err)
	}
}

type processEngine struct{ dialect, dsn string }

// TestTwoProcesses: a web process puts work into a queue, which is a table, and
// a worker process does it. It is one trace, with both processes' lines and
// entries, and the worker writes its outcome. Where the worker is killed, that
// shows.
func TestTwoProcesses(t *testing.T) {
	for name, engine := range map[string]func(*testing.T) processEngine{
		"sqlite":   func(t *testing.T) processEngine { return processEngine{"sqlite", testdb.SQLiteDSN(testdb.SQLite(t))} },
		"postgres": func(t *testing.T) processEngine { return processEngine{"postgres", testdb.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			e := engine(t)
			db, err := dial(e.dialect, e.dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if conn, err := db.DB(); err != nil || conn.Close() != nil {
					t.Errorf("closing the database: %v", err)
				}
			})
			w := furnish(t, db, gormhook.Plugin{})
			if err := db.WithContext(trail.Skip(t.Context())).AutoMigrate(&Job{}); err != nil {
				t.Fatal(err)
			}
			server := e.start(t, "web")
			address := server.says("")
			for _, c := range []struct {
				how     string
				event   trail.Event
				outcome trail.Result
				error   string
			}{
				{"well", trail.Execute, trail.Success, ""},
				{"fail", trail.Execute, trail.Failure, "no bricks: token=***"},
				{"hang", trail.Execute, trail.Pending, ""},
				{"well", trail.Approve, trail.Success, ""},
				{"fail", trail.Approve, trail.Failure, "no bricks: token=***"},
			} {
				t.Run(string(c.event)+" "+c.how, func(t *testing.T) {
					f := w.things(t)
					id := post(t, fmt.Sprintf("%s/widgets/%d/%s", address, f.a, c.event))
					if server.says("queued") != "queued" {
						t.Fatal("the web process logged nothing")
					}
					before, err := w.store.Trace(t.Context(), id)
					if err != nil || before.Action == nil {
						t.Fatalf("ahead of the work the trace has no entry of its own: %v", err)
					}
					if got := before.Action.Result; c.event == trail.Execute && got != trail.Pending {
						t.Errorf("ahead of the work the outcome is %s, want pending", got)
					}

					worker := e.start(t, "worker")
					worker.says("")
					worker.tell(c.how)
					if c.how == "hang" {
						worker.says("hanging")
						worker.kill()
					} else {
						worker.says("")
						worker.close()
					}

					own, changes := w.trace(t, id)
					if own.Result != c.outcome || own.Event != c.event || own.Actor.ID != "una" {
						t.Errorf("%s by %s ended as %s, want %s", own.Event, own.Actor.ID, own.Result, c.outcome)
					}
					if own.Finished != nil && own.Finished.Error != c.error {
						t.Errorf("the error is %q, want %q", own.Finished.Error, c.error)
					}
					want := []change{renamed(f.a, "old", "queued"), renamed(f.a, "queued", "worked on")}
					if diff := cmp.Diff(want, changes); diff != "" {
						t.Errorf("the changes (-want +got):\n%s", diff)
					}
					lines := append(server.lines, worker.lines...) //nolint:gocritic // both
					said := map[string]bool{}
					for _, l := range lines {
						if l.TraceID == id.String() {
							said[l.Logger+": "+l.Message] = true
						}
					}
					wantLines := map[string]bool{"web: queued": true, "worker: begun": true, "worker: done": true}
					if c.how == "hang" {
						wantLines = map[string]bool{"web: queued": true, "worker: begun": true, "worker: hanging": true}
					}
					if diff := cmp.Diff(wantLines, said); diff != "" {
						t.Errorf("the lines of the trace (-want +got):\n%s", diff)
					}
				})
			}
			server.close()
			pending, err := w.store.Entries(t.Context(), store.Query{Outcome: trail.Pending})
			if err != nil {
				t.Fatal(err)
			}
			// The one whose worker was killed, with the entries of its changes.
			own := 0
			for _, p := range pending.Entries {
				if p.ID == p.TraceID {
					own++
				}
			}
			if own != 1 {
				t.Errorf("%d actions are pending, want 1", own)
			}
			w.accounted(t)
		})
	}
}

func post(t *testing.T, url string) uuid.UUID {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("una", "pass")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("status %d: %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	id, err := uuid.Parse(resp.Header.Get("X-Trace-Id"))
	if err != nil {
		t.Fatal(err)
	}
	return id
}
