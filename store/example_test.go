package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// The other packages write the trail; this shows what they do below.
func Example() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for temporary files
	conn, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "app.db")+
		"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the folder goes with it
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}))
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	if err := store.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	s, err := store.New(db)
	if err != nil {
		log.Fatal(err)
	}

	id := trail.NewID(time.Now())
	if err := s.Record(ctx, trail.Entry{
		ID: id, TraceID: id,
		Actor: trail.Actor{ID: "17", Name: "Ann", Kind: trail.KindUser},
		Event: trail.Approve, Operation: trail.OpUpdate,
		Model: "resource", EntityID: "42",
		Before:  json.RawMessage(`{"status":"requested"}`),
		After:   json.RawMessage(`{"status":"approved"}`),
		Outcome: trail.Success,
	}); err != nil {
		log.Fatal(err)
	}

	page, err := s.Entries(ctx, store.Query{Model: "resource", EntityID: "42"})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range page.Entries {
		fmt.Println(e.Actor.Name, e.Event, e.Model, e.EntityID, string(e.Before), string(e.After), e.Result)
	}
	// Output:
	// Ann approve resource 42 {"status":"requested"} {"status":"approved"} success
}
