package pgcluster

import (
	"os"
	"syscall"
)

// memory returns a folder that is in memory and has room for a cluster, or
// nothing. On disk each of the three hundred files of each test's database takes
// time, and more if several suites create them at once.
func memory() string {
	const (
		folder = "/dev/shm"
		tmpfs  = 0x01021994
		room   = 4 << 30
		open   = 0o003 // to everybody, for the server's user
	)
	var system syscall.Statfs_t
	if err := syscall.Statfs(folder, &system); err != nil || system.Type != tmpfs {
		return ""
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode()&open != open || system.Bavail*uint64(system.Bsize) < room { //nolint:gosec // a size
		return ""
	}
	return folder
}
