// Command example is InfraKitchen in miniature, a service that audits everything
// it does: people request resources, others approve them, jobs provision and
// destroy them, and the trail is at /audit.
//
//	go run ./example [-addr 127.0.0.1:8080] [-db audit-example.db] [-empty] [-pace 20s]
//
// It keeps its data in one SQLite file, or in PostgreSQL if -db is a postgres://
// URL. On a new database it replays a short tour, so that there is something to
// look at; -empty leaves it empty. Ctrl-C stops it: running jobs are told to
// stop, and say so in the trail.
//
// All the wiring for auditing is in app.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// config is the service's configuration.
type config struct {
	addr  string        // host and port to listen on
	db    string        // the path of a SQLite file, or a postgres:// URL
	empty bool          // no tour, however new the database is
	pace  time.Duration // how long a job takes
	tour  time.Duration // and one of the tour; default: tourPace
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once

	switch err := command(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		say(os.Stderr, "example: %v\n", err)
		os.Exit(1)
	}
}

// errUsage is returned for an invalid command line, which has been explained on
// the error output already.
var errUsage = errors.New("usage")

func command(ctx context.Context, args []string, out, errOut io.Writer) error {
	var cfg config
	flags := flag.NewFlagSet("example", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:8080", "listen on this `host:port`")
	flags.StringVar(&cfg.db, "db", "audit-example.db", "keep the data in this SQLite `file`, or at a postgres:// URL")
	flags.BoolVar(&cfg.empty, "empty", false, "leave a new database empty instead of playing a tour")
	flags.DurationVar(&cfg.pace, "pace", 20*time.Second, "how `long` a job takes")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		say(errOut, "unexpected argument %q\n", flags.Arg(0))
		flags.Usage()
		return errUsage
	}
	return serve(ctx, cfg, out, func(g greeting) { say(out, "%s", g) })
}

// say prints to people. If the output is gone, the service continues.
func say(out io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(out, format, args...) }
