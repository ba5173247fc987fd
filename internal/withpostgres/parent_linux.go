package main

import (
	"os"
	"syscall"
)

// endWithParent has the program end cleanly when its parent is killed, such as
// the `go run` that started it.
func endWithParent() {
	parent := os.Getppid()
	//nolint:errcheck // without it the program works the same
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0)
	if os.Getppid() != parent {
		os.Exit(1) // it ended before it could be tied
	}
}

// endWithUs has the command asked to end when this program is killed.
func endWithUs(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGTERM }
