package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStart_ASuccessorThatNeverServes hangs, or ends: either is an error, and none of it is left.
func TestStart_ASuccessorThatNeverServes(t *testing.T) {
	for name, c := range map[string]struct {
		script   string
		takeover time.Duration
		want     string
	}{
		"hangs": {"echo $$ > PID; exec sleep 1000", time.Second, "i/o timeout"},
		"ends":  {"echo $$ > PID; exit 3", time.Minute, "it ended at once"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			exe, pid := filepath.Join(dir, "hop3"), filepath.Join(dir, "pid")
			if err := os.WriteFile(exe, []byte("#!/bin/sh\n"+strings.ReplaceAll(c.script, "PID", pid)+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			s := &server{program: exe, takeover: c.takeover}
			if _, err := s.start(exe, nil, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q in it", err, c.want)
			}
			b, err := os.ReadFile(pid)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat("/proc/" + strings.TrimSpace(string(b))); !errors.Is(err, unix.ENOENT) {
				t.Errorf("the successor is left: %v", err)
			}
		})
	}
}
