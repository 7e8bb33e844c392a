package proxy

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// flood opens an h2c connection, writes n times with it, and reports whether
// the router ended it.
func flood(t *testing.T, f *front, n uint32, write func(fr *http2.Framer, head []byte, i uint32) error) (ended bool) {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, http2.ClientPreface)
	fr := http2.NewFramer(c, c)
	fr.WriteSettings()
	go io.Copy(io.Discard, c) // ends with the connection
	var head bytes.Buffer
	enc := hpack.NewEncoder(&head)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "blog.test"}, {":path", "/"}} {
		enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	for i := uint32(0); i < n; i++ {
		if err := write(fr, head.Bytes(), i); err != nil {
			return true
		}
	}
	return false
}

func TestHTTP2_FloodsDoNoHarm(t *testing.T) {
	f := startFront(t, Options{})
	var now, most atomic.Int64
	release := make(chan struct{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})}})
	t.Run("rapid reset", func(t *testing.T) {
		flood(t, f, 3000, func(fr *http2.Framer, head []byte, i uint32) error { // it may take them, a hundred at once
			if err := fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: head, EndStream: true, EndHeaders: true}); err != nil {
				return err
			}
			return fr.WriteRSTStream(2*i+1, http2.ErrCodeCancel)
		})
	})
	t.Run("continuation", func(t *testing.T) {
		field := bytes.Repeat([]byte{0, 1, 'x', 1, 'y'}, 1000) // literal fields without index
		ended := flood(t, f, 1<<20, func(fr *http2.Framer, head []byte, i uint32) error {
			if i == 0 {
				return fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head})
			}
			return fr.WriteContinuation(1, false, field)
		})
		if !ended {
			t.Error("the router took a head without end")
		}
	})
	close(release)
	if most.Load() > 4*maxStreams {
		t.Errorf("%d requests at once reached the app", most.Load())
	}
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", say("well"))}})
	if _, got := f.get(t, "/"); got != "well" {
		t.Errorf("after the floods: %q", got)
	}
}
