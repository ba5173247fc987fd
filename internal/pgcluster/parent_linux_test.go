package pgcluster_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/infrakitchen/audit/internal/pgcluster"
)

const abandonVariable = "AUDIT_PGCLUSTER_ABANDON"

// abandon starts a cluster, tells its URL, and never stops it.
func abandon() {
	c, err := pgcluster.Start(context.Background(), pgcluster.Options{Folder: os.Getenv(abandonVariable)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.URL())
	select {}
}

// A program that is killed cannot stop its servers, yet they end.
func TestServerEndsWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir() // which removes what the killed program could not
	if err := os.Chmod(folder+"/..", 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), abandonVariable+"="+folder)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	dsn := strings.TrimSpace(line)
	var conn *pgx.Conn
	if readErr == nil {
		conn, readErr = pgx.Connect(t.Context(), dsn)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // says that it was killed
	if readErr != nil {
		t.Fatal(readErr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// An idle connection is closed by a server that ends: no polling.
	if _, err := conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the server outlives its parent: %v", err)
	}
	for listening(t, dsn) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Error("the server still listens")
	}
}
