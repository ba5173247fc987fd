package audit_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// A test starts this binary again with these set, to be a process of its own.
const (
	roleVariable    = "AUDIT_TEST_ROLE"
	dialectVariable = "AUDIT_TEST_DIALECT"
	dsnVariable     = "AUDIT_TEST_DSN"
)

// Job is a row of the queue, which is a table. What is queued is no change of
// an entity.
type Job struct {
	ID       int64
	Resource int64
	Carrier  string
}

// play runs a process of the test. It logs to its standard output, and ends
// with its standard input.
func play(role string) int {
	if err := playing(role); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

func playing(role string) error {
	db, err := dial(os.Getenv(dialectVariable), os.Getenv(dsnVariable))
	if err != nil {
		return err
	}
	if err := db.Use(gormhook.Plugin{Exclude: []string{"job"}}); err != nil {
		return err
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(os.Stdout), zap.InfoLevel)
	log := zapfield.Wrap(zap.New(core)).Named(role)
	switch role {
	case "web":
		return web(db, log)
	case "worker":
		return work(db, log)
	default:
		return fmt.Errorf("there is no role %q", role)
	}
}

func dial(dialect, dsn string) (*gorm.DB, error) {
	config := &gorm.Config{Logger: logger.Discard}
	if dialect == "postgres" {
		return gorm.Open(postgres.Open(dsn), config)
	}
	conn, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), config)
}

// web serves requests that put work into the queue. Its first line says where.
func web(db *gorm.DB, log *zap.Logger) error {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(audit.Middleware(), gin.BasicAuth(gin.Accounts{"una": "pass"}))
	enqueue := func(c *gin.Context) {
		var r Widget
		ctx := c.Request.Context()
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.First(&r, c.Param("id")).Error; err != nil {
				return err
			}
			carrier := trail.MapCarrier{}
			trail.Inject(ctx, carrier)
			text, err := json.Marshal(carrier)
			if err != nil {
				return err
			}
			if err := tx.Model(&r).Update("name", "queued").Error; err != nil {
				return err
			}
			return tx.Create(&Job{Resource: r.ID, Carrier: string(text)}).Error
		})
		if err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		log.Info("queued", zapfield.Context(ctx))
		c.Status(http.StatusAccepted)
	}
	router.POST("/widgets/:id/execute", audit.As(audit.Execute), enqueue)
	router.POST("/widgets/:id/approve", enqueue)
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	server := &http.Server{Handler: router, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets go
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// work takes one job from the queue for each line of its standard input. The
// line says how the job is to end: "hang" never, "fail", or well.
func work(db *gorm.DB, log *zap.Logger) error {
	fmt.Fprintln(os.Stdout, "ready")
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		var job Job
		if err := db.Order("id").First(&job).Error; err != nil {
			return err
		}
		carrier := trail.MapCarrier{}
		if err := json.Unmarshal([]byte(job.Carrier), &carrier); err != nil {
			return err
		}
		ctx := trail.Extract(context.Background(), carrier)
		trace, ok := trail.FromContext(ctx)
		if !ok || trace.Err() != nil {
			return fmt.Errorf("no trace in job %d: %v", job.ID, carrier) //nolint:err113 // a test's
		}
		own := zapfield.Logger(ctx, log)
		own.Info("begun")
		if err := db.WithContext(ctx).Model(&Widget{}).Where("id = ?", job.Resource).Update("name", "worked on").Error; err != nil {
			return err
		}
		if err := db.Delete(&job).Error; err != nil {
			return err
		}
		var end error
		switch input.Text() {
		case "hang":
			own.Info("hanging")
			select {}
		case "fail":
			end = errors.New("no bricks: token=s3cr3t")
		}
		own.Info("done")
		if err := trace.End(end); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "ended")
	}
	return nil
}

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

// says reads on to the next line that is no log line, or to the log line with
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

// close lets go of the process and waits for it, with what it still logs.
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
