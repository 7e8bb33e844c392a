package proxy

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// refuse returns why a request that net/http let through must not reach an
// app, "" for nothing.
func refuse(req *http.Request) string {
	if !validName(req.Method) { // HTTP/2 lets anything through, which would end the request line in HTTP/1.1
		return "the method is not a token"
	}
	if req.Method == http.MethodConnect {
		return "CONNECT is not served here"
	}
	for _, c := range []byte(req.RequestURI) {
		if c <= ' ' || c == 0x7f { // HTTP/2 lets a blank through, which would end the target in HTTP/1.1
			return "the request target has a blank or control character"
		}
		if c == '#' {
			return "the request target has a fragment"
		}
	}
	if req.ProtoMajor == 1 && len(req.Header["Upgrade"]) > 1 {
		return "more than one Upgrade header"
	}
	return ""
}

// target returns the request target in origin form (RFC 9112, 3.2.1), as the
// client wrote it wherever it did.
func target(req *http.Request) string {
	if strings.HasPrefix(req.RequestURI, "/") || req.RequestURI == "*" {
		return req.RequestURI
	}
	return req.URL.RequestURI()
}

// writeHead writes the request's head without flushing it. It reports whether
// the app is asked to agree to the body first. Errors stay in bw.
func (x *exchange) writeHead(bw *bufio.Writer) (expect bool) {
	req := x.req
	put(bw, req.Method, " ", target(req), " HTTP/1.1\r\nHost: ", req.Host, "\r\n")
	named := connectionNames(req.Header)
	trusted := x.router.trusts(req.RemoteAddr)
	for k, vv := range req.Header {
		if dropRequestHeader(k, trusted) || (named != nil && named[k]) {
			continue
		}
		for _, v := range vv {
			put(bw, k, ": ", v, "\r\n")
		}
	}
	if hasToken(req.Header["Te"], "trailers") {
		put(bw, "TE: trailers\r\n")
	}
	f := x.forwarded(trusted)
	put(bw, "X-Forwarded-For: ", f.addr, "\r\nX-Forwarded-Proto: ", f.proto, "\r\nX-Forwarded-Host: ", f.host,
		"\r\nX-Forwarded-Port: ", f.port, "\r\nX-Request-Id: ", x.id, "\r\nX-Request-Start: ", f.start, "\r\nVia: ", f.via, "\r\n")
	switch n := req.ContentLength; {
	case n > 0:
		put(bw, "Content-Length: ", strconv.FormatInt(n, 10), "\r\n")
	case n < 0:
		put(bw, "Transfer-Encoding: chunked\r\n")
		for name := range req.Trailer {
			if !forbiddenTrailer(name) {
				put(bw, "Trailer: ", name, "\r\n")
			}
		}
	case req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH":
		put(bw, "Content-Length: 0\r\n")
	}
	if expect = req.ContentLength != 0 && hasToken(req.Header["Expect"], "100-continue"); expect {
		put(bw, "Expect: 100-continue\r\n")
	}
	put(bw, "\r\n")
	return expect
}

// put writes strings; an error stays in bw, which Flush returns.
func put(bw *bufio.Writer, parts ...string) {
	for _, p := range parts {
		_, _ = bw.WriteString(p) // sticky in bw
	}
}

// awaitContinue waits for the app's word on a body. It reports whether the app
// has given its final answer instead.
func (x *exchange) awaitContinue(c *upConn) (final bool, err error) {
	c.setDeadline(time.Now().Add(x.router.limits.Continue))
	defer c.setDeadline(time.Time{})
	const status = len("HTTP/1.1 100")
	line, err := c.br.Peek(status)
	if errors.Is(err, os.ErrDeadlineExceeded) && len(line) == 0 {
		return false, nil // the app does not know of it
	}
	if err != nil {
		return false, err
	}
	if string(line[status-3:]) != "100" {
		return line[status-3] != '1', nil
	}
	_, err = c.readHead(maxResponseHead)
	return false, err
}

// connectionNames returns the headers that Connection names, which end here.
func connectionNames(h http.Header) map[string]bool {
	vv := h["Connection"]
	if len(vv) == 0 || len(vv) == 1 && (strings.EqualFold(vv[0], "keep-alive") || strings.EqualFold(vv[0], "close")) {
		return nil
	}
	names := map[string]bool{}
	for _, v := range vv {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names[http.CanonicalHeaderKey(name)] = true
			}
		}
	}
	return names
}

// hopByHop reports whether the header is about one connection only (RFC 9110, 7.6.1).
func hopByHop(k string) bool {
	switch k {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// forbiddenTrailer reports whether a trailer could change how the message is
// framed, routed or trusted (RFC 9110, 6.5.1), and so is not passed on.
func forbiddenTrailer(k string) bool {
	switch k {
	case "Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Host", "Authorization", "Cookie", "Set-Cookie", "Expect":
		return true
	}
	return dropRequestHeader(k, false) || strings.HasPrefix(k, "If-")
}
