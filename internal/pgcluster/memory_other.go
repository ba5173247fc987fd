//go:build unix && !linux

package pgcluster

// memory returns nothing on systems where no such folder is known.
func memory() string { return "" }
