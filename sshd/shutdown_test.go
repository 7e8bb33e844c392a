package sshd

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

func TestShutdown_WaitsForCalls(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	b := start(t, Options{Handle: func(ctx context.Context, _ *Call) int {
		close(begun)
		<-release
		if ctx.Err() != nil {
			return 1
		}
		return 9
	}})
	c := b.client()
	idle := b.client()
	s := open(t, c)
	if err := s.Start("deploy"); err != nil {
		t.Fatal(err)
	}
	within(t, begun, "the call")
	down := make(chan error, 1)
	go func() { down <- b.srv.Shutdown(t.Context()) }()

	gone := make(chan error, 1)
	go func() { gone <- idle.Wait() }()
	within(t, gone, "the end of the idle connection")
	if _, err := net.Dial("tcp", b.addr); err == nil {
		t.Error("a connection was accepted")
	}
	if _, err := c.NewSession(); err == nil {
		t.Error("a session was accepted")
	}
	close(release)
	var ee *gossh.ExitError
	if err := s.Wait(); !errors.As(err, &ee) || ee.ExitStatus() != 9 {
		t.Errorf("the call's status: %v", err)
	}
	if err := within(t, down, "the shutdown"); err != nil {
		t.Error(err)
	}
}

func TestShutdown_CancelsWhatDoesNotEnd(t *testing.T) {
	begun, cause := make(chan struct{}), make(chan error, 1)
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		close(begun)
		<-ctx.Done()
		cause <- context.Cause(ctx)
		_, _ = c.Err.Write([]byte("stopping\n"))
		return 130
	}})
	s := open(t, b.client())
	if err := s.Start("wait"); err != nil {
		t.Fatal(err)
	}
	within(t, begun, "the call")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if err := within(t, cause, "the cancellation"); err != ErrStopping {
		t.Errorf("cause %v", err)
	}
	var ee *gossh.ExitError
	if err := s.Wait(); !errors.As(err, &ee) || ee.ExitStatus() != 130 {
		t.Errorf("the call's status: %v", err)
	}
}

func TestShutdown_FollowersEndByThemselves(t *testing.T) {
	b := start(t, Options{})
	cmd := b.openssh([]string{b.key("id", "ann")}, "127.0.0.1", "follow")
	awaitLine(t, cmd, "following")
	if err := b.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestServe_SeveralListeners(t *testing.T) {
	b := start(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.srv.Serve(l) }()
	b.client().Close()
	b.addr = l.Addr().String()
	b.client().Close()
	if err := b.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := within(t, served, "the end of Serve"); err != nil {
		t.Error(err)
	}
	late, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.srv.Serve(late); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
}

func TestServe_ReportsAListenerThatFails(t *testing.T) {
	b := start(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := b.srv.Serve(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestServe_SurvivesATemporaryFailure(t *testing.T) {
	b := start(t, Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.srv.Serve(&stumbling{Listener: l}) }()
	b.addr = l.Addr().String()
	b.client().Close()
	if err := b.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := within(t, served, "the end of Serve"); err != nil {
		t.Error(err)
	}
}

// stumbling is a listener that is out of file descriptors at first.
type stumbling struct {
	net.Listener
	stumbled bool // Serve's goroutine only
}

func (s *stumbling) Accept() (net.Conn, error) {
	if !s.stumbled {
		s.stumbled = true
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}
