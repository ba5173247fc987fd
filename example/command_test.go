package main

import (
	"bufio"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// process is the command as a process of its own.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string
	wait func() error
}

// startProcess starts the command on a free port and returns when it is ready.
func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append(args, "-addr", "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr output
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd}
	lines := bufio.NewReader(stdout)
	for p.base == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the process ended before it was ready: %v\n%s", errors.Join(err, cmd.Wait()), &stderr)
		}
		if url, ok := strings.CutSuffix(strings.TrimSpace(line), "/audit"); ok {
			p.base = url
		}
	}
	drained := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		close(drained)
	}()
	p.wait = sync.OnceValue(func() error {
		<-drained
		return cmd.Wait()
	})
	t.Cleanup(p.kill)
	return p
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.wait()
}

// client returns a client that holds no connection open.
func (p *process) client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func TestCommandLine(t *testing.T) {
	busy, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	at := filepath.Join(t.TempDir(), "test.db")

	for _, c := range []struct {
		name string
		args []string
		want error  // nil: any
		says string // part of the error, or of what was printed
	}{
		{"help", []string{"-h"}, flag.ErrHelp, "-empty"},
		{"unknown flag", []string{"-verbose"}, errUsage, "-verbose"},
		{"argument", []string{"now"}, errUsage, `unexpected argument "now"`},
		{"taken address", []string{"-addr", busy.Addr().String(), "-db", at}, nil, "address already in use"},
		{"folder that is not there", []string{"-addr", "127.0.0.1:0", "-db", filepath.Join(at, "none", "x.db")}, nil, "opening the database"},
		{"server that is not there", []string{"-addr", "127.0.0.1:0", "-db", "postgres://u:confidential@127.0.0.1:1/x"}, nil, "opening the database"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut output
			err := command(t.Context(), c.args, &out, &errOut)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			said := errOut.String() + err.Error()
			if !strings.Contains(said, c.says) {
				t.Errorf("it said %q, want %q", said, c.says)
			}
			if strings.Contains(said+out.String(), "confidential") {
				t.Errorf("it said the password: %s%s", said, &out)
			}
		})
	}
	if _, err := os.Stat(at); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a start that found its address taken made a database: %v", err)
	}
}
