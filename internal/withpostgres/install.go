//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// script installs the server programs without a server: Debian's package would
// create and start its own cluster, on the well-known port.
const script = `set -e
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] ||
	echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get -qq install -y --no-install-recommends postgresql ||
	{ apt-get -qq update && apt-get -qq install -y --no-install-recommends postgresql; }
`

// install installs PostgreSQL with apt-get, as root or with sudo if that needs
// no password. It writes what it does to standard error.
func install(ctx context.Context) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("there is no apt-get")
	}
	args := []string{"/bin/sh", "-c", script}
	if os.Geteuid() != 0 {
		if err := exec.CommandContext(ctx, "sudo", "-n", "true").Run(); err != nil {
			return errors.New("apt-get needs root")
		}
		args = append([]string{"sudo", "-n"}, args...)
	}
	fmt.Fprintln(os.Stderr, "withpostgres: installing PostgreSQL with apt-get")
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get: %w", err)
	}
	return nil
}
