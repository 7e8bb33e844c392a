package proxy

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// load sends requests of one kind until stop and counts those that fail.
type load struct {
	base         string // URL of the router; "" is that of plain HTTP
	stop         chan struct{}
	wg           sync.WaitGroup
	sent, failed atomic.Int64
	why          atomic.Value
}

func (l *load) run(f *front, t *testing.T, client *http.Client, method string) {
	l.wg.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			var body io.Reader
			if method == "POST" {
				body = strings.NewReader("hello")
			}
			req, err := http.NewRequest(method, cmp.Or(l.base, "http://"+f.addr)+"/", body)
			if err != nil {
				t.Error(err)
				return
			}
			req.Host = "blog.test"
			res, err := client.Do(req)
			l.sent.Add(1)
			if err != nil {
				l.failed.Add(1)
				l.why.Store(err.Error())
				continue
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if res.StatusCode != 200 || err != nil || !strings.HasPrefix(string(got), "v") {
				l.failed.Add(1)
				l.why.Store(fmt.Sprint(res.StatusCode, err, string(got)))
			}
		}
	})
}

// release is one version of an app, on a server of its own that can be killed.
func release(t testing.TB, n int) (*Backend, func()) {
	l := listen(t)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "v%d", n)
	})}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	b := NewBackend(fmt.Sprintf("web.1-v%d", n), l.Addr().String())
	return b, func() { s.Close(); <-done; b.Close() } // as a kill would: no courtesy to open connections
}

func TestSwap_UnderLoadLosesNothing(t *testing.T) {
	f := startFront(t, Options{})
	old, kill := release(t, 0)
	f.point(t, Route{Backends: []*Backend{old}})
	l := &load{stop: make(chan struct{})}
	noKeepAlive := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, client := range []*http.Client{newClient(t), noKeepAlive, newH2C(t)} {
		for _, method := range []string{"GET", "POST"} {
			for range 2 {
				l.run(f, t, client, method)
			}
		}
	}
	l.swap(t, f, old, kill, 60)
}

// swap replaces the app again and again under the load, and wants no request to have failed.
func (l *load) swap(t *testing.T, f *front, old *Backend, kill func(), swaps int) {
	for i := 1; i <= swaps; i++ {
		before := l.sent.Load()
		waitFor(t, "load to flow", func() bool { return l.sent.Load() > before+10 })
		next, killNext := release(t, i)
		f.point(t, Route{Backends: []*Backend{next}})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := old.Drain(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if n := old.InFlight(); n != 0 {
			t.Fatalf("%d requests in flight after the drain", n)
		}
		kill()
		old, kill = next, killNext
	}
	close(l.stop)
	l.wg.Wait()
	kill()
	if l.failed.Load() != 0 {
		t.Errorf("%d of %d requests failed in %d swaps, such as: %v", l.failed.Load(), l.sent.Load(), swaps, l.why.Load())
	}
	t.Logf("%d requests over %d swaps, %d failed", l.sent.Load(), swaps, l.failed.Load())
}

func TestDrain_WaitsForRequestsAndStreams(t *testing.T) {
	f := startFront(t, Options{})
	started, finish := make(chan struct{}), make(chan struct{})
	old := startApp(t, "web.1", func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		close(started)
		<-finish
		io.WriteString(w, "complete")
	})
	f.point(t, Route{Backends: []*Backend{old}})
	body := make(chan string, 1)
	go func() {
		res, err := http.DefaultClient.Do(f.request(t, "GET", "/", nil))
		if err != nil {
			body <- err.Error()
			return
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		body <- fmt.Sprint(string(b), err)
	}()
	<-started
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", say("new"))}})
	if _, got := f.get(t, "/"); got != "new" {
		t.Errorf("after the swap: %q", got)
	}
	drained := make(chan error, 2)
	for range 2 { // two may wait for the same
		go func() { drained <- old.Drain(context.Background()) }()
	}
	select {
	case err := <-drained:
		t.Errorf("drained with a request in flight: %v", err)
	default:
	}
	close(finish)
	if got := <-body; got != "complete<nil>" {
		t.Errorf("request over the swap: %s", got)
	}
	for range 2 {
		if err := <-drained; err != nil {
			t.Error(err)
		}
	}
}

func TestDrain_CutsAtItsDeadline(t *testing.T) {
	f := startFront(t, Options{})
	old := startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	f.point(t, Route{Backends: []*Backend{old}})
	res, err := newClient(t).Do(f.request(t, "GET", "/", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	f.point(t, Route{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := old.Drain(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("drain: %v", err)
	}
	if b, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("the cut stream ended well: %q", b)
	}
	waitFor(t, "the request to end", func() bool { return old.InFlight() == 0 })
}

func echoSocket(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "127.0.0.1" || r.Header.Get("X-Request-Id") == "" || r.Host != "blog.test" {
			t.Errorf("upgrade headers: %v", r.Header)
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		for {
			typ, msg, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), typ, msg) != nil {
				return
			}
		}
	}
}

func TestWebsocket_LivesThroughASwapUntilTheDrainEnds(t *testing.T) {
	f := startFront(t, Options{})
	old := startApp(t, "web.1", echoSocket(t))
	f.point(t, Route{Backends: []*Backend{old}})
	const n = 50
	conns := make([]*websocket.Conn, n)
	for i := range conns {
		c, res, err := websocket.Dial(t.Context(), "ws://"+f.addr+"/", &websocket.DialOptions{Host: "blog.test", HTTPHeader: http.Header{"X-Forwarded-For": {"6.6.6.6"}}})
		if err != nil {
			t.Fatal(err, res)
		}
		defer c.CloseNow()
		conns[i] = c
	}
	if got := old.InFlight(); got != n {
		t.Errorf("in flight %d, want %d", got, n)
	}
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", echoSocket(t))}})
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error, 1)
	go func() { drained <- old.Drain(ctx) }()
	for i, c := range conns {
		if err := c.Write(ctx, websocket.MessageText, []byte(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
		if _, msg, err := c.Read(ctx); err != nil || string(msg) != fmt.Sprint(i) {
			t.Fatalf("echo over the swap: %q %v", msg, err)
		}
	}
	cancel()
	if err := <-drained; err == nil || !strings.Contains(err.Error(), fmt.Sprint(n)) {
		t.Errorf("drain: %v", err)
	}
	for _, c := range conns {
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusServiceRestart {
			t.Errorf("a websocket ended with %v, want status 1012", err)
		}
	}
	waitFor(t, "all to end", func() bool { return old.InFlight() == 0 })
	waitFor(t, "all to be logged", func() bool { return len(f.logs.all()) == n })
	wantContains(t, f.logs.all()[0], "status=101")
	wantContains(t, f.logs.all()[0], `error="the time to drain is over"`)
}

func TestWebsocket_RefusalAndDeadApp(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })}})
	const ask = "GET / HTTP/1.1\r\nHost: blog.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	res, _ := f.send(t, ask)
	wantStatus(t, res, 403)
	l := listen(t)
	l.Close()
	f.point(t, Route{Backends: []*Backend{NewBackend("web.1", l.Addr().String())}})
	res, _ = f.send(t, ask)
	wantStatus(t, res, 502)
}

func TestUpgrade_ToHTTP2IsNotPassedOn(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q%q%q", r.Header["Upgrade"], r.Header["Connection"], r.Header["Http2-Settings"])
	})}})
	res, body := f.send(t, "GET / HTTP/1.1\r\nHost: blog.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n")
	wantStatus(t, res, 200)
	if body != "[][][]" {
		t.Errorf("the app saw %s", body)
	}
}

func dialRaw(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, bufio.NewReader(c)
}

func TestShutdown_AnswersWhatHasBegun(t *testing.T) {
	r := New(Options{Limits: Limits{ShutdownGrace: 50 * time.Millisecond}})
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	started, finish := make(chan struct{}), make(chan struct{})
	if err := r.Point(Route{App: "blog", Hosts: []string{"blog.test"}, Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/slow" {
			close(started)
			<-finish
		}
		io.WriteString(w, "done")
	})}}); err != nil {
		t.Fatal(err)
	}
	open := func() (net.Conn, *bufio.Reader) { return dialRaw(t, l.Addr().String()) }
	ask := func(c net.Conn, path string) { fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: blog.test\r\n\r\n", path) }
	answer := func(br *bufio.Reader) (bool, string) {
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.Close, string(b)
	}
	slow, slowR := open()
	ask(slow, "/slow")
	idle, idleR := open()
	ask(idle, "/")
	if closes, body := answer(idleR); closes || body != "done" {
		t.Fatalf("before: %v %q", closes, body)
	}
	<-started
	stopped := make(chan error, 1)
	go func() { stopped <- r.Shutdown(t.Context()) }()
	waitFor(t, "draining", func() bool { return r.draining.Load() })
	ask(idle, "/") // within the grace
	if closes, body := answer(idleR); !closes || body != "done" {
		t.Errorf("idle connection: closes %v, %q", closes, body)
	}
	close(finish)
	if _, body := answer(slowR); body != "done" {
		t.Errorf("request over the shutdown: %q", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if err := r.Serve(listen(t)); err != nil {
		t.Errorf("serve after shutdown: %v", err)
	}
}

func TestShutdown_CutsAtItsDeadline(t *testing.T) {
	r := New(Options{})
	l := listen(t)
	served := make(chan error, 1)
	go func() { served <- r.Serve(l) }()
	if err := r.Point(Route{App: "blog", Hosts: []string{"blog.test"}, Backends: []*Backend{startApp(t, "web.1", echoSocket(t))}}); err != nil {
		t.Fatal(err)
	}
	c, _, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String()+"/", &websocket.DialOptions{Host: "blog.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	closed := make(chan error, 1)
	go func() {
		_, _, err := c.Read(t.Context())
		closed <- err
	}()
	if err := r.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusServiceRestart {
		t.Errorf("a websocket ended with %v, want status 1012", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
