package proxy

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func say(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, what) }
}

func TestRouter_RoutesByHost(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{App: "blog", Hosts: []string{"blog.test", "WWW.Example.com"}, Backends: []*Backend{startApp(t, "web.1", say("blog"))}})
	f.point(t, Route{App: "shop", Backends: []*Backend{startApp(t, "web.1", say("shop"))}})
	for host, want := range map[string]string{
		"blog.test": "blog", "BLOG.test": "blog", "blog.test:8080": "blog", "blog.test.": "blog", "blog.test.:80": "blog",
		"www.example.com": "blog", "shop.test": "shop",
	} {
		req := f.request(t, "GET", "/", nil)
		req.Host = host
		if res, body := do(t, req); res.StatusCode != 200 || body != want {
			t.Errorf("%s: %d %q, want %q", host, res.StatusCode, body, want)
		}
	}
	for _, host := range []string{"other.test", "blog.test.evil", "xblog.test", "127.0.0.1", "[::1]:80"} {
		req := f.request(t, "GET", "/", nil)
		req.Host = host
		res, body := do(t, req)
		wantStatus(t, res, 404)
		if strings.Contains(body, "blog") || strings.Contains(body, "shop") {
			t.Errorf("%s: page names an app: %s", host, body)
		}
	}
}

func TestRouter_PointReplacesAllHostsAtOnce(t *testing.T) {
	f := startFront(t, Options{})
	b := startApp(t, "web.1", say("blog"))
	f.point(t, Route{Hosts: []string{"blog.test", "old.test"}, Backends: []*Backend{b}})
	f.point(t, Route{Hosts: []string{"blog.test", "new.test"}, Backends: []*Backend{b}})
	for host, want := range map[string]int{"blog.test": 200, "new.test": 200, "old.test": 404} {
		req := f.request(t, "GET", "/", nil)
		req.Host = host
		res, _ := do(t, req)
		wantStatus(t, res, want)
	}
	err := f.Point(Route{App: "shop", Hosts: []string{"shop.test", "NEW.test."}})
	taken, ok := errors.AsType[*HostTakenError](err)
	if !ok || taken.App != "blog" || taken.Host != "new.test" || taken.Hint() == "" {
		t.Errorf("point a taken host: %v", err)
	}
	req := f.request(t, "GET", "/", nil)
	req.Host = "shop.test"
	res, _ := do(t, req)
	wantStatus(t, res, 404) // nothing of it was done
	f.Remove("blog")
	f.Remove("blog")
	res, _ = f.get(t, "/")
	wantStatus(t, res, 404)
	f.point(t, Route{App: "shop", Hosts: []string{"new.test"}})
}

func TestRouter_RefusesBadRoutes(t *testing.T) {
	r := New(Options{})
	closed := NewBackend("web.1", "127.0.0.1:1")
	closed.Close()
	for name, rt := range map[string]Route{
		"no app":        {Hosts: []string{"a.test"}},
		"bad host":      {App: "a", Hosts: []string{"a b"}},
		"empty host":    {App: "a", Hosts: []string{""}},
		"no folder":     {App: "a", Static: &Static{Dir: "/does/not/exist"}},
		"closed":        {App: "a", Backends: []*Backend{closed}},
		"host is a url": {App: "a", Hosts: []string{"http://a.test"}},
	} {
		if err := r.Point(rt); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, ok := r.Stats("a"); ok {
		t.Error("a refused route left an app behind")
	}
}

func TestRouter_PagesOfItsOwn(t *testing.T) {
	f := startFront(t, Options{Limits: Limits{ResponseHeader: 50 * time.Millisecond}})
	dead := listen(t)
	dead.Close()
	slow := rawApp(t, "web.1", func(_ net.Conn, br *bufio.Reader) {
		readRequest(br)
		io.Copy(io.Discard, br) // until the router gives up
	})
	for name, c := range map[string]struct {
		rt     Route
		status int
		retry  bool
		says   string
	}{
		"none":        {Route{}, 503, true, "no running instance"},
		"dead":        {Route{Backends: []*Backend{NewBackend("web.1", dead.Addr().String())}}, 502, false, "could not be reached"},
		"maintenance": {Route{Maintenance: "Back <b>soon</b>"}, 503, true, "Back &lt;b&gt;soon&lt;/b&gt;"},
		"slow":        {Route{Backends: []*Backend{slow}}, 504, false, "in time"},
		"garbage":     {Route{Backends: []*Backend{canned(t, "web.1", "SSH-2.0-x\r\n\r\n")}}, 502, false, "did not answer"},
		"silent":      {Route{Backends: []*Backend{canned(t, "web.1", "HTTP/1.1 101 Switching Protocols\r\n\r\n")}}, 502, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f.point(t, c.rt)
			req := f.request(t, "GET", "/", nil)
			req.Header.Set("X-Request-Id", "my-id.1")
			res, body := do(t, req)
			wantStatus(t, res, c.status)
			wantContains(t, body, c.says)
			wantContains(t, body, "my-id.1")
			if got := res.Header.Get("Retry-After") != ""; got != c.retry {
				t.Errorf("Retry-After: %v, want %v", got, c.retry)
			}
			if res.Header.Get("X-Request-Id") != "my-id.1" || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: %v", res.Header)
			}
			req = f.request(t, "GET", "/", nil)
			req.Header.Set("Accept", "application/json, text/plain, */*")
			_, body = do(t, req)
			var doc struct {
				Status    int
				RequestID string `json:"request_id"`
			}
			if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Status != c.status || len(doc.RequestID) != 32 {
				t.Errorf("json page %q: %v", body, err)
			}
			res, body = do(t, f.request(t, "HEAD", "/", nil))
			wantStatus(t, res, c.status)
			if body != "" {
				t.Errorf("HEAD has a body: %q", body)
			}
		})
	}
}

func TestRouter_HoldWaitsForTheNextPoint(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Hold: time.Minute})
	const n = 20
	got := make(chan string, n)
	for range n {
		go func() {
			res, err := http.DefaultClient.Do(f.request(t, "POST", "/", strings.NewReader("body")))
			if err != nil {
				got <- err.Error()
				return
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			got <- fmt.Sprint(res.StatusCode, " ", string(b))
		}()
	}
	waitFor(t, "all held", func() bool { s, _ := f.Stats("blog"); return s.InFlight == n })
	f.point(t, Route{Hold: time.Minute}) // another hold does not let them go
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })}})
	for range n {
		if s := <-got; s != "200 body" {
			t.Errorf("held request: %s", s)
		}
	}
}

func TestRouter_HoldEnds(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Hold: 20 * time.Millisecond})
	res, _ := f.get(t, "/")
	wantStatus(t, res, 503)
	f.point(t, Route{Hold: time.Minute})
	got := make(chan int, 1)
	go func() {
		res, err := http.DefaultClient.Do(f.request(t, "GET", "/", nil))
		if err != nil {
			got <- 0
			return
		}
		res.Body.Close()
		got <- res.StatusCode
	}()
	waitFor(t, "held", func() bool { s, _ := f.Stats("blog"); return s.InFlight == 1 })
	f.Remove("blog")
	if s := <-got; s != 503 && s != 404 {
		t.Errorf("held request of a removed app: %d", s)
	}
}

func TestRouter_HoldIsBounded(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Hold: time.Minute})
	f.mu.Lock()
	f.apps["blog"].held.Store(maxHeld)
	f.mu.Unlock()
	res, _ := f.get(t, "/")
	wantStatus(t, res, 503)
}

func TestRouter_CountsAndLogs(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(500)
		}
		io.WriteString(w, "hello")
	})}})
	req := f.request(t, "GET", `/a"b?q=1`, nil)
	req.Header.Set("X-Request-Id", "abc")
	do(t, req)
	waitFor(t, "the first to be logged", func() bool { return len(f.logs.all()) == 1 }) // after its answer
	f.get(t, "/bad")
	waitFor(t, "both logged", func() bool { return len(f.logs.all()) == 2 })
	line := f.logs.all()[0]
	for _, want := range []string{`method=GET path="/a%22b?q=1" host=blog.test status=200 bytes=5 ms=`, " request_id=abc fwd=127.0.0.1 backend=web.1\n"} {
		wantContains(t, line, want)
	}
	s, ok := f.Stats("blog")
	if !ok || s.Requests != 2 || s.Errors != 1 || s.InFlight != 0 || s.Total <= 0 {
		t.Errorf("stats: %+v", s)
	}
	var sum uint64
	for _, b := range s.Latency {
		sum += b.Count
	}
	if sum != 2 {
		t.Errorf("histogram counts %d requests, want 2", sum)
	}
}
