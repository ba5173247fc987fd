package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

const (
	tourPace    = 200 * time.Millisecond // how long jobs take during the tour
	stopTimeout = 10 * time.Second       // how long each part of the shutdown may take
)

// serve runs the service until ctx is done, and stops it in order: no more
// connections are accepted, requests are answered, jobs end their traces, the
// database is closed. It calls ready once there is something to see.
func serve(ctx context.Context, cfg config, out io.Writer, ready func(greeting)) (err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return err
	}
	base := "http://" + reachable(listener.Addr())
	a, err := newApp(ctx, cfg, out)
	if err != nil {
		_ = listener.Close()
		return err
	}
	if err := a.recoverRows(ctx); err != nil {
		_ = listener.Close()
		return errors.Join(err, a.stop(ctx, nil))
	}

	server := &http.Server{
		Handler:           a.http,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          zap.NewStdLog(a.log.Named("http")),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	if a.fresh && !cfg.empty {
		say(out, "the database is new: playing a tour at %s\n", base)
		a.playTour(ctx, cmp.Or(cfg.tour, tourPace), out, base)
	}
	if ctx.Err() == nil {
		if g, err := a.greet(ctx, base); err != nil {
			a.log.Error("greeting", zap.Error(err))
		} else {
			ready(g)
		}
	}

	select {
	case err = <-ended: // by itself: it cannot continue
	case <-ctx.Done():
		say(out, "stopping\n")
	}
	return errors.Join(err, a.stop(ctx, server))
}

// stop ends the server, if there is one, and then the app, even if ctx is done.
func (a *app) stop(ctx context.Context, server *http.Server) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if server != nil {
		grace, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		if err = server.Shutdown(grace); err != nil {
			err = errors.Join(fmt.Errorf("waiting for requests to end: %w", err), server.Close())
		}
	}
	grace, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return errors.Join(err, a.close(grace))
}

// playTour plays the tour, quickly, and says in one line how it went. The
// service runs even if the tour fails.
func (a *app) playTour(ctx context.Context, pace time.Duration, out io.Writer, base string) {
	defer a.jobs.pace.Store(a.jobs.pace.Swap(int64(pace)))
	began := time.Now()
	requests, err := tour(ctx, base)
	if err != nil {
		say(out, "tour: stopped after %d requests: %v\n", requests, err)
		return
	}
	say(out, "tour: %d requests in %.1f s left a trail to look at\n", requests, time.Since(began).Seconds())
}

// reachable returns where a browser on this machine finds the address.
func reachable(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
	}
	return addr.String()
}
