//go:build unix

package zapfield

import (
	"os"
	"syscall"
)

// lockFile locks the file for this process, until it is closed.
func lockFile(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
