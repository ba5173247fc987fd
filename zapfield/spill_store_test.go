package zapfield_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"gorm.io/gorm"

	"github.com/infrakitchen/audit/internal/testdb"
	"github.com/infrakitchen/audit/store"
	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

// A line is the same in the database whether it went there directly or through
// the spill file.
func TestSpillIntoStore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *gorm.DB) {
		if err := store.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		st, err := store.New(db)
		if err != nil {
			t.Fatal(err)
		}
		w := &kept{}
		log := func(logger *zap.Logger) (trace string) {
			ctx, trace := start(t, t.Context())
			logger.Info("without fields", zapfield.Context(ctx))
			logger.Named("n").Warn("texts: <a&b>\u2028\x7f\x01", zapfield.Context(ctx), zap.String("v", "<a&b>\u2028\x7f\x01"))
			logger.Info("numbers", zapfield.Context(ctx), zap.Int64("i", 1<<62), zap.Any("f", 1e300))
			logger.Info("", zapfield.Context(ctx), zap.Namespace("empty"))
			return trace
		}
		path := filepath.Join(t.TempDir(), "lines")
		var traces []string
		for _, away := range []bool{false, true} {
			w.fail(nil)
			if away {
				w.fail(func(context.Context, []trail.Line) error { return errAway })
			}
			s, logger := newSink(t, through{w, st}, zapfield.WithSpill(path, 1<<20))
			traces = append(traces, log(logger))
			if err := s.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		w.fail(nil)
		s, _ := newSink(t, through{w, st}, zapfield.WithSpill(path, 1<<20))
		s.Start()
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if stats := s.Stats(); stats.Restored != 4 || stats.Refused != 0 {
			t.Errorf("%+v", stats)
		}

		var stored [2][]trail.Line
		for i, trace := range traces {
			lines, err := st.Lines(t.Context(), uuid.MustParse(trace), 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range lines {
				stored[i] = append(stored[i], trail.Line{Level: l.Level, Logger: l.Logger, Message: l.Message, Fields: l.Fields})
			}
		}
		if diff := cmp.Diff(stored[0], stored[1]); diff != "" || len(stored[0]) != 4 {
			t.Errorf("%d lines, 4 expected (-directly +through the spill file):\n%s", len(stored[0]), diff)
		}
	})
}

// through is a store behind a writer that decides whether it is away.
type through struct {
	*kept
	store *store.Store
}

func (w through) WriteLines(ctx context.Context, lines []trail.Line) error {
	if err := w.kept.WriteLines(ctx, lines); err != nil {
		return err
	}
	return w.store.WriteLines(ctx, lines)
}
