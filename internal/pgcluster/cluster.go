//go:build unix

// Package pgcluster runs private PostgreSQL servers, for tests and benchmarks.
//
// A [Cluster] lives in a temporary folder, listens on a free port of the
// loopback address and has one role whose password is random. It can be
// stopped, killed and restarted, and it is gone after [Cluster.Stop]. On Linux
// it also ends when the program that started it is killed.
package pgcluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options configure a cluster. The zero value is good for tests.
type Options struct {
	// Durable keeps the server's default durability settings. By default
	// nothing waits for the disk, and a crash may lose the latest commits.
	Durable bool
	// Settings are further server settings, which override those of this
	// package. Default: none.
	Settings map[string]string
	// Folder is where the cluster's folder is created, which the server's user
	// must be able to reach. Default: a folder in memory if the cluster is not
	// durable and there is one with room, otherwise os.TempDir, or /tmp if that
	// is closed to the server's user.
	Folder string
}

const (
	role        = "audit"
	readyWithin = time.Minute
	stopWithin  = 10 * time.Second
	attempts    = 3
)

// ErrStopped is returned by the methods of a cluster that was stopped.
var ErrStopped = errors.New("pgcluster: the cluster was stopped")

// Cluster is a private PostgreSQL server. Its methods are safe for concurrent
// use.
type Cluster struct {
	binaries string
	owner    *owner
	folder   string // of everything that is removed in the end
	settings []string
	port     int
	url      string

	mu      sync.Mutex
	process *process // nil after Stop
}

// Start creates a cluster and returns when it accepts connections. The caller
// stops it; the end of ctx stops only its creation. The error is [ErrNoBinaries]
// if PostgreSQL is not installed.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	binaries, err := Binaries(ctx)
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(place(o, owner), "audit-pg-")
	if err != nil {
		return nil, fmt.Errorf("pgcluster: making its folder: %w", err)
	}
	c := &Cluster{binaries: binaries, owner: owner, folder: folder, settings: settings(o, folder)}
	if err := c.create(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	return c, nil
}

// create initializes the folder and starts the first server.
func (c *Cluster) create(ctx context.Context) error {
	password := rand.Text()
	if err := c.initialize(ctx, password); err != nil {
		return err
	}
	var err error
	for range attempts { // another program may take the port first
		if c.port, err = freePort(ctx); err != nil {
			return err
		}
		c.url = (&url.URL{
			Scheme: "postgres", User: url.UserPassword(role, password),
			Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)), Path: "/postgres",
			RawQuery: "sslmode=disable",
		}).String()
		if err = c.run(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// URL returns the URL of the database "postgres", with the name and password
// of a superuser. It stays the same when the server is restarted.
func (c *Cluster) URL() string { return c.url }

// PID returns the process id of the server that was started last, or 0 after
// [Cluster.Stop].
func (c *Cluster) PID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return 0
	}
	return c.process.pid()
}

// Kill ends all of the server's processes with SIGKILL, as a crash would, and
// returns when they are gone. Under [Options.Durable], what was committed is
// there again after [Cluster.Restart].
func (c *Cluster) Kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return ErrStopped
	}
	return c.process.kill()
}

// Restart starts the server again, after a fast shutdown if it is running, and
// returns when it accepts connections.
func (c *Cluster) Restart(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return ErrStopped
	}
	if err := c.process.stop(stopWithin); err != nil {
		return err
	}
	return c.run(ctx)
}

// Stop shuts the server down, by force after ten seconds, and removes its
// folder. A second call does nothing.
func (c *Cluster) Stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process == nil {
		return nil
	}
	err := c.process.stop(stopWithin)
	c.process = nil
	return errors.Join(err, os.RemoveAll(c.folder))
}

// run starts a server and waits until it accepts connections.
func (c *Cluster) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	args := append([]string{"-D", c.data(), "-p", strconv.Itoa(c.port)}, c.settings...)
	p, err := start(filepath.Join(c.binaries, "postgres"), args, c.folder, c.log(), c.owner)
	if err != nil {
		return err
	}
	if err := c.ready(ctx, p); err != nil {
		err = errors.Join(fmt.Errorf("pgcluster: starting the server: %w", err), p.kill())
		return fmt.Errorf("%w\n%s", err, tail(c.log()))
	}
	c.process = p
	return nil
}

// pause is the time between two attempts to connect.
const pause = 20 * time.Millisecond

// ready waits until p accepts connections.
func (c *Cluster) ready(ctx context.Context, p *process) error {
	for {
		conn, err := pgx.Connect(ctx, c.url)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-p.done:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w (%w)", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

func (c *Cluster) data() string { return filepath.Join(c.folder, "data") }
func (c *Cluster) log() string  { return filepath.Join(c.folder, "log") }

func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("pgcluster: finding a free port: %w", err)
	}
	address, err := netip.ParseAddrPort(l.Addr().String())
	if err = errors.Join(err, l.Close()); err != nil {
		return 0, fmt.Errorf("pgcluster: finding a free port: %w", err)
	}
	return int(address.Port()), nil
}
