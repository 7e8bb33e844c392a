package main

import (
	"net"
	"path/filepath"
	"slices"
	"testing"

	"hop3/internal/config"
)

func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := l.Read(buf)
	if err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("%q %v", buf[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := notify("READY=1"); err != nil {
		t.Error(err)
	}
}

func TestChangedKeys(t *testing.T) {
	a, b := config.Default(), config.Default()
	if got := changedKeys(a, b); len(got) != 0 {
		t.Errorf("%v", got)
	}
	b.MinFree++
	b.Ports.Last--
	if got := changedKeys(a, b); !slices.Equal(got, []string{"ports", "min_free"}) {
		t.Errorf("%v", got)
	}
}
