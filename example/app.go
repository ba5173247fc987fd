package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/viewer"
	"github.com/infrakitchen/audit/zapfield"
)

// app is the service, wired. It listens nowhere: see serve.
type app struct {
	db    *gorm.DB
	conn  *sql.DB
	log   *zap.Logger
	sink  *zapfield.Sink
	jobs  *jobs
	http  http.Handler
	fresh bool // the database had no tables yet
}

// newApp wires the service. This is all it takes to audit it.
func newApp(ctx context.Context, cfg config, out io.Writer) (_ *app, err error) {
	core := console(out)
	a := &app{log: zapfield.Wrap(zap.New(core))} // the trace id on every line
	if err := a.openDatabase(ctx, cfg.db); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = a.conn.Close()
		}
	}()
	if err := store.Migrate(ctx, a.db); err != nil { // the tables of the trail
		return nil, err
	}
	if err := a.db.Use(gormhook.Plugin{}); err != nil { // an entry for every changed row
		return nil, err
	}
	st, err := store.New(a.db)
	if err != nil {
		return nil, err
	}
	trail.SetDefault(st) // where actions are stored that change no row

	if a.sink, err = zapfield.NewSink(st, zapfield.WithErrorHandler(a.notKept)); err != nil {
		return nil, err
	}
	// Lines go to the console, and those of an action also next to its entries.
	a.log = zapfield.Wrap(zap.New(zapcore.NewTee(core, a.sink.Core(zap.InfoLevel))))
	a.db.Logger = sqlLog(a.log)
	a.jobs = newJobs(a.log, cfg.pace)

	pages, err := viewer.New(st, viewer.Options{ // the pages of the trail
		Authorize: mayRead,
		OnError:   func(_ *http.Request, err error) { a.log.Error("audit log", zap.Error(err)) },
	})
	if err != nil {
		return nil, err
	}

	if a.http, err = a.router(pages); err != nil { //nolint:contextcheck // requests have contexts of their own
		return nil, err
	}
	return a, nil
}

// router returns what serves requests; pages is the audit log.
func (a *app) router(pages http.Handler) (http.Handler, error) {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.HandleMethodNotAllowed = true
	if err := router.SetTrustedProxies(nil); err != nil { // or clients could choose their own address
		return nil, err
	}
	router.Use(
		audit.Middleware( // who did it, and what they called it
			audit.WithUser(authenticate),
			audit.WithErrorHandler(a.notRecorded),
		),
		middleware.AccessLog(a.logRequest),
		gin.CustomRecoveryWithWriter(nil, a.panicked),
		sameOrigin,
	)
	a.routes(router, http.StripPrefix("/audit", pages))
	return router, nil
}

// close ends the jobs and writes the last lines, within the time that ctx gives,
// and closes the database.
func (a *app) close(ctx context.Context) error {
	err := errors.Join(a.jobs.close(ctx), trail.Wait(ctx), a.sink.Close(ctx))
	_ = a.log.Sync() // a terminal cannot be synced, and says so
	if e := a.conn.Close(); e != nil {
		err = errors.Join(err, fmt.Errorf("closing the database: %w", e))
	}
	return err
}

// console returns the core that writes lines for people to out. Colours in
// messages stay as they are.
func console(out io.Writer) zapcore.Core {
	cfg := zap.NewDevelopmentEncoderConfig()
	cfg.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
	return zapcore.NewCore(zapcore.NewConsoleEncoder(cfg), zapcore.Lock(zapcore.AddSync(out)), zap.InfoLevel)
}
