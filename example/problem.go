package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"

	"github.com/infrakitchen/audit/middleware"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// problem is an error that the client can do something about, with its status.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

func invalid(format string, args ...any) error {
	return &problem{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func missing(format string, args ...any) error {
	return &problem{http.StatusNotFound, fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &problem{http.StatusConflict, fmt.Sprintf(format, args...)}
}

// reply turns a function that returns the response into a gin handler.
func (a *app) reply(f func(*gin.Context) (status int, body any, err error)) gin.HandlerFunc {
	return func(c *gin.Context) {
		status, body, err := f(c)
		if err != nil {
			a.fail(c, err)
			return
		}
		c.JSON(status, body)
	}
}

// fail answers with an error. Gin keeps it for the middleware, which records
// it as the reason why the action failed.
func (a *app) fail(c *gin.Context, err error) {
	_ = c.Error(err)
	var p *problem
	switch {
	case errors.As(err, &p):
	case violates(err, "23503", 787): // a foreign key
		p = &problem{http.StatusConflict, "other rows refer to it"}
	case violates(err, "22", 0): // a value that PostgreSQL cannot store, such as NUL in a text
		p = &problem{http.StatusBadRequest, "the database cannot store such a value"}
	default:
		a.log.Error("request failed", zapfield.Context(c.Request.Context()), zap.Error(err))
		p = &problem{http.StatusInternalServerError, "internal error"}
	}
	c.AbortWithStatusJSON(p.status, gin.H{"error": p.text})
}

// violates reports whether a database refused a statement for this reason: what
// PostgreSQL's SQLSTATE begins with, or SQLite's extended result code.
func violates(err error, sqlState string, sqliteCode int) bool {
	var postgres interface{ SQLState() string }
	if errors.As(err, &postgres) {
		return strings.HasPrefix(postgres.SQLState(), sqlState)
	}
	var sqlite interface{ Code() int }
	return errors.As(err, &sqlite) && sqlite.Code() == sqliteCode
}

// panicked answers after a handler has panicked.
func (a *app) panicked(c *gin.Context, v any) {
	a.log.Error("panic", zapfield.Context(c.Request.Context()), zap.ByteString("stack", debug.Stack()))
	a.fail(c, fmt.Errorf("panic: %v", v))
}

// notRecorded is called for actions that could not be recorded, which are not done.
func (a *app) notRecorded(ctx context.Context, err error) {
	a.log.Error("not recorded", zapfield.Context(ctx), zap.Error(err))
}

// notKept is called for lines that cannot be stored, or not yet. It logs to the console.
func (a *app) notKept(err error) {
	a.log.Error("log lines", zap.Error(err))
}

// logRequest writes a line for each request that may have changed something.
func (a *app) logRequest(ctx context.Context, r middleware.Access) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return
	}
	line := []zap.Field{zapfield.Context(ctx), zap.Int("status", r.Status), zap.Duration("took", r.Duration)}
	if trace, ok := trail.FromContext(ctx); ok {
		line = append(line, zap.String("user", trace.Action().Actor.ID))
	}
	a.log.Info(r.Method+" "+r.Path, line...)
}
