package viewer_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/viewer"
)

// Authorize gets an http.Request, which does not have what gin's own middleware
// put into gin's context. Where that decides, a handler in front of the pages
// does, and Authorize lets through what comes behind it.
func Example_gin() {
	conn, err := sql.Open("sqlite", "file:behindgin?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	conn.SetMaxOpenConns(1)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}))
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Migrate(context.Background(), db); err != nil {
		log.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		log.Fatal(err)
	}
	pages, err := viewer.New(st, viewer.Options{
		Authorize: func(*http.Request) error { return nil }, // auditors has decided
	})
	if err != nil {
		log.Fatal(err)
	}

	authenticate := func(c *gin.Context) { c.Set("role", c.GetHeader("X-Role")) } // for the example
	auditors := func(c *gin.Context) {
		if c.GetString("role") != "auditor" {
			c.AbortWithStatus(http.StatusForbidden)
		}
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(authenticate)
	router.Any("/audit/*path", auditors, gin.WrapH(http.StripPrefix("/audit", pages)))

	for _, role := range []string{"auditor", "visitor"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/audit/api/events", http.NoBody)
		r.Header.Set("X-Role", role)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println(role, w.Code)
	}
	// Output:
	// auditor 200
	// visitor 403
}
