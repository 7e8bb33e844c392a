package proxy

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"testing"
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
	if len(b.active) != 0 || len(b.idle) != 0 {
		t.Errorf("%d active and %d idle connections are left", len(b.active), len(b.idle))
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
