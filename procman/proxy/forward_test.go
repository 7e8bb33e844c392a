package proxy

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// showHeaders answers with the request's headers, one per line, sorted.
func showHeaders(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s host=%s\n", r.Method, r.RequestURI, r.Host)
	for _, k := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(w, "%s: %s\n", k, strings.Join(r.Header[k], "|"))
	}
}

const forgery = "X-Forwarded-For: 6.6.6.6, bad stuff\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: forged.test\r\nX-Forwarded-Port: 9\r\n" +
	"X-Forwarded-User: root\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Request-Start: t=1\r\nX_Forwarded_For: 7.7.7.7\r\nX-Forwarded_User: root\r\n" +
	"Proxy: http://evil\r\nX_Real_IP: 7.7.7.7\r\nX-Request-Id: bad id\r\nConnection: X-Named\r\nX-Named: x\r\nKeep-Alive: 5\r\nProxy-Authorization: x\r\nTE: trailers, gzip\r\nUpgrade: foo\r\n"

func TestForwarded_ForgedHeadersAreStripped(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", showHeaders)}})
	_, got := f.send(t, "GET /p?a;b=%2f HTTP/1.1\r\nHost: blog.test:8080\r\nVia: 1.0 cache\r\nX-Keep: me\r\nX-Keep: too\r\n"+forgery+"\r\n")
	for _, bad := range []string{"6.6.6.6", "7.7.7.7", "forged", "root", "evil", "X-Named", "Keep-Alive", "Proxy-Auth", "bad id", "gzip", "Upgrade", "t=1\n", "_"} {
		if strings.Contains(got, bad) {
			t.Errorf("the app saw %q in\n%s", bad, got)
		}
	}
	for _, good := range []string{"GET /p?a;b=%2f host=blog.test:8080\n", "X-Forwarded-For: 127.0.0.1\n", "X-Forwarded-Proto: http\n", "X-Forwarded-Host: blog.test:8080\n",
		"X-Forwarded-Port: 8080\n", "Via: 1.0 cache, 1.1 hop3\n", "X-Request-Start: t=", "X-Keep: me|too\n", "Te: trailers\n", "X-Request-Id: "} {
		wantContains(t, got, good)
	}
}

func TestForwarded_TrustedProxyIsBelieved(t *testing.T) {
	f := startFront(t, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", showHeaders)}})
	_, got := f.send(t, "GET / HTTP/1.1\r\nHost: blog.test\r\n"+forgery+"\r\n")
	for _, good := range []string{"X-Forwarded-For: 6.6.6.6, 127.0.0.1\n", "X-Forwarded-Proto: https\n", "X-Forwarded-Host: forged.test\n",
		"X-Forwarded-Port: 9\n", "X-Forwarded-User: root\n", "X-Real-Ip: 6.6.6.6\n", "X-Request-Start: t=1\n"} {
		wantContains(t, got, good)
	}
}

func TestForwarded_DefaultPort(t *testing.T) {
	for _, c := range [][3]string{{"a.test", "http", "80"}, {"a.test", "https", "443"}, {"a.test:1", "https", "1"}, {"[::1]", "http", "80"}, {"[::1]:8", "http", "8"}} {
		if got := hostPort(c[0], c[1]); got != c[2] {
			t.Errorf("%v: %s", c, got)
		}
	}
}

func TestHTTP2_PriorKnowledge(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", showHeaders)}})
	res, err := newH2C(t).Do(f.request(t, "GET", "/x", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.ProtoMajor != 2 {
		t.Errorf("answered by %s", res.Proto)
	}
	wantContains(t, string(body), "GET /x host=blog.test\n")
	wantContains(t, string(body), "Via: 2.0 hop3\n")
}

func TestHTTP2_GRPC(t *testing.T) {
	f := startFront(t, Options{})
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	l := listen(t)
	s := &http.Server{Protocols: p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Content-Type", "application/grpc")
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				break
			}
		}
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		w.Header().Set(http.TrailerPrefix+"Grpc-Message", r.Proto+r.Header.Get("Te")+r.Header.Get("X-Forwarded-For"))
	})}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	t.Cleanup(func() { s.Close(); <-done })
	b := NewBackend("web.1", l.Addr().String())
	f.point(t, Route{Backends: []*Backend{b}})
	pr, pw := io.Pipe()
	req := f.request(t, "POST", "/svc/Echo", pr)
	req.Header.Set("Content-Type", "application/grpc+proto")
	req.Header.Set("Te", "trailers")
	go io.WriteString(pw, "first")
	res, err := newH2C(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 5)
	if _, err := io.ReadFull(res.Body, buf); err != nil || string(buf) != "first" {
		t.Fatalf("stream: %q %v", buf, err)
	}
	pw.Close()
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Error(err)
	}
	if res.Trailer.Get("Grpc-Status") != "0" || res.Trailer.Get("Grpc-Message") != "HTTP/2.0trailers127.0.0.1" {
		t.Errorf("trailer: %v", res.Trailer)
	}
}

func TestRetry_AnotherBackendWhenNothingWasSent(t *testing.T) {
	f := startFront(t, Options{})
	l := listen(t)
	dead := NewBackend("web.1", l.Addr().String())
	l.Close()
	f.point(t, Route{Backends: []*Backend{dead, startApp(t, "web.2", say("alive"))}})
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS"} {
		for range 4 {
			dead.suspectUntil.Store(0) // so that it is tried
			res, _ := do(t, f.request(t, method, "/", nil))
			wantStatus(t, res, 200)
		}
	}
	refused := 0
	for range 4 {
		dead.suspectUntil.Store(0)
		if res, _ := do(t, f.request(t, "POST", "/", nil)); res.StatusCode == 502 {
			refused++
		}
	}
	if refused == 0 {
		t.Error("POST was retried")
	}
	dead.suspect()
	for range 4 { // who refused lately is not asked
		res, _ := do(t, f.request(t, "POST", "/", nil))
		wantStatus(t, res, 200)
	}
	if dead.InFlight() != 0 {
		t.Errorf("in flight at the dead: %d", dead.InFlight())
	}
}

func TestRetry_NotOnceTheRequestWasSent(t *testing.T) {
	f := startFront(t, Options{})
	var asked atomic.Int64
	hangUp := func(_ net.Conn, br *bufio.Reader) {
		if readRequest(br) != nil {
			asked.Add(1)
		}
	}
	f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", hangUp), rawApp(t, "web.2", hangUp)}})
	for _, method := range []string{"GET", "POST"} {
		asked.Store(0)
		res, _ := do(t, f.request(t, method, "/", nil))
		wantStatus(t, res, 502)
		if asked.Load() != 1 {
			t.Errorf("%s was sent %d times", method, asked.Load())
		}
	}
}

// TestRetry_IdleConnectionThatTheAppClosed has an app that closes each
// connection after its first answer without saying so. No request may fail: the
// look before reuse sees the end, or, where it comes later, an idempotent
// request is sent again.
func TestRetry_IdleConnectionThatTheAppClosed(t *testing.T) {
	f := startFront(t, Options{})
	closed := make(chan struct{}, 1)
	b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		if readRequest(br) != nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			c.Close()
			closed <- struct{}{}
		}
	})
	f.point(t, Route{Backends: []*Backend{b}})
	for i := range 40 {
		res, _ := do(t, f.request(t, []string{"GET", "POST"}[i%2], "/", nil))
		wantStatus(t, res, 200)
		<-closed
	}
}

func TestRetry_StaleConnection(t *testing.T) {
	f := startFront(t, Options{})
	var served atomic.Int64
	b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		for i := 0; readRequest(br) != nil; i++ {
			if i == 1 {
				return // takes the second request and dies
			}
			served.Add(1)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	f.point(t, Route{Backends: []*Backend{b}})
	for i, want := range []int{200, 200, 502} {
		res, _ := do(t, f.request(t, []string{"GET", "GET", "POST"}[i], "/", nil))
		wantStatus(t, res, want)
	}
	if served.Load() != 2 {
		t.Errorf("served %d", served.Load())
	}
}

func TestTransport_AnswersNobodyAskedForAreNotUsed(t *testing.T) {
	f := startFront(t, Options{})
	wrote := make(chan struct{}, 1)
	b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		for readRequest(br) != nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
			wrote <- struct{}{}
		}
	})
	f.point(t, Route{Backends: []*Backend{b}})
	for range 5 {
		if _, body := f.get(t, "/"); body != "ok" {
			t.Fatalf("got %q", body)
		}
		<-wrote
	}
}

func TestBalance_LeastInFlightAndTiesRotate(t *testing.T) {
	f := startFront(t, Options{})
	release := make(chan struct{})
	backends := make([]*Backend, 3)
	for i := range backends {
		backends[i] = startApp(t, fmt.Sprintf("web.%d", i+1), func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/wait" {
				<-release
			}
			fmt.Fprint(w, i)
		})
	}
	f.point(t, Route{Backends: backends})
	seen := map[string]int{}
	for range 9 {
		_, body := f.get(t, "/")
		seen[body]++
	}
	if seen["0"] != 3 || seen["1"] != 3 || seen["2"] != 3 {
		t.Errorf("ties: %v", seen)
	}
	done := make(chan struct{}, 6)
	total := func() int { return backends[0].InFlight() + backends[1].InFlight() + backends[2].InFlight() }
	waitFor(t, "quiet", func() bool { return total() == 0 })
	for i := range 6 {
		go func() {
			defer func() { done <- struct{}{} }()
			if res, err := http.DefaultClient.Do(f.request(t, "GET", "/wait", nil)); err == nil {
				res.Body.Close()
			}
		}()
		waitFor(t, "one more", func() bool { return total() == i+1 })
	}
	for _, b := range backends {
		if b.InFlight() != 2 {
			t.Errorf("%s has %d in flight, want 2", b.Name(), b.InFlight())
		}
	}
	close(release)
	for range 6 {
		<-done
	}
}

func TestPool_IdleConnectionsAreClosed(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{UpstreamIdle: 20 * time.Millisecond}})
	b := startApp(t, "web.1", say("ok"))
	f.point(t, Route{Backends: []*Backend{b}})
	f.get(t, "/")
	idle := func() int { b.mu.Lock(); defer b.mu.Unlock(); return len(b.idle) }
	waitFor(t, "the idle connection to go", func() bool { return idle() == 0 })
	f.get(t, "/")
	waitFor(t, "the next one to go", func() bool { return idle() == 0 })
}

// TestDifferential compares the router with httputil.ReverseProxy over a table
// of responses, byte for byte as the app sends them.
func TestDifferential(t *testing.T) {
	responses := []string{
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nuntil the end",
		"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold",
		"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nContent-Length: 7\r\n\r\n",
		"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\ngone",
		"HTTP/1.1 500 Oh no\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\noops",
		"HTTP/1.1 301 Moved\r\nLocation: /x?y=\xc3\xa9\r\nContent-Length: 0\r\nContent-Type: text/plain\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x00",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Long: " + strings.Repeat("y", 20000) + "\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("z", 100000),
		"HTTP/1.1 200\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 2\n\nok",
		"HTTP/1.1 206 Partial Content\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nWww-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
		"HTTP/1.1 OK\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"",
	}
	f := startFront(t, Options{})
	for i, response := range responses {
		b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
			head, _, _ := strings.Cut(response, "\r\n\r\n")
			for req := readRequest(br); req != nil; req = readRequest(br) {
				if req.Method == "HEAD" && response != "" {
					io.WriteString(c, head+"\r\n\r\n")
				} else {
					io.WriteString(c, response)
				}
				if !strings.Contains(head, "Content-Length") && !strings.Contains(head, "chunked") && !strings.Contains(head, "204") {
					return
				}
			}
		})
		f.point(t, Route{Backends: []*Backend{b}})
		addr := addrOf(t, b)
		oracle := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: addr})
		}, Transport: &http.Transport{DisableCompression: true}, ErrorLog: log.New(io.Discard, "", 0), ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(502) }})
		for _, method := range []string{"GET", "HEAD", "POST"} {
			got, want := digest(t, f.addr, method), digest(t, oracle.Listener.Addr().String(), method)
			if got != want && !(strings.HasPrefix(got, "502") && strings.HasPrefix(want, "502")) {
				t.Errorf("response %d, %s:\n got %.300q\nwant %.300q", i, method, got, want)
			}
		}
		oracle.Close()
	}
}

// digest is what a client sees of a response, but for what proxies may differ in.
func digest(t *testing.T, addr, method string) string {
	req, err := http.NewRequest(method, "http://"+addr+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "blog.test"
	res, err := newClient(t).Do(req)
	if err != nil {
		return "error"
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	for _, k := range []string{"Date", "X-Request-Id"} {
		res.Header.Del(k)
	}
	if len(body) > 0 { // a small chunked body may be given its length
		res.Header.Del("Content-Length")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d %v %v %d %q ", res.StatusCode, err, res.Trailer, len(body), body)
	for _, k := range slices.Sorted(maps.Keys(res.Header)) {
		fmt.Fprintf(&out, "%s=%q ", k, res.Header[k])
	}
	return out.String()
}
