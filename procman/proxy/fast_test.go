package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzPlainRequest holds the fast path to net/http: what it takes, net/http
// takes with the same meaning, and what it passes on reads the same again.
func FuzzPlainRequest(f *testing.F) {
	for _, raw := range rejected {
		f.Add([]byte(raw))
	}
	for _, raw := range ambiguous {
		f.Add([]byte(raw))
	}
	for _, raw := range plainOnes {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		end := bytes.Index(raw, crlfcrlf)
		if end < 0 {
			return
		}
		var q plainRequest
		out, ok := q.parse(raw[:end+4], nil)
		if !ok {
			return
		}
		want, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", raw, err)
		}
		samePlain(t, raw, &q, want)
		if q.close != want.Close {
			t.Errorf("%q: close is %v, in net/http %v", raw, q.close, want.Close)
		}
		sent, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(out), strings.NewReader("\r\n"))))
		if err != nil {
			t.Fatalf("%q is sent as %q: %v", raw, out, err)
		}
		samePlain(t, out, &q, sent)
		if names := connectionNames(want.Header); len(names) > 0 {
			t.Errorf("%q names %v", raw, names)
		}
		for k := range want.Header {
			if dropRequestHeader(k, false) && k != "Content-Length" {
				delete(want.Header, k)
			}
		}
		if !maps.EqualFunc(sent.Header, want.Header, slices.Equal) {
			t.Errorf("%q is sent with %v, want %v", raw, sent.Header, want.Header)
		}
	})
}

func samePlain(t *testing.T, raw []byte, q *plainRequest, r *http.Request) {
	t.Helper()
	if q.method != r.Method || string(q.target) != r.RequestURI || string(q.host) != r.Host || int64(q.length) != r.ContentLength ||
		r.ProtoMajor != 1 || r.ProtoMinor != 1 || len(r.TransferEncoding) > 0 || len(r.Trailer) > 0 || refuse(r) != "" || rareKind(r) != plain {
		t.Errorf("%q: %s %s %s %d, net/http has %s %s %s %d", raw, q.method, q.target, q.host, q.length, r.Method, r.RequestURI, r.Host, r.ContentLength)
	}
	if n := normalizeHost(string(q.name)); n == string(q.name) && normalizeHost(r.Host) != n {
		t.Errorf("%q: host %s is %s in net/http", raw, n, r.Host)
	}
}

// FuzzPlainResponse holds the fast path to the parser of all other responses.
func FuzzPlainResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nX-A: b\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nKeep-Alive: timeout=5\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 200\r\nContent-Length: 50\r\nX-Request-Id: 1\r\nDate: x\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, raw []byte, toHEAD bool) {
		end := bytes.Index(raw, crlfcrlf)
		var h plainResponse
		if end < 0 || !h.parse(raw[:end+4], toHEAD) {
			return
		}
		want, fields, err := parseStatus(string(raw[:end+4]))
		if err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		hdr := http.Header{}
		if err := want.parseFields(fields, hdr); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		body := !toHEAD && h.status != 204 && h.status != 304
		if h.status != want.status || h.close != want.close || want.trailer || h.chunks != (body && want.chunked) || body && !h.chunks && h.length != want.length || !body && h.length != 0 {
			t.Errorf("%q: %+v, want %+v", raw, h, want)
		}
		fc := &fastConn{router: New(Options{}), req: plainRequest{id: []byte("abc")}, res: h}
		out := fc.appendHead(nil, raw[:end+4])
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), &http.Request{Method: "HEAD"})
		if err != nil {
			t.Fatalf("%q is sent as %q: %v", raw, out, err)
		}
		if len(hdr["X-Request-Id"]) == 0 && res.Header.Get("X-Request-Id") != "abc" {
			t.Errorf("%q is sent as %q", raw, out)
		}
		for _, k := range []string{"X-Request-Id", "Date", "Content-Length"} {
			if len(hdr[k]) == 0 {
				res.Header.Del(k)
			}
		}
		if !maps.EqualFunc(res.Header, hdr, slices.Equal) {
			t.Errorf("%q is sent with %v, want %v", raw, res.Header, hdr)
		}
	})
}

// plainOnes are requests of the kind that the fast path is for.
var plainOnes = []string{
	"GET /a/b?x=%20;y HTTP/1.1\r\nHost: blog.test\r\nAccept: */*\r\n\r\n",
	"GET / HTTP/1.1\r\nhost: blog.test:8080\r\nconnection: Keep-Alive\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Request-Start: 1\r\nProxy: evil\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
	"HEAD / HTTP/1.1\r\nHost: blog.test\r\nX-Request-Id: my-id\r\nCookie: a=b\r\nCookie: c=d\r\n\r\n",
	"DELETE /1 HTTP/1.1\r\nHost: blog.test\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTee: y\r\n\r\n",
}

func TestFast_SendsWhatNetHTTPWouldSend(t *testing.T) {
	f := startFront(t, Options{})
	b, seen := recordApp(t)
	f.point(t, Route{Backends: []*Backend{b}})
	for _, raw := range plainOnes {
		sent := func(raw string) http.Header {
			before := len(seen())
			res, _ := f.send(t, raw)
			wantStatus(t, res, 200)
			req := readRequest(bufio.NewReader(strings.NewReader(seen()[before:])))
			if req == nil {
				t.Fatalf("%q reaches the app as %q", raw, seen()[before:])
			}
			h := req.Header
			h.Set("Request", fmt.Sprintf("%s %s %s %d", req.Method, req.RequestURI, req.Host, req.ContentLength))
			h.Del("X-Request-Start")
			if !strings.Contains(raw, "X-Request-Id") {
				h.Del("X-Request-Id")
			}
			return h
		}
		fast := sent(raw)
		slow := sent(strings.Replace(raw, "\r\n\r\n", "\r\nA_b: makes it unusual\r\n\r\n", 1))
		slow.Del("A_b")
		if !maps.EqualFunc(fast, slow, slices.Equal) {
			t.Errorf("%q\nfast %v\nslow %v", raw, fast, slow)
		}
	}
}

// TestFast_TakesThePlain counts what net/http is handed.
func TestFast_TakesThePlain(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{canned(t, "web.1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	isFast := func() bool {
		f.conns.mu.Lock()
		defer f.conns.mu.Unlock()
		for c := range f.conns.conns {
			return c.fast
		}
		return false
	}
	br := bufio.NewReader(c)
	ask := func(raw string) *http.Response {
		io.WriteString(c, raw)
		res, err := http.ReadResponse(br, &http.Request{Method: raw[:strings.IndexByte(raw, ' ')]})
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		return res
	}
	for _, raw := range plainOnes {
		res := ask(strings.Replace(raw, "Connection: close\r\n", "", 1))
		if res.Header.Get("X-Request-Id") == "" || res.Header.Get("Date") == "" {
			t.Errorf("headers %v", res.Header)
		}
		if !isFast() {
			t.Fatalf("net/http got %q", raw)
		}
	}
	ask("GET / HTTP/1.1\r\nHost: blog.test\r\nUpgrade-Insecure-Requests: 1\r\nTE: trailers\r\n\r\n")
	if isFast() {
		t.Error("the fast path kept what it does not know")
	}
	wantStatus(t, ask(plainOnes[0]), 200)
}

func TestFast_PipelinedAndPiecemeal(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.Path, body)
	})}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	all := "GET /1 HTTP/1.1\r\nHost: blog.test\r\n\r\nPOST /2 HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 5\r\n\r\nhelloGET /3 HTTP/1.1\r\nHost: blog.test\r\n\r\n" +
		"POST /4 HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nGET /5 HTTP/1.1\r\nHost: blog.test\r\n\r\n"
	go func() {
		for i := range len(all) { // a byte at a time
			io.WriteString(c, all[i:i+1])
		}
	}()
	br := bufio.NewReader(c)
	for _, want := range []string{"GET /1 ", "POST /2 hello", "GET /3 ", "POST /4 hi", "GET /5 "} {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		if err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
}

// TestFast_LeavesASlowAnswerToNetHTTP has an app that answers after the fast
// path has given the exchange away: it must see the request once.
func TestFast_LeavesASlowAnswerToNetHTTP(t *testing.T) {
	f := startFront(t, Options{})
	seen := make(chan string, 4)
	f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		for req := readRequest(br); req != nil; req = readRequest(br) {
			seen <- req.Method + req.Header.Get("X-Request-Id")
			handed := func() bool {
				f.conns.mu.Lock()
				defer f.conns.mu.Unlock()
				for c := range f.conns.conns {
					return !c.fast
				}
				return true
			}
			waitFor(t, "net/http to have the exchange", handed)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})}})
	res, body := f.send(t, "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 5\r\nX-Request-Id: mine\r\n\r\nhello")
	wantStatus(t, res, 200)
	wantContains(t, body, "ok")
	if got := <-seen; got != "POSTmine" || len(seen) > 0 || res.Header.Get("X-Request-Id") != "mine" {
		t.Errorf("the app saw %q and %d more, the client %v", got, len(seen), res.Header)
	}
	if n, _ := f.Stats("blog"); n.Requests != 1 || n.InFlight != 0 {
		t.Errorf("%+v", n)
	}
}

func TestFast_LongBodiesBothWays(t *testing.T) {
	const size = 3 << 20
	f, addr, pool := startSecure(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", fmt.Sprint(size))
		w.Header().Set("X-Read", fmt.Sprint(n))
		io.Copy(w, zeros(size))
	})}})
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "blog.test", NextProtos: []string{"http/1.1"}}}
	defer tr.CloseIdleConnections()
	for _, base := range []string{"http://" + f.addr, "https://" + addr} {
		for _, up := range []int64{0, 10, 7000, size} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", base, zeros(up))
			if err != nil {
				t.Fatal(err)
			}
			req.Host, req.ContentLength = "blog.test", up
			res, err := tr.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if n != size || err != nil || res.Header.Get("X-Read") != fmt.Sprint(up) {
				t.Errorf("%s: %d up as %s, %d down, %v", base, up, res.Header.Get("X-Read"), n, err)
			}
		}
	}
}

// TestFast_ClientThatLeaves wants the app's connection to end with the client's,
// while the app sends nothing.
func TestFast_ClientThatLeaves(t *testing.T) {
	f := startFront(t, Options{})
	gone := make(chan struct{}, 2)
	f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		readRequest(br)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := br.ReadByte(); err == io.EOF {
			gone <- struct{}{}
		}
	})}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, plainOnes[0])
	c.Close()
	<-gone
}
