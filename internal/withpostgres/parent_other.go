//go:build unix && !linux

package main

import "syscall"

// endWithParent does nothing on systems without such a signal.
func endWithParent() {}

// endWithUs does nothing on systems without such a signal.
func endWithUs(*syscall.SysProcAttr) {}
