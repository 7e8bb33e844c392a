package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A front is a router that serves a real listener.
type front struct {
	*Router
	addr string
	logs lockedLines
}

type lockedLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *lockedLines) add(_ string, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
}

func (l *lockedLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

func startFront(t testing.TB, o Options) *front {
	t.Helper()
	f := &front{}
	if _, bench := t.(*testing.B); !bench {
		o.AccessLog = f.logs.add
	}
	if o.Limits.ShutdownGrace == 0 {
		o.Limits.ShutdownGrace = 10 * time.Millisecond
	}
	f.Router = New(o)
	l := listen(t)
	f.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- f.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// startApp runs an app and returns its backend, which is named after it.
func startApp(t testing.TB, name string, h http.HandlerFunc) *Backend {
	t.Helper()
	s := httptest.NewServer(h)
	b := NewBackend(name, s.Listener.Addr().String())
	t.Cleanup(func() {
		b.Close()
		s.CloseClientConnections()
		s.Close()
	})
	return b
}

// rawApp runs an app that is given each connection.
func rawApp(t testing.TB, name string, serve func(c net.Conn, br *bufio.Reader)) *Backend {
	t.Helper()
	l := listen(t)
	ctx, end := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { c.Close() })
			wg.Go(func() {
				defer stop()
				defer c.Close()
				serve(c, bufio.NewReader(c))
			})
		}
	})
	b := NewBackend(name, l.Addr().String())
	t.Cleanup(func() { b.Close(); l.Close(); end(); wg.Wait() })
	return b
}

// readRequest reads one request with its body, nil at the end of the connection.
func readRequest(br *bufio.Reader) *http.Request {
	req, err := http.ReadRequest(br)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

// canned is an app that answers every request with the same bytes.
func canned(t testing.TB, name, response string) *Backend {
	return rawApp(t, name, func(c net.Conn, br *bufio.Reader) {
		for readRequest(br) != nil {
			if _, err := io.WriteString(c, response); err != nil {
				return
			}
		}
	})
}

// addrOf returns where an app of rawApp listens.
func addrOf(t testing.TB, b *Backend) string {
	t.Helper()
	c, err := b.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.RemoteAddr().String()
}

func (f *front) point(t testing.TB, rt Route) {
	t.Helper()
	if rt.App == "" {
		rt.App = "blog"
	}
	if rt.Hosts == nil {
		rt.Hosts = []string{rt.App + ".test"}
	}
	if err := f.Point(rt); err != nil {
		t.Fatal(err)
	}
}

// request makes a request for blog.test to the front.
func (f *front) request(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+f.addr+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "blog.test"
	return req
}

// newClient returns a client that keeps its connections and decodes nothing.
func newClient(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func do(t testing.TB, req *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := newClient(t).Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: read body: %v", req.Method, req.URL, err)
	}
	return res, string(body)
}

func (f *front) get(t testing.TB, path string) (*http.Response, string) {
	t.Helper()
	return do(t, f.request(t, "GET", path, nil))
}

// send writes bytes to the front and returns all that comes back until the
// front closes the connection or the first response is complete.
func (f *front) send(t testing.TB, raw string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		return nil, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return res, err.Error()
	}
	return res, string(body)
}

func wantStatus(t testing.TB, res *http.Response, want int) {
	t.Helper()
	if res == nil {
		t.Fatalf("no response, want status %d", want)
	}
	if res.StatusCode != want {
		t.Errorf("status %d, want %d", res.StatusCode, want)
	}
}

func wantContains(t testing.TB, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%q does not contain %q", got, want)
	}
}

// waitFor blocks until the condition is true, which another goroutine will make it.
func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !cond(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("timed out waiting: %s", what)
		}
	}
}
