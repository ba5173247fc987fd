package viewer_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
)

// The pages are mounted under /audit, for those whom the application authorizes.
func Example() {
	ctx := context.Background()
	conn, err := sql.Open("sqlite", "file:trail?mode=memory&cache=shared&_time_format=sqlite")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	st, err := store.New(db)
	if err != nil {
		log.Fatal(err)
	}

	pages, err := viewer.New(st, viewer.Options{
		Challenge: `Basic realm="audit"`,
		Authorize: func(r *http.Request) error {
			if user, password, _ := r.BasicAuth(); user != "auditor" || password != "demo" {
				return viewer.ErrUnauthenticated
			}
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/audit/", http.StripPrefix("/audit", pages))
	server := httptest.NewServer(mux)
	defer server.Close()

	// Something to look at; the middleware and the GORM plugin do this in an
	// application.
	id := trail.NewID(epoch)
	err = st.Record(ctx, trail.Entry{
		ID: id, TraceID: id, Actor: trail.Actor{ID: "ann", Name: "Ann Bee", Kind: trail.KindUser},
		Event: trail.Approve, Model: "resource", EntityID: "42", Outcome: trail.Success,
	})
	if err != nil {
		log.Fatal(err)
	}

	get := func(user string) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/audit/api/events", nil)
		if err != nil {
			log.Fatal(err)
		}
		r.SetBasicAuth(user, "demo")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d %s", user, answer.StatusCode, body)
	}
	get("mallory")
	get("auditor")
	// Output:
	// mallory: 401 {"error":"Sign in to see the audit log."}
	// auditor: 200 {"events":["approve"]}
}
