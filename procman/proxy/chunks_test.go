package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
)

// A sink takes what is written.
type sink struct {
	net.Conn
	bytes.Buffer
}

func (s *sink) Write(p []byte) (int, error) { return s.Buffer.Write(p) }
func (s *sink) Read(p []byte) (int, error)  { return s.Buffer.Read(p) }

// relayChunks relays a chunked body that an app has sent, and returns what the client gets.
func relayChunks(raw []byte) (out []byte, sent int64, err error) {
	client := &sink{}
	r := &chunks{
		f:   &fastConn{c: client},
		c:   &upConn{backend: &Backend{}, br: bufio.NewReaderSize(bytes.NewReader(raw), connBuffer)},
		out: make([]byte, 0, 1<<10),
	}
	err = r.relay()
	return client.Bytes(), r.sent, err
}

// FuzzChunks holds the fast path's reading of chunked bodies to that of
// net/http: what it takes has the same meaning there, before and after.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;a=b\r\nhello\r\n0\r\nX-T: 1\r\nContent-Length: 7\r\n\r\n", "00a\r\n0123456789\r\n000\r\n\r\n",
		"5\nhello\n0\n\n", "5\r\nhelloX\r\n0\r\n\r\n", "-1\r\n\r\n", "ffffffffffffffffffff\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
		"1000\r\n" + strings.Repeat("x", 4096) + "\r\n0\r\n\r\n", "5\r\nhello\r\n0\r\nno colon\r\n\r\n", "5;" + strings.Repeat("x", 300) + "\r\nhello\r\n0\r\n\r\n",
		"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX: " + strings.Repeat("y", 3000) + "\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, sent, err := relayChunks(raw)
		if err != nil {
			if _, err := readChunked(head, out); err == nil && len(out) > 0 {
				t.Fatalf("%q fails, and the client takes %q for the whole", raw, out)
			}
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(raw))))
		if err != nil && strings.Contains(err.Error(), "too much non-data") {
			return // of extensions, which are not passed on
		}
		if err != nil {
			t.Fatalf("%q is taken; net/http: %v", raw, err)
		}
		got, err := readChunked(head, out)
		if err != nil && strings.Contains(err.Error(), "long trailer") {
			return // for this client
		}
		if err != nil || !bytes.Equal(got, want) || sent != int64(len(want)) {
			t.Fatalf("%q becomes %q (%v, %d bytes), want the body %q", raw, out, err, sent, want)
		}
	})
}

// readChunked reads the one response that the bytes are.
func readChunked(head string, raw []byte) ([]byte, error) {
	br := bufio.NewReader(io.MultiReader(strings.NewReader(head), bytes.NewReader(raw)))
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && br.Buffered() > 0 {
		err = fmt.Errorf("%d bytes after the body", br.Buffered())
	}
	return body, err
}

func TestChunks_Malformed(t *testing.T) {
	for _, raw := range []string{
		"", "5", "5\r\nhel", "5\r\nhello", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r\n0\r\n\n",
		"+5\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "5\r\r\nhello\r\n0\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n", "1234567890abcdef0\r\n", ";\r\n",
		"5;" + strings.Repeat("x", 300) + "\r\nhello\r\n0\r\n\r\n", "0\r\n" + strings.Repeat("X: y\r\n", 10000) + "\r\n", " 5\r\nhello\r\n0\r\n\r\n", "0\r\n X: folded\r\n\r\n", "0\r\nX: \x00\r\n\r\n",
	} {
		if out, _, err := relayChunks([]byte(raw)); err == nil {
			t.Errorf("%.60q is taken, as %q", raw, out)
		}
	}
}

func TestFast_ChunkedResponsesStay(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Backends: []*Backend{canned(t, "web.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Late: 1\r\nContent-Length: 3\r\n\r\n")}})
	c, br := dialRaw(t, f.addr)
	for range 3 {
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n")
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil || string(body) != "hello world" || len(res.TransferEncoding) != 1 || fmt.Sprint(res.Trailer) != "map[X-Late:[1]]" {
			t.Errorf("%q %v %v %v", body, err, res.TransferEncoding, res.Trailer)
		}
	}
	f.conns.mu.Lock()
	defer f.conns.mu.Unlock()
	for c := range f.conns.conns {
		if !c.fast {
			t.Error("the connection was left to net/http")
		}
	}
}
