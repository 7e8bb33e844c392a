package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"
)

// errHeadTooLarge is returned for a response whose head is beyond maxResponseHead.
var errHeadTooLarge = errors.New("response head too large")

// An upConn is one HTTP/1.1 connection to a backend. It belongs to one
// goroutine at a time; only close may be called from others.
type upConn struct {
	backend *Backend
	c       net.Conn
	br      *bufio.Reader
	bw      *bufio.Writer
	head    []byte // reused by readHead
	look    looker

	reused   bool
	broken   atomic.Bool
	since    time.Time // idle since
	deadline time.Time // of reads, zero for none
}

// conn returns a connection for a request: an idle one that is as it should be,
// open and silent, or else a new one. An end of file is an app that closed it.
// Bytes are an answer nobody asked for, which would become the next client's:
// each connection is looked at, however short it was idle.
func (b *Backend) conn(ctx context.Context, l *Limits) (*upConn, error) {
	for {
		c := b.popIdle(l.UpstreamIdle)
		if c == nil {
			return b.newConn(ctx, l)
		}
		if c.look.quiet() {
			c.reused = true
			return c, nil
		}
		b.drop(c)
	}
}

// newConn returns a new connection.
func (b *Backend) newConn(ctx context.Context, l *Limits) (*upConn, error) {
	nc, err := b.dial(ctx, l.Dial)
	if err != nil {
		return nil, err
	}
	c := &upConn{backend: b, c: nc, br: bufio.NewReaderSize(nc, connBuffer), bw: bufio.NewWriterSize(nc, connBuffer)}
	c.look.lookAt(nc)
	b.mu.Lock()
	b.conns[c] = struct{}{}
	b.mu.Unlock()
	if b.closed.Load() { // Close may have run before the connection could be found
		b.drop(c)
		return nil, errClosed
	}
	return c, nil
}

// popIdle returns the idle connection that was used last, nil if there is none
// that is young enough.
func (b *Backend) popIdle(maxAge time.Duration) *upConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.idle)
	if n == 0 {
		return nil
	}
	c := b.idle[n-1]
	if time.Since(c.since) > maxAge {
		return nil // it and all older ones are the reaper's
	}
	b.idle[n-1] = nil
	b.idle = b.idle[:n-1]
	return c
}

// keep puts a connection back whose last exchange is complete.
func (b *Backend) keep(c *upConn, maxAge time.Duration) {
	if c.br.Buffered() > 0 || c.broken.Load() || b.retired.Load() {
		b.drop(c)
		return
	}
	c.since = time.Now()
	b.mu.Lock()
	full := len(b.idle) >= maxIdleConns || b.closed.Load()
	if !full {
		b.idle = append(b.idle, c)
		if b.reaper == nil {
			b.reaper = time.AfterFunc(maxAge, func() { b.closeIdle(maxAge) })
		} else if len(b.idle) == 1 {
			b.reaper.Reset(maxAge)
		}
	}
	b.mu.Unlock()
	if full {
		b.drop(c)
	}
}

// drop closes a connection that must not be used again.
func (b *Backend) drop(c *upConn) {
	b.mu.Lock()
	delete(b.conns, c)
	b.mu.Unlock()
	c.close()
}

// closeIdle closes the connections that have been idle for maxAge and comes
// back for the rest.
func (b *Backend) closeIdle(maxAge time.Duration) {
	b.mu.Lock()
	old := 0
	for old < len(b.idle) && time.Since(b.idle[old].since) >= maxAge {
		old++
	}
	expired := b.idle[:old:old]
	b.idle = append([]*upConn(nil), b.idle[old:]...)
	if len(b.idle) > 0 && b.reaper != nil {
		b.reaper.Reset(maxAge - time.Since(b.idle[0].since))
	}
	b.mu.Unlock()
	for _, c := range expired {
		b.drop(c)
	}
}

// close ends the connection, whatever its owner is doing with it.
func (c *upConn) close() {
	if !c.broken.Swap(true) {
		c.c.Close() // nothing is to be learnt from it
	}
}

// awaitHead bounds the wait for a response by d, exactly to a half, upwards: not
// to move the deadline each time saves two timer changes per request.
func (c *upConn) awaitHead(now time.Time, d time.Duration) {
	if left := c.deadline.Sub(now); left < d || left > d+d/2 {
		c.setDeadline(now.Add(d + d/4))
	}
}

// setDeadline bounds reads; the zero time unbounds them. That it fails means
// the connection is closed, which the next read will say.
func (c *upConn) setDeadline(t time.Time) {
	if c.deadline.IsZero() && t.IsZero() {
		return
	}
	c.deadline = t
	_ = c.c.SetReadDeadline(t)
}

// readHead reads one response head, the status line to the empty line, and
// returns it as one string.
func (c *upConn) readHead(limit int) (string, error) {
	c.head = c.head[:0]
	start := 0 // of the current line
	for {
		part, err := c.br.ReadSlice('\n')
		c.head = append(c.head, part...)
		if len(c.head) > limit {
			return "", errHeadTooLarge
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read response head: %w", err)
		}
		line := c.head[start:]
		if len(line) == 1 || len(line) == 2 && line[0] == '\r' {
			return string(c.head), nil
		}
		start = len(c.head)
	}
}

// blame returns errCut in place of an error that comes of the backend's end.
func (c *upConn) blame(err error) error {
	if err != nil && c.backend.closed.Load() {
		return errCut
	}
	return err
}
