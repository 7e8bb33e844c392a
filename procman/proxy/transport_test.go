package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTransport_StreamsEvents(t *testing.T) {
	f := startFront(t, Options{})
	next := make(chan struct{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		for i := range 3 {
			<-next
			fmt.Fprintf(w, "data: %d\n\n", i)
			w.(http.Flusher).Flush()
		}
	})}})
	res, err := newClient(t).Do(f.request(t, "GET", "/", nil)) // the head arrives before any event
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	for i := range 3 {
		next <- struct{}{} // each event arrives before the next is made
		line, err := br.ReadString('\n')
		if want := fmt.Sprintf("data: %d\n", i); err != nil || line != want {
			t.Fatalf("event %q %v, want %q", line, err, want)
		}
		br.ReadString('\n')
	}
	if rest, err := io.ReadAll(br); err != nil || len(rest) != 0 {
		t.Errorf("end of stream: %q %v", rest, err)
	}
}

func TestTransport_EchoesWhileItReads(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			w.(http.Flusher).Flush()
			if err != nil {
				return
			}
		}
	})}})
	pr, pw := io.Pipe()
	req := f.request(t, "POST", "/", pr)
	go pw.Write([]byte("one\n"))
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	br := bufio.NewReader(res.Body)
	for _, say := range []string{"", "two\n", "three\n"} {
		if say != "" {
			go io.WriteString(pw, say)
		} else {
			say = "one\n"
		}
		if line, err := br.ReadString('\n'); err != nil || line != say {
			t.Fatalf("echo %q %v, want %q", line, err, say)
		}
	}
	pw.Close()
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

// zeros is n bytes that cost no memory.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTransport_BigBodiesInBoundedMemory(t *testing.T) {
	const size, bound = 64 << 20, 32 << 20
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Got", fmt.Sprint(n))
		if r.URL.Path == "/sized" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		io.Copy(w, zeros(size))
	})}})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, path := range []string{"/sized", "/chunked"} {
		req := f.request(t, "POST", path, zeros(size))
		if path == "/sized" {
			req.ContentLength = size
		}
		res, err := newClient(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if n != size || err != nil || res.Header.Get("X-Got") != fmt.Sprint(size) {
			t.Errorf("%s: down %d %v, up %s, want %d", path, n, err, res.Header.Get("X-Got"), size)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.Sys - before.Sys; after.Sys > before.Sys && grown > bound {
		t.Errorf("memory grew by %d MiB for bodies of %d MiB", grown>>20, size>>20)
	}
}

func TestTransport_Trailers(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, "got "+string(body))
		w.Header().Set("X-Sum", r.Trailer.Get("X-Client-Sum")+"!")
		w.Header().Set(http.TrailerPrefix+"X-Late", "unannounced")
	})}})
	req := f.request(t, "POST", "/", strings.NewReader("body"))
	req.ContentLength = -1
	req.Trailer = http.Header{"X-Client-Sum": {"42"}}
	res, body := do(t, req)
	if body != "got body" || res.Trailer.Get("X-Sum") != "42!" || res.Trailer.Get("X-Late") != "unannounced" {
		t.Errorf("body %q, trailer %v", body, res.Trailer)
	}
}

func TestTransport_InterimResponses(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		io.WriteString(w, "page")
	})}})
	var hints []string
	req := f.request(t, "GET", "/", nil)
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		},
	}))
	res, body := do(t, req)
	if body != "page" || res.Header.Get("Link") != "" || len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
		t.Errorf("body %q, hints %v, link %q", body, hints, res.Header.Get("Link"))
	}
}

func TestTransport_ExpectContinue(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{Continue: 20 * time.Millisecond}})
	var read atomic.Int64
	b := startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n, _ := io.Copy(io.Discard, r.Body)
		read.Add(n)
	})
	f.point(t, Route{Backends: []*Backend{b}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	fmt.Fprintf(c, "POST /take HTTP/1.1\r\nHost: blog.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if line, err := br.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("first answer %q %v", line, err)
	}
	br.ReadString('\n')
	io.WriteString(c, "body")
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != 200 || read.Load() != 4 {
		t.Fatalf("answer %v %v, read %d", res, err, read.Load())
	}
	// A refusal arrives without the body having been asked for.
	fmt.Fprintf(c, "POST /refuse HTTP/1.1\r\nHost: blog.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
	if line, err := br.ReadString('\n'); err != nil || line != "HTTP/1.1 403 Forbidden\r\n" {
		t.Fatalf("refusal %q %v", line, err)
	}
	// An app that knows nothing of it gets the body after a while.
	f.point(t, Route{Backends: []*Backend{canned(t, "web.2", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}})
	_, body := f.send(t, "POST / HTTP/1.1\r\nHost: blog.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
	_ = body // ReadResponse stops at the 100, which is what this proves: the body was asked for
}

func TestTransport_EarlyAnswerToAnUpload(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		if req, err := http.ReadRequest(br); err == nil {
			req.Body.Read(make([]byte, 10))
			io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
			io.CopyN(io.Discard, br, 1<<20)
		}
	})}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 100000000\r\n\r\n")
	c.Write(make([]byte, 1000)) // and no more: the answer must come anyway
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if res.StatusCode != 413 || string(body) != "big" || err != nil {
		t.Errorf("%d %q %v", res.StatusCode, body, err)
	}
}

func TestTransport_BodyErrorIsNeverItsEnd(t *testing.T) {
	for name, c := range map[string]struct {
		raw   string
		close bool
	}{
		"bad chunk size":      {"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n", false},
		"bad chunk end":       {"Transfer-Encoding: chunked\r\n\r\n4\r\nbodyXX0\r\n\r\n", false},
		"cut chunk":           {"Transfer-Encoding: chunked\r\n\r\n40\r\nbody", true},
		"cut between chunks":  {"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", true},
		"short of its length": {"Content-Length: 100\r\n\r\nbody", true},
		"short, large":        {"Content-Length: 1000000\r\n\r\nbody", true},
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Options{})
			ended := make(chan error, 1)
			f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", func(_ net.Conn, br *bufio.Reader) {
				req, err := http.ReadRequest(br)
				if err == nil {
					_, err = io.ReadAll(req.Body)
				}
				ended <- err
			})}})
			conn, err := net.Dial("tcp", f.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: blog.test\r\n"+c.raw)
			if c.close {
				conn.(*net.TCPConn).CloseWrite()
			} else {
				res, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil || res.StatusCode != 400 {
					t.Errorf("answer %v %v, want 400", res, err)
				}
			}
			if err := <-ended; err == nil {
				t.Error("the app saw a complete request")
			}
		})
	}
}

func TestTransport_BodyThatStandsStill(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{BodyIdle: 50 * time.Millisecond}})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(_ http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })}})
	for _, length := range []string{"Content-Length: 10", "Content-Length: 1000000", "Transfer-Encoding: chunked"} {
		res, _ := f.send(t, "POST / HTTP/1.1\r\nHost: blog.test\r\n"+length+"\r\n\r\n")
		wantStatus(t, res, 408)
	}
}

func TestTransport_CutResponsesAreCut(t *testing.T) {
	for name, response := range map[string]string{
		"short of its length": "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
		"long one":            "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000),
		"cut chunk":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
		"no last chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
		"bad chunk":           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nxyz\r\n",
		"bad trailer":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n0\r\nno colon\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Options{})
			f.point(t, Route{Backends: []*Backend{rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
				readRequest(br)
				io.WriteString(c, response)
			})}})
			for _, client := range []*http.Client{newClient(t), newH2C(t)} {
				res, err := client.Do(f.request(t, "GET", "/", nil))
				if err != nil {
					continue // seen before anything was relayed
				}
				if body, err := io.ReadAll(res.Body); err == nil {
					t.Errorf("%s client took %q for the whole body", res.Proto, body)
				}
				res.Body.Close()
			}
		})
	}
}

func TestTransport_MaxBody(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{MaxBody: 10, Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}})
	for body, want := range map[string]int{"0123456789": 200, "0123456789x": 413} {
		res, _ := do(t, f.request(t, "POST", "/", strings.NewReader(body)))
		wantStatus(t, res, want)
		res, _ = do(t, f.request(t, "POST", "/", io.MultiReader(strings.NewReader(body)))) // chunked
		wantStatus(t, res, want)
	}
}

func TestTransport_ClientThatLeavesTakesItsRequestAlong(t *testing.T) {
	f := startFront(t, Options{})
	started, ended := make(chan struct{}), make(chan struct{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	})}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n")
	<-started
	c.Close()
	<-ended
	waitFor(t, "logged", func() bool { return len(f.logs.all()) == 1 })
	wantContains(t, f.logs.all()[0], "status=499")
}

func TestTransport_BinaryExact(t *testing.T) {
	f := startFront(t, Options{})
	all := bytes.Repeat([]byte{0, 1, '\r', '\n', 0xff, 'x'}, 40000)
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})}})
	for _, client := range []*http.Client{newClient(t), newH2C(t)} {
		for _, n := range []int{0, 1, 100, inlineBody, inlineBody + 1, len(all)} {
			res, err := client.Do(f.request(t, "PUT", "/", bytes.NewReader(all[:n])))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || sha256.Sum256(body) != sha256.Sum256(all[:n]) {
				t.Errorf("%s: %d bytes came back as %d: %v", res.Proto, n, len(body), err)
			}
		}
	}
}

// newH2C returns a client that speaks HTTP/2 by prior knowledge.
func newH2C(t testing.TB) *http.Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: p, DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}
