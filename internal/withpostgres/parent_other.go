//go:build unix && !linux

package main

import "syscall"

// endWithParent does nothing where the system has no such signal.
func endWithParent() {}

// endWithUs does nothing where the system has no such signal.
func endWithUs(*syscall.SysProcAttr) {}
