package proxy

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

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

// beginFast marks a connection as the fast path's. It is not when the server stops: then net/http closes it.
func (s *connSet) beginFast(c *clientConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.fast = !s.stopped
	return c.fast
}

// endFast marks that net/http has the connection.
func (s *connSet) endFast(c *clientConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.fast = false
	_ = c.SetReadDeadline(time.Time{}) // else closed, which net/http will see
}

// wakeFast ends the waiting of the fast path's connections for another request.
func (s *connSet) wakeFast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.fast {
			_ = c.SetReadDeadline(time.Unix(1, 0)) // else closed already
		}
	}
}

// count returns how many connections are open.
func (s *connSet) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// closeAll closes what is open.
func (s *connSet) closeAll() {
	s.mu.Lock()
	var open []*clientConn
	for c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close() // on purpose
	}
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

// accept returns the next connection whose address has not too many.
func (l *listener) accept() (*clientConn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err // as it is: the caller looks at it
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
	fast bool // under set.mu
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
