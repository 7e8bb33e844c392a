package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errMalformed is returned for a response that is not HTTP/1.
var errMalformed = errors.New("malformed response")

// A head is what the router needs to know of a response's head.
type head struct {
	status  int
	length  int64 // -1: not said
	chunked bool
	close   bool // the connection cannot be used again
	trailer bool // trailers were announced
}

// readResponse reads heads until the final one, whose headers it puts into the
// client's response. Interim ones are passed on.
func (x *exchange) readResponse(c *upConn) (head, error) {
	left := maxResponseHead
	for {
		raw, err := c.readHead(left)
		if err != nil {
			return head{}, err
		}
		left -= len(raw)
		h, fields, err := parseStatus(raw)
		if err != nil {
			return head{}, err
		}
		if h.status >= 200 {
			return h, h.parseFields(fields, x.w.Header())
		}
		if h.status == http.StatusSwitchingProtocols {
			return head{}, fmt.Errorf("%w: 101 without an upgrade", errMalformed)
		}
		if err := x.interim(h, fields); err != nil {
			return head{}, err
		}
	}
}

// interim passes on a 1xx response, but 100: net/http has sent that itself if
// the client was waiting for it.
func (x *exchange) interim(h head, fields string) error {
	hints := http.Header{}
	if err := h.parseFields(fields, hints); err != nil {
		return err
	}
	if h.status == http.StatusContinue || !x.req.ProtoAtLeast(1, 1) {
		return nil
	}
	own := x.w.Header()
	for k, vv := range hints {
		own[k] = vv
	}
	x.w.WriteHeader(h.status)
	for k := range hints {
		delete(own, k)
	}
	return nil
}

// parseStatus takes the status line off a head.
func parseStatus(raw string) (h head, fields string, err error) {
	h.length = -1
	line, fields, _ := strings.Cut(raw, "\n")
	line = strings.TrimSuffix(line, "\r")
	const status = len("HTTP/1.1 ")
	if len(line) < status+3 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return h, "", fmt.Errorf("%w: status line", errMalformed)
	}
	if len(line) > status+3 && line[status+3] != ' ' {
		return h, "", fmt.Errorf("%w: status line", errMalformed)
	}
	for _, c := range []byte(line[status : status+3]) {
		if c < '0' || c > '9' {
			return h, "", fmt.Errorf("%w: status", errMalformed)
		}
		h.status = h.status*10 + int(c-'0')
	}
	if h.status < 100 {
		return h, "", fmt.Errorf("%w: status", errMalformed)
	}
	h.close = line[7] == '0'
	return h, fields, nil
}

// parseFields puts the end-to-end headers into dst and the framing into h. All
// values are parts of one string, so that a head costs two allocations.
func (h *head) parseFields(fields string, dst http.Header) error {
	values := make([]string, 0, strings.Count(fields, "\n"))
	var connection []string
	for len(fields) > 0 {
		line, rest, _ := strings.Cut(fields, "\n")
		fields = rest
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			break
		}
		name, v, ok := strings.Cut(line, ":")
		if !ok || !validName(name) {
			return fmt.Errorf("%w: header line", errMalformed)
		}
		k, v := http.CanonicalHeaderKey(name), strings.Trim(v, " \t")
		if !validValue(v) {
			return fmt.Errorf("%w: header value", errMalformed)
		}
		switch k {
		case "Content-Length":
			n, err := parseLength(v)
			if err != nil || h.length >= 0 && n != h.length {
				return fmt.Errorf("%w: content length", errMalformed)
			}
			if h.length = n; len(dst[k]) > 0 {
				continue
			}
		case "Transfer-Encoding":
			if h.chunked || !strings.EqualFold(v, "chunked") {
				return fmt.Errorf("%w: transfer encoding", errMalformed)
			}
			h.chunked = true
			continue
		case "Connection":
			connection = append(connection, v)
			continue
		case "Trailer":
			h.announce(v, dst)
			continue
		case "Keep-Alive", "Proxy-Connection", "Upgrade", "Te", "Proxy-Authenticate", "Proxy-Authorization":
			continue
		}
		if old := dst[k]; len(old) > 0 {
			dst[k] = append(old, v)
			continue
		}
		values = append(values, v)
		dst[k] = values[len(values)-1 : len(values) : len(values)]
	}
	h.endHops(connection, dst)
	return nil
}

// endHops removes what Connection names, and decides the framing.
func (h *head) endHops(connection []string, dst http.Header) {
	for k := range connectionNames(http.Header{"Connection": connection}) {
		if k != "Close" && k != "Keep-Alive" && k != "Content-Length" {
			delete(dst, k)
		}
	}
	if hasToken(connection, "close") {
		h.close = true
	}
	if h.chunked && h.length >= 0 { // RFC 9112, 6.3: chunked wins, and the connection is not to be trusted
		delete(dst, "Content-Length")
		h.length, h.close = -1, true
	}
}

// announce passes on which trailers will come.
func (h *head) announce(v string, dst http.Header) {
	for name := range strings.SplitSeq(v, ",") {
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if !forbiddenTrailer(name) {
			h.trailer = true
			dst["Trailer"] = append(dst["Trailer"], name)
		}
	}
}

// parseLength parses a Content-Length: digits only (RFC 9110, 8.6).
func parseLength(v string) (int64, error) {
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil || v[0] == '+' {
		return 0, errMalformed
	}
	return int64(n), nil
}

// relay sends the response on. It aborts the exchange when the body cannot be
// completed.
func (x *exchange) relay(c *upConn, h head) {
	hdr := x.w.Header()
	if len(hdr["X-Request-Id"]) == 0 {
		hdr["X-Request-Id"] = []string{x.id}
	}
	if len(hdr["Content-Type"]) == 0 {
		hdr["Content-Type"] = nil // net/http must not guess one
	}
	x.strict(hdr)
	x.status = h.status
	x.w.WriteHeader(h.status)
	if x.req.Method == "HEAD" || h.status == http.StatusNoContent || h.status == http.StatusNotModified {
		return
	}
	var err error
	switch {
	case h.chunked:
		err = x.copyChunked(c, h)
	case h.length >= 0:
		err = x.copyLength(c, h.length)
	default:
		err = x.copyToEnd(c)
	}
	if err != nil {
		x.abort(c.blame(err))
	}
}

// copyLength relays a body of n bytes: what is buffered in one write, and the
// rest by splice(2) where both sides are plain TCP.
func (x *exchange) copyLength(c *upConn, n int64) error {
	if have := min(int64(c.br.Buffered()), n); have > 0 {
		p, err := c.br.Peek(int(have))
		if err == nil {
			err = x.write(p)
		}
		if err != nil {
			return err
		}
		_, _ = c.br.Discard(int(have)) // it was peeked
		n -= have
	}
	if n == 0 {
		return nil
	}
	c.setDeadline(time.Time{})
	rest := &io.LimitedReader{R: c.c, N: n}
	rf, ok := x.w.(io.ReaderFrom)
	if !ok || x.req.ProtoMajor != 1 {
		return x.pump(rest, func() bool { return true }, func() error {
			if rest.N > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
	}
	m, err := rf.ReadFrom(rest)
	x.bytes += m
	if err == nil && m < n {
		err = io.ErrUnexpectedEOF
	}
	return relayError(err)
}

func (x *exchange) copyChunked(c *upConn, h head) error {
	c.setDeadline(time.Time{})
	drained := func() bool { return c.br.Buffered() == 0 }
	if drained() {
		if err := x.flush(); err != nil {
			return err
		}
	}
	if err := x.pump(httputil.NewChunkedReader(c.br), drained, func() error { return nil }); err != nil {
		return err
	}
	return x.copyTrailer(c, h)
}

// copyTrailer reads the trailer section, an empty line as a rule, and passes it on.
func (x *exchange) copyTrailer(c *upConn, h head) error {
	left := maxTrailer
	for {
		line, err := c.br.ReadString('\n')
		if left -= len(line); err == nil && left < 0 {
			err = errHeadTooLarge
		}
		if err != nil {
			return fmt.Errorf("read trailer: %w", err)
		}
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return nil
		}
		name, v, ok := strings.Cut(line, ":")
		if !ok || !validName(name) {
			return fmt.Errorf("%w: trailer", errMalformed)
		}
		k := http.CanonicalHeaderKey(name)
		if forbiddenTrailer(k) {
			continue
		}
		if !h.trailer || !slices.Contains(x.w.Header()["Trailer"], k) {
			k = http.TrailerPrefix + k
		}
		x.w.Header()[k] = append(x.w.Header()[k], strings.Trim(v, " \t"))
	}
}

// copyToEnd relays a body that ends with the connection.
func (x *exchange) copyToEnd(c *upConn) error {
	c.setDeadline(time.Time{})
	drained := func() bool { return c.br.Buffered() == 0 }
	if drained() {
		if err := x.flush(); err != nil {
			return err
		}
	}
	defer c.close()
	return x.pump(c.br, drained, func() error { return nil })
}

// pump copies until src ends, and flushes whenever flushNow says that nothing
// more is there to be had without waiting. atEnd judges the end.
func (x *exchange) pump(src io.Reader, flushNow func() bool, atEnd func() error) error {
	buf := buffers.Get().(*[copyBuffer]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(buf[:])
		if n > 0 {
			if e := x.write(buf[:n]); e != nil {
				return e
			}
			if flushNow() && err == nil {
				if e := x.flush(); e != nil {
					return e
				}
			}
		}
		if err == io.EOF {
			return relayError(atEnd())
		}
		if err != nil {
			return relayError(err)
		}
	}
}

func (x *exchange) write(p []byte) error {
	n, err := x.w.Write(p)
	x.bytes += int64(n)
	if err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	return nil
}

func (x *exchange) flush() error {
	if err := http.NewResponseController(x.w).Flush(); err != nil {
		return fmt.Errorf("flush response: %w", err)
	}
	return nil
}

func relayError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("relay response: %w", err)
}
