package proxy

import (
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

func FuzzNormalizeHost(f *testing.F) {
	for _, s := range []string{"blog.test", "BLOG.test.:80", "[::1]:80", "[", "a..b", ".a", "a:b", "a:123456", "xn--a", "a/b", strings.Repeat("a", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := normalizeHost(s)
		if n == "" {
			return
		}
		if again := normalizeHost(n); again != n {
			t.Errorf("%q becomes %q, which becomes %q", s, n, again)
		}
		if n != strings.ToLower(n) || len(n) > 253 || strings.ContainsAny(n, " /@\\\"<>\r\n\x00") || strings.HasSuffix(n, ".") {
			t.Errorf("%q becomes %q", s, n)
		}
		if !strings.HasPrefix(n, "[") && strings.Contains(n, ":") {
			t.Errorf("%q keeps a port: %q", s, n)
		}
	})
}

var requestIDForm = regexp.MustCompile(`\A[A-Za-z0-9_.-]{1,128}\z`)

func FuzzRequestID(f *testing.F) {
	for _, s := range []string{"", "abc", "a b", "a\n", strings.Repeat("x", 128), strings.Repeat("x", 129), "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := validRequestID(s), requestIDForm.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
		if id := acceptRequestID(http.Header{"X-Request-Id": {s}}); !requestIDForm.MatchString(id) {
			t.Errorf("%q accepted as %q", s, id)
		}
	})
}

func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, ::1", "https", "a.test", "80", "t=1")
	f.Add("[::1]:80, unknown, x\r\ny", "ftp", "a b", "-1", "t=x")
	f.Fuzz(func(t *testing.T, addr, proto, host, port, start string) {
		out := forwarded{addr: "127.0.0.1", proto: "http", host: "blog.test", start: "t=5"}
		out.believe(http.Header{"X-Forwarded-For": {addr}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}, "X-Forwarded-Port": {port}, "X-Request-Start": {start}})
		for _, v := range []string{out.addr, out.proto, out.host, out.port, out.start} {
			if !validValue(v) || strings.ContainsAny(v, "\t\"<>") {
				t.Errorf("passes on %q", v)
			}
		}
		chain := strings.Split(out.addr, ", ")
		if chain[len(chain)-1] != "127.0.0.1" {
			t.Errorf("the peer is not the last of %q", out.addr)
		}
		for _, hop := range chain {
			_, bare := netip.ParseAddr(strings.Trim(hop, "[]"))
			_, port := netip.ParseAddrPort(hop)
			if hop != "unknown" && bare != nil && port != nil {
				t.Errorf("passes on %q", hop)
			}
		}
	})
}

func FuzzResponseHead(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close, X-A\r\nX-A: b\r\n\r\n")
	f.Add("HTTP/1.0 404\nTransfer-Encoding: chunked\nTrailer: A\n\n")
	f.Fuzz(func(t *testing.T, raw string) {
		h, fields, err := parseStatus(raw)
		if err != nil {
			return
		}
		dst := http.Header{}
		if h.parseFields(fields, dst) != nil {
			return
		}
		if h.status < 100 || h.status > 999 || h.chunked && h.length >= 0 || h.length < -1 {
			t.Errorf("%q: %+v", raw, h)
		}
		for k, vv := range dst {
			if hopByHop(k) && k != "Trailer" || !validName(k) {
				t.Errorf("%q passes on %q", raw, k)
			}
			for _, v := range vv {
				if !validValue(v) {
					t.Errorf("%q passes on %q", raw, v)
				}
			}
		}
	})
}

func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/", "/a/b", "/../a", "//a", "/.git", "/a/./b/", "/.well-known/x", "\\a", "/a\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, ok := cleanPath(s)
		if !ok {
			return
		}
		if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") {
			t.Errorf("%q becomes %q", s, name)
		}
		for segment := range strings.SplitSeq(name, "/") {
			if strings.HasPrefix(segment, ".") && segment != ".well-known" {
				t.Errorf("%q becomes %q", s, name)
			}
		}
	})
}
