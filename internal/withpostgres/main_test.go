//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// The test binary is also the program under test and the command that it runs:
// this variable says which.
const roleVariable = "AUDIT_WITHPOSTGRES_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "parent":
		os.Exit(parent())
	case "program":
		if err := os.Setenv(roleVariable, "command"); err != nil {
			panic(err)
		}
		main()
	case "command":
		os.Exit(underTest(os.Args[1]))
	default:
		os.Exit(m.Run())
	}
}

// parent runs the program, as `go run` would.
func parent() int {
	cmd := exec.CommandContext(context.Background(), os.Args[0], os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"=program")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return 1
	}
	return 0
}

// report is what the command tells of the server it was given.
type report struct {
	URL, Fsync, Folder, Error string
}

// underTest is the command: it reports, and ends as it was asked to.
func underTest(how string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	r := report{URL: os.Getenv(variable)}
	if how != "report" {
		if err := r.look(ctx); err != nil {
			r.Error = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return 1
	}
	switch how {
	case "die":
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return 1
		}
	case "wait":
		<-ctx.Done()
		return 7
	}
	return 3
}

func (r *report) look(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, r.URL)
	if err != nil {
		return err
	}
	err = conn.QueryRow(ctx, "SELECT current_setting('fsync'), current_setting('data_directory')").Scan(&r.Fsync, &r.Folder)
	return errors.Join(err, conn.Close(ctx))
}

// program is a run of withpostgres.
type program struct {
	cmd    *exec.Cmd
	out    *bufio.Reader
	report report
}

// begin starts the program, or its parent, and reads the command's report. An
// argument "self" stands for the command.
func begin(t *testing.T, role, server string, args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if a == "self" {
			args[i] = self
		}
	}
	p := &program{cmd: exec.CommandContext(t.Context(), self, args...)}
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role, variable+"="+server)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p.report)
	}
	if err == nil && p.report.Error != "" {
		err = errors.New(p.report.Error)
	}
	if err != nil {
		t.Fatal("the command's report: ", err, p.cmd.Process.Signal(syscall.SIGTERM), p.cmd.Wait())
	}
	return p
}

// end waits until the program and the command have ended, and returns the exit
// code of the process that was begun.
func (p *program) end(t *testing.T) int {
	t.Helper()
	if _, err := io.Copy(io.Discard, p.out); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := p.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// gone fails the test where anything is left of the server.
func (p *program) gone(t *testing.T) {
	t.Helper()
	if listening(t, p.report.URL) {
		t.Error("the server still listens")
	}
	if _, err := os.Stat(p.report.Folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no folder of the server", err)
	}
}

func listening(t *testing.T, dsn string) bool {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	return true
}

// A server that is there already is used, and left alone.
func TestServerOfTheEnvironment(t *testing.T) {
	const server = "postgres://somebody@somewhere.invalid/postgres"
	p := begin(t, "program", server, "self", "report")
	if diff := cmp.Diff(report{URL: server}, p.report); diff != "" {
		t.Error(diff)
	}
	if code := p.end(t); code != 3 {
		t.Errorf("exit code %d, the command's was 3", code)
	}
}

func TestPrivateServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		args  []string
		fsync string
		code  int
	}{
		{"the command's exit code is passed on", []string{"self", "look"}, "off", 3},
		{"a durable server", []string{"-durable", "self", "look"}, "on", 3},
		{"a command that a signal ended", []string{"self", "die"}, "off", 128 + int(syscall.SIGKILL)},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := begin(t, "program", "", c.args...)
			if p.report.Fsync != c.fsync {
				t.Errorf("fsync is %s, want %s", p.report.Fsync, c.fsync)
			}
			if code := p.end(t); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			p.gone(t)
		})
	}
}

// A signal is for the command, and what it makes of it is the exit code.
func TestSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			p := begin(t, "program", "", "self", "wait")
			if err := p.cmd.Process.Signal(s); err != nil {
				t.Error(err)
			}
			if code := p.end(t); code != 7 {
				t.Errorf("exit code %d, the command's was 7", code)
			}
			p.gone(t)
		})
	}
}

func TestNoSuchCommand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, says string
		args       []string
		code       int
	}{
		{"nothing to run is a wrong use", "usage: withpostgres", nil, 2},
		{"what cannot be run is said", "no-such-command", []string{"no-such-command"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), self, c.args...)
			cmd.Env = append(os.Environ(), roleVariable+"=program", variable+"=postgres://unused.invalid/postgres")
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("got %v, want the exit code %d", err, c.code)
			}
			if !strings.Contains(string(out), c.says) {
				t.Errorf("%q is not in the output:\n%s", c.says, out)
			}
		})
	}
}
