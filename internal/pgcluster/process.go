//go:build unix

package pgcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// process is a running PostgreSQL program. done is closed when it and everything
// it started have ended; err is how it ended, and may be read from then on.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// start runs a program in folder, appending its output to the file log, as the
// user owner if that is not nil.
func start(name string, args []string, folder, log string, owner *owner) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("pgcluster: opening the log: %w", err)
	}
	defer out.Close() //nolint:errcheck // the program has its own handle

	// Not CommandContext: only Stop and Kill end a server.
	cmd := exec.Command(name, args...) //nolint:noctx // see above
	cmd.Dir, cmd.Stdout, cmd.Stderr = folder, out, out
	// A backend is not the child of this program and may outlive the server,
	// but each inherits this pipe, which ends with the last of them.
	alive, inherited, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pgcluster: making a pipe: %w", err)
	}
	cmd.ExtraFiles = []*os.File{inherited}
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	// A separate group: an interrupt from the keyboard is for the program that
	// started the server, which then stops it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(cmd.SysProcAttr)
	if owner != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.uid, Gid: owner.gid}
	}

	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// To the kernel the parent is the thread, which must live on.
		runtime.LockOSThread()
		defer alive.Close() //nolint:errcheck // nothing is written to it
		err := errors.Join(cmd.Start(), inherited.Close())
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		_, err = io.Copy(io.Discard, alive)
		p.err = errors.Join(p.err, err)
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("pgcluster: starting %s: %w", filepath.Base(name), err)
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks a server for a fast shutdown and kills it if that takes too long. It
// does nothing to one that has ended.
func (p *process) stop(patience time.Duration) error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("pgcluster: shutting the server down: %w", err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return p.kill()
	}
}

// kill ends the process and everything it started, at once, and waits until they
// are gone. Without its server a backend would finish what it does, and might
// commit it.
func (p *process) kill() error {
	// Stopped, it starts nothing more. One that has ended is left alone: its id
	// may belong to another process by now.
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); errors.Is(err, os.ErrProcessDone) {
		<-p.done
		return nil
	} else if err != nil {
		return fmt.Errorf("pgcluster: stopping the server: %w", err)
	}
	family, err := children(p.pid())
	for _, pid := range family {
		if e := syscall.Kill(pid, syscall.SIGKILL); e != nil && !errors.Is(e, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("pgcluster: killing a backend: %w", e))
		}
	}
	if e := p.cmd.Process.Kill(); e != nil && !errors.Is(e, os.ErrProcessDone) {
		err = errors.Join(err, fmt.Errorf("pgcluster: killing the server: %w", e))
	}
	if err != nil {
		return err
	}
	<-p.done
	return nil
}
