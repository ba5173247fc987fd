package zapfield_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/infrakitchen/audit/trail"
	"github.com/infrakitchen/audit/zapfield"
)

func Example() {
	logger := zapfield.Wrap(zap.NewExample())

	// A middleware or trail.Start begins an action. Here its id is given, so
	// that the output is known in advance.
	var ctx trail.Scope
	err := ctx.Start(context.Background(), trail.Action{
		Actor: trail.Actor{ID: "42", Name: "ada"},
		Event: trail.Sync, Model: "source_code", EntityID: "7",
	}, trail.Options{ID: uuid.MustParse("019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071")})
	if err != nil {
		fmt.Println(err)
		return
	}

	logger.Info("fetching", zap.String("branch", "main"), zapfield.Context(&ctx))

	log := zapfield.Logger(&ctx, logger).Named("git")
	log.Info("fetched", zap.Int("commits", 3))
	log.Sugar().Infow("merged", "conflicts", 0)

	logger.Info("listening") // outside any action

	if err := ctx.Trace().End(nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"level":"info","msg":"fetching","branch":"main","trace_id":"019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071"}
	// {"level":"info","logger":"git","msg":"fetched","trace_id":"019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071","commits":3}
	// {"level":"info","logger":"git","msg":"merged","trace_id":"019a2b3c-4d5e-7f60-8a1b-2c3d4e5f6071","conflicts":0}
	// {"level":"info","msg":"listening"}
}
