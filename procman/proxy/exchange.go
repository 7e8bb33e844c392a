package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// An exchange is one request on its way through the router.
type exchange struct {
	router *Router
	w      http.ResponseWriter
	req    *http.Request
	start  time.Time
	id     string
	host   string // as the table knows it
	app    *app   // nil until the host is known

	patience time.Duration // with the app, until its response begins

	backend string // name of the last backend tried
	status  int    // as sent to the client; 0 for nothing yet
	bytes   int64  // of the response's body
	note    string // why it went wrong, for the access log
	begun   *begun // what the fast path has begun, until its response is read
}

// statusClientGone is logged for a client that left before it was answered. It is never sent.
const statusClientGone = 499

// A failure says why an attempt to get an answer from a backend came to nothing.
type failure struct {
	err  error
	page page // what the client is told
	// unsent: not one byte of the request reached the backend.
	unsent bool
	// stale: a connection that had been idle ended before the answer began.
	stale bool
}

// serve answers the request by what the route says.
func (x *exchange) serve(rt *route) {
	for {
		switch {
		case rt.Maintenance != "":
			x.page(pageMaintenance, rt.Maintenance)
		case rt.Hold > 0:
			next := x.hold(rt)
			if next != nil {
				rt = next
				continue
			}
			if err := x.req.Context().Err(); err != nil {
				x.leave(err)
			}
			x.page(pageUnavailable, "")
		case rt.site != nil:
			x.static(rt.site)
		case len(rt.Backends) == 0:
			x.page(pageUnavailable, "")
		case rt.MaxBody > 0 && x.req.ContentLength > rt.MaxBody:
			x.page(pageTooLarge, "")
		default:
			if next := x.forward(rt); next != nil {
				rt = next
				continue
			}
		}
		return
	}
}

// takeOver goes on with an exchange that the fast path has begun. What it
// decided by stands: it did so before the table may have changed.
func (x *exchange) takeOver(g *begun) {
	x.begun, x.start, x.id, x.app, x.host = g, g.start, g.id, g.rt.app, normalizeHost(x.req.Host)
	x.app.begin()
	defer x.finish()
	if next := x.forward(g.rt); next != nil {
		x.serve(next)
	}
}

// hold waits for the route that replaces rt, at most as long as rt says, and
// returns it; nil when the time is over, the line too long, or the client gone.
func (x *exchange) hold(rt *route) *route {
	if x.app.held.Add(1) > maxHeld {
		x.app.held.Add(-1)
		return nil
	}
	defer x.app.held.Add(-1)
	left := time.NewTimer(rt.Hold - time.Since(x.start))
	defer left.Stop()
	select {
	case <-rt.replaced:
		return x.current()
	case <-left.C:
		return nil
	case <-x.req.Context().Done():
		return nil
	}
}

// current returns the route that the host has now, nil if it is no longer the app's.
func (x *exchange) current() *route {
	if now := x.router.table.Load().hosts[x.host]; now != nil && now.app == x.app {
		return now
	}
	return nil
}

// forward lets a backend answer. It returns the route to try instead if the
// table was swapped before one of rt could be claimed or reached.
func (x *exchange) forward(rt *route) (instead *route) {
	x.patience = cmp.Or(rt.ResponseTimeout, x.router.limits.ResponseHeader)
	var avoid *Backend
	for {
		var b *Backend
		if x.begun != nil {
			b = x.begun.b
		} else {
			b = pick(rt.Backends, x.app.turn.Add(1), avoid)
		}
		if b == nil {
			if now := x.current(); now != rt && now != nil {
				return now
			}
			if avoid == nil {
				x.page(pageUnavailable, "")
			} else { // the only other one has gone
				x.page(pageBadGateway, "")
			}
			return nil
		}
		fail := x.try(b, rt)
		if fail == nil {
			return nil
		}
		again := fail.unsent && idempotent(x.req.Method)
		if again && avoid == nil && len(rt.Backends) > 1 {
			avoid = b
			continue
		}
		if now := x.current(); again && now != rt && now != nil {
			return now
		}
		x.fail(fail)
		return nil
	}
}

// try makes one attempt with a claimed backend and releases it.
func (x *exchange) try(b *Backend, rt *route) *failure {
	defer b.release()
	x.backend = b.name
	if kind := rareKind(x.req); kind != plain {
		return x.forwardRare(b, rt, kind)
	}
	fail := x.attempt(b, rt, false)
	if fail != nil && fail.stale && idempotent(x.req.Method) && x.req.ContentLength == 0 {
		fail = x.attempt(b, rt, true)
	}
	if fail != nil && fail.unsent {
		b.suspect()
	}
	return fail
}

// attempt does one exchange over one connection.
func (x *exchange) attempt(b *Backend, rt *route, fresh bool) *failure {
	ctx := x.req.Context()
	c, err := x.connect(b, fresh)
	if err != nil {
		return dialFailure(ctx, err)
	}
	stop := context.AfterFunc(ctx, c.close) // a client that leaves takes its request along
	kept := false
	defer func() { // a response that is cut panics its way out
		if !kept {
			stop()
			b.drop(c)
		}
	}()
	reusable, fail := x.roundTrip(c, rt)
	if stop() && reusable && fail == nil {
		kept = true
		b.keep(c, x.router.limits.UpstreamIdle)
	}
	return fail
}

// connect returns the connection that the fast path has sent the request over,
// if it has, else one to send it over.
func (x *exchange) connect(b *Backend, fresh bool) (*upConn, error) {
	ctx, l := x.req.Context(), &x.router.limits
	switch {
	case x.begun != nil:
		c, err := x.begun.c, x.begun.err
		if err != nil {
			x.begun = nil
		}
		return c, err
	case fresh:
		return b.newConn(ctx, l)
	}
	return b.conn(ctx, l)
}

func dialFailure(ctx context.Context, err error) *failure {
	f := &failure{err: fmt.Errorf("dial backend: %w", err), page: pageBadGateway, unsent: true}
	if ctx.Err() != nil {
		f.page = pageNone
		f.unsent = false
	}
	return f
}

// roundTrip sends the request and relays the response. A failure means that
// nothing has been sent to the client; what goes wrong later aborts.
func (x *exchange) roundTrip(c *upConn, rt *route) (reusable bool, fail *failure) {
	if x.begun != nil {
		x.begun = nil
		c.awaitHead(x.start, x.patience)
		return x.answer(c, nil, false)
	}
	expect := x.writeHead(c.bw)
	if expect || x.req.ContentLength == 0 {
		if err := c.bw.Flush(); err != nil {
			return false, x.sendFailure(c, err)
		}
	}
	skipBody := false
	if expect {
		var err error
		if skipBody, err = x.awaitContinue(c); err != nil {
			return false, x.readFailure(c, err, nil)
		}
	}
	var s *sender
	switch n := x.req.ContentLength; {
	case n == 0 || skipBody:
		c.awaitHead(x.start, x.patience)
	case n > 0 && n <= inlineBody:
		s = newSender(x, c, rt.MaxBody)
		if s.send(); s.err != nil {
			return false, x.bodyFailure(c, s)
		}
		c.awaitHead(time.Now(), x.patience)
	default:
		c.setDeadline(time.Time{}) // the sender sets one when the body is sent
		s = newSender(x, c, rt.MaxBody)
		s.begin()
		defer s.end()
	}
	return x.answer(c, s, skipBody)
}

// answer reads the response and relays it, while s may still send the request's body.
func (x *exchange) answer(c *upConn, s *sender, skipBody bool) (reusable bool, fail *failure) {
	h, err := x.readResponse(c)
	if err != nil {
		return false, x.readFailure(c, err, s)
	}
	if s != nil && s.done != nil {
		s.responseBegan()
	}
	x.relay(c, h)
	if s != nil && !s.finish() {
		return false, nil
	}
	return !h.close && !skipBody, nil
}

// sendFailure judges an error of writing the request's head.
func (x *exchange) sendFailure(c *upConn, err error) *failure {
	return &failure{err: fmt.Errorf("send request: %w", err), page: x.gonePage(pageBadGateway), stale: c.reused}
}

// bodyFailure judges the end of a body that was sent inline.
func (x *exchange) bodyFailure(c *upConn, s *sender) *failure {
	if s.page == pageBadGateway { // the app may have answered without reading everything
		if h, err := x.readResponse(c); err == nil {
			x.relay(c, h)
			return nil
		}
	}
	return &failure{err: s.err, page: s.page}
}

// readFailure judges an error of reading the response's head.
func (x *exchange) readFailure(c *upConn, err error, s *sender) *failure {
	if s != nil {
		s.end()
		if s.err != nil && s.page != pageBadGateway { // the client's body was the cause
			return &failure{err: s.err, page: s.page} // net/http calls any read error a client that left
		}
	}
	f := &failure{err: err, page: x.gonePage(pageBadGateway)}
	var ne net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		f.page = x.gonePage(pageTimeout)
	case c.reused && len(c.head) == 0 && c.br.Buffered() == 0:
		f.stale = true
	}
	return f
}

// gonePage returns p, or no page if the client has left.
func (x *exchange) gonePage(p page) page {
	if x.req.Context().Err() != nil {
		return pageNone
	}
	return p
}

// fail tells the client, if it is still there, and the log.
func (x *exchange) fail(f *failure) {
	if f.page == pageNone {
		x.leave(f.err)
	}
	x.note = f.err.Error()
	x.router.log.WithField("app", x.app.name).WithField("proc", x.backend).WithError(f.err).Debug("request not answered by the app")
	x.page(f.page, "")
}

// abort ends a response that cannot be completed, so that the client sees that.
func (x *exchange) abort(err error) {
	x.note = err.Error()
	panic(http.ErrAbortHandler)
}

// leave ends the exchange with a client that has left, without an answer.
func (x *exchange) leave(err error) {
	x.status = statusClientGone
	x.abort(err)
}

// finish counts and logs the request.
func (x *exchange) finish() {
	took := time.Since(x.start)
	x.app.end(x.status, took)
	if x.router.opts.AccessLog != nil {
		x.logAccess(took)
	}
}

func idempotent(method string) bool {
	switch method {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}
