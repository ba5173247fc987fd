//go:build unix && !linux

package pgcluster

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"syscall"
)

// endWithParent does nothing on systems without such a signal.
func endWithParent(*syscall.SysProcAttr) {}

// children returns the processes whose parent is pid.
func children(pid int) ([]int, error) {
	out, err := exec.CommandContext(context.Background(), "ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("pgcluster: listing processes: %w", err)
	}
	var found []int
	for line := range bytes.Lines(out) {
		var child, parent int
		if _, err := fmt.Sscan(string(line), &child, &parent); err != nil {
			return nil, fmt.Errorf("pgcluster: listing processes: %w", err)
		}
		if parent == pid {
			found = append(found, child)
		}
	}
	return found, nil
}
