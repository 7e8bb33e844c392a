package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// testTLS makes a certificate for blog.test and who trusts it.
func testTLS(t testing.TB) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "blog.test"}, DNSNames: []string{"blog.test"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// startSecure is startFront with a second listener for TLS at the address it returns.
func startSecure(t testing.TB, o Options) (f *front, addr string, pool *x509.CertPool) {
	t.Helper()
	o.TLS, pool = testTLS(t)
	l := listen(t)
	done := make(chan error, 1)
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("serve TLS: %v", err)
		}
	})
	f = startFront(t, o) // its clean-up comes before, and ends both listeners
	go func() { done <- f.ServeTLS(l) }()
	return f, l.Addr().String(), pool
}

// secureClient reaches addr under every name, by HTTP/2 if h2 is set.
func secureClient(t testing.TB, addr string, pool *x509.CertPool, h2 bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func TestServeTLS_TellsTheApp(t *testing.T) {
	f, addr, pool := startSecure(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Header.Get("X-Forwarded-Proto")+" "+r.Header.Get("X-Forwarded-Port")+" "+r.Header.Get("Via"))
	})}})
	for want, h2 := range map[string]bool{"HTTP/1.1 https 443 1.1 hop3": false, "HTTP/2.0 https 443 2.0 hop3": true} {
		req, err := http.NewRequest("GET", "https://blog.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Forwarded-Proto", "http") // forged
		res, err := secureClient(t, addr, pool, h2).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if got := res.Proto + " " + string(body); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
		if v := res.Header.Get("Strict-Transport-Security"); v != "" {
			t.Errorf("HSTS %q without being asked for", v)
		}
	}
}

func TestServeTLS_RefusesOldVersions(t *testing.T) {
	_, addr, pool := startSecure(t, Options{})
	for version, served := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: "blog.test", MinVersion: version, MaxVersion: version})
		if (err == nil) != served {
			t.Errorf("%s: %v, served=%v", tls.VersionName(version), err, served)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestServeTLS_PlainRequestIsTold(t *testing.T) {
	_, addr, _ := startSecure(t, Options{})
	res, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP on the TLS port: %s", res.Status)
	}
}

func TestServeTLS_Websocket(t *testing.T) {
	f, addr, pool := startSecure(t, Options{})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		kind, msg, err := c.Read(r.Context())
		if err == nil {
			c.Write(r.Context(), kind, append([]byte(r.Header.Get("X-Forwarded-Proto")+" "), msg...))
		}
		c.Close(websocket.StatusNormalClosure, "")
	})}})
	c, _, err := websocket.Dial(t.Context(), "wss://blog.test/", &websocket.DialOptions{HTTPClient: secureClient(t, addr, pool, false)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := c.Read(t.Context()); err != nil || string(got) != "https hello" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRedirectHTTPS(t *testing.T) {
	f := startFront(t, Options{})
	f.point(t, Route{Hosts: []string{"blog.test", "[2001:db8::1]"}, Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "app") })}})
	for _, c := range []struct {
		port, request, want string
	}{
		{"", "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n", ""},
		{"443", "GET /a%2fb//c?d=e&f HTTP/1.1\r\nHost: Blog.Test:8080\r\n\r\n", "https://blog.test/a%2fb//c?d=e&f"},
		{"8443", "GET //evil.test/ HTTP/1.1\r\nHost: blog.test.\r\n\r\n", "https://blog.test:8443//evil.test/"},
		{"8443", "POST /form HTTP/1.1\r\nHost: blog.test\r\nContent-Length: 2\r\n\r\nhi", "https://blog.test:8443/form"},
		{"443", "GET http://blog.test/x HTTP/1.1\r\nHost: blog.test\r\n\r\n", "https://blog.test/x"},
		{"443", "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", "https://[2001:db8::1]/"},
		{"443", "GET / HTTP/1.1\r\nHost: blog.test\r\nX-Forwarded-Proto: https\r\n\r\n", "https://blog.test/"}, // not from a trusted proxy
		{"443", "GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: blog.test\r\n\r\n", ""},               // an app's own ACME client
	} {
		if c.port != "" {
			f.RedirectHTTPS(c.port)
		}
		res, body := f.send(t, c.request)
		switch {
		case c.want == "" && (res.StatusCode != 200 || body != "app"):
			t.Errorf("%q: %s", c.request, res.Status)
		case c.want != "" && (res.StatusCode != http.StatusPermanentRedirect || res.Header.Get("Location") != c.want || res.Header.Get("X-Request-Id") == ""):
			t.Errorf("%q: %s to %q, want %q", c.request, res.Status, res.Header.Get("Location"), c.want)
		}
	}
	if res, _ := f.send(t, "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"); res.StatusCode != http.StatusNotFound {
		t.Errorf("an unknown host: %s", res.Status)
	}
}

func TestRedirectHTTPS_TrustedProxySpeaksTLS(t *testing.T) {
	f := startFront(t, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(http.ResponseWriter, *http.Request) {})}})
	f.RedirectHTTPS("443")
	for proto, want := range map[string]int{"https": 200, "http": http.StatusPermanentRedirect} {
		res, _ := f.send(t, "GET / HTTP/1.1\r\nHost: blog.test\r\nX-Forwarded-Proto: "+proto+"\r\n\r\n")
		if res.StatusCode != want {
			t.Errorf("%s: %s, want %d", proto, res.Status, want)
		}
	}
}

func TestChallenge(t *testing.T) {
	answer := func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/known") {
			return false
		}
		io.WriteString(w, "proof for "+r.Host)
		return true
	}
	f := startFront(t, Options{Challenge: answer})
	f.point(t, Route{Backends: []*Backend{startApp(t, "web.1", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "app") })}})
	f.RedirectHTTPS("443")
	for request, want := range map[string]string{
		"/.well-known/acme-challenge/known HTTP/1.1\r\nHost: blog.test":  "200 proof for blog.test",
		"/.well-known/acme-challenge/known HTTP/1.1\r\nHost: other.test": "200 proof for other.test",
		"/.well-known/acme-challenge/other HTTP/1.1\r\nHost: blog.test":  "200 app",
		"/known HTTP/1.1\r\nHost: blog.test":                             "308 ",
	} {
		res, body := f.send(t, "GET "+request+"\r\n\r\n")
		if got := res.Status[:4] + body; got != want {
			t.Errorf("%q: %q, want %q", request, got, want)
		}
	}
}

func TestHSTS(t *testing.T) {
	f, addr, pool := startSecure(t, Options{HSTS: 8760 * time.Hour})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("home"), 0o644); err != nil {
		t.Fatal(err)
	}
	app := startApp(t, "web.1", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" {
			w.Header().Set("Strict-Transport-Security", "max-age=1")
		}
	})
	const long = "max-age=31536000"
	for _, c := range []struct {
		route      Route
		path, want string
	}{
		{Route{Backends: []*Backend{app}}, "/", long},
		{Route{Backends: []*Backend{app}}, "/own", "max-age=1"},
		{Route{Static: &Static{Dir: dir}}, "/", long},
		{Route{Static: &Static{Dir: dir}}, "/none", long},
		{Route{}, "/", long}, // a page of the router
	} {
		f.point(t, c.route)
		res, err := secureClient(t, addr, pool, true).Get("https://blog.test" + c.path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header["Strict-Transport-Security"]; len(got) != 1 || got[0] != c.want {
			t.Errorf("%s of %+v: %q, want %q", c.path, c.route, got, c.want)
		}
	}
	if res, _ := f.send(t, "GET / HTTP/1.1\r\nHost: blog.test\r\n\r\n"); res.Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without TLS, which RFC 6797 forbids")
	}
}

func TestSwap_UnderTLSLoadLosesNothing(t *testing.T) {
	f, addr, pool := startSecure(t, Options{})
	old, kill := release(t, 0)
	f.point(t, Route{Backends: []*Backend{old}})
	l := &load{stop: make(chan struct{}), base: "https://blog.test"}
	for _, h2 := range []bool{false, true} {
		for _, method := range []string{"GET", "POST"} {
			for range 2 {
				l.run(f, t, secureClient(t, addr, pool, h2), method)
			}
		}
	}
	l.swap(t, f, old, kill, 20)
}

func TestHosts_ChangedIsTold(t *testing.T) {
	var r *Router
	seen := make(chan []string, 9)
	r = New(Options{Changed: func() { seen <- r.Hosts() }}) // Hosts takes no lock that Point still has
	for _, hosts := range [][]string{{"a.test"}, {"b.test"}} {
		if err := r.Point(Route{App: "blog", Hosts: hosts}); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; !slices.Equal(got, hosts) {
			t.Errorf("%q, want %q", got, hosts)
		}
	}
	r.Remove("blog")
	if got := <-seen; len(got) != 0 {
		t.Errorf("%q after the removal", got)
	}
}
