//go:build unix

package pgcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
)

// settings returns the arguments that configure the server.
func settings(o Options, folder string) []string {
	s := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"unix_socket_directories": folder,
		"max_connections":         "200",
		"shared_buffers":          "256MB",
	}
	if !o.Durable {
		s["fsync"] = "off"
		s["synchronous_commit"] = "off"
		s["full_page_writes"] = "off"
		s["max_wal_size"] = "512MB" // it may be in memory
	}
	maps.Copy(s, o.Settings)
	var args []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		args = append(args, "-c", name+"="+s[name])
	}
	return args
}

// initialize creates the data folder, which belongs to the server's user.
func (c *Cluster) initialize(ctx context.Context, password string) error {
	file := filepath.Join(c.folder, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return fmt.Errorf("pgcluster: writing the password: %w", err)
	}
	if c.owner != nil {
		for _, name := range []string{c.folder, file} {
			if err := os.Chown(name, int(c.owner.uid), int(c.owner.gid)); err != nil {
				return fmt.Errorf("pgcluster: giving the folder to the server's user: %w", err)
			}
		}
	}
	p, err := start(filepath.Join(c.binaries, "initdb"), []string{
		"-D", c.data(), "-U", role, "--pwfile", file, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
	}, c.folder, c.log(), c.owner)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("pgcluster: initdb: %w", ctx.Err()), p.kill())
	}
	if p.err != nil {
		return fmt.Errorf("pgcluster: initdb: %w\n%s", p.err, tail(c.log()))
	}
	return os.Remove(file)
}

// owner is a user that is not root, as whom the server runs.
type owner struct{ uid, gid uint32 }

// unprivileged returns the user that the server must run as, because it refuses
// to run as root: nil if this program is not root's, else postgres, if there is
// such a user, else nobody.
func unprivileged() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nobody else
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("pgcluster: a server needs a user that is not root: %w", err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("pgcluster: the id of user %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("pgcluster: the group of user %s: %w", u.Username, err)
	}
	return &owner{uid: uint32(uid), gid: uint32(gid)}, nil
}

// place returns the folder in which the cluster's folder is created. Root's
// temporary folder may be closed to others.
func place(o Options, owner *owner) string {
	if o.Folder != "" {
		return o.Folder
	}
	if !o.Durable {
		if folder := memory(); folder != "" {
			return folder
		}
	}
	if owner == nil {
		return ""
	}
	const enter = 0o001
	for folder := os.TempDir(); ; folder = filepath.Dir(folder) {
		info, err := os.Stat(folder)
		if err != nil || info.Mode()&enter == 0 {
			return "/tmp"
		}
		if folder == filepath.Dir(folder) {
			return ""
		}
	}
}

// tail returns the last lines of the log.
func tail(name string) []byte {
	b, err := os.ReadFile(name)
	if err != nil {
		return []byte(err.Error())
	}
	const lines = 20
	all := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}
