package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hop3/internal/acmetest"
)

// A site is a server with certificates of an authority.
type site struct {
	*Set
	ca    *acmetest.Authority
	https string
	log   *testLog

	mu    sync.Mutex
	hosts []string
}

func (s *site) set(hosts ...string) {
	s.mu.Lock()
	s.hosts = hosts
	s.mu.Unlock()
	s.Changed()
}

func (s *site) now() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hosts)
}

// startSite serves as hop3 does: the challenge before everything else on the
// plain listener, the certificates on the other.
func startSite(t *testing.T, dir string, o ACMEOptions, hosts ...string) *site {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	plain, secure := listen(t), listen(t)
	port := func(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
	ca, err := acmetest.Start(port(plain), port(secure))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ca.Close)
	s := &site{ca: ca, https: secure.Addr().String(), hosts: hosts}
	o.Email, o.Directory, o.Hosts, o.Roots = "ann@example.com", ca.URL, s.now, x509.NewCertPool()
	o.Roots.AddCert(ca.TLS)
	s.Set, s.log = open(t, Options{Dir: dir, ACME: o})
	if err := s.Start(plain.Addr().String(), s.https); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	srv := &http.Server{TLSConfig: s.TLSConfig(), Protocols: p, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.Challenge(w, r) {
			http.Error(w, "no challenge", http.StatusTeapot)
		}
	})}
	var wg sync.WaitGroup
	wg.Go(func() { srv.Serve(plain) })
	wg.Go(func() { srv.ServeTLS(secure, "", "") })
	t.Cleanup(func() { srv.Close(); wg.Wait() })
	return s
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// verified makes a request as a browser does that trusts the authority, and
// returns the serial number of the certificate.
func (s *site) verified(t *testing.T, host string) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(s.ca.Root)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.https)
		}}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr}).Get("https://" + host + "/")
	if err != nil {
		t.Fatalf("%v\n%s", err, s.log)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.StatusCode != http.StatusTeapot {
		t.Errorf("%s %s", res.Proto, res.Status)
	}
	return res.TLS.PeerCertificates[0].SerialNumber.String()
}

// TestACME_BothChallenges: the first visitor already gets a certificate of the authority.
func TestACME_BothChallenges(t *testing.T) {
	for name, o := range map[string]ACMEOptions{"http-01": {noALPN: true}, "tls-alpn-01": {noHTTP: true}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := startSite(t, dir, o, "blog.example.com")
			serial := s.verified(t, "blog.example.com")
			list := s.List()
			if len(list) != 2 || list[0].Source != SourceACME || list[0].Name != "blog.example.com" || !strings.HasPrefix(list[0].Issuer, "Pebble") {
				t.Errorf("%+v", list)
			}
			s.Close()
			again, _ := open(t, Options{Dir: dir, ACME: ACMEOptions{Email: "ann@example.com", Directory: s.ca.URL, Hosts: s.now}})
			if err := again.Start("127.0.0.1:1", "127.0.0.1:2"); err != nil { // nobody could answer a challenge there
				t.Fatal(err)
			}
			defer again.Close()
			if c := dial(t, serve(t, again), "blog.example.com").ConnectionState().PeerCertificates[0]; c.SerialNumber.String() != serial {
				t.Errorf("after a restart: the certificate of %s by %s", c.DNSNames, c.Issuer)
			}
			s.issuer = nil // is closed
		})
	}
}

// TestACME_OnlyHostsOfApps: no name is certified because somebody asks for it.
func TestACME_OnlyHostsOfApps(t *testing.T) {
	s := startSite(t, "", ACMEOptions{}, "a.example.com")
	s.verified(t, "a.example.com")
	for _, name := range []string{"stranger.example.com", "b.example.com", ""} {
		if got := served(t, s.https, name); got != "apps.test" {
			t.Errorf("%q: the certificate of %s", name, got)
		}
	}
	s.set("a.example.com", "b.example.com", "localhost", "blog.localhost", "10.0.0.1")
	waitFor(t, func() bool { return s.issuer.host("b.example.com") != nil })
	s.verified(t, "b.example.com")
	if s.issuer.host("localhost") != nil || s.issuer.host("blog.localhost") != nil || s.issuer.host("10.0.0.1") != nil {
		t.Error("the authority is asked for a name that none certifies")
	}
	s.set("b.example.com")
	waitFor(t, func() bool { return s.issuer.host("a.example.com") == nil })
	if got := served(t, s.https, "a.example.com"); got != "apps.test" {
		t.Errorf("a host that has gone: the certificate of %s", got)
	}
}

// TestACME_OwnCertificatesComeFirst, and come and go without a restart.
func TestACME_OwnCertificatesComeFirst(t *testing.T) {
	s := startSite(t, "", ACMEOptions{}, "a.example.com")
	s.verified(t, "a.example.com")
	own := newAuthority(t, "Test CA", nil)
	add(t, s.Set, own.full(t, "a.example.com"))
	c := dial(t, s.https, "a.example.com").ConnectionState().PeerCertificates[0]
	if c.Issuer.CommonName != "Test CA" {
		t.Errorf("by %s", c.Issuer)
	}
	waitFor(t, func() bool { return s.issuer.host("a.example.com") == nil })
	if err := s.Remove("a.example.com", anyone); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return s.issuer.host("a.example.com") != nil })
	s.verified(t, "a.example.com")
}

// TestACME_FailureServesSelfSigned: an authority that cannot be reached keeps nobody from the app.
func TestACME_FailureServesSelfSigned(t *testing.T) {
	l := listen(t)
	l.Close()
	s, lines := open(t, Options{ACME: ACMEOptions{Email: "ann@example.com", Directory: "http://" + l.Addr().String() + "/dir", Hosts: func() []string { return []string{"a.example.com"} }}})
	if err := s.Start("127.0.0.1:80", "127.0.0.1:443"); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	waitFor(t, func() bool { return s.issuer.host("a.example.com") != nil })
	if got := served(t, serve(t, s), "a.example.com"); got != "apps.test" {
		t.Errorf("the certificate of %s", got)
	}
	waitFor(t, func() bool {
		return strings.Contains(lines.String(), "a.example.com") && strings.Contains(lines.String(), "acme: ")
	})
}

func TestStart_BadAddress(t *testing.T) {
	s, _ := open(t, Options{ACME: ACMEOptions{Email: "ann@example.com", Hosts: func() []string { return nil }}})
	for _, addr := range []string{"", "x", "127.0.0.1:http"} {
		if err := s.Start(addr, "127.0.0.1:"+strconv.Itoa(1)); err == nil {
			t.Errorf("%q was accepted", addr)
		}
	}
}
