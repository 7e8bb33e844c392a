package shim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

func needRoot(t testing.TB) {
	t.Helper()
	if f := sandbox.Support(); os.Geteuid() != 0 || f.Isolation == "none" {
		t.Skip("needs root: only then have instances networks of their own")
	}
}

func hear(t testing.TB, i *shim.Instance, port int) string {
	t.Helper()
	c, err := i.Dial(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, ok := c.(*net.TCPConn); !ok { // bodies are spliced between those
		t.Errorf("the connection is a %T", c)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Instances have the same port, and the server reaches each of them, as does the one after it.
func TestDial_PrivateNetworks(t *testing.T) {
	needRoot(t)
	a, b := spec(t, "listen", "8080", "I am a"), spec(t, "listen", "8080", "I am b")
	a.Sandbox.PrivateNetwork, b.Sandbox.PrivateNetwork = true, true
	ia, err := shim.Start(t.Context(), sandbox.Executable(), a)
	if err != nil {
		t.Fatal(err)
	}
	ib := start(t, b)
	await(t, a.LogPath, "listening")
	await(t, b.LogPath, "listening")
	if x, y := hear(t, ia, 8080), hear(t, ib, 8080); x != "I am a" || y != "I am b" {
		t.Errorf("%q, %q", x, y)
	}
	if c, err := net.Dial("tcp", "127.0.0.1:8080"); err == nil {
		defer c.Close()
		text, _ := io.ReadAll(io.LimitReader(c, 4)) // somebody else may listen there
		if string(text) == "I am" {
			t.Error("the machine reaches the port")
		}
	}
	if _, err := ia.Dial(t.Context(), 8081); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port without a listener: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ia.Dial(ctx, 8080); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := ia.Close(); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, ia, 8080); got != "I am a" { // of a server that hands over
		t.Errorf("closed: %q", got)
	}
	again, err := shim.Adopt(a.Dir, ia.Identity())
	if err != nil {
		t.Fatal(err)
	}
	if got := hear(t, again, 8080); got != "I am a" || !again.PrivateNetwork() {
		t.Errorf("adopted: %q", got)
	}
	if err := again.Stop(t.Context(), syscall.SIGTERM, time.Second); err != nil {
		t.Error(err)
	}
	if _, err := again.Dial(t.Context(), 8080); err == nil {
		t.Error("an ended instance answers")
	}
}

func TestDial_SharedNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	i := start(t, spec(t, "sleep"))
	c, err := i.Dial(t.Context(), l.Addr().(*net.TCPAddr).Port)
	if err != nil || i.PrivateNetwork() {
		t.Fatal(err)
	}
	c.Close()
}

// BenchmarkDial is a connection into an instance, against one on the machine in the same run.
func BenchmarkDial(b *testing.B) {
	needRoot(b)
	for _, private := range []bool{false, true} {
		name, port := "machine", "18089"
		if private {
			name = "private"
		}
		b.Run(name, func(b *testing.B) {
			s := spec(b, "listen", port, "x")
			s.Sandbox.PrivateNetwork = private
			i := start(b, s)
			await(b, s.LogPath, "listening")
			for b.Loop() {
				c, err := i.Dial(b.Context(), 18089)
				if err != nil {
					b.Fatal(err)
				}
				c.Close()
			}
		})
	}
}
