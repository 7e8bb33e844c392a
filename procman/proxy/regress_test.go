package proxy

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestTransport_CutResponsesKeepNoConnection(t *testing.T) {
	b := rawApp(t, "web.1", func(c net.Conn, br *bufio.Reader) {
		readRequest(br)
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
	})
	w := &discard{h: http.Header{}}
	r := New(Options{})
	if err := r.Point(Route{App: "a", Hosts: []string{"a.test"}, Backends: []*Backend{b}}); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest("GET", "http://a.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.RequestURI, req.RemoteAddr = "/", "127.0.0.1:1"
	func() {
		defer func() {
			if e, _ := recover().(error); !errors.Is(e, http.ErrAbortHandler) {
				t.Errorf("the response was not cut: %v", e)
			}
		}()
		r.ServeHTTP(w, req)
	}()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.conns) != 0 || len(b.idle) != 0 {
		t.Errorf("%d connections, %d of them idle, are left", len(b.conns), len(b.idle))
	}
}

type discard struct{ h http.Header }

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(int)             {}

func TestConnSet_LateConnectionIsRefused(t *testing.T) {
	var s connSet
	s.init(0, nil)
	<-s.stopListening()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	if s.add(near) != nil {
		t.Error("a connection was counted in after the end")
	}
}

// HTTP/2 lets through methods that would end the request line in HTTP/1.1.
func TestRefuse_MethodsThatAreNoTokens(t *testing.T) {
	for _, method := range []string{"GET / HTTP/1.1\r\nX: y", "G T", "", "GET\x00", "a/b"} {
		req := httptest.NewRequest("GET", "/", nil)
		req.Method = method
		if refuse(req) == "" {
			t.Errorf("%q went through", method)
		}
	}
	if why := refuse(httptest.NewRequest("M-SEARCH", "/", nil)); why != "" {
		t.Error(why)
	}
}

// The table is swapped while a request finds out that its only backend is dead.
func TestRetry_OnTheRouteThatCameMeanwhile(t *testing.T) {
	r := New(Options{})
	l := listen(t)
	dead := NewBackend("web.1", l.Addr().String())
	l.Close()
	old := Route{App: "a", Hosts: []string{"a.test"}, Backends: []*Backend{dead}}
	next := Route{App: "a", Hosts: []string{"a.test"}, Backends: []*Backend{startApp(t, "web.2", say("alive"))}}
	if err := r.Point(old); err != nil {
		t.Fatal(err)
	}
	before := r.table.Load().hosts["a.test"]
	if err := r.Point(next); err != nil {
		t.Fatal(err)
	}
	dead.retired.Store(false) // as if it had been claimed just before
	w := httptest.NewRecorder()
	x := &exchange{router: r, w: w, req: httptest.NewRequest("GET", "http://a.test/", nil), start: time.Now(), app: before.app, host: "a.test"}
	x.serve(before)
	if w.Code != http.StatusOK || w.Body.String() != "alive" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// A token of an earlier time must not keep Drain busy, or let it return early.
func TestDrain_StaleToken(t *testing.T) {
	b := NewBackend("web.1", "127.0.0.1:1")
	if !b.claim() {
		t.Fatal("not claimed")
	}
	b.signalZero()
	ended := make(chan error, 1)
	go func() { ended <- b.Drain(context.Background()) }()
	for len(b.zero) > 0 || !b.retired.Load() { // a busy Drain puts it back again and again
		time.Sleep(time.Millisecond)
	}
	b.release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestBackend_DialsByItsFunction(t *testing.T) {
	app := canned(t, "web.1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	dials := 0
	b := NewBackendDial("web.1", func(ctx context.Context) (net.Conn, error) {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("a connection may take for ever")
		}
		dials++
		return app.connect(ctx)
	})
	t.Cleanup(b.Close)
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{b}})
	for range 2 {
		res, body := f.get(t, "/")
		wantStatus(t, res, 200)
		wantContains(t, body, "ok")
	}
	if dials != 1 {
		t.Errorf("%d connections for two requests", dials)
	}
}

func TestRoute_ResponseTimeout(t *testing.T) {
	f := startFront(t, Options{})
	b := rawApp(t, "web.1", func(_ net.Conn, br *bufio.Reader) {
		for readRequest(br) != nil { // never an answer
		}
	})
	f.point(t, Route{Backends: []*Backend{b}, ResponseTimeout: 50 * time.Millisecond})
	res, _ := f.get(t, "/")
	wantStatus(t, res, 504)
}

// A head that comes a byte at a time gets the time of one head, not of one byte.
func TestServer_TrickledHeadIsClosed(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{ReadHeader: 300 * time.Millisecond}})
	f.point(t, Route{Backends: []*Backend{canned(t, "web.1", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")}})
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: blog.test\r\nX: ")); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if _, err := c.Write([]byte("y")); err != nil {
			return
		}
		<-tick.C
	}
	t.Error("the head was waited for without end")
}
