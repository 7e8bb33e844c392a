package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

func (r *Router) newServer() *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           r,
		ReadHeaderTimeout: r.limits.ReadHeader,
		IdleTimeout:       r.limits.Idle,
		MaxHeaderBytes:    r.limits.HeaderBytes,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		TLSConfig:         r.opts.TLS,
		ErrorLog:          log.New(debugWriter{r.log}, "", 0),
	}
}

// debugWriter takes net/http's complaints about clients.
type debugWriter struct{ log logrus.FieldLogger }

func (w debugWriter) Write(p []byte) (int, error) {
	w.log.Debug(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// Serve answers the connections of l, HTTP/1.1 and h2c, until Shutdown, and
// then returns nil. It closes l. It can be called for several listeners.
func (r *Router) Serve(l net.Listener) error {
	return r.serve(l, func(l net.Listener) error { return r.server.Serve(l) })
}

// ServeTLS is Serve for TLS connections, by Options.TLS.
func (r *Router) ServeTLS(l net.Listener) error {
	return r.serve(l, func(l net.Listener) error { return r.server.ServeTLS(l, "", "") })
}

func (r *Router) serve(l net.Listener, run func(net.Listener) error) error {
	if !r.conns.listen(l) {
		_ = l.Close() // Shutdown has come before: there is nobody to tell
		return nil
	}
	err := run(&listener{Listener: l, set: &r.conns})
	r.conns.deaf()
	if r.draining.Load() && (errors.Is(err, net.ErrClosed) || errors.Is(err, http.ErrServerClosed)) {
		return nil
	}
	return fmt.Errorf("serve http: %w", err)
}

// Shutdown stops accepting and returns when every connection has ended.
// Requests are answered with Connection: close; idle connections are closed
// after a grace. When ctx ends first, what is left is closed and the error
// says how much it was.
//
// It does not use http.Server.Shutdown, which closes connections whose request
// it has already read.
func (r *Router) Shutdown(ctx context.Context) error {
	r.draining.Store(true)
	empty := r.conns.stopListening()
	grace := time.NewTimer(r.limits.ShutdownGrace)
	defer grace.Stop()
	for {
		select {
		case <-empty:
			_ = r.server.Close() // there is nothing left to close; it marks the end
			return nil
		case <-grace.C:
			r.server.SetKeepAlivesEnabled(false) // closes those that are idle
			grace.Reset(r.limits.ShutdownGrace)  // and those that have come without a word
		case <-ctx.Done():
			n := r.conns.closeAll()
			_ = r.server.Close() // all of it is closed
			if n == 0 {
				return nil
			}
			return fmt.Errorf("shut down router: cut %d connections: %w", n, context.Cause(ctx))
		}
	}
}

// A connSet knows every connection of clients, hijacked ones too, which
// http.Server forgets.
type connSet struct {
	max    int
	exempt []netip.Prefix

	mu        sync.Mutex
	listeners []net.Listener
	accepting int // loops that may still come with a connection
	conns     map[*clientConn]struct{}
	perAddr   map[netip.Addr]int
	stopped   bool
	ended     bool          // stopped, and then without connections once
	empty     chan struct{} // closed when ended
}

func (s *connSet) init(perAddress int, exempt []netip.Prefix) {
	s.max, s.exempt = perAddress, exempt
	s.conns, s.perAddr = map[*clientConn]struct{}{}, map[netip.Addr]int{}
	s.empty = make(chan struct{})
}

func (s *connSet) listen(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	if s.stopped {
		return false
	}
	s.accepting++
	return true
}

// deaf tells that an accepting loop has ended.
func (s *connSet) deaf() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accepting--
	s.markEmpty()
}

func (s *connSet) stopListening() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return s.empty
	}
	s.stopped = true
	for _, l := range s.listeners {
		_ = l.Close() // Serve sees it
	}
	s.markEmpty()
	return s.empty
}

// markEmpty ends the set if it is stopped and has become empty. A connection that was accepted while its listener was
// being closed is served too: nobody else has it. Under mu.
func (s *connSet) markEmpty() {
	if s.stopped && !s.ended && s.accepting == 0 && len(s.conns) == 0 {
		s.ended = true
		close(s.empty)
	}
}

// add counts a connection in; it returns nil when its address has too many.
func (s *connSet) add(nc net.Conn) *clientConn {
	c := &clientConn{Conn: nc, set: s, addr: bucketAddr(nc.RemoteAddr())}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended { // by who is no accepting loop
		return nil
	}
	if s.max > 0 && c.addr.IsValid() && s.perAddr[c.addr] >= s.max && !contains(s.exempt, c.addr) {
		return nil
	}
	s.conns[c] = struct{}{}
	if c.addr.IsValid() {
		s.perAddr[c.addr]++
	}
	return c
}

func (s *connSet) remove(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[c]; !ok {
		return
	}
	delete(s.conns, c)
	if c.addr.IsValid() {
		if s.perAddr[c.addr]--; s.perAddr[c.addr] == 0 {
			delete(s.perAddr, c.addr)
		}
	}
	s.markEmpty()
}

// closeAll closes what is open and returns how much that was.
func (s *connSet) closeAll() int {
	s.mu.Lock()
	var open []*clientConn
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // on purpose
	}
	return len(open)
}

// bucketAddr is what connections are counted by: the IPv4 address, or the /64 of an IPv6 one.
func bucketAddr(a net.Addr) netip.Addr {
	ta, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := ta.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// A listener counts the connections it accepts.
type listener struct {
	net.Listener
	set *connSet
}

// Accept returns the next connection whose address has not too many.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err // as it is: http.Server looks at it
		}
		if c := l.set.add(nc); c != nil {
			return c, nil
		}
		_ = nc.Close() // one too many
	}
}

// A clientConn leaves its set when it is closed.
type clientConn struct {
	net.Conn
	set  *connSet
	addr netip.Addr
}

// Close closes the connection and counts it out.
func (c *clientConn) Close() error {
	err := c.Conn.Close()
	c.set.remove(c)
	return err
}

// ReadFrom keeps splice(2) and sendfile(2), which net/http looks for here.
func (c *clientConn) ReadFrom(src io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite ends one direction; net/http and upgrades use it.
func (c *clientConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}
