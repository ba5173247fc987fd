//go:build unix && !linux

package pgcluster

// memory returns nothing where no such folder is known.
func memory() string { return "" }
