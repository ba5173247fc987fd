package audit_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// Server is a model of the application.
type Server struct {
	ID   uint
	Name string
}

func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	conn, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}))
	if err != nil {
		log.Fatal(err)
	}
	if err := db.AutoMigrate(&Server{}); err != nil {
		log.Fatal(err)
	}

	// The trail: its tables, and the three lines.
	if err := store.Migrate(context.Background(), db); err != nil {
		log.Fatal(err)
	}
	trail.SetDefault(nil) // other examples of this package have set theirs
	if err := db.Use(gormhook.Plugin{}); err != nil {
		log.Fatal(err)
	}
	logger := zapfield.Wrap(zap.NewNop())
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.BasicAuth(gin.Accounts{"una": "pass"}), audit.Middleware())

	router.POST("/servers", func(c *gin.Context) {
		ctx := c.Request.Context()
		if err := db.WithContext(ctx).Create(&Server{Name: "web-1"}).Error; err != nil {
			c.Status(http.StatusInternalServerError)
			return
		}
		zapfield.Logger(ctx, logger).Info("booted")
		c.Status(http.StatusCreated)
	})

	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/servers", strings.NewReader(""))
	req.SetBasicAuth("una", "pass")
	router.ServeHTTP(httptest.NewRecorder(), req)

	st, err := store.New(db)
	if err != nil {
		log.Fatal(err)
	}
	page, err := st.Entries(context.Background(), store.Query{})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range page.Entries {
		fmt.Println(e.Actor.Name, e.Event, e.Model, e.EntityID, string(e.After), e.ID == e.TraceID)
	}
	// Output:
	// una create server 1 {"id":1,"name":"web-1"} true
}
