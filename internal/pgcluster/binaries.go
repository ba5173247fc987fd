//go:build unix

package pgcluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoBinaries is returned if PostgreSQL's server programs cannot be found.
var ErrNoBinaries = errors.New("pgcluster: PostgreSQL's server programs (initdb and postgres) are not installed")

// places are where the packages of known systems install the programs, in a
// folder per major version or in one for all.
var places = []string{
	"/usr/lib/postgresql/*/bin",          // Debian
	"/usr/pgsql-*/bin",                   // Red Hat
	"/usr/libexec/postgresql*",           // Alpine
	"/usr/local/pgsql/bin",               // from source
	"/usr/local/bin",                     // BSD
	"/opt/homebrew/opt/postgresql@*/bin", // macOS on ARM
	"/usr/local/opt/postgresql@*/bin",    // macOS on Intel
	"/opt/homebrew/bin",                  //
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// Binaries returns the folder of PostgreSQL's server programs: the one on the
// PATH, else the newest in the usual places, else the one that pg_config
// names. The error is [ErrNoBinaries].
func Binaries(ctx context.Context) (string, error) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if folder, ok := complete(filepath.Dir(initdb)); ok {
			return folder, nil
		}
	}
	for _, pattern := range places {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		for _, folder := range found {
			if folder, ok := complete(folder); ok {
				return folder, nil
			}
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		if folder, ok := complete(strings.TrimSpace(string(out))); ok {
			return folder, nil
		}
	}
	return "", ErrNoBinaries
}

// complete reports whether both programs are in folder, and returns it as an
// absolute path.
func complete(folder string) (string, bool) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", false
	}
	for _, name := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return "", false
		}
	}
	return folder, true
}

// version returns the first number in the path of a folder: its major version.
func version(folder string) int {
	digits := strings.FieldsFunc(folder, func(r rune) bool { return r < '0' || r > '9' })
	if len(digits) == 0 {
		return 0
	}
	n, err := strconv.Atoi(digits[0])
	if err != nil {
		return 0
	}
	return n
}
