package proxy

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// forwarded is what an app is told about the client's side of a request.
type forwarded struct {
	addr, proto, host, port, start, via string
}

// trusts reports whether the peer's word on the client before it is taken.
func (r *Router) trusts(remote string) bool {
	if len(r.opts.TrustedProxies) == 0 {
		return false
	}
	return contains(r.opts.TrustedProxies, peerAddr(remote))
}

func contains(nets []netip.Prefix, a netip.Addr) bool {
	for _, p := range nets {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// peerAddr returns the address in "host:port", the zero one if there is none.
func peerAddr(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // a unix socket's peer has none
	}
	return ap.Addr().Unmap().WithZone("")
}

// forwarded returns the values for the request, those of a trusted proxy where it sent valid ones.
func (x *exchange) forwarded(trusted bool) forwarded {
	req := x.req
	f := forwarded{proto: "http", host: req.Host, via: viaHTTP11, start: "t=" + strconv.FormatInt(x.start.UnixMilli(), 10)}
	if req.TLS != nil {
		f.proto = "https"
	}
	if req.ProtoMajor == 2 {
		f.via = "2.0 hop3"
	} else if req.ProtoMinor == 0 {
		f.via = "1.0 hop3"
	}
	if before := req.Header["Via"]; len(before) > 0 {
		f.via = strings.Join(before, ", ") + ", " + f.via
	}
	f.addr = "unknown" // RFC 7239, 6.2
	if i := strings.LastIndexByte(req.RemoteAddr, ':'); i > 0 {
		f.addr = strings.Trim(req.RemoteAddr[:i], "[]")
	}
	if trusted {
		f.believe(req.Header)
	}
	if f.port == "" {
		f.port = hostPort(f.host, f.proto)
	}
	return f
}

const viaHTTP11 = "1.1 hop3"

// believe takes over what a trusted proxy says, as far as it is well formed.
func (f *forwarded) believe(h http.Header) {
	if chain := forwardedFor(h["X-Forwarded-For"]); chain != "" {
		f.addr = chain + ", " + f.addr
	}
	if p := strings.ToLower(first(h["X-Forwarded-Proto"])); p == "http" || p == "https" {
		f.proto = p
	}
	if v := first(h["X-Forwarded-Host"]); normalizeHost(v) != "" {
		f.host = v
	}
	if v := first(h["X-Forwarded-Port"]); v != "" && validPort(":"+v) {
		f.port = v
	}
	if v := first(h["X-Request-Start"]); validStart(v) {
		f.start = v
	}
}

// forwardedFor joins the address lists of X-Forwarded-For, without what cannot be an address.
func forwardedFor(values []string) string {
	var chain []string
	for _, v := range values {
		for e := range strings.SplitSeq(v, ",") {
			if e = strings.TrimSpace(e); validHop(e) {
				chain = append(chain, e)
			}
		}
	}
	return strings.Join(chain, ", ")
}

// validHop reports whether e is an address, an address with a port, or one of
// the words that RFC 7239 has for a hidden one.
func validHop(e string) bool {
	if e == "unknown" {
		return true
	}
	if _, err := netip.ParseAddr(strings.Trim(e, "[]")); err == nil {
		return true
	}
	_, err := netip.ParseAddrPort(e)
	return err == nil
}

// first returns the first element of the first value of a list header.
func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	v, _, _ := strings.Cut(values[0], ",")
	return strings.TrimSpace(v)
}

// validStart reports whether v is a time as X-Request-Start has it: digits, after "t=" or not.
func validStart(v string) bool {
	v = strings.TrimPrefix(v, "t=")
	if len(v) == 0 || len(v) > 20 {
		return false
	}
	return strings.Trim(v, "0123456789.") == ""
}

// hostPort returns the port that the client used, by its Host header.
func hostPort(host, proto string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i+1 < len(host) && !strings.HasSuffix(host, "]") {
		return host[i+1:]
	}
	if proto == "https" {
		return "443"
	}
	return "80"
}

// dropRequestHeader reports whether a request's header does not reach the app
// as it came: it is for this connection only, it frames the body, the router
// sets it itself, or it is one that only a trusted proxy may send. An
// underscore counts as a dash, because CGI, WSGI and Rack cannot tell them apart.
func dropRequestHeader(k string, trusted bool) bool {
	if len(k) == 0 || hopByHop(k) {
		return true
	}
	switch k[0] {
	case 'X', 'x', 'F', 'V', 'H', 'C', 'E', 'P', 'T', 'K', 'U':
	default:
		return false
	}
	if strings.IndexByte(k, '_') >= 0 {
		k = http.CanonicalHeaderKey(strings.ReplaceAll(k, "_", "-"))
		if hopByHop(k) {
			return true
		}
	}
	switch k {
	case "Content-Length", "Host", "Expect", "Via", "Proxy", // Proxy: CGI would read it as HTTP_PROXY
		"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Request-Id", "X-Request-Start":
		return true
	case "Forwarded", "X-Real-Ip":
		return !trusted
	}
	return !trusted && strings.HasPrefix(k, "X-Forwarded-")
}

// acceptRequestID returns the client's request id if it is harmless, else a new one.
func acceptRequestID(h http.Header) string {
	if v := h["X-Request-Id"]; len(v) == 1 && validRequestID(v[0]) {
		return v[0]
	}
	var id [requestIDSize]byte
	return string(appendID(id[:0]))
}

// requestIDSize is the length of the router's own ids: 128 bits in hexadecimal.
const requestIDSize = 32

// appendID adds a new request id. It need not be secret, only unlike all others.
func appendID(b []byte) []byte {
	var id [requestIDSize / 2]byte
	binary.BigEndian.PutUint64(id[:8], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	return hex.AppendEncode(b, id[:])
}

// validRequestID reports whether id matches [A-Za-z0-9_.-]{1,128}.
func validRequestID[S string | []byte](id S) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}
