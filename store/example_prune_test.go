package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Lines are kept as long as the rules say, and deleted by Prune, which something
// must call: a daily job, for example. Entries stay.
func ExampleStore_Prune() {
	conn, err := sql.Open("sqlite", "file:prune?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the database is gone anyway
	conn.SetMaxOpenConns(1)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := store.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}

	const day = 24 * time.Hour
	s, err := store.New(db, store.WithRetention(
		store.Keep{Event: trail.Dryrun, For: 5 * day},
		store.Keep{Level: "debug", For: 7 * day},
		store.Keep{For: 90 * day}, // all others
	))
	if err != nil {
		log.Fatal(err)
	}

	start := time.Now().Add(-30 * day) // a month ago
	id := trail.NewID(start)
	if err := s.Record(ctx, trail.Entry{
		ID: id, TraceID: id, Actor: trail.Actor{ID: "17", Name: "Ann", Kind: trail.KindUser},
		Event: trail.Sync, Model: "source_code", EntityID: "7", Outcome: trail.Success,
	}); err != nil {
		log.Fatal(err)
	}
	for i, level := range []string{"info", "debug", "debug"} {
		if err := s.WriteLines(ctx, []trail.Line{{
			ID: trail.NewID(start), TraceID: id, CreatedAt: start, Seq: int64(i), Level: level, Message: "fetching",
		}}); err != nil {
			log.Fatal(err)
		}
	}

	did, err := s.Prune(ctx, store.PruneOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("lines deleted:", did.Lines)
	prune, err := s.Trace(ctx, did.TraceID) // it is an action, too
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range prune.Entries {
		fmt.Println(e.Actor.ID, e.Event, e.Model, e.Operation, e.Result)
	}
	// Output:
	// lines deleted: 2
	// retention delete execution_log  success
	// retention delete execution_log delete success
}
