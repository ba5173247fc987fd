package gormhook_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// Oven is a model of the example.
type Oven struct {
	ID    int64
	State string
	Heat  int
	Pin   string `audit:"mask"`
}

// The first row of the action's own entity is the action, with its verb;
// everything else that changes carries its trace.
func Example() {
	conn, err := sql.Open("sqlite", "file:example?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the database is gone anyway
	conn.SetMaxOpenConns(1)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			log.Panic(err)
		}
	}
	check(db.AutoMigrate(&Oven{}))
	check(store.Migrate(ctx, db))
	check(db.Use(gormhook.Plugin{}))
	st, err := store.New(db)
	check(err)
	defer trail.SetDefault(trail.Default())
	trail.SetDefault(st)

	ctx, trace, err := trail.Start(ctx, trail.Action{
		Actor: trail.Actor{ID: "u1", Name: "Ada", Kind: trail.KindUser},
		Event: trail.Approve, Model: "oven", EntityID: "1",
	})
	check(err)
	ovens := []Oven{{ID: 1, State: "requested", Pin: "1234"}, {ID: 2, State: "cold"}}
	check(db.Create(&ovens).Error) // outside the action
	check(db.WithContext(ctx).Model(&Oven{}).Where("id = 1").Update("state", "approved").Error)
	check(db.WithContext(ctx).Model(&Oven{}).Where("heat = 0").Update("heat", gorm.Expr("heat + 180")).Error)
	check(trace.End(nil))

	own, err := st.Trace(ctx, trace.ID())
	check(err)
	for _, e := range own.Entries {
		fmt.Printf("%s: %s/%s %s %s, %s to %s\n", e.Actor.Name, e.Event, e.Operation, e.Model, e.EntityID, e.Before, e.After)
	}
	page, err := st.Entries(ctx, store.Query{Model: "oven", EntityID: "1", Events: []trail.Event{trail.Create}})
	check(err)
	fmt.Printf("%s: %s\n", page.Entries[0].Actor.ID, page.Entries[0].After)
	// Output:
	// Ada: approve/update oven 1, {"state":"requested"} to {"state":"approved"}
	// Ada: update/update oven 1, {"heat":0} to {"heat":180}
	// Ada: update/update oven 2, {"heat":0} to {"heat":180}
	// unknown: {"id":1,"state":"requested","heat":0,"pin":"***"}
}
