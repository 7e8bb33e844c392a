package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"os"
	"strings"
	"sync"
)

// A rarity is a kind of request that httputil.ReverseProxy carries.
type rarity int

const (
	plain rarity = iota
	upgrade
	grpc
)

// rareKind tells the request's kind. An upgrade to another version of HTTP
// itself is none: the app behind could be made to speak it past the router.
func rareKind(req *http.Request) rarity {
	switch {
	case req.ProtoMajor == 1 && len(req.Header["Upgrade"]) == 1 && hasToken(req.Header["Connection"], "Upgrade"):
		to := strings.ToLower(strings.TrimSpace(req.Header["Upgrade"][0]))
		if to == "" || strings.HasPrefix(to, "h2") || strings.HasPrefix(to, "http") || strings.HasPrefix(to, "tls") {
			return plain
		}
		return upgrade
	case req.ProtoMajor == 2 && strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc"):
		return grpc
	}
	return plain
}

// forwardRare carries an upgrade or a gRPC call. It returns when both
// directions have ended, the client has left, or the backend is cut.
func (x *exchange) forwardRare(b *Backend, rt *route, kind rarity) *failure {
	ctx, cancel := context.WithCancel(x.req.Context())
	defer cancel()
	var fail *failure
	rec := &recorder{ResponseWriter: x.w, x: x}
	l := &rareLife{router: x.router, cancel: cancel, rec: rec}
	defer l.stop()
	defer context.AfterFunc(b.life, l.end)()
	defer context.AfterFunc(x.router.life, l.end)()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { l.wake = i.Conn.SetReadDeadline }})
	proxy := &httputil.ReverseProxy{
		Rewrite:   x.rewrite,
		Transport: x.rareTransport(b, kind),
		// Streams are flushed anyway. An answer that is all head, as an error of
		// gRPC is, must not be: its trailers are in the head, which ends the stream.
		FlushInterval: 0,
		ErrorLog:      log.New(io.Discard, "", 0), // it is in the access log
		ModifyResponse: func(res *http.Response) error {
			if res.Header.Get("X-Request-Id") == "" {
				res.Header.Set("X-Request-Id", x.id)
			}
			x.strict(res.Header)
			if res.StatusCode == http.StatusSwitchingProtocols {
				x.status = res.StatusCode // ReverseProxy writes that one to the connection itself
				l.upgrade(res)
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, _ *http.Request, err error) { fail = x.rareFailure(err) },
	}
	defer func() {
		if l.ended.Load() {
			x.note = errCut.Error()
		}
	}()
	req := x.req.WithContext(ctx)
	if rt.MaxBody > 0 {
		req.Body = http.MaxBytesReader(x.w, req.Body, rt.MaxBody)
	}
	proxy.ServeHTTP(rec, req)
	return fail
}

// rewrite gives a request of ReverseProxy the headers that writeHead writes.
func (x *exchange) rewrite(pr *httputil.ProxyRequest) {
	trusted := x.router.trusts(x.req.RemoteAddr)
	out := pr.Out
	keep := map[string][]string{}
	for _, k := range []string{"Connection", "Upgrade", "Te"} { // set by ReverseProxy itself
		if v := out.Header[k]; len(v) > 0 {
			keep[k] = v
		}
	}
	for k := range out.Header {
		if dropRequestHeader(k, trusted) {
			delete(out.Header, k)
		}
	}
	for k, v := range keep {
		out.Header[k] = v
	}
	f := x.forwarded(trusted)
	out.Header["X-Forwarded-For"] = []string{f.addr}
	out.Header["X-Forwarded-Proto"] = []string{f.proto}
	out.Header["X-Forwarded-Host"] = []string{f.host}
	out.Header["X-Forwarded-Port"] = []string{f.port}
	out.Header["X-Request-Id"] = []string{x.id}
	out.Header["X-Request-Start"] = []string{f.start}
	out.Header["Via"] = []string{f.via}
	out.URL.Scheme, out.URL.Host = "http", "backend"
	out.URL.RawQuery = pr.In.URL.RawQuery // verbatim: nothing is decided by it here
	out.Host = pr.In.Host
}

func (x *exchange) rareFailure(err error) *failure {
	f := &failure{err: fmt.Errorf("forward: %w", err), page: x.gonePage(pageBadGateway)}
	var op *net.OpError
	var ne net.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		f.page = pageTooLarge
	case errors.As(err, &op) && op.Op == "dial":
		f.unsent = true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		f.page = x.gonePage(pageTimeout)
	}
	return f
}

func (x *exchange) rareTransport(b *Backend, kind rarity) *http.Transport {
	b.rare.mu.Lock()
	defer b.rare.mu.Unlock()
	slot := &b.rare.upgrade
	if kind == grpc {
		slot = &b.rare.grpc
	}
	if *slot != nil && (*slot).ResponseHeaderTimeout == x.patience {
		return *slot
	}
	if *slot != nil {
		(*slot).CloseIdleConnections() // the time limit has been changed
	}
	l := x.router.limits
	t := &http.Transport{
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return b.dial(ctx, l.Dial) },
		DisableCompression:    true,
		IdleConnTimeout:       l.UpstreamIdle,
		MaxIdleConnsPerHost:   maxIdleConns,
		ResponseHeaderTimeout: x.patience,
	}
	t.Protocols = new(http.Protocols)
	if kind == grpc {
		t.Protocols.SetUnencryptedHTTP2(true)
	} else {
		t.Protocols.SetHTTP1(true)
	}
	*slot = t
	return t
}

// A recorder notes what net/http's own handlers answer.
type recorder struct {
	http.ResponseWriter
	x *exchange

	mu       sync.Mutex
	hijacked net.Conn
}

// Hijack takes the client's connection for an upgrade.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hijacked = c
	return c, rw, err
}

func (r *recorder) closeHijacked() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hijacked != nil {
		_ = r.hijacked.Close() // its time is over
	}
}

// Unwrap lets http.ResponseController find what is beneath.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		r.x.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write counts the body.
func (r *recorder) Write(p []byte) (int, error) {
	if r.x.status == 0 {
		r.x.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.x.bytes += int64(n)
	return n, err
}

// ReadFrom counts the body and keeps sendfile(2) for static files.
func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(r.ResponseWriter, src)
	r.x.bytes += n
	return n, err
}
