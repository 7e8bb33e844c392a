// Package sshd answers one question: who is calling, and what do they want.
//
// It listens, proves keys, keeps limits, and hands each command to
// Options.Handle as a Call. It knows nothing of apps, git or roles.
//
// The protocol is golang.org/x/crypto/ssh, the server around it
// gliderlabs/ssh, of which this package uses the connection loop and the
// session and replaces what is unsafe in them:
//
//   - The identity is made in VerifiedPublicKeyCallback, after the client has
//     proved its key, and travels in the Permissions of that connection. No
//     value of the library's own context decides anything: that one also
//     holds what was only offered.
//   - Channel requests pass through a filter of ours (see session). What the
//     library gets to see is at most one pty-req and one exec, both well
//     formed.
//   - A context belongs to one channel, not to the connection, so that Ctrl-C
//     in one of several multiplexed sessions cancels that call alone.
//   - Every connection, before and after authentication, is counted (see
//     gate) and owned: Shutdown waits for it or closes it.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/sirupsen/logrus"
	gossh "golang.org/x/crypto/ssh"
)

// Causes with which the context of a Call ends early; see context.Cause.
var (
	// ErrClientGone says that the client closed the channel or vanished.
	ErrClientGone = errors.New("the client is gone")
	// ErrStopping says that the server stops and its patience has ended.
	ErrStopping = errors.New("the server is stopping")
)

// Options configure a Server. HostKey, Lookup and Handle are required.
type Options struct {
	// HostKey is what the server proves itself with; see LoadHostKey.
	HostKey gossh.Signer
	// Lookup names the owner of a key that the client has proved to hold, or
	// of a certificate, as *ssh.Certificate, of which nothing else has been
	// checked: not who signed it, nor its validity. An error is told to the
	// client, with its Hint() if it has one. Lookup is asked at login and again
	// for each session, so that a key that was removed or has expired starts
	// nothing more on a connection that it has. Several goroutines call it.
	Lookup func(key gossh.PublicKey, remote net.Addr) (name string, err error)
	// Handle serves one call and returns its exit status; what is outside
	// 0..254 becomes 254. ctx ends when the client is gone (ErrClientGone),
	// or when Shutdown has waited long enough (ErrStopping).
	Handle func(ctx context.Context, c *Call) int
	// Limits bound what one client can take; the zero value is safe.
	Limits Limits
	// Log gets one line per fact; nil discards them.
	Log logrus.FieldLogger
}

// Server is an SSH server. Make one with New.
type Server struct {
	opts   Options
	limits Limits
	log    logrus.FieldLogger
	gl     *ssh.Server
	gate   *gate
	quiet  *fingerprints // unknown keys whose owners got in with another one

	stopping chan struct{}  // closed by Shutdown
	calls    sync.WaitGroup // running calls
	work     sync.WaitGroup // everything else that serves a connection

	mu        sync.Mutex
	stopped   bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
}

// New makes a server from o. It panics if a required option is missing, which
// only a programming error can cause.
func New(o Options) *Server {
	if o.HostKey == nil || o.Lookup == nil || o.Handle == nil {
		panic("sshd: HostKey, Lookup and Handle are required")
	}
	if o.Log == nil {
		discard := logrus.New()
		discard.SetOutput(io.Discard)
		o.Log = discard
	}
	limits := o.Limits.withDefaults()
	s := &Server{
		opts: o, limits: limits, log: o.Log,
		gate:      newGate(limits, time.Now),
		quiet:     newFingerprints(),
		stopping:  make(chan struct{}),
		listeners: map[net.Listener]struct{}{},
		conns:     map[*conn]struct{}{},
	}
	s.gl = s.library()
	return s
}

// library is the gliderlabs server with every handler set, so that it falls
// back to none of its own defaults.
func (s *Server) library() *ssh.Server {
	return &ssh.Server{
		Version:              "hop3",
		HostSigners:          []ssh.Signer{s.opts.HostKey},
		PublicKeyHandler:     offered,
		ServerConfigCallback: s.config,
		ConnCallback:         remember,
		ConnectionFailedCallback: func(nc net.Conn, err error) {
			s.log.WithField("remote", nc.RemoteAddr().String()).Debugf("ssh login failed: %v", err)
		},
		Handler:           serve,
		SubsystemHandlers: map[string]ssh.SubsystemHandler{"default": serve},
		RequestHandlers:   map[string]ssh.RequestHandler{},
		ChannelHandlers: map[string]ssh.ChannelHandler{
			"session":      s.openSession,
			"direct-tcpip": refuseForward,
			"default":      refuseChannel,
		},
	}
}

// Serve accepts connections from l until Shutdown, which makes it return nil,
// or until l fails. It closes l. It may be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close() //nolint:errcheck // closing twice is how Shutdown ends us
	if !s.listening(l) {
		return nil
	}
	defer s.deaf(l)
	backoff := acceptBackoff
	for {
		c, err := l.Accept()
		if err == nil {
			backoff = acceptBackoff
			s.admit(c)
			continue
		}
		select {
		case <-s.stopping:
			return nil
		default:
		}
		if !temporary(err) {
			return fmt.Errorf("accept ssh connection: %w", err)
		}
		s.log.Warnf("accepting an ssh connection failed, trying again: %v", err)
		select {
		case <-s.stopping:
			return nil
		case <-time.After(backoff):
			backoff = min(2*backoff, time.Second)
		}
	}
}

// acceptBackoff is the first pause after a failed accept: out of file
// descriptors is the usual cause, and it passes as connections end.
const acceptBackoff = 5 * time.Millisecond

func temporary(err error) bool {
	var ne interface{ Temporary() bool }
	return errors.As(err, &ne) && ne.Temporary()
}

func (s *Server) listening(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) deaf(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

// admit starts serving nc if the gate lets it in.
func (s *Server) admit(nc net.Conn) {
	seat, err := s.gate.enter(nc.RemoteAddr())
	if err != nil {
		s.log.WithField("remote", nc.RemoteAddr().String()).Debugf("ssh connection refused: %v", err)
		turnAway(nc, err)
		return
	}
	c := s.newConn(nc, seat)
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		c.end()
		return
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	s.mu.Unlock()
	go s.serveConn(c)
}

func (s *Server) serveConn(c *conn) {
	defer s.work.Done()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.end()
	}()
	defer c.survive("ssh connection")
	s.gl.HandleConn(c)
}

// turnAway tells a client that is not let in why. RFC 4253 section 4.2 allows
// lines before the version string. A fresh socket has room for one, so this
// never waits; the client sees a closed connection either way.
func turnAway(nc net.Conn, why error) {
	_ = nc.SetWriteDeadline(time.Now().Add(time.Second)) // best effort
	_, _ = io.WriteString(nc, why.Error()+"\r\n")        // best effort
	_ = nc.Close()                                       // nothing to save
}
