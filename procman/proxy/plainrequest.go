package proxy

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// A plainRequest is what the fast path needs to know of a request. Its slices
// are parts of the head that it was parsed from.
type plainRequest struct {
	method string
	target []byte
	host   []byte // as the client wrote it
	name   []byte // host without the port
	port   []byte
	id     []byte // nil: none, or none that can be taken
	size   int    // of the head
	length int    // of the body
	head   bool   // the method is HEAD
	close  bool   // the client will not send another request
}

// plainMethods are those that the fast path knows.
var plainMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

const plainVersion = " HTTP/1.1\r\n"

// parse reads head, which ends with an empty line, and appends to out what of it is
// for the app, without the empty line. It is not ok for everything that
// is not plain. What it takes, http.ReadRequest takes with the same meaning.
func (q *plainRequest) parse(head, out []byte) (_ []byte, ok bool) {
	*q = plainRequest{size: len(head), length: -1}
	eol := bytes.IndexByte(head, '\n') + 1
	if !q.parseLine(head[:eol]) {
		return out, false
	}
	out = append(out, head[:eol]...)
	for head = head[eol:]; len(head) > 2; {
		i := bytes.IndexByte(head, '\n') + 1
		if i < 3 || head[i-2] != '\r' {
			return out, false
		}
		line := head[:i]
		head = head[i:]
		pass, ok := q.parseField(line[:i-2])
		if !ok {
			return out, false
		}
		if pass {
			out = append(out, line...)
		}
	}
	if q.name == nil || q.length > 0 && (q.head || q.method == "GET") {
		return out, false
	}
	q.length = max(q.length, 0)
	return out, string(head) == "\r\n"
}

// parseLine reads the request line, its end included.
func (q *plainRequest) parseLine(line []byte) bool {
	line, ok := bytes.CutSuffix(line, []byte(plainVersion))
	i := bytes.IndexByte(line, ' ')
	if !ok || i < 0 {
		return false
	}
	for _, m := range plainMethods {
		if string(line[:i]) == m {
			q.method, q.head = m, m == "HEAD"
		}
	}
	q.target = line[i+1:]
	return q.method != "" && plainTarget(q.target)
}

// plainTarget reports whether t is a path with or without a query, of
// characters that nobody reads in two ways.
func plainTarget(t []byte) bool {
	if len(t) == 0 || t[0] != '/' {
		return false
	}
	for i, c := range t {
		switch classes[c] {
		case plainByte:
		case percentByte:
			if i+2 >= len(t) || !hexDigit(t[i+1]) || !hexDigit(t[i+2]) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// parseField reads one field line and tells whether it is for the app.
func (q *plainRequest) parseField(line []byte) (pass, ok bool) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return false, false
	}
	name := line[:i]
	for _, c := range name {
		if !tokens[c] || c == '_' { // an underscore is a dash to some
			return false, false
		}
	}
	value := trimBlanks(line[i+1:])
	for _, c := range value {
		if c < ' ' && c != '\t' || c >= 0x7f {
			return false, false
		}
	}
	switch requestField(name) {
	case fieldPass:
		return true, true
	case fieldDrop:
		return false, true
	case fieldHost:
		return true, q.setHost(value)
	case fieldLength:
		return true, q.setLength(value)
	case fieldConnection:
		return false, setConnection(value, &q.close)
	case fieldRequestID:
		if q.id != nil { // which one is meant?
			return false, false
		}
		if q.id = value; !validRequestID(value) {
			q.id = value[:0]
		}
		return false, true
	}
	return false, false
}

func (q *plainRequest) setHost(v []byte) bool {
	if q.host != nil || len(v) == 0 || v[0] == '[' {
		return false
	}
	q.host, q.name = v, v
	if i := bytes.IndexByte(v, ':'); i >= 0 {
		q.name, q.port = v[:i], v[i+1:]
		if len(q.port) == 0 || len(q.port) > 5 {
			return false
		}
		for _, c := range q.port {
			if c < '0' || c > '9' {
				return false
			}
		}
	}
	return true // only a name that has a route is served, so that others need no look here
}

// setLength takes one length in its canonical form, of a body that a buffer could hold.
func (q *plainRequest) setLength(v []byte) bool {
	if q.length >= 0 || len(v) == 0 || len(v) > 5 || len(v) > 1 && v[0] == '0' {
		return false
	}
	q.length = 0
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
		q.length = q.length*10 + int(c-'0')
	}
	return true
}

// setConnection takes the two plain words of Connection.
func setConnection(v []byte, closes *bool) bool {
	if equalFold(v, "close") {
		*closes = true
		return true
	}
	return equalFold(v, "keep-alive")
}

// appendForwarded adds what the app is told of the client, and the end of the head.
func (f *fastConn) appendForwarded(out []byte, start time.Time) []byte {
	q := &f.req
	proto, port := "http", "80"
	if f.secure {
		proto, port = "https", "443"
	}
	out = append(append(out, "X-Forwarded-For: "...), f.addr...)
	out = append(append(out, "\r\nX-Forwarded-Proto: "...), proto...)
	out = append(append(out, "\r\nX-Forwarded-Host: "...), q.host...)
	out = append(out, "\r\nX-Forwarded-Port: "...)
	if len(q.port) > 0 {
		out = append(out, q.port...)
	} else {
		out = append(out, port...)
	}
	out = append(append(out, "\r\nX-Request-Id: "...), q.id...)
	out = strconv.AppendInt(append(out, "\r\nX-Request-Start: t="...), start.UnixMilli(), 10)
	return append(out, "\r\nVia: "+viaHTTP11+"\r\n\r\n"...)
}

// hostOnly returns the address of "address:port", "unknown" where there is none (RFC 7239, 6.2).
func hostOnly(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i > 0 {
		return strings.Trim(remote[:i], "[]")
	}
	return "unknown"
}
