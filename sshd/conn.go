package sshd

import (
	"context"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/sirupsen/logrus"
	gossh "golang.org/x/crypto/ssh"
)

// conn is one client's connection, from accept to close.
type conn struct {
	net.Conn
	srv    *Server
	log    logrus.FieldLogger
	seat   *seat
	ctx    context.Context // ends with the connection; parent of its calls
	cancel context.CancelCauseFunc
	grace  *time.Timer
	closed sync.Once

	tried    atomic.Bool  // the client tried to authenticate, or let the grace pass
	settled  atomic.Bool  // the first command was taken: acknowledge as usual again
	heard    atomic.Int64 // unix nanoseconds of the last bytes from the client
	sessions atomic.Int32 // open session channels
	running  atomic.Int32 // those of them whose command has not ended
	alive    sync.Once    // starts the keep-alive

	// unknown holds the fingerprints that were refused on this connection.
	// Only the goroutine that authenticates touches it.
	unknown []string
}

func (s *Server) newConn(nc net.Conn, st *seat) *conn {
	c := &conn{Conn: nc, srv: s, seat: st, log: s.log.WithField("remote", nc.RemoteAddr().String())}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	c.heard.Store(time.Now().UnixNano())
	acknowledgeAtOnce(nc)
	c.grace = time.AfterFunc(time.Hour, func() {
		c.tried.Store(true)
		c.end()
	})
	c.grace.Reset(s.limits.LoginGrace) // started only now: its function reads c.grace
	return c
}

// connKey is where the conn stands in the library's context.
type connKey struct{}

// remember puts the conn where the other callbacks of the library find it.
func remember(ctx ssh.Context, nc net.Conn) net.Conn {
	ctx.SetValue(connKey{}, nc)
	return nc
}

func connOf(ctx ssh.Context) *conn { return ctx.Value(connKey{}).(*conn) }

// Read reads from the client. Until the first command is taken it turns
// delayed acknowledgements off: OpenSSH's client leaves Nagle's algorithm on
// while it logs in, and the two together cost 40 ms twice.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.heard.Store(time.Now().UnixNano())
		if !c.settled.Load() {
			acknowledgeAtOnce(c.Conn)
		}
	}
	return n, err
}

// Close closes the connection and cancels its calls. The library calls it.
func (c *conn) Close() error {
	c.end()
	return nil
}

func (c *conn) end() {
	c.closed.Do(func() {
		c.grace.Stop()
		c.cancel(ErrClientGone)
		_ = c.Conn.Close() // it is over either way
		c.seat.leave(c.tried.Load())
	})
}

// survive is deferred around code of the protocol: a panic in it ends this
// connection, not the server.
func (c *conn) survive(what string) {
	if p := recover(); p != nil {
		c.log.Errorf("%s panicked: %v\n%s", what, p, debug.Stack())
		c.end()
	}
}

// login notes that the client has authenticated.
func (c *conn) login() {
	c.grace.Stop()
	c.seat.login()
}

// keepAlive asks a silent client for a sign of life, and hangs up when there
// is none: a peer that lost its network would hold its calls for ever. It
// starts with the first session and ends with the connection.
func (c *conn) keepAlive(sc *gossh.ServerConn) {
	c.alive.Do(func() {
		if c.srv.beginWork() {
			go func() {
				defer c.srv.work.Done()
				c.watch(sc)
			}()
		}
	})
}

func (c *conn) watch(sc *gossh.ServerConn) {
	every := c.srv.limits.KeepAlive
	tick := time.NewTicker(every)
	defer tick.Stop()
	answered := make(chan struct{}, 1)
	asking, misses := false, 0
	for {
		select {
		case <-c.ctx.Done():
			if asking {
				<-answered // comes at once: the connection is closed
			}
			return
		case <-answered:
			asking = false
			continue
		case <-tick.C:
		}
		if time.Since(time.Unix(0, c.heard.Load())) < every {
			misses = 0
			continue
		}
		if asking {
			if misses++; misses >= c.srv.limits.KeepAliveMisses {
				c.log.Info("ssh client does not answer, connection closed")
				c.end()
			}
			continue
		}
		asking = true
		go func() {
			// Any answer is a sign of life; an error means that the
			// connection ends, which ctx tells.
			_, _, _ = sc.SendRequest("keepalive@openssh.com", true, nil)
			answered <- struct{}{}
		}()
	}
}
