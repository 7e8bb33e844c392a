package proxy

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func siteTree(t *testing.T) string {
	dir := writeTree(t, map[string]string{
		"index.html": "<p>home", "app.js": "let a", "app.js.br": "BR", "app.js.gz": "GZ", "app.js.zst": "ZS", "only.css.gz": "x", "sub dir/index.html": "sub",
		"empty/x.txt": "x", ".env": "secret", ".git/config": "secret", ".well-known/acme": "token", "data.bin": "0123456789", "404.html": "<p>lost",
	})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "passwd.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("app.js", filepath.Join(dir, "link.js")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestStatic_Serves(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Static: &Static{Dir: siteTree(t), Tag: "abc"}})
	for _, c := range []struct {
		method, path string
		header       string // "Name: value"
		status       int
		body         string
		wants        string // "Name: value" of the response
	}{
		{"GET", "/", "", 200, "<p>home", "Content-Type: text/html; charset=utf-8"},
		{"HEAD", "/", "", 200, "", "Content-Length: 7"},
		{"GET", "/app.js", "", 200, "let a", "Content-Type: text/javascript; charset=utf-8"},
		{"GET", "/app.js", "Accept-Encoding: gzip, br", 200, "BR", "Content-Encoding: br"},
		{"GET", "/app.js", "Accept-Encoding: gzip, br;q=0", 200, "GZ", "Content-Encoding: gzip"},
		{"GET", "/app.js", "Accept-Encoding: gzip, zstd", 200, "ZS", "Content-Encoding: zstd"},
		{"GET", "/app.js", "Accept-Encoding: gzip", 200, "GZ", "Content-Length: 2"},
		{"GET", "/app.js", "Accept-Encoding: *", 200, "let a", "Vary: Accept-Encoding"},
		{"GET", "/app.js?v=1", "", 200, "let a", "Cache-Control: public, max-age=0, must-revalidate"},
		{"GET", "/only.css", "Accept-Encoding: gzip", 404, "<p>lost", ""},
		{"GET", "/data.bin", "Range: bytes=2-4", 206, "234", "Content-Range: bytes 2-4/10"},
		{"GET", "/data.bin", "Range: bytes=99-", 416, "", "Content-Range: bytes */10"},
		{"GET", "/data.bin", "", 200, "0123456789", "Content-Type: application/octet-stream"},
		{"GET", "/sub%20dir", "", 301, "", "Location: /sub%20dir/"},
		{"GET", "/sub%20dir?x=1", "", 301, "", "Location: /sub%20dir/?x=1"},
		{"GET", "/sub%20dir/", "", 200, "sub", ""},
		{"GET", "//evil.test/..//sub%20dir", "", 301, "", "Location: /sub%20dir/"},
		{"GET", "/empty", "", 404, "<p>lost", ""},
		{"GET", "/empty/", "", 404, "<p>lost", ""},
		{"GET", "/app.js/", "", 404, "<p>lost", ""},
		{"GET", "/none", "", 404, "<p>lost", "Content-Type: text/html; charset=utf-8"},
		{"HEAD", "/none", "", 404, "", "Content-Length: 7"},
		{"GET", "/.env", "", 404, "", ""}, {"GET", "/.git/config", "", 404, "", ""}, {"GET", "/%2egit/config", "", 404, "", ""},
		{"GET", "/.well-known/acme", "", 200, "token", ""},
		{"GET", "/passwd.txt", "", 404, "<p>lost", ""}, {"GET", "/link.js", "", 200, "let a", ""},
		{"GET", "/../../../../etc/passwd", "", 404, "<p>lost", ""}, {"GET", "/%2e%2e/%2e%2e/etc/passwd", "", 404, "<p>lost", ""},
		{"GET", "/..%5c..%5cetc%5cpasswd", "", 404, "", ""}, {"GET", "/a%00b", "", 404, "", ""},
		{"POST", "/", "", 405, "", "Allow: GET, HEAD"}, {"DELETE", "/app.js", "", 405, "", "Allow: GET, HEAD"}, {"OPTIONS", "/", "", 405, "", ""},
	} {
		res, body := f.send(t, c.method+" "+c.path+" HTTP/1.1\r\nHost: blog.test\r\nConnection: close\r\n"+strings.TrimPrefix(c.header+"\r\n", "\r\n")+"\r\n")
		if res.StatusCode != c.status {
			t.Errorf("%s %s (%s): status %d, want %d", c.method, c.path, c.header, res.StatusCode, c.status)
		}
		if c.body != "" && body != c.body || c.method == "HEAD" && body != "" || strings.Contains(body, "secret") || strings.Contains(body, "root:") {
			t.Errorf("%s %s (%s): body %q, want %q", c.method, c.path, c.header, body, c.body)
		}
		if k, v, ok := strings.Cut(c.wants, ": "); ok && res.Header.Get(k) != v {
			t.Errorf("%s %s (%s): %s %q, want %q", c.method, c.path, c.header, k, res.Header.Get(k), v)
		}
	}
}

func TestStatic_ETags(t *testing.T) {
	f := startFront(t, Options{})
	tag := func(path, encoding string) string {
		req := f.request(t, "GET", path, nil)
		req.Header.Set("Accept-Encoding", encoding)
		res, _ := do(t, req)
		if res.Header.Get("Last-Modified") != "" {
			t.Error("a store path has no times")
		}
		return res.Header.Get("Etag")
	}
	f.point(t, Route{Static: &Static{Dir: siteTree(t), Tag: "one"}})
	plain, br := tag("/app.js", "identity"), tag("/app.js", "br")
	if plain == "" || plain == br || plain != tag("/app.js", "identity") {
		t.Errorf("tags %q and %q", plain, br)
	}
	req := f.request(t, "GET", "/app.js", nil)
	req.Header.Set("If-None-Match", plain)
	res, body := do(t, req)
	if res.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("revalidation: %d %q", res.StatusCode, body)
	}
	f.point(t, Route{Static: &Static{Dir: siteTree(t), Tag: "two"}})
	if again := tag("/app.js", "identity"); again != plain {
		t.Errorf("the same content has tag %q in the next release, %q before", again, plain)
	}
	f.point(t, Route{Static: &Static{Dir: writeTree(t, map[string]string{"app.js": "changed"}), Tag: "two"}})
	if again := tag("/app.js", "identity"); again == plain {
		t.Error("other content has the same tag")
	}
}

func TestStatic_SPA(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Static: &Static{Dir: siteTree(t), SPA: true}})
	for path, want := range map[string]int{"/users/7": 200, "/": 200, "/app.js": 200, "/missing.js": 404, "/.env": 404} {
		res, body := f.get(t, path)
		wantStatus(t, res, want)
		if path == "/users/7" && body != "<p>home" {
			t.Errorf("fallback: %q", body)
		}
	}
	req := f.request(t, "GET", "/users/john.doe", nil)
	req.Header.Set("Accept", "text/html,*/*")
	res, _ := do(t, req)
	wantStatus(t, res, 200)
}

func TestStatic_WithoutPagesOfItsOwn(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Static: &Static{Dir: writeTree(t, map[string]string{"a.txt": "a"})}})
	res, body := f.get(t, "/")
	wantStatus(t, res, 404)
	wantContains(t, body, "Not found")
	res, _ = f.get(t, "/a.txt")
	if res.Header.Get("Last-Modified") == "" || res.Header.Get("Etag") == "" {
		t.Errorf("headers: %v", res.Header)
	}
}
