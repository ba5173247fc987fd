// Bench measures what auditing costs: this library, the kinds of auditing it
// replaces, and the least that the same entries could cost, all against plain
// GORM. It prints Markdown.
//
//	make bench
//
// It starts its own PostgreSQL server, with PostgreSQL's default durability
// settings, and uses a SQLite file in the temporary folder.
//
// One operation of every variant is measured in turn, hundreds of times, and
// the ratios are those of the medians: other load on the machine affects all
// variants equally. Counts (round trips, allocations, log) are exact.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/infrakitchen/audit/internal/pgcluster"
)

// bench is one run.
type bench struct {
	url    string
	sizes  sizes
	effort effort
	rounds int
	delay  time.Duration
	only   []string
	report report
	began  time.Time
}

// The parts of a run, in their order.
const (
	partPostgres = "postgres"
	partSize     = "size"
	partSQLite   = "sqlite"
	partRequest  = "request"
	partGrowth   = "growth"
)

func main() {
	// The server ends with the thread that started it, at the latest.
	runtime.LockOSThread()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings of the server, besides its own: nothing about durability. Background
// clean-up is moved to between operations.
var settings = map[string]string{
	"shared_buffers": "1GB", "max_wal_size": "16GB", "checkpoint_timeout": "1h", "autovacuum": "off",
}

func command(ctx context.Context) (err error) {
	b := &bench{sizes: standard, began: time.Now()}
	parts := flag.String("parts", strings.Join([]string{partPostgres, partSize, partSQLite, partRequest, partGrowth}, ","), "what to measure")
	only := flag.String("operations", "", "the `names` of the operations to measure, separated by commas; all by default")
	flag.IntVar(&b.effort.single, "n", 400, "how often an operation on one row is measured")
	flag.IntVar(&b.effort.many, "bulk", 5, "how often an operation on thousands of rows is measured, 7 at most")
	flag.IntVar(&b.rounds, "rounds", 20, "how many rounds of many goroutines are measured, 0 for none")
	flag.DurationVar(&b.effort.patience, "patience", 12*time.Second, "how long an operation is measured, after the first three rounds")
	flag.DurationVar(&b.delay, "delay", 500*time.Microsecond, "the delay of each write that stands for a network, 0 for none")
	growth := flag.String("growth", "1", "the entries, in `millions`, that exist before the growth part")
	soak := flag.Duration("soak", 0, "measure nothing, but write for so long and watch the memory")
	flag.Parse()
	if b.effort.many < 1 || b.effort.many > batches-bulk-1 {
		return fmt.Errorf("-bulk is %d, must be 1 to %d", b.effort.many, batches-bulk-1)
	}
	if b.effort.single < 4 {
		return fmt.Errorf("-n is %d, must be 4 or more", b.effort.single)
	}
	b.effort.several, b.effort.warm, b.effort.counted = max(b.effort.single*3/8, 4), 8, 20
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	millions, err := numbers(*growth)
	if err != nil {
		return fmt.Errorf("-growth: %w", err)
	}

	b.progress("starting PostgreSQL")
	server, err := pgcluster.Start(ctx, pgcluster.Options{Durable: true, Settings: settings})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	b.url = server.URL()

	if *soak > 0 {
		return errors.Join(b.soak(ctx, *soak), b.report.print(os.Stdout))
	}
	// What was measured before an error is not lost.
	return errors.Join(b.parts(ctx, strings.Split(*parts, ","), millions), b.report.print(os.Stdout))
}

// parts measures what was chosen.
func (b *bench) parts(ctx context.Context, chosen []string, millions []int) error {
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{
		{partPostgres, b.postgresPart},
		{partSize, b.sizePart},
		{partSQLite, b.sqlitePart},
		{partRequest, b.requestPart},
		{partGrowth, func(ctx context.Context) error { return b.growthPart(ctx, millions) }},
	} {
		if !slices.Contains(chosen, part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.progress("done")
	return nil
}

func numbers(list string) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is not a number of millions", text)
		}
		all = append(all, n)
	}
	return all, nil
}

// chosen returns the operations that are to be measured.
func (b *bench) chosen() []operation {
	return slices.DeleteFunc(operations(), func(o operation) bool {
		return len(b.only) > 0 && !slices.Contains(b.only, o.name)
	})
}

// progress informs the user, apart from the report.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%4.0f s  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}
