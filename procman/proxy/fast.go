package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// fastWait is how long an app may think before its exchange is left to
// net/http, which watches whether the client is still there.
const fastWait = time.Second

var crlfcrlf = []byte("\r\n\r\n")

// fastBuffers hold what clients have sent; one per connection that has the fast path.
var fastBuffers = sync.Pool{New: func() any { return new([connBuffer]byte) }}

// A fastConn carries the plainest requests of one client connection between the
// client and the backends without net/http: a strict subset of HTTP/1.1 that
// has one reading only. The first request that is not of it, or whose response
// is not, goes to net/http with everything that is unread, and with the
// backend's connection if the request was sent; there the connection stays.
// Whatever is intricate thus has one implementation, which is net/http's.
type fastConn struct {
	router *Router
	client *clientConn
	c      net.Conn // client, or the *tls.Conn around it
	secure bool
	addr   string // of the client, for X-Forwarded-For

	buf      []byte // buf[rd:wr] has been read and not consumed
	rd, wr   int
	deadline time.Time // of reads
	served   bool      // one request or more

	req   plainRequest
	res   plainResponse
	idBuf [requestIDSize]byte
	begun *begun // when a response is left to net/http
	look  looker
}

// A step is what follows a request.
type step int

const (
	again   step = iota // wait for the next one
	unusual             // leave the connection to net/http
	end                 // close it
)

// serveFast owns the connection c, with TLS done around it in conn, until it
// has ended or net/http has it.
func (r *Router) serveFast(client *clientConn, conn net.Conn) {
	defer func() {
		if e := recover(); e != nil { // one connection must not end the server
			r.log.WithField("panic", e).Error(string(debug.Stack()))
			_ = conn.Close() // there is nobody to tell
		}
	}()
	buf := fastBuffers.Get().(*[connBuffer]byte)
	defer fastBuffers.Put(buf)
	_, secure := conn.(*tls.Conn)
	f := &fastConn{router: r, client: client, c: conn, secure: secure, addr: hostOnly(client.RemoteAddr().String()), buf: buf[:]}
	next := again
	for next == again {
		next = f.one()
	}
	if next == unusual {
		r.hand(client, conn, bytes.Clone(f.buf[f.rd:f.wr]), f.begun)
		return
	}
	_ = conn.Close() // nothing is to be learnt from it
}

// one serves one request.
func (f *fastConn) one() step {
	size, next := f.fill()
	if next != again {
		return next
	}
	scratch := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(scratch)
	out, ok := f.req.parse(f.buf[f.rd:f.rd+size], scratch[:0])
	if !ok {
		return unusual
	}
	if missing := size + f.req.length - (f.wr - f.rd); missing > 0 {
		return f.fillBody(size + f.req.length)
	}
	rt := f.route()
	if rt == nil {
		return unusual
	}
	body := f.buf[f.rd+size : f.rd+size+f.req.length]
	return f.exchange(rt, out, body)
}

// route returns the route of the request if the fast path can serve it.
func (f *fastConn) route() *route {
	rt := f.router.table.Load().hosts[string(f.req.name)]
	if rt == nil || !rt.direct || rt.MaxBody > 0 && int64(f.req.length) > rt.MaxBody {
		return nil
	}
	if !f.secure && (f.router.httpsPort.Load() != nil || f.router.opts.Challenge != nil && bytes.HasPrefix(f.req.target, []byte("/.well-known/"))) {
		return nil
	}
	return rt
}

// fill reads until a whole head is in the buffer, and returns its size.
func (f *fastConn) fill() (size int, next step) {
	if f.rd == f.wr {
		f.rd, f.wr = 0, 0
	}
	looked, timed := 0, false
	for {
		have := f.buf[f.rd:f.wr]
		if i := bytes.Index(have[max(looked-3, 0):], crlfcrlf); i >= 0 {
			return max(looked-3, 0) + i + 4, again
		}
		if len(have) > 0 && (have[0] < 'A' || have[0] > 'Z' || bareLF(have[max(looked-1, 0):])) {
			return 0, unusual // it may never have an end that is known here
		}
		looked = len(have)
		if len(have) == len(f.buf) {
			return 0, unusual
		}
		f.compact()
		switch {
		case looked == 0:
			f.await(f.patience())
		case !timed: // once for the whole head, however slowly it comes
			timed = true
			f.deadline = time.Now().Add(f.router.limits.ReadHeader)
			_ = f.client.SetReadDeadline(f.deadline) // else closed, which the read says
		}
		n, err := f.c.Read(f.buf[f.wr:])
		if f.wr += n; n == 0 && err != nil {
			return 0, f.readEnded()
		}
	}
}

// patience is how long a request may take to begin.
func (f *fastConn) patience() time.Duration {
	if f.served {
		return f.router.limits.Idle
	}
	return f.router.limits.ReadHeader
}

// readEnded judges the end of reading: a request that has begun when the server
// begins to stop is net/http's to finish.
func (f *fastConn) readEnded() step {
	if f.wr > f.rd && f.router.draining.Load() {
		return unusual
	}
	return end
}

// fillBody reads until the buffer holds a whole request of that size. The
// caller begins anew then, because what it has parsed may have moved.
func (f *fastConn) fillBody(size int) step {
	if size > len(f.buf) {
		return unusual
	}
	f.compact()
	for f.wr < size {
		f.await(f.router.limits.BodyIdle)
		n, err := f.c.Read(f.buf[f.wr:])
		if f.wr += n; n == 0 && err != nil {
			return unusual // net/http finds the same, and says so
		}
	}
	return again
}

func (f *fastConn) compact() {
	if f.rd > 0 {
		f.wr = copy(f.buf, f.buf[f.rd:f.wr])
		f.rd = 0
	}
}

// await bounds reads by d, exactly to a half, upwards: moving the deadline each
// time would cost more than reading.
func (f *fastConn) await(d time.Duration) {
	now := time.Now()
	if left := f.deadline.Sub(now); left < d || left > d+d/2 {
		f.deadline = now.Add(d + d/4)
		_ = f.client.SetReadDeadline(f.deadline) // else closed, which the read says
	}
}

// bareLF reports whether p has a line feed without a carriage return before
// it. That p begins with one says nothing.
func bareLF(p []byte) bool {
	for i := 1; i < len(p); i++ {
		if p[i] == '\n' && p[i-1] != '\r' {
			return true
		}
	}
	return false
}

// exchange sends the request, whose head but for its end is in out, to a
// backend and relays the response.
func (f *fastConn) exchange(rt *route, out, body []byte) step {
	start := time.Now()
	if len(f.req.id) == 0 {
		f.req.id = appendID(f.idBuf[:0])
	}
	a := rt.app
	var turn uint64
	if len(rt.Backends) > 1 {
		turn = a.turn.Add(1)
	}
	b := pick(rt.Backends, turn, nil)
	if b == nil {
		return unusual
	}
	c, err := b.conn(context.Background(), &f.router.limits)
	if err != nil {
		return f.leave(&begun{rt: rt, b: b, err: err, start: start})
	}
	a.begin()
	out = append(f.appendForwarded(out, start), body...)
	c.awaitHead(start, fastWait)
	_, _ = c.c.Write(out) // that it failed is known by the read; an app may answer what it has not read
	if !f.readPlain(c) {
		a.inflight.Add(-1) // until net/http counts it
		return f.leave(&begun{rt: rt, b: b, c: c, start: start})
	}
	sent, err := f.relay(b, c, out[:0])
	took := time.Since(start)
	a.end(f.res.status, took)
	if f.router.opts.AccessLog != nil {
		f.logAccess(rt, b, sent, took, err)
	}
	f.rd += f.req.size + f.req.length
	f.served = true
	if err != nil || f.res.last {
		return end
	}
	return again
}

// leave leaves the exchange to net/http.
func (f *fastConn) leave(g *begun) step {
	g.id = string(f.req.id)
	f.begun = g
	return unusual
}
