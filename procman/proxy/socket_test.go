package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSocket_EndsBetweenFrames has an app that is in the middle of a frame when
// its time to drain is over. The frame is completed, and nothing of the next one follows: what
// comes after it is the router's close frame, unless the app has sent its own.
func TestSocket_EndsBetweenFrames(t *testing.T) {
	half := "\x82\x7e\x01\x00" + strings.Repeat("a", 100) // of 256 bytes
	rest := strings.Repeat("b", 156)
	for _, c := range []struct{ name, before, after, want string }{
		{"between", "\x81\x02hi", "", "\x81\x02hi" + restartFrame},
		{"within a payload", half, rest + "\x81\x02no", half + rest + restartFrame},
		{"within a head", "\x82\x7f\x00\x00", "\x00\x00\x00\x00\x00\x03abc\x81\x02no", "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x03abc" + restartFrame},
		{"a first fragment", "\x01\x02hi", "", "\x01\x02hi" + restartFrame},
		{"closed by the app", "\x88\x02\x03\xe8", "", "\x88\x02\x03\xe8"},
		{"masked, as it must not be", "\x81\x82\x01\x02\x03\x04hi", "", "\x81\x82\x01\x02\x03\x04hi" + restartFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, app := newTestSocket(t)
			io.WriteString(app, c.before)
			got := make([]byte, len(c.before))
			if _, err := io.ReadFull(s, got); err != nil {
				t.Fatal(err)
			}
			s.end()
			io.WriteString(app, c.after)
			more, err := io.ReadAll(s)
			if err != nil {
				t.Error(err)
			}
			if got := string(got) + string(more); got != c.want {
				t.Errorf("the client got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

// TestSocket_FrameThatDoesNotEnd has an app that never completes its frame: the connection ends without a word.
func TestSocket_FrameThatDoesNotEnd(t *testing.T) {
	s, app := newTestSocket(t)
	io.WriteString(app, "\x82\x05ab")
	got := make([]byte, 4)
	if _, err := io.ReadFull(s, got); err != nil {
		t.Fatal(err)
	}
	s.end()
	if rest, err := io.ReadAll(s); len(rest) > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", rest, err)
	}
}

func newTestSocket(t *testing.T) (*socket, net.Conn) {
	l := listen(t)
	defer l.Close()
	app, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close(); c.Close() })
	return &socket{ReadWriteCloser: c, wake: c.SetReadDeadline}, app
}

// FuzzFrames cuts a stream of frames anywhere: the boundaries are where a parser of whole frames has them.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x02hi\x88\x02\x03\xe8"), uint8(1))
	f.Add([]byte("\x82\x7e\x00\x03abc\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01x\x89\x80\x01\x02\x03\x04"), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		ends, closed := boundaries(stream)
		var fr frames
		for at := 0; at < len(stream); {
			n := min(int(piece)%16+1, len(stream)-at)
			fr.feed(stream[at : at+n])
			if at += n; fr.between() != ends[at] {
				t.Fatalf("after %d of %x: between is %v", at, stream, fr.between())
			}
		}
		if fr.closed != closed {
			t.Fatalf("closed: %v, want %v", fr.closed, closed)
		}
	})
}

// boundaries returns after which bytes a frame is complete, and whether one of those that have a whole head closes.
func boundaries(p []byte) (ends map[int]bool, closed bool) {
	ends = map[int]bool{}
	r := bytes.NewReader(p)
	field := func(n int) (v uint64, ok bool) {
		b := make([]byte, n)
		if _, err := io.ReadFull(r, b); err != nil {
			return 0, false
		}
		for _, c := range b {
			v = v<<8 | uint64(c)
		}
		return v, true
	}
	for {
		head, ok := field(2)
		if !ok {
			return ends, closed
		}
		size := head & 0x7f
		if size >= 126 {
			if size, ok = field(map[uint64]int{126: 2, 127: 8}[size]); !ok {
				return ends, closed
			}
		}
		if head&0x80 != 0 {
			if _, ok := field(4); !ok {
				return ends, closed
			}
		}
		closed = closed || head>>8&0x0f == 8
		if size > uint64(r.Len()) {
			return ends, closed
		}
		r.Seek(int64(size), io.SeekCurrent)
		ends[len(p)-r.Len()] = true
	}
}

// TestDrain_StreamsAreCutAndLogged has a download and a stream of events that outlast their drain.
func TestDrain_StreamsAreCutAndLogged(t *testing.T) {
	f := startFront(t, Options{})
	var under sync.WaitGroup
	under.Add(2)
	b := startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/file" {
			w.Header().Set("Content-Length", "1000000")
		}
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		under.Done()
		<-r.Context().Done()
	})
	f.point(t, Route{Backends: []*Backend{b}})
	ends := make(chan error, 2)
	for _, path := range []string{"/events", "/file"} {
		res, err := newClient(t).Do(f.request(t, "GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := io.ReadAll(res.Body)
			res.Body.Close()
			ends <- err
		}()
	}
	under.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := b.Drain(ctx); err == nil || !strings.Contains(err.Error(), "cut 2 requests") {
		t.Errorf("drain: %v", err)
	}
	for range 2 {
		if err := <-ends; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a client takes a part for the whole: %v", err)
		}
	}
	waitFor(t, "both to be logged", func() bool { return len(f.logs.all()) == 2 })
	for _, line := range f.logs.all() {
		wantContains(t, line, "the time to drain is over")
	}
}
