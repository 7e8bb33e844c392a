package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A begun is an exchange that the fast path has begun and net/http is to end.
type begun struct {
	rt    *route
	b     *Backend // claimed
	c     *upConn  // that the request was sent over
	err   error    // or why there is none
	start time.Time
	id    string
}

// abandon ends an exchange that nobody takes over.
func (g *begun) abandon() {
	if g.c != nil {
		g.b.drop(g.c)
	}
	g.b.release()
}

// A handedConn is a client connection that the fast path has begun to read. It
// begins with what is unread.
type handedConn struct {
	net.Conn
	unread []byte // of one reader at a time, as net/http is
	begun  atomic.Pointer[begun]
}

// A securedConn is a handedConn within TLS; net/http looks for ConnectionState.
type securedConn struct {
	handedConn
	tls *tls.Conn
}

// ConnectionState tells what the handshake came to.
func (c *securedConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }

// Read reads what was handed over, and then the connection.
func (c *handedConn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		if c.unread = c.unread[n:]; len(c.unread) == 0 {
			c.unread = nil
		}
		return n, nil
	}
	return c.Conn.Read(p)
}

// Close closes the connection, and gives up the exchange that it was handed with.
func (c *handedConn) Close() error {
	if g := c.begun.Swap(nil); g != nil {
		g.abandon()
	}
	return c.Conn.Close()
}

// ReadFrom keeps splice(2) and sendfile(2), which net/http looks for here.
func (c *handedConn) ReadFrom(src io.Reader) (int64, error) {
	if rf, ok := c.Conn.(io.ReaderFrom); ok {
		return rf.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, src)
}

// CloseWrite ends one direction; upgrades use it.
func (c *handedConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}

type handedKey struct{}

// connContext lets ServeHTTP find the connection that the fast path has handed over.
func connContext(ctx context.Context, c net.Conn) context.Context {
	switch c := c.(type) {
	case *handedConn:
		return context.WithValue(ctx, handedKey{}, c)
	case *securedConn:
		return context.WithValue(ctx, handedKey{}, &c.handedConn)
	}
	return ctx
}

// takeBegun returns the exchange that the connection was handed over with, for
// its first request.
func takeBegun(ctx context.Context) *begun {
	if c, ok := ctx.Value(handedKey{}).(*handedConn); ok && c.begun.Load() != nil {
		return c.begun.Swap(nil)
	}
	return nil
}

// hand leaves a connection to net/http.
func (r *Router) hand(client *clientConn, conn net.Conn, unread []byte, g *begun) {
	r.conns.endFast(client)
	t, secure := conn.(*tls.Conn)
	switch {
	case !secure:
		h := &handedConn{Conn: conn, unread: unread}
		h.begun.Store(g)
		conn = h
	case len(unread) > 0:
		h := &securedConn{handedConn{Conn: conn, unread: unread}, t}
		h.begun.Store(g)
		conn = h
	}
	r.handed.put(conn)
}

// A handedListener is where net/http gets its connections from.
type handedListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newHandedListener() *handedListener {
	return &handedListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// put waits for net/http to take c, and closes it if net/http has ended.
func (l *handedListener) put(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.done:
		_ = c.Close() // there is nobody to tell
	}
}

// Accept returns the next connection.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is a word for net/http's context.
func (l *handedListener) Addr() net.Addr { return &net.TCPAddr{} }
