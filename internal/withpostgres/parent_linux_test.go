package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A program that is killed cannot stop its server, yet that ends.
func TestKilledProgram(t *testing.T) {
	p := begin(t, "program", "", "self", "wait")
	t.Cleanup(func() { // what the program could not do
		if err := os.RemoveAll(filepath.Dir(p.report.Folder)); err != nil {
			t.Error(err)
		}
	})
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if code := p.end(t); code != -1 {
		t.Errorf("exit code %d of a program that was killed", code)
	}
	for deadline := time.Now().Add(time.Minute); listening(t, p.report.URL); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server outlives the program")
		}
	}
}

// Where the `go run` that started it is killed, the program ends in order.
func TestKilledParent(t *testing.T) {
	p := begin(t, "parent", "", "self", "wait")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if code := p.end(t); code != -1 { // and the program and its command are gone by now
		t.Errorf("exit code %d of a parent that was killed", code)
	}
	p.gone(t)
}
