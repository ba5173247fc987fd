package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// wire counts what the connections of one variant send: each write waits for an
// answer, so that their number is that of the round trips. It can delay each
// write, as a network does.
type wire struct {
	writes, bytes atomic.Int64
	delay         atomic.Int64
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, wire: w}, nil
}

type conn struct {
	net.Conn
	wire *wire
}

func (c *conn) Write(b []byte) (int, error) {
	if d := c.wire.delay.Load(); d > 0 {
		time.Sleep(time.Duration(d))
	}
	c.wire.writes.Add(1)
	c.wire.bytes.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// clientCPU returns the processor time that this program has used.
func clientCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverCPU returns the processor time that the server's processes have used,
// or false if the system does not tell.
func serverCPU(pids []int) (sum time.Duration, ok bool) {
	for _, pid := range pids {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/schedstat")
		if err != nil {
			return 0, false
		}
		text, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, false
		}
		sum += time.Duration(ns)
	}
	return sum, len(pids) > 0
}

// mallocs returns how many objects this program has allocated. It stops the
// world, so it is called around many operations, not around each.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// resident returns this program's resident memory, in bytes.
func resident() (int64, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, errors.New("statm has no second field")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("statm: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
