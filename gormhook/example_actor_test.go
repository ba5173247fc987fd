package gormhook_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// A write whose context carries no action is recorded as that of the actor
// "unknown". RequireActor refuses it, so that a forgotten WithContext is found in
// a test and not in the trail.
func ExamplePlugin_requireActor() {
	conn, err := sql.Open("sqlite", "file:actor?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the database is gone anyway
	conn.SetMaxOpenConns(1)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		log.Fatal(err)
	}
	check := func(err error) {
		if err != nil {
			log.Panic(err)
		}
	}
	ctx := context.Background()
	check(store.Migrate(ctx, db))
	check(db.AutoMigrate(&Oven{}))
	check(db.Use(gormhook.Plugin{RequireActor: true}))
	st, err := store.New(db)
	check(err)
	defer trail.SetDefault(trail.Default())
	trail.SetDefault(st)

	err = db.Create(&Oven{State: "cold"}).Error // WithContext is missing
	fmt.Println(errors.Is(err, gormhook.ErrNoActor))

	ctx, trace, err := trail.Start(ctx, trail.Action{
		Actor: trail.Actor{ID: "nightly", Kind: trail.KindSystem}, Event: trail.Create, Model: "oven",
	})
	check(err)
	fmt.Println(db.WithContext(ctx).Create(&Oven{State: "cold"}).Error)
	check(trace.End(nil))
	// Output:
	// true
	// <nil>
}
