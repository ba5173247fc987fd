package zapfield_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// Lines go to the console, and those of an action into the database as well. The
// order matters: a store keeps the logger that its database has when it is made,
// and that one must not write into the sink that writes through the store.
func ExampleNewSink() {
	console := zap.NewNop().Core() // or whatever the application has

	conn, err := sql.Open("sqlite", "file:sink?mode=memory")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	conn.SetMaxOpenConns(1)
	db, err := gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), &gorm.Config{Logger: zapfield.GORM(zap.New(console))})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := store.Migrate(ctx, db); err != nil {
		log.Fatal(err)
	}
	st, err := store.New(db) // logs to the console
	if err != nil {
		log.Fatal(err)
	}
	sink, err := zapfield.NewSink(st)
	if err != nil {
		log.Fatal(err)
	}
	logger := zapfield.Wrap(zap.New(zapcore.NewTee(console, sink.Core(zap.InfoLevel))))
	db.Logger = zapfield.GORM(logger) // the application's own statements are lines of their actions

	defer trail.SetDefault(trail.Default())
	trail.SetDefault(st)
	ctx, trace, err := trail.Start(ctx, trail.Action{Event: trail.Sync, Model: "source_code", EntityID: "7"})
	if err != nil {
		log.Fatal(err)
	}
	zapfield.Logger(ctx, logger).Named("git").Info("fetched", zap.Int("commits", 3), zap.String("token", "s3cr3t"))
	logger.Info("not of an action, so only on the console")
	if err := trace.End(nil); err != nil {
		log.Fatal(err)
	}
	if err := sink.Close(ctx); err != nil { // when the service stops
		log.Fatal(err)
	}

	lines, err := st.Lines(ctx, trace.ID(), 10)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range lines {
		fmt.Println(l.Level, l.Logger, l.Message, string(l.Fields))
	}
	// Output:
	// info git fetched {"commits":3,"token":"***"}
}
