package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

var errBodyTooLarge = errors.New("request body too large")

// buffers are for bodies on their way.
var buffers = sync.Pool{New: func() any { return new([copyBuffer]byte) }}

// A sender carries one request's body from the client to the backend. Small
// bodies are sent by the handler itself; else begin starts a goroutine, so that
// an app that answers while it reads is heard, and end waits for it.
type sender struct {
	x       *exchange
	c       *upConn
	maxBody int64
	rc      *http.ResponseController

	sent     int64
	deadline time.Time

	done chan struct{} // nil for inline
	err  error         // valid once done
	page page          // what the client is told about err

	mu       sync.Mutex
	answered bool // the response has begun: no header timeout any more
}

func newSender(x *exchange, c *upConn, maxBody int64) *sender {
	return &sender{x: x, c: c, maxBody: maxBody, rc: http.NewResponseController(x.w)}
}

// begin sends in a goroutine. The caller must call end.
func (s *sender) begin() {
	_ = s.rc.EnableFullDuplex() // only HTTP/1 needs it, and has it
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		s.send()
		if s.err != nil && s.page != pageBadGateway {
			s.c.close() // a body that ended in an error must not look like one that ended
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.answered {
			_ = s.c.c.SetReadDeadline(time.Now().Add(s.x.patience)) // else closed, which the read says
		}
	}()
}

// responseBegan lifts the header timeout for good.
func (s *sender) responseBegan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered = true
	_ = s.c.c.SetReadDeadline(time.Time{})
}

// finish gives a body that is still on its way when the response is complete a
// moment, and reports whether all of it was sent.
func (s *sender) finish() bool {
	if s.done != nil {
		grace := time.NewTimer(senderGrace)
		defer grace.Stop()
		select {
		case <-s.done:
		case <-grace.C:
			s.end()
		}
	}
	return s.err == nil
}

// end stops the sender if it still runs and waits for it.
func (s *sender) end() {
	if s.done == nil {
		return
	}
	select {
	case <-s.done:
		return
	default:
	}
	s.c.close()
	_ = s.rc.SetReadDeadline(time.Unix(1, 0)) // wakes the read; the connection cannot be used again anyway
	<-s.done
}

// send copies the body and leaves the outcome in err and page.
func (s *sender) send() {
	buf := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(buf)
	chunked := s.x.req.ContentLength < 0
	for {
		s.extend()
		n, err := s.x.req.Body.Read(buf[:])
		s.sent += int64(n)
		if s.maxBody > 0 && s.sent > s.maxBody {
			s.fail(errBodyTooLarge, pageTooLarge)
			return
		}
		if n > 0 && !s.write(buf[:n], chunked) {
			return
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			s.fail(fmt.Errorf("read request body: %w", err), bodyPage(err))
			return
		}
	}
	if !s.deadline.IsZero() {
		_ = s.rc.SetReadDeadline(time.Time{}) // else it would look as if the client had left
	}
	if chunked {
		s.writeTrailer()
	}
	if err := s.c.bw.Flush(); err != nil {
		s.fail(fmt.Errorf("send request body: %w", err), pageBadGateway)
	}
}

func (s *sender) fail(err error, p page) { s.err, s.page = err, p }

// extend moves the deadline for a body that stands still.
func (s *sender) extend() {
	idle := s.x.router.limits.BodyIdle
	if now := time.Now(); s.deadline.Sub(now) < idle {
		s.deadline = now.Add(idle + idle/4)
		_ = s.rc.SetReadDeadline(s.deadline) // else closed, which the read says
	}
}

// write sends what was read. A body that comes in pieces is passed on in the same pieces.
func (s *sender) write(p []byte, chunked bool) bool {
	bw := s.c.bw
	if chunked {
		put(bw, strconv.FormatInt(int64(len(p)), 16), "\r\n")
	}
	_, _ = bw.Write(p) // sticky in bw
	if chunked {
		put(bw, "\r\n")
	}
	if s.x.req.ContentLength > 0 && s.x.req.ContentLength <= inlineBody {
		return true // flushed with its end
	}
	if err := bw.Flush(); err != nil {
		s.fail(fmt.Errorf("send request body: %w", err), pageBadGateway)
		return false
	}
	return true
}

func (s *sender) writeTrailer() {
	put(s.c.bw, "0\r\n")
	for k, vv := range s.x.req.Trailer {
		if forbiddenTrailer(k) {
			continue
		}
		for _, v := range vv {
			put(s.c.bw, k, ": ", v, "\r\n")
		}
	}
	put(s.c.bw, "\r\n")
}

// bodyPage says which page an error of reading the client's body deserves.
func bodyPage(err error) page {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return pageRequestTimeout
	}
	return pageBadRequest
}
