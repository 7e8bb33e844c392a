package proxy

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// challengePath is where a certificate authority looks for its proof (RFC 8555, 8.3).
const challengePath = "/.well-known/acme-challenge/"

// RedirectHTTPS sends every plain request for a known host to the same address
// on https, at port, from its return on. Requests below
// /.well-known/acme-challenge/ stay: an authority asks for them without TLS.
func (r *Router) RedirectHTTPS(port string) { r.httpsPort.Store(&port) }

// challenge lets Options.Challenge answer an authority's question.
func (r *Router) challenge(w http.ResponseWriter, req *http.Request) bool {
	return r.opts.Challenge != nil && req.TLS == nil && strings.HasPrefix(req.URL.Path, challengePath) && r.opts.Challenge(w, req)
}

// toHTTPS answers a plain request with its https address, if that is wanted.
func (x *exchange) toHTTPS() bool {
	port := x.router.httpsPort.Load()
	if port == nil || x.secure() || strings.HasPrefix(x.req.URL.Path, challengePath) {
		return false
	}
	host := x.host // with brackets around an IPv6 address
	if *port != "443" {
		host += ":" + *port
	}
	h := x.w.Header()
	h.Set("Location", "https://"+host+target(x.req))
	h.Set("X-Request-Id", x.id)
	h.Set("Content-Length", "0")
	if x.req.ContentLength != 0 { // a body that is not read ends the connection
		h.Set("Connection", "close")
	}
	x.status = http.StatusPermanentRedirect // unlike 301 it keeps the method
	x.w.WriteHeader(x.status)
	return true
}

// secure reports whether the client speaks TLS, to the router or to a trusted
// proxy before it.
func (x *exchange) secure() bool {
	if x.req.TLS != nil {
		return true
	}
	return x.router.trusts(x.req.RemoteAddr) && strings.EqualFold(first(x.req.Header["X-Forwarded-Proto"]), "https")
}

// strict adds Strict-Transport-Security (RFC 6797) to the headers of a
// response over TLS, unless the app has set its own.
func (x *exchange) strict(h http.Header) {
	const key = "Strict-Transport-Security"
	if x.router.hsts != "" && x.req.TLS != nil && len(h[key]) == 0 {
		h[key] = []string{x.router.hsts}
	}
}

func hstsValue(age time.Duration) string {
	if age <= 0 {
		return ""
	}
	return "max-age=" + strconv.FormatInt(int64(age/time.Second), 10)
}
