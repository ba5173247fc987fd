package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// asCommand, in the environment, makes the test binary the command itself, so
// that tests can run it as a process, and kill it.
const asCommand = "EXAMPLE_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // what an import began is not the service's
}

// engines runs f on both engines, with what -db takes for a fresh database.
func engines(t *testing.T, f func(t *testing.T, db string)) {
	t.Run("sqlite", func(t *testing.T) { f(t, testdb.SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, testdb.Postgres(t)) })
}

var requester, approver, admin = accounts[0], accounts[1], accounts[2]

// service is one that runs for a test.
type service struct {
	greeting
	t      *testing.T
	db     string
	out    *output
	client *http.Client
	stop   func() error // stops it once; returns what serve returned
}

// start starts the service on a free port and returns when it is ready.
func start(t *testing.T, cfg config) *service {
	t.Helper()
	cfg.addr = "127.0.0.1:0"
	s := &service{t: t, db: cfg.db, out: &output{}, client: &http.Client{Transport: &http.Transport{}}}
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan greeting, 1), make(chan error, 1)
	go func() { ended <- serve(ctx, cfg, s.out, func(g greeting) { ready <- g }) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		s.client.CloseIdleConnections()
		return <-ended
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if t.Failed() {
			t.Logf("the service printed\n%s", s.out)
		}
	})
	select {
	case s.greeting = <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("the service ended before it was ready: %v\n%s", err, s.out)
	}
	return s
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	row    map[string]any // nil if the body is not a JSON object
	body   string
}

func (a answer) trace(t *testing.T) uuid.UUID {
	t.Helper()
	id, err := uuid.Parse(a.header.Get("X-Trace-Id"))
	if err != nil {
		t.Fatalf("X-Trace-Id %q of answer %d %s: %v", a.header.Get("X-Trace-Id"), a.status, a.body, err)
	}
	return id
}

func (s *service) call(as account, method, path, body string, header ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if as.id != "" {
		r.SetBasicAuth(as.id, as.password)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	a := answer{status: response.StatusCode, header: response.Header, body: string(b)}
	if strings.HasPrefix(a.body, "{") {
		if err := json.Unmarshal(b, &a.row); err != nil {
			s.t.Fatalf("%s %s: %v in %s", method, path, err, b)
		}
	}
	return a
}

// must makes a request that has to be answered with the status want.
func (s *service) must(as account, method, path, body string, want int) answer {
	s.t.Helper()
	a := s.call(as, method, path, body)
	if a.status != want {
		s.t.Fatalf("%s %s as %s: answered %d %s, want %d", method, path, as.id, a.status, a.body, want)
	}
	return a
}

// create makes a row and returns its path.
func (s *service) create(as account, path, body string) string {
	s.t.Helper()
	a := s.must(as, "POST", path, body, http.StatusCreated)
	return path + "/" + jsonText(s.t, a.row["id"])
}

// until waits for the row to be in this state.
func (s *service) until(path, state string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		a := s.must(admin, "GET", path, "", http.StatusOK)
		if a.row["state"] == state {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: the state is not %q: %s", path, state, a.body)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// database opens what the service keeps, beside it.
func database(t *testing.T, at string) *gorm.DB {
	t.Helper()
	a := &app{log: zap.NewNop()}
	if err := a.openDatabase(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.conn.Close() })
	return a.db
}

// entries returns the whole trail, in the order of effect.
func entries(t *testing.T, db *gorm.DB) []store.Entry {
	t.Helper()
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	var all []store.Entry
	q := store.Query{Ascending: true, Limit: store.MaxLimit}
	for {
		page, err := st.Entries(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Entries...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b store.Entry) int { return int(a.Seq - b.Seq) })
	return all
}

// own returns the action's own entry, of which there must be exactly one. Where
// the action is to be over it waits until its outcome is kept.
func own(t *testing.T, db *gorm.DB, trace uuid.UUID, over bool) store.Entry {
	t.Helper()
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		e, err := st.Entry(t.Context(), trace)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		if err == nil && (!over || e.Result != trail.Pending) {
			return e
		}
		if time.Now().After(deadline) {
			t.Fatalf("trace %s: entry %+v, %v", trace, e, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// output collects what the service prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
