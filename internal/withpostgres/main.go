//go:build unix

// Withpostgres runs a command with a PostgreSQL server, whose URL is in the
// environment variable AUDIT_TEST_POSTGRES:
//
//	go run ./internal/withpostgres go test ./...
//
// If the variable is set already, the command is run as it is. Otherwise a
// private server is started in a temporary folder, on a free port of the
// loopback address, and removed when the command ends. If PostgreSQL is not
// installed, it is installed with apt-get, if that works without a password. The
// exit code is the command's, or 1 if it could not be run.
//
// The server is set up for tests: nothing waits for the disk. The flag
// -durable keeps PostgreSQL's default settings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/infrakitchen/audit/internal/pgcluster"
)

const variable = "AUDIT_TEST_POSTGRES"

// grace is how long the command may take to end after it was asked to.
const grace = 10 * time.Second

func main() {
	// The kernel ties a child to the thread that started it; this one lives as
	// long as the program.
	runtime.LockOSThread()
	endWithParent()

	durable := flag.Bool("durable", false, "keep PostgreSQL's own settings for durability")
	flag.Usage = func() {
		_, _ = fmt.Fprintln(flag.CommandLine.Output(), "usage: withpostgres [-durable] command [argument ...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	code, err := run(*durable, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpostgres:", err)
	}
	os.Exit(code)
}

// run runs the command and returns its exit code, or 1 and an error.
func run(durable bool, args []string) (code int, err error) {
	// From here on a signal ends the command, and its end stops the server.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()

	if os.Getenv(variable) == "" {
		cluster, e := start(ctx, durable)
		if e != nil {
			return 1, e
		}
		defer func() {
			if e := cluster.Stop(); e != nil {
				code, err = max(code, 1), errors.Join(err, e)
			}
		}()
		if err := os.Setenv(variable, cluster.URL()); err != nil {
			return 1, err
		}
	}
	return command(ctx, args)
}

// start starts a cluster, after installing PostgreSQL if necessary.
func start(ctx context.Context, durable bool) (*pgcluster.Cluster, error) {
	options := pgcluster.Options{Durable: durable}
	cluster, err := pgcluster.Start(ctx, options)
	if !errors.Is(err, pgcluster.ErrNoBinaries) {
		return cluster, err
	}
	if err := install(ctx); err != nil {
		return nil, fmt.Errorf("%w: install the package postgresql, or set %s to a server's URL (%w)",
			pgcluster.ErrNoBinaries, variable, err)
	}
	return pgcluster.Start(ctx, options)
}

// command runs the command to its end; when ctx is done the command is asked to
// end.
func command(ctx context.Context, args []string) (int, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithUs(cmd.SysProcAttr)

	err := cmd.Run()
	if cmd.ProcessState == nil {
		return 1, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 || ctx.Err() == nil {
		return code, nil
	}
	return 1, ctx.Err()
}
