package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"pgregory.net/rapid"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// program is a handler that was made up: steps, and how it ends.
type program struct {
	steps  []step
	status int
	panics bool
}

// step is one thing that a handler does. Those with steps of their own are a
// transaction, or a savepoint where they are in one.
type step struct {
	do     string
	target int64
	steps  []step
	undone bool
}

func (s step) String() string {
	if s.steps != nil {
		return fmt.Sprintf("%s%v undone:%t", s.do, s.steps, s.undone)
	}
	return fmt.Sprintf("%s %d", s.do, s.target)
}

var simple = []string{"rename", "rename to the same", "relabel", "rename all", "create", "delete", "save", "upsert", "fail", "log", "leave", "detach", "goroutine"}

func drawSteps(t *rapid.T, depth int) []step {
	kinds := simple
	if depth < 3 {
		kinds = append([]string{"transaction", "transaction", "transaction"}, kinds...)
	}
	n := rapid.IntRange(0, 4).Draw(t, "steps")
	steps := make([]step, 0, n)
	for range n {
		s := step{do: rapid.SampledFrom(kinds).Draw(t, "do"), target: rapid.Int64Range(0, 3).Draw(t, "target")}
		if s.do == "transaction" {
			s.steps = drawSteps(t, depth+1)
			s.undone = rapid.Bool().Draw(t, "undone")
		}
		steps = append(steps, s)
	}
	return steps
}

// runner runs a program.
type runner struct {
	things
	ctx   context.Context
	db    *gorm.DB
	log   *zap.Logger
	leave func()
	depth int
	late  *sync.WaitGroup
	fresh int64
}

var errUndone = errors.New("undone")

// run runs steps. What fails does not stop it, as in handlers that look at no
// error, but in a transaction, which is over.
func (r *runner) run(steps []step, db *gorm.DB, inside bool) error {
	for i, s := range steps {
		id := []int64{r.a, r.b, r.c, -1}[s.target]
		name := fmt.Sprintf("%s.%d.%d", s.do, r.depth, i)
		widget := db.Model(&Widget{}).Where("id = ?", id)
		var err error
		switch s.do {
		case "rename":
			err = widget.Update("name", name).Error
		case "rename to the same":
			err = widget.Update("name", gorm.Expr("name")).Error
		case "relabel":
			err = db.Model(&Box{}).Where("id = ?", r.box).Update("label", name).Error
		case "rename all":
			err = db.Model(&Widget{}).Where("id IN ?", []int64{r.a, r.b, r.c}).Update("name", name).Error
		case "create":
			r.fresh++
			err = db.Create(&Widget{ID: r.fresh, Name: name}).Error
		case "delete":
			err = db.Where("id = ?", id).Delete(&Widget{}).Error
		case "save":
			if id > 0 {
				err = db.Save(&Widget{ID: id, Name: name}).Error
			}
		case "upsert":
			if id > 0 {
				err = db.Clauses(clause.OnConflict{UpdateAll: true}, clause.Returning{}).Create(&Widget{ID: id, Name: name}).Error
			}
		case "fail":
			err = db.Create(&Box{ID: r.box, Label: name}).Error
		case "log":
			r.log.Info(name, zapfield.Context(r.ctx))
		case "leave":
			r.leave()
		case "detach":
			db = db.WithContext(context.WithoutCancel(r.ctx))
		case "goroutine":
			if inside {
				continue // one connection has one user
			}
			done := make(chan struct{})
			r.late.Go(func() {
				defer close(done)
				_ = rename(r.ctx, r.db, id, name) // it may be cancelled
			})
			if s.target%2 == 0 {
				<-done
			}
		default:
			r.depth++
			err = db.Transaction(func(tx *gorm.DB) error {
				if err := r.run(s.steps, tx, true); err != nil {
					return err
				}
				if s.undone {
					return errUndone
				}
				return nil
			})
			if errors.Is(err, errUndone) {
				err = nil // swallowed
			}
		}
		if err != nil && inside {
			return err
		}
	}
	return nil
}

// TestAnyHandler makes up handlers, and holds the whole table, and all that was
// logged, to invariant 4 after each: every trace id leads to exactly one entry.
// What the entries say of each row, last, is what is in its table.
func TestAnyHandler(t *testing.T) {
	for _, e := range []engine{plainSQLite, plainPostgres, all[4]} {
		t.Run(e.name, func(t *testing.T) {
			w := e.world(t)
			lines := new(bytes.Buffer)
			core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(lines), zap.InfoLevel)
			log := zapfield.Wrap(zap.New(core))
			rapid.Check(t, func(rt *rapid.T) {
				m := rapid.SampledFrom(moments).Draw(rt, "moment")
				p := program{
					steps:  drawSteps(rt, 0),
					status: rapid.SampledFrom([]int{200, 201, 202, 204, 302, 400, 401, 403, 404, 409, 500, 503}).Draw(rt, "status"),
					panics: rapid.IntRange(0, 9).Draw(rt, "panics") == 0,
				}
				known := rapid.IntRange(0, 9).Draw(rt, "known") > 0
				f := w.things(t)
				lines.Reset()
				id := w.play(rt, t, m, p, f, known, log)
				w.accounted(t)
				w.stamped(rt, lines, id)
				w.agrees(t, rt, f)
				own, _ := w.trace(t, id)
				want := resultOf(p.status)
				switch {
				case !known:
					want = trail.Denied
				case p.panics:
					want = trail.Failure
				case p.status == http.StatusAccepted && own.Operation == "":
					want = trail.Pending
				}
				if own.Result != want || own.Event != m.event && known {
					rt.Fatalf("%s ended as %s, want %s", own.Event, own.Result, want)
				}
				if t.Failed() {
					rt.FailNow()
				}
			})
		})
	}
}

// play runs a program as the handler of one request.
func (w *world) play(rt *rapid.T, t *testing.T, m moment, p program, f things, known bool, log *zap.Logger) uuid.UUID {
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var late sync.WaitGroup
	router := gin.New()
	router.Use(gin.CustomRecoveryWithWriter(io.Discard, func(c *gin.Context, _ any) { c.AbortWithStatus(http.StatusInternalServerError) }))
	auth := gin.BasicAuth(gin.Accounts{"una": "pass"})
	router.Use(audit.Middleware(
		audit.WithEvent(publish, trail.WithChange), audit.WithEvent(provision, trail.Ahead),
		audit.WithErrorHandler(func(_ context.Context, err error) { rt.Errorf("not recorded: %v", err) })), auth)
	var handlers []gin.HandlerFunc
	if m.annotation != nil {
		handlers = append(handlers, m.annotation)
	}
	router.Handle(m.method, m.path, append(handlers, func(c *gin.Context) {
		ctx := c.Request.Context()
		db := w.db.WithContext(ctx)
		r := &runner{things: f, ctx: ctx, db: db, log: log, leave: leave, late: &late, fresh: f.fresh}
		_ = r.run(p.steps, db, false)
		if p.panics {
			panic("out of paper")
		}
		c.Status(p.status)
	})...)
	req := httptest.NewRequestWithContext(ctx, m.method, strings.Replace(m.path, ":id", fmt.Sprint(f.a), 1), http.NoBody)
	if known {
		req.SetBasicAuth("una", "pass")
	}
	rec := httptest.NewRecorder()
	router.ServeHTTP(rec, req)
	late.Wait()
	id, err := uuid.Parse(rec.Header().Get("X-Trace-Id"))
	if err != nil {
		rt.Fatalf("X-Trace-Id: %v", err)
	}
	return id
}

// stamped holds the lines to the trace in which they were logged.
func (w *world) stamped(t *rapid.T, lines *bytes.Buffer, id uuid.UUID) {
	for text := range strings.Lines(lines.String()) {
		var line struct {
			TraceID string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line.TraceID != id.String() {
			t.Fatalf("a line of trace %s bears the id %q", id, line.TraceID)
		}
	}
}

// agrees holds what the trail says of the widgets to what they are.
func (w *world) agrees(t *testing.T, rt *rapid.T, f things) {
	said := map[string]string{}
	for _, id := range []int64{f.a, f.b, f.c} {
		said[fmt.Sprint(id)] = "old"
	}
	var entries []struct {
		EntityID  string
		Operation trail.Operation
		After     string
	}
	if err := w.db.WithContext(t.Context()).Raw(`SELECT entity_id, operation, coalesce(CAST(after AS text), '') AS after FROM audit_logs
WHERE model = 'widget' AND operation IS NOT NULL AND CAST(entity_id AS integer) BETWEEN ? AND ? ORDER BY seq`, f.a, f.a+99).Scan(&entries).Error; err != nil {
		rt.Fatal(err)
	}
	for _, e := range entries {
		if e.Operation == trail.OpDelete {
			delete(said, e.EntityID)
			continue
		}
		var after struct{ Name *string }
		if err := json.Unmarshal([]byte(e.After), &after); err != nil {
			rt.Fatal(err)
		}
		if after.Name != nil {
			said[e.EntityID] = *after.Name
		}
	}
	var rows []Widget
	if err := w.db.WithContext(t.Context()).Where("id BETWEEN ? AND ?", f.a, f.a+99).Find(&rows).Error; err != nil {
		rt.Fatal(err)
	}
	if len(rows) != len(said) {
		rt.Fatalf("there are %d widgets, the trail knows %d", len(rows), len(said))
	}
	for _, row := range rows {
		if got, ok := said[fmt.Sprint(row.ID)]; !ok || got != row.Name {
			rt.Fatalf("widget %d is called %q, the trail says %q (%t)", row.ID, row.Name, got, ok)
		}
	}
}
