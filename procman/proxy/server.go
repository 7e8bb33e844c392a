package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"slices"
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
		ConnContext:       connContext,
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
func (r *Router) Serve(l net.Listener) error { return r.serve(l, nil) }

// ServeTLS is Serve for TLS connections, by Options.TLS.
func (r *Router) ServeTLS(l net.Listener) error {
	c := r.opts.TLS.Clone()
	c.NextProtos = []string{"h2", "http/1.1"}
	for _, p := range r.opts.TLS.NextProtos {
		if !slices.Contains(c.NextProtos, p) {
			c.NextProtos = append(c.NextProtos, p)
		}
	}
	return r.serve(l, c)
}

func (r *Router) serve(l net.Listener, c *tls.Config) error {
	if !r.conns.listen(l) {
		_ = l.Close() // Shutdown has come before: there is nobody to tell
		return nil
	}
	r.begin.Do(func() {
		r.served.Go(func() { _ = r.server.Serve(r.handed) }) // ends by Shutdown only
	})
	err := r.accept(&listener{Listener: l, set: &r.conns}, c)
	r.conns.deaf()
	if r.draining.Load() && errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve http: %w", err)
}

// acceptPause is how long accepting waits when the machine is short of
// descriptors or memory, as net/http does.
const acceptPause = 100 * time.Millisecond

// accept serves each connection in a goroutine of its own, whose end the set of
// connections knows.
func (r *Router) accept(l *listener, c *tls.Config) error {
	for {
		client, err := l.accept()
		var temporary interface{ Temporary() bool }
		switch {
		case err == nil:
			go r.serveConn(client, c)
		case errors.As(err, &temporary) && temporary.Temporary():
			r.log.WithError(err).Warn("connection not accepted")
			<-time.After(acceptPause)
		default:
			return err
		}
	}
}

// serveConn sees who calls, and by which protocol.
func (r *Router) serveConn(client *clientConn, c *tls.Config) {
	var conn net.Conn = client
	fast := !r.trusts(client.RemoteAddr().String()) // what a trusted proxy says of others is for net/http to judge
	if c != nil {
		t := tls.Server(client, c)
		conn = t
		_ = client.SetDeadline(time.Now().Add(r.limits.ReadHeader)) // else closed, which the handshake says
		err := t.HandshakeContext(context.Background())             // the deadline ends it
		_ = client.SetDeadline(time.Time{})
		p := t.ConnectionState().NegotiatedProtocol
		fast = fast && err == nil && (p == "" || p == "http/1.1") // net/http finds the same error, and says so
	}
	if fast && r.conns.beginFast(client) {
		r.serveFast(client, conn)
		return
	}
	r.hand(client, conn, nil, nil)
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
			r.end()
			return nil
		case <-grace.C:
			r.conns.wakeFast()
			r.server.SetKeepAlivesEnabled(false) // closes those that are idle
			grace.Reset(r.limits.ShutdownGrace)  // and those that have come without a word
		case <-ctx.Done():
			n := r.cutAll()
			if n == 0 {
				return nil
			}
			return fmt.Errorf("shut down router: cut %d connections: %w", n, context.Cause(ctx))
		}
	}
}

// cutAll closes what is left, websockets after they were told, and returns how much that was.
func (r *Router) cutAll() int {
	n := r.conns.count()
	r.cut()
	told := time.NewTimer(closeGrace)
	defer told.Stop()
	for waiting := true; waiting && r.sockets.Load() > 0; {
		select {
		case <-r.noSockets:
		case <-told.C:
			waiting = false
		}
	}
	r.conns.closeAll()
	r.end()
	return n
}

// end ends net/http's part, when no connection is left.
func (r *Router) end() {
	_ = r.handed.Close() // always nil
	_ = r.server.Close() // there is nothing left to close; it marks the end
	r.served.Wait()
}
