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

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
)

// A process with several databases, or a test with its own, says where the
// actions of a router go: those that change no row are written by the middleware,
// by default to the first database that the plugin was used on.
func ExampleWithRecorder() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	for _, name := range []string{"north", "south"} {
		conn, err := sql.Open("sqlite", "file:"+filepath.Join(dir, name)+"?_pragma=busy_timeout(5000)")
		if err != nil {
			log.Fatal(err)
		}
		db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}))
		if err != nil {
			log.Fatal(err)
		}
		if err := store.Migrate(context.Background(), db); err != nil {
			log.Fatal(err)
		}
		if err := db.Use(gormhook.Plugin{}); err != nil {
			log.Fatal(err)
		}
		st, err := store.New(db)
		if err != nil {
			log.Fatal(err)
		}

		router := gin.New()
		router.Use(audit.Middleware(audit.WithRecorder(st))) // of this database
		router.PUT("/servers/:id", func(c *gin.Context) { c.Status(http.StatusNotFound) })
		router.ServeHTTP(httptest.NewRecorder(),
			httptest.NewRequestWithContext(context.Background(), http.MethodPut, "/servers/"+name, http.NoBody))

		page, err := st.Entries(context.Background(), store.Query{})
		if err != nil {
			log.Fatal(err)
		}
		for _, e := range page.Entries {
			fmt.Println(name, "has:", e.Event, e.Model, e.EntityID, e.Result)
		}
		if err := conn.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// north has: update server north failure
	// south has: update server south failure
}
