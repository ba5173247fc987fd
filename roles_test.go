package audit_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/infrakitchen/audit"
	"github.com/infrakitchen/audit/gormhook"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// Job is a row of the queue, which is a table. What is queued is not a change of
// an entity.
type Job struct {
	ID       int64
	Resource int64
	Carrier  string
}

// play runs a process of the test. It logs to its standard output, and ends
// with its standard input.
func play(role string) int {
	if err := playing(role); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

func playing(role string) error {
	db, err := dial(os.Getenv(dialectVariable), os.Getenv(dsnVariable))
	if err != nil {
		return err
	}
	if err := db.Use(gormhook.Plugin{Exclude: []string{"job"}}); err != nil {
		return err
	}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.Lock(os.Stdout), zap.InfoLevel)
	log := zapfield.Wrap(zap.New(core)).Named(role)
	switch role {
	case "web":
		return web(db, log)
	case "worker":
		return work(db, log)
	default:
		return fmt.Errorf("there is no role %q", role)
	}
}

func dial(dialect, dsn string) (*gorm.DB, error) {
	config := &gorm.Config{Logger: logger.Discard}
	if dialect == "postgres" {
		return gorm.Open(postgres.Open(dsn), config)
	}
	conn, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	return gorm.Open(sqlite.New(sqlite.Config{Conn: conn}), config)
}

// web serves requests that put work into the queue. Its first line says where.
func web(db *gorm.DB, log *zap.Logger) error {
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(audit.Middleware(), gin.BasicAuth(gin.Accounts{"una": "pass"}))
	enqueue := func(c *gin.Context) {
		var r Widget
		ctx := c.Request.Context()
		err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			if err := tx.First(&r, c.Param("id")).Error; err != nil {
				return err
			}
			carrier := trail.MapCarrier{}
			trail.Inject(ctx, carrier)
			text, err := json.Marshal(carrier)
			if err != nil {
				return err
			}
			if err := tx.Model(&r).Update("name", "queued").Error; err != nil {
				return err
			}
			return tx.Create(&Job{Resource: r.ID, Carrier: string(text)}).Error
		})
		if err != nil {
			_ = c.AbortWithError(http.StatusInternalServerError, err)
			return
		}
		log.Info("queued", zapfield.Context(ctx))
		c.Status(http.StatusAccepted)
	}
	router.POST("/widgets/:id/execute", audit.As(audit.Execute), enqueue)
	router.POST("/widgets/:id/approve", enqueue)
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	server := &http.Server{Handler: router, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets go
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// work takes one job from the queue for each line of its standard input. The
// line says how the job is to end: "hang" never, "fail", or well.
func work(db *gorm.DB, log *zap.Logger) error {
	fmt.Fprintln(os.Stdout, "ready")
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		var job Job
		if err := db.Order("id").First(&job).Error; err != nil {
			return err
		}
		carrier := trail.MapCarrier{}
		if err := json.Unmarshal([]byte(job.Carrier), &carrier); err != nil {
			return err
		}
		ctx := trail.Extract(context.Background(), carrier)
		trace, ok := trail.FromContext(ctx)
		if !ok || trace.Err() != nil {
			return fmt.Errorf("no trace in job %d: %v", job.ID, carrier) //nolint:err113 // a test's
		}
		own := zapfield.Logger(ctx, log)
		own.Info("begun")
		if err := db.WithContext(ctx).Model(&Widget{}).Where("id = ?", job.Resource).Update("name", "worked on").Error; err != nil {
			return err
		}
		if err := db.Delete(&job).Error; err != nil {
			return err
		}
		var end error
		switch input.Text() {
		case "hang":
			own.Info("hanging")
			select {}
		case "fail":
			end = errors.New("no bricks: token=s3cr3t")
		}
		own.Info("done")
		if err := trace.End(end); err != nil {
			return err
		}
		fmt.Fprintln(os.Stdout, "ended")
	}
	return nil
}
