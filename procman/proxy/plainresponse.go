package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// relayTick is how often a response that stands still is looked at: is the client still there?
const relayTick = 5 * time.Second

// A plainResponse is what the fast path needs to know of a response.
type plainResponse struct {
	status int
	length int64 // of the body that follows
	close  bool  // the backend's connection cannot be used again
	last   bool  // the client's connection will be closed
	chunks bool  // the body is chunked
	seen   struct{ length, date, id, strict bool }
}

// readPlain reads a response's head, if it is plain and comes in time. If not, all that
// has been read is still in c.
func (f *fastConn) readPlain(c *upConn) bool {
	for {
		p, err := c.br.Peek(c.br.Buffered())
		if err != nil {
			return false
		}
		if i := bytes.Index(p, crlfcrlf); i >= 0 {
			f.res = plainResponse{}
			c.head = append(c.head[:0], p[:i+4]...)
			if !f.res.parse(c.head, f.req.head) {
				c.head = c.head[:0]
				return false
			}
			_, _ = c.br.Discard(i + 4) // it was peeked
			return true
		}
		if len(p) == c.br.Size() {
			return false
		}
		if _, err := c.br.Peek(len(p) + 1); err != nil {
			return false // net/http finds the same, and says so; or it waits on
		}
	}
}

// parse reads the whole head of a response to a request that was HEAD or not.
func (h *plainResponse) parse(head []byte, toHEAD bool) bool {
	const line = len("HTTP/1.1 200 \r\n")
	eol := bytes.IndexByte(head, '\n') + 1
	if eol < line-1 || string(head[:9]) != "HTTP/1.1 " || head[eol-2] != '\r' || head[12] != ' ' && head[12] != '\r' || !plainText(head[9:eol-2]) {
		return false
	}
	for _, c := range head[9:12] {
		if c < '0' || c > '9' {
			return false
		}
		h.status = h.status*10 + int(c-'0')
	}
	for head = head[eol:]; len(head) > 2; {
		i := bytes.IndexByte(head, '\n') + 1
		if i < 3 || head[i-2] != '\r' {
			return false
		}
		if !h.parseField(head[:i-2]) {
			return false
		}
		head = head[i:]
	}
	return h.frame(toHEAD)
}

// frame decides how the body is framed; it refuses what has no plain body.
func (h *plainResponse) frame(toHEAD bool) bool {
	switch {
	case h.chunks && (h.seen.length || h.status == http.StatusNoContent || h.status == http.StatusNotModified):
		return false // which is it?
	case h.status < 200, h.seen.length && (h.status == http.StatusNoContent || h.status == http.StatusNotModified):
		return false // a length without a body
	case toHEAD, h.status == http.StatusNoContent, h.status == http.StatusNotModified:
		h.length, h.chunks = 0, false
		return true
	}
	return h.seen.length || h.chunks
}

func (h *plainResponse) parseField(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return false
	}
	name, value := line[:i], trimBlanks(line[i+1:])
	for _, c := range name {
		if !tokens[c] {
			return false
		}
	}
	if !plainText(value) {
		return false
	}
	switch responseField(name) {
	case fieldPass, fieldDrop:
	case fieldLength:
		return h.setLength(value)
	case fieldConnection:
		return setConnection(value, &h.close)
	case fieldEncoding:
		if h.chunks || !equalFold(value, "chunked") {
			return false
		}
		h.chunks = true
	case fieldDate:
		h.seen.date = true
	case fieldRequestID:
		h.seen.id = true
	case fieldStrict:
		h.seen.strict = true
	default:
		return false
	}
	return true
}

// setLength takes one length: digits only (RFC 9110, 8.6).
func (h *plainResponse) setLength(v []byte) bool {
	if h.seen.length || len(v) == 0 || len(v) > 18 {
		return false
	}
	h.seen.length = true
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
		h.length = h.length*10 + int64(c-'0')
	}
	return true
}

// plainText reports whether v is free of control characters other than tab.
func plainText(v []byte) bool {
	for _, c := range v {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// relay sends the response on, and returns how much of its body went out. It
// gives the backend and its connection back as soon as nothing more is to be read there.
func (f *fastConn) relay(b *Backend, c *upConn, out []byte) (sent int64, err error) {
	f.res.last = f.req.close || f.router.draining.Load()
	out = f.appendHead(out, c.head)
	if f.res.chunks {
		r := &chunks{f: f, c: c, out: out}
		err := relayError(c.blame(r.relay()))
		f.giveBack(b, c, err == nil)
		return r.sent, err
	}
	left := f.res.length
	have := min(int64(c.br.Buffered()), left, int64(cap(out)-len(out)))
	if have > 0 {
		p, _ := c.br.Peek(int(have)) // it was buffered
		out = append(out, p...)
		_, _ = c.br.Discard(len(p)) // it was peeked
	}
	if left -= have; left == 0 {
		f.giveBack(b, c, true)
	}
	if _, err = f.c.Write(out); err != nil {
		err = fmt.Errorf("write response: %w", err)
	} else if left > 0 {
		var rest int64
		rest, err = f.relayBody(c, left, out[:cap(out)])
		have, err = have+rest, relayError(c.blame(err))
	}
	if left > 0 {
		f.giveBack(b, c, err == nil)
	}
	return have, err
}

// giveBack ends the use of a backend, whose response was read to its end or not.
func (f *fastConn) giveBack(b *Backend, c *upConn, complete bool) {
	if complete && !f.res.close {
		b.keep(c, f.router.limits.UpstreamIdle)
	} else {
		b.drop(c)
	}
	b.release()
}

// appendHead adds the head as the client gets it. What is left out of head was
// found valid by parse.
func (f *fastConn) appendHead(out, head []byte) []byte {
	for first := true; len(head) > 2; first = false {
		i := bytes.IndexByte(head, '\n') + 1
		line := head[:i]
		head = head[i:]
		if !first {
			if k := responseField(line[:bytes.IndexByte(line, ':')]); k == fieldDrop || k == fieldConnection || k == fieldEncoding {
				continue
			}
		}
		out = append(out, line...)
	}
	if !f.res.seen.id {
		out = append(append(append(out, "X-Request-Id: "...), f.req.id...), "\r\n"...)
	}
	if !f.res.seen.date {
		out = append(time.Now().UTC().AppendFormat(append(out, "Date: "...), http.TimeFormat), "\r\n"...)
	}
	if f.secure && f.router.hsts != "" && !f.res.seen.strict {
		out = append(append(append(out, "Strict-Transport-Security: "...), f.router.hsts...), "\r\n"...)
	}
	if f.res.chunks {
		out = append(out, "Transfer-Encoding: chunked\r\n"...)
	}
	if f.res.last {
		out = append(out, "Connection: close\r\n"...)
	}
	return append(out, "\r\n"...)
}

// relayBody sends n more bytes: by splice(2) from socket to socket where it
// can, else through buf.
func (f *fastConn) relayBody(c *upConn, n int64, buf []byte) (sent int64, err error) {
	to, spliced := f.client.Conn.(*net.TCPConn)
	spliced = spliced && !f.secure
	for sent < n {
		var m int64
		if spliced && c.br.Buffered() == 0 {
			m, err = to.ReadFrom(&io.LimitedReader{R: c.c, N: n - sent})
		} else {
			m, err = f.copySome(c, n-sent, buf)
		}
		sent += m
		if errors.Is(err, os.ErrDeadlineExceeded) && f.clientIsThere() {
			c.setDeadline(time.Now().Add(relayTick))
			continue
		}
		if err == nil && m == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// copySome sends what one read yields, n bytes at most.
func (f *fastConn) copySome(c *upConn, n int64, buf []byte) (int64, error) {
	m, err := c.br.Read(buf[:min(n, int64(len(buf)))])
	if m > 0 {
		if _, werr := f.c.Write(buf[:m]); werr != nil {
			return 0, werr
		}
		return int64(m), nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}

// clientIsThere reports whether the client has not closed its side, without waiting.
func (f *fastConn) clientIsThere() bool {
	if f.look.raw == nil {
		f.look.lookAt(f.client.Conn)
	}
	return !f.look.ended()
}
