package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// rejected are requests that must not reach the app with a single byte. Most
// are from the lists of request smuggling and of RFC 9112's "MUST reject".
var rejected = map[string]string{
	"no host":                    "GET / HTTP/1.1\r\n\r\n",
	"two hosts":                  "GET / HTTP/1.1\r\nHost: blog.test\r\nHost: blog.test\r\n\r\n",
	"two hosts, other":           "GET / HTTP/1.1\r\nHost: blog.test\r\nHost: shop.test\r\n\r\n",
	"bad host":                   "GET / HTTP/1.1\r\nHost: blog test\r\n\r\n",
	"host with path":             "GET / HTTP/1.1\r\nHost: blog.test/x\r\n\r\n",
	"host with user":             "GET / HTTP/1.1\r\nHost: a@blog.test\r\n\r\n",
	"host with bad port":         "GET / HTTP/1.1\r\nHost: blog.test:x\r\n\r\n",
	"blank before colon":         "GET / HTTP/1.1\r\nHost : blog.test\r\n\r\n",
	"blank in name":              "GET / HTTP/1.1\r\nHost: blog.test\r\nX Y: z\r\n\r\n",
	"blank before colon of TE":   "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
	"blank before colon of CL":   "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length : 4\r\n\r\nbody",
	"folded first header":        "GET / HTTP/1.1\r\n Host: blog.test\r\n\r\n",
	"header without colon":       "GET / HTTP/1.1\r\nHost: blog.test\r\nnonsense\r\n\r\n",
	"empty name":                 "GET / HTTP/1.1\r\nHost: blog.test\r\n: x\r\n\r\n",
	"NUL in name":                "GET / HTTP/1.1\r\nHost: blog.test\r\nX\x00Y: z\r\n\r\n",
	"NUL in value":               "GET / HTTP/1.1\r\nHost: blog.test\r\nX: a\x00b\r\n\r\n",
	"CR in value":                "GET / HTTP/1.1\r\nHost: blog.test\r\nX: a\rb\r\n\r\n",
	"control in value":           "GET / HTTP/1.1\r\nHost: blog.test\r\nX: a\x01b\r\n\r\n",
	"non-ASCII name":             "GET / HTTP/1.1\r\nHost: blog.test\r\nX\xc3\xa9: z\r\n\r\n",
	"two blanks in line":         "GET  / HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"blank in target":            "GET /a b HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"no target":                  "GET HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"no version":                 "GET /\r\nHost: blog.test\r\n\r\n",
	"version 1.2":                "GET / HTTP/1.2x\r\nHost: blog.test\r\n\r\n",
	"version 2.0":                "GET / HTTP/2.0\r\nHost: blog.test\r\n\r\n",
	"lower-case version":         "GET / http/1.1\r\nHost: blog.test\r\n\r\n",
	"blank after version":        "GET / HTTP/1.1 \r\nHost: blog.test\r\n\r\n",
	"bad method":                 "G(T / HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"NUL in method":              "G\x00T / HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"control in target":          "GET /a\x01b HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"tab in target":              "GET /a\tb HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"fragment":                   "GET /a#b HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"bad escape":                 "GET /%zz HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"relative target":            "GET a HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"CONNECT":                    "CONNECT blog.test:80 HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"two lengths":                "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbodyx",
	"length list":                "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4, 5\r\n\r\nbodyx",
	"negative length":            "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: -1\r\n\r\nbody",
	"signed length":              "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: +4\r\n\r\nbody",
	"hex length":                 "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 0x4\r\n\r\nbody",
	"length with blank":          "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4 0\r\n\r\nbody",
	"length with underscore":     "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 1_0\r\n\r\nbody",
	"overflowing length":         "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 99999999999999999999\r\n\r\nbody",
	"empty length":               "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: \r\n\r\nbody",
	"unknown coding":             "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
	"gzip, chunked":              "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"chunked, identity":          "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
	"identity":                   "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody",
	"two codings":                "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	"chunked twice":              "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"vertical tab before coding": "POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
	"huge head":                  "GET / HTTP/1.1\r\nHost: blog.test\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n\r\n",
	"huge target":                "GET /" + strings.Repeat("x", 80<<10) + " HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"TLS hello":                  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
	"reply":                      "HTTP/1.1 200 OK\r\nHost: blog.test\r\n\r\n",
	"LF first":                   "\n\nGET / HTTP/1.1\r\nHost: blog.test\r\n\r\n",
	"two upgrades":               "GET / HTTP/1.1\r\nHost: blog.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
}

// recordApp keeps every byte that reaches it and answers each request.
func recordApp(t *testing.T) (*Backend, func() string) {
	var mu sync.Mutex
	var seen strings.Builder
	b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		tee := bufio.NewReader(io.TeeReader(br, writerFunc(func(p []byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			return seen.Write(p)
		})))
		for readRequest(tee) != nil {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	return b, func() string {
		mu.Lock()
		defer mu.Unlock()
		return seen.String()
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestCorpus_RejectedBeforeAByteReachesTheApp(t *testing.T) {
	for name, raw := range rejected {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Options{})
			b, seen := recordApp(t)
			f.point(t, Route{Backends: []*Backend{b}})
			res, _ := f.send(t, raw)
			if res != nil && (res.StatusCode < 400 || res.StatusCode > 599) {
				t.Errorf("status %d", res.StatusCode)
			}
			if s := seen(); s != "" {
				t.Errorf("the app saw %q", s)
			}
		})
	}
}

const inner = "GET /evil HTTP/1.1\r\nHost: blog.test\r\n\r\n"

// ambiguous are requests that net/http resolves rather than rejects.
var ambiguous = map[string]string{
	"CL and TE":           "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
	"same length twice":   "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
	"request as body":     fmt.Sprintf("POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(inner), inner),
	"request in a chunk":  fmt.Sprintf("POST / HTTP/1.1\r\nHost: blog.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(inner), inner),
	"GET with a body":     fmt.Sprintf("GET / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(inner), inner),
	"HTTP/1.0 chunked":    "POST / HTTP/1.0\r\nHost: blog.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner,
	"bare LF":             "GET / HTTP/1.1\nHost: blog.test\nConnection: close\n\n",
	"underscored length":  "POST / HTTP/1.1\r\nHost: blog.test\r\nContent_Length: 0\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
	"length named as hop": "POST / HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 4\r\nConnection: close, content-length\r\n\r\nbody",
	"host named as hop":   "GET / HTTP/1.1\r\nHost: blog.test\r\nConnection: close, host, x-forwarded-for\r\n\r\n",
	"folded header":       "GET / HTTP/1.1\r\nHost: blog.test\r\nConnection: close\r\nX: a\r\n Content-Length: 4\r\n\r\n",
	"absolute form":       "GET http://blog.test/x?y HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n",
}

// TestCorpus_AmbiguousIsMadePlain sends what net/http resolves rather than
// rejects: the app must see one request, framed in one way.
func TestCorpus_AmbiguousIsMadePlain(t *testing.T) {
	for name, raw := range ambiguous {
		t.Run(name, func(t *testing.T) {
			f := startFront(t, Options{})
			b, seen := recordApp(t)
			f.point(t, Route{Backends: []*Backend{b}})
			f.send(t, raw)
			got := seen()
			if got == "" {
				return // rejected is as good
			}
			br := bufio.NewReader(strings.NewReader(got))
			req := readRequest(br)
			if req == nil {
				t.Fatalf("the app cannot read %q", got)
			}
			if rest, _ := io.ReadAll(br); len(rest) > 0 {
				t.Errorf("more than one request reached the app: %q", got)
			}
			head, _, _ := strings.Cut(strings.ToLower(got), "\r\n\r\n")
			framing := strings.Count(head, "content-length:") + strings.Count(head, "content_length:") + strings.Count(head, "transfer-encoding:")
			if framing > 1 || strings.Count(head, "\nhost:") != 1 || !strings.Contains(head, "x-forwarded-for: 127.0.0.1") || req.Host != "blog.test" {
				t.Errorf("the app saw %q", got)
			}
		})
	}
}

func TestCorpus_HTTP2CannotInjectIntoTheTarget(t *testing.T) {
	f := startFront(t, Options{})
	b, seen := recordApp(t)
	f.point(t, Route{Backends: []*Backend{b}})
	req := f.request(t, "GET", "/", nil)
	req.URL.Opaque = "//" + f.addr + "/a HTTP/1.1" // becomes :path
	res, err := newH2C(t).Do(req)
	if err == nil {
		defer res.Body.Close()
		if res.StatusCode != http.StatusBadRequest && res.StatusCode != http.StatusNotFound {
			t.Errorf("status %d, app saw %q", res.StatusCode, seen())
		}
	}
	if s := seen(); s != "" {
		t.Errorf("the app saw %q", s)
	}
}

func TestServer_SlowHeadsAreClosed(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{ReadHeader: 50 * time.Millisecond, Idle: 50 * time.Millisecond}})
	f.point(t, Route{Backends: []*Backend{canned(t, "web.1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}})
	for _, raw := range []string{
		"", "GET / HTTP/1.1\r\nHost: blog.test\r\nX: y\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n", // then idle
	} {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(c, raw)
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("after %q the connection stayed open", raw)
		}
		c.Close()
	}
}

func TestServer_ConnectionsPerAddress(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{ConnsPerAddress: 3}})
	f.point(t, Route{})
	var open []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	count := func() int { f.conns.mu.Lock(); defer f.conns.mu.Unlock(); return len(f.conns.conns) }
	waitFor(t, "three connections", func() bool { return count() == 3 })
	if res, _ := f.send(t, "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n"); res != nil {
		t.Errorf("the fourth was answered: %d", res.StatusCode)
	}
	open[0].Close()
	waitFor(t, "two connections", func() bool { return count() == 2 })
	res, _ := f.get(t, "/")
	wantStatus(t, res, 503)
}
