package main

import (
	"os"
	"slices"
	"strconv"
	"testing"
)

// TestActivated reads what systemd says of the sockets that it passes; see sd_listen_fds(3).
func TestActivated(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		name, pid, fds, names string
		want                  []string
	}{
		{"nothing", "", "", "", nil},
		{"for another process", "1", "2", "ssh:http", nil},
		{"named", own, "3", "http:metrics:ssh", []string{"http", "metrics", "ssh"}},
		{"unnamed", own, "2", "", []string{"ssh", "http"}},
		{"named after their units", own, "2", "hop3.socket:hop3.socket", []string{"ssh", "http"}},
		{"no number", own, "x", "ssh", nil},
	} {
		t.Setenv("LISTEN_PID", c.pid)
		t.Setenv("LISTEN_FDS", c.fds)
		t.Setenv("LISTEN_FDNAMES", c.names)
		if got := activated(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
