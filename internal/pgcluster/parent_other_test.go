//go:build unix && !linux

package pgcluster_test

const abandonVariable = "AUDIT_PGCLUSTER_ABANDON"

func abandon() {}
