package proxy

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2 is a request's head in HTTP/2: names and values, by turns. What is left out of the four is added before it.
type h2 []string

// rejected2 are heads of HTTP/2 that must not reach the app with a single byte: they would become another
// request in HTTP/1.1, or RFC 9113 (8.2 and 8.3) calls them malformed.
var rejected2 = map[string]h2{
	"line end in a value":       {"x-a", "b\r\nGET /evil HTTP/1.1\r\nHost: blog.test\r\n\r\n"},
	"LF in a value":             {"x-a", "b\nx-forwarded-for: 6.6.6.6"},
	"NUL in a value":            {"x-a", "b\x00"},
	"upper case":                {"X-A", "b"},
	"colon in a name":           {"x-a: b\r\nc", "d"},
	"blank in a name":           {"x a", "b"},
	"empty name":                {"", "b"},
	"connection":                {"connection", "close"},
	"keep-alive":                {"keep-alive", "timeout=5"},
	"proxy-connection":          {"proxy-connection", "x"},
	"transfer-encoding":         {"transfer-encoding", "chunked"},
	"upgrade":                   {"upgrade", "websocket"},
	"te that is not trailers":   {"te", "gzip"},
	"two hosts":                 {"host", "shop.test"},
	"pseudo-header after field": {"x-a", "b", ":path", "/evil"},
	"unknown pseudo-header":     {":evil", "x"},
	"response's pseudo-header":  {":status", "200"},
	"two paths":                 {":path", "/", ":path", "/evil"},
	"two methods":               {":method", "GET", ":method", "POST"},
	"two authorities":           {":authority", "blog.test", ":authority", "shop.test"},
	"line end in the path":      {":path", "/ HTTP/1.1\r\nX: y\r\n\r\nGET /evil"},
	"blank in the path":         {":path", "/a HTTP/1.1"},
	"fragment in the path":      {":path", "/a#b"},
	"empty path":                {":path", ""},
	"relative path":             {":path", "evil"},
	"line end in the method":    {":method", "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\nGET"},
	"blank in the method":       {":method", "GET /evil"},
	"CONNECT":                   {":method", "CONNECT"},
	"extended CONNECT":          {":method", "CONNECT", ":protocol", "websocket"},
	"path in the authority":     {":authority", "blog.test/evil"},
	"user in the authority":     {":authority", "evil@blog.test"},
	"line end in the authority": {":authority", "blog.test\r\nX: y"},
	"empty authority":           {":authority", ""},
	"length without a body":     {"content-length", "4"},
	"two lengths":               {"content-length", "0", "content-length", "4"},
	"signed length":             {"content-length", "+0"},
}

// harmless are those that net/http lets through. What was wrong with them does not reach the app.
var harmless = map[string]bool{"two hosts": true, "length without a body": true, "two lengths": true, "signed length": true}

// block encodes the head of a GET, with h in place of what it names.
func (h h2) block() []byte {
	var out bytes.Buffer
	enc := hpack.NewEncoder(&out)
	for _, p := range []h2{{":method", "GET"}, {":scheme", "http"}, {":authority", "blog.test"}, {":path", "/"}} {
		named := false
		for i := 0; i < len(h); i += 2 {
			named = named || h[i] == p[0] && h[0] != "x-a"
		}
		if !named && !(p[0] == ":path" && len(h) > 1 && h[1] == "CONNECT") {
			enc.WriteField(hpack.HeaderField{Name: p[0], Value: p[1]})
		}
	}
	for i := 0; i < len(h); i += 2 {
		enc.WriteField(hpack.HeaderField{Name: h[i], Value: h[i+1]})
	}
	return out.Bytes()
}

func TestCorpus_HTTP2RejectedBeforeAByteReachesTheApp(t *testing.T) {
	f := startFront(t, Options{})
	b, seen := recordApp(t)
	f.point(t, Route{Backends: []*Backend{b}})
	for name, h := range rejected2 {
		t.Run(name, func(t *testing.T) {
			before := len(seen())
			code, status := ask2(t, f, h)
			got := seen()[before:]
			if got == "" && status != "" && status[0] != '4' {
				t.Errorf("status %s, %v", status, code)
			}
			if got != "" && !harmless[name] {
				t.Errorf("the app saw %q", got)
			}
			if head, rest, _ := strings.Cut(got, "\r\n\r\n"); rest != "" || strings.Contains(head, "evil") || strings.Contains(head, "ontent-") || strings.Contains(head, "onnection") {
				t.Errorf("the app saw %q", got)
			}
		})
	}
	if _, status := ask2(t, f, nil); status != "200" {
		t.Errorf("the plain one: %s", status)
	}
}

// ask2 sends one request on a connection of its own, and returns its status or the code that ended its stream.
func ask2(t *testing.T, f *front, h h2) (code http2.ErrCode, status string) {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, http2.ClientPreface)
	fr := http2.NewFramer(c, c)
	fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	fr.WriteSettings()
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: h.block(), EndStream: true, EndHeaders: true})
	for {
		frame, err := fr.ReadFrame()
		if err != nil {
			return http2.ErrCodeProtocol, "" // the connection ended
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			return 0, frame.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return frame.ErrCode, ""
		case *http2.GoAwayFrame:
			return frame.ErrCode, ""
		}
	}
}
