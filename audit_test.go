package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// Resource is what the service under test is about.
type Resource struct {
	ID    uint   `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
}

// service is a small service wired as the README says.
type service struct {
	http.Handler
	db    *gorm.DB
	store *store.Store
	lines *bytes.Buffer
}

func newService(t *testing.T, db *gorm.DB) *service {
	t.Helper()
	ctx := context.Background()
	if err := store.Migrate(ctx, db); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Resource{}); err != nil {
		t.Fatal(err)
	}
	trail.SetDefault(nil)
	if err := db.Use(gormhook.Plugin{}); err != nil {
		t.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		t.Fatal(err)
	}
	s := &service{db: db, store: st, lines: new(bytes.Buffer)}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(s.lines), zap.InfoLevel)
	log := zapfield.Wrap(zap.New(core))

	gin.SetMode(gin.TestMode)
	router := gin.New()
	router.Use(audit.Middleware())
	api := router.Group("/api", gin.BasicAuth(gin.Accounts{"una": "pass"}))
	api.POST("/resources", func(c *gin.Context) {
		var r Resource
		if err := c.ShouldBindJSON(&r); err != nil {
			c.JSON(http.StatusBadRequest, gin.H{"error": "bad JSON"})
			return
		}
		if err := db.WithContext(c.Request.Context()).Create(&r).Error; err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		log.Info("created", zapfield.Context(c.Request.Context()))
		c.JSON(http.StatusCreated, r)
	})
	change := func(c *gin.Context, tx *gorm.DB) {
		switch {
		case tx.Error != nil:
			_ = c.AbortWithError(http.StatusInternalServerError, tx.Error)
		case tx.RowsAffected == 0:
			c.Status(http.StatusNotFound)
		default:
			zapfield.Logger(c.Request.Context(), log).Info("changed")
			c.Status(http.StatusNoContent)
		}
	}
	api.PUT("/resources/:id", func(c *gin.Context) {
		change(c, db.WithContext(c.Request.Context()).Model(&Resource{}).Where("id = ?", c.Param("id")).Update("name", c.Query("name")))
	})
	api.DELETE("/resources/:id", func(c *gin.Context) {
		change(c, db.WithContext(c.Request.Context()).Where("id = ?", c.Param("id")).Delete(&Resource{}))
	})
	api.POST("/resources/:id/execute", func(c *gin.Context) {
		change(c, db.WithContext(c.Request.Context()).Model(&Resource{}).Where("id = ?", c.Param("id")).Update("state", "provisioned"))
	})
	api.POST("/resources/:id/approve", func(c *gin.Context) {
		err := db.WithContext(c.Request.Context()).Transaction(func(tx *gorm.DB) error {
			if err := tx.Model(&Resource{}).Where("id = ?", c.Param("id")).Update("state", "approved").Error; err != nil {
				return err
			}
			return errors.New("not today")
		})
		_ = c.AbortWithError(http.StatusConflict, err)
	})
	api.GET("/resources", func(c *gin.Context) { c.Status(http.StatusOK) })
	s.Handler = router
	return s
}

// do sends a request and returns its answer and trace.
func (s *service) do(t *testing.T, method, path, body, password string) (*httptest.ResponseRecorder, store.Trace) {
	t.Helper()
	s.lines.Reset()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.SetBasicAuth("una", password)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	id, err := uuid.Parse(w.Header().Get("X-Trace-Id"))
	if err != nil {
		t.Fatalf("%s %s: X-Trace-Id: %v", method, path, err)
	}
	tr, err := s.store.Trace(t.Context(), id)
	if err != nil {
		t.Fatalf("%s %s: trace %s: %v", method, path, id, err)
	}
	return w, tr
}

// told is what the trail tells of an entry.
type told struct {
	User                string
	Event               trail.Event
	Operation           trail.Operation
	Model, ID           string
	Before, After       any
	Outcome             trail.Result
	Own, SameTraceLines bool
}

func (s *service) tell(t *testing.T, tr store.Trace) []told {
	t.Helper()
	var out []told
	for _, e := range tr.Entries {
		out = append(out, told{
			User: e.Actor.ID, Event: e.Event, Operation: e.Operation, Model: e.Model, ID: e.EntityID,
			Before: decode(t, e.Before), After: decode(t, e.After), Outcome: e.Result,
			Own: e.ID == e.TraceID, SameTraceLines: s.stamped(t, e.TraceID),
		})
	}
	return out
}

func decode(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	if raw == nil {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// stamped reports whether the request logged lines, all with this trace id.
func (s *service) stamped(t *testing.T, id uuid.UUID) bool {
	t.Helper()
	lines := strings.Fields(s.lines.String())
	for _, line := range lines {
		var l struct {
			TraceID string `json:"trace_id"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		if l.TraceID != id.String() {
			return false
		}
	}
	return len(lines) > 0
}

type object = map[string]any

func TestTheWholeStory(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newService(t, db)
		story := []struct {
			name, method, path, body, password string
			status                             int
			want                               []told
		}{
			{
				name: "a POST creates", method: "POST", path: "/api/resources", body: `{"name":"vm","state":"requested"}`,
				password: "pass", status: 201,
				want: []told{{
					"una", audit.Create, trail.OpInsert, "resource", "1", nil,
					object{"id": 1.0, "name": "vm", "state": "requested"},
					trail.Success, true, true,
				}},
			},
			{
				name: "a PUT updates", method: "PUT", path: "/api/resources/1?name=box", password: "pass", status: 204,
				want: []told{{
					"una", audit.Update, trail.OpUpdate, "resource", "1",
					object{"name": "vm"},
					object{"name": "box"},
					trail.Success, true, true,
				}},
			},
			{
				name:   "execute is there before its work, which has an entry of its own",
				method: "POST", path: "/api/resources/1/execute", password: "pass", status: 204,
				want: []told{
					{"una", audit.Execute, "", "resource", "1", nil, nil, trail.Success, true, true},
					{
						"una", audit.Update, trail.OpUpdate, "resource", "1",
						object{"state": "requested"},
						object{"state": "provisioned"},
						trail.Success, false, true,
					},
				},
			},
			{
				name:   "what is rolled back leaves the attempt, and no change",
				method: "POST", path: "/api/resources/1/approve", password: "pass", status: 409,
				want: []told{{"una", audit.Approve, "", "resource", "1", nil, nil, trail.Failure, true, false}},
			},
			{
				name: "a wrong password is an attempt of nobody known", method: "DELETE", path: "/api/resources/1", password: "guess", status: 401,
				want: []told{{"anonymous", audit.Delete, "", "resource", "1", nil, nil, trail.Denied, true, false}},
			},
			{
				name: "a DELETE deletes", method: "DELETE", path: "/api/resources/1", password: "pass", status: 204,
				want: []told{{
					"una", audit.Delete, trail.OpDelete, "resource", "1",
					object{"id": 1.0, "name": "box", "state": "provisioned"},
					nil, trail.Success, true, true,
				}},
			},
			{
				name: "nothing to do is told", method: "DELETE", path: "/api/resources/1", password: "pass", status: 404,
				want: []told{{"una", audit.Delete, "", "resource", "1", nil, nil, trail.Failure, true, false}},
			},
		}
		for _, step := range story {
			w, tr := s.do(t, step.method, step.path, step.body, step.password)
			if w.Code != step.status {
				t.Errorf("%s: status %d, want %d: %s", step.name, w.Code, step.status, w.Body)
			}
			if diff := cmp.Diff(step.want, s.tell(t, tr)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}

		var left int64
		if err := db.Model(&Resource{}).Count(&left).Error; err != nil || left != 0 {
			t.Errorf("%d resources are left (%v), want none", left, err)
		}
	})
}

func TestReadsLeaveNoTrace(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		s := newService(t, db)
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/resources", nil)
		req.SetBasicAuth("una", "pass")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		page, err := s.store.Entries(t.Context(), store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > 0 || w.Header().Get("X-Trace-Id") != "" {
			t.Errorf("a GET left %d entries and the trace id %q, want none", len(page.Entries), w.Header().Get("X-Trace-Id"))
		}
	})
}
