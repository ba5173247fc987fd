package gormhook_test

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
)

// replayPath is one of the ways in which capture is done.
type replayPath struct {
	name   string
	plugin gormhook.Plugin
	open   func(testing.TB, ...gorm.Option) *gorm.DB
}

// replayPaths are all of them.
var replayPaths = []replayPath{
	{"sqlite", gormhook.Plugin{}, testdb.OpenSQLite},
	{"postgres", gormhook.Plugin{}, testdb.OpenPostgres},
	{"postgres-portable", gormhook.Plugin{Portable: true}, testdb.OpenPostgres},
}

func (p replayPath) postgres() bool { return p.name != "sqlite" }

// replayDatabase is a database that is audited, with all that a test needs to
// tell what is in it.
type replayDatabase struct {
	path replayPath
	db   *gorm.DB // audited
	bare *gorm.DB // the same connections, not audited
	// recorder is for actions: nothing here counts on the default of package
	// trail, which other tests change.
	recorder trail.Recorder
}

// openReplay makes a database with the trail's tables and those that prepare
// makes, which is not audited, and has the plugin at work on it.
func openReplay(tb testing.TB, path replayPath, prepare func(*gorm.DB) error) *replayDatabase {
	tb.Helper()
	return prepareReplay(tb, path, path.open(tb), prepare)
}

// prepareReplay is openReplay for a database that is open.
func prepareReplay(tb testing.TB, path replayPath, db *gorm.DB, prepare func(*gorm.DB) error) *replayDatabase {
	tb.Helper()
	if err := store.Migrate(tb.Context(), db); err != nil {
		tb.Fatal(err)
	}
	if err := prepare(db); err != nil {
		tb.Fatal(err)
	}
	plugin := path.plugin
	plugin.Models = []any{
		&replayNote{}, &replayDraft{}, &replayPlace{}, &replayContact{}, &replayParcel{}, &replayTreasure{},
		&replayOrder{}, &replayLine{}, &replayStamp{}, &replayEcho{},
	}
	if err := db.Use(plugin); err != nil {
		tb.Fatal(err)
	}
	recorder, err := store.New(db)
	if err != nil {
		tb.Fatal(err)
	}
	bare := db.Session(&gorm.Session{NewDB: true, Context: trail.Skip(context.Background())})
	return &replayDatabase{path: path, db: db, bare: bare, recorder: recorder}
}

// keepDefaultRecorder puts the default recorder back that the plugin sets, when
// the test and all that it runs have ended.
func keepDefaultRecorder(tb testing.TB) {
	before := trail.Default()
	tb.Cleanup(func() { trail.SetDefault(before) })
}

// act begins an action whose entries the database keeps itself.
func (d *replayDatabase) act(ctx context.Context, a trail.Action) (context.Context, *trail.Trace, error) {
	scope := new(trail.Scope)
	if err := scope.Start(ctx, a, trail.Options{Recorder: d.recorder}); err != nil {
		return nil, nil, err
	}
	return scope, scope.Trace(), nil
}
