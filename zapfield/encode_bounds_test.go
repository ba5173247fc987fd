package zapfield_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// Namespaces, with whatever is in them, are no deeper than a database can store,
// whoever opens them.
func TestDeepNamespaces(t *testing.T) {
	var many []zap.Field
	for range 12_000 {
		many = append(many, zap.Namespace("n"))
	}
	many = append(many, zap.Int("hidden", 1))
	object := zap.Object("o", object(func(enc zapcore.ObjectEncoder) error {
		for range 12_000 {
			enc.OpenNamespace("n")
		}
		return enc.AddObject("o", object(func(enc zapcore.ObjectEncoder) error { enc.OpenNamespace("n"); return nil }))
	}))
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		st, err := store.New(db)
		if err != nil {
			t.Fatal(err)
		}
		s, logger := newSink(t, st)
		ctx, id := start(t, t.Context())
		logger = zapfield.Logger(ctx, logger)
		logger.Info("of the line", many...)
		logger.With(many...).Info("of the logger", zap.Int("hidden", 1))
		logger.Info("of an object", object)
		logger.With(many[:20]...).Info("of all", append(many[:11:11], object)...)
		mustSync(t, s)

		lines, err := st.Lines(t.Context(), uuid.MustParse(id), 10)
		if err != nil || len(lines) != 4 {
			t.Fatalf("%d lines, 4 expected, %v; %+v", len(lines), err, s.Stats())
		}
		for _, l := range lines {
			fields := string(l.Fields)
			if n := strings.Count(fields, "{"); n < 32 || n > 33 || strings.Contains(fields, "hidden") || !strings.Contains(fields, "nError") {
				t.Errorf("%s: %d levels: %s", l.Message, n, fields)
			}
		}
	})
}

// nowhere keeps nothing.
type nowhere struct{}

func (nowhere) WriteLines(context.Context, []trail.Line) error { return nil }

// Names that are made up as they are logged leave nothing behind, however long
// they are.
func TestLongNames(t *testing.T) {
	s, logger := newSink(t, nowhere{})
	ctx, _ := start(t, t.Context())
	heap := func() uint64 {
		mustSync(t, s)
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc >> 20
	}
	before := heap()
	for i := range 64 {
		logger.Info("m", zapfield.Context(ctx), zap.Int(fmt.Sprint(i, strings.Repeat("k", 1<<20)), 1))
	}
	if after := heap(); after > before+32 {
		t.Errorf("the sink holds %d MiB of the names of 64 fields", after-before)
	}
}
