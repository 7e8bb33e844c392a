package certs

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCertificate_ByName(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	s, _ := open(t, Options{})
	addr := serve(t, s)
	add(t, s, ca.full(t, "www.example.com", "example.com"))
	add(t, s, ca.full(t, "*.example.com"))
	add(t, s, ca.full(t, "*.apps.test"))
	for name, want := range map[string]string{
		"www.example.com":   "www.example.com",
		"WWW.Example.COM":   "www.example.com",
		"example.com":       "www.example.com",
		"api.example.com":   "*.example.com",
		"a.b.example.com":   "apps.test", // a * is one label
		"blog.apps.test":    "*.apps.test",
		"apps.test":         "apps.test",
		"other.test":        "apps.test",
		"":                  "apps.test",
		"127.0.0.1":         "apps.test", // not sent by clients
		"*.example.com":     "*.example.com",
		"xn--bcher-kva.com": "apps.test",
	} {
		if got := served(t, addr, name); got != want {
			t.Errorf("%q: the certificate of %s, want %s", name, got, want)
		}
	}
}

func TestAdd_IsVerifiedByClients(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	middle := newAuthority(t, "Middle", root)
	lower := newAuthority(t, "Lower", middle)
	key := newKey(t)
	cert := sign(t, leaf("www.example.com"), lower, key)
	s, _ := open(t, Options{})
	// The worst order that there is, with one twice.
	add(t, s, slices.Concat([]byte("some words\n"), certPEM(middle.cert, lower.cert), keyPEM(t, key), certPEM(cert, middle.cert)))
	c, err := tls.Dial("tcp", serve(t, s), &tls.Config{ServerName: "www.example.com", RootCAs: root.pool()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := len(c.ConnectionState().PeerCertificates); n != 3 {
		t.Errorf("%d certificates were sent, want 3", n)
	}
}

func TestAdd_KindsOfKeys(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec := newKey(t).(*ecdsa.PrivateKey)
	sec1, err := x509.MarshalECPrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	s, _ := open(t, Options{})
	addr := serve(t, s)
	for name, text := range map[string][]byte{
		"rsa-pkcs8": append(certPEM(sign(t, leaf("rsa-pkcs8"), ca, r)), keyPEM(t, r)...),
		"rsa-pkcs1": append(certPEM(sign(t, leaf("rsa-pkcs1"), ca, r)), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)})...),
		"ec-sec1": slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{1}}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}),
			certPEM(sign(t, leaf("ec-sec1"), ca, ec))),
		"ed25519": []byte(strings.ReplaceAll(string(append(certPEM(sign(t, leaf("ed25519"), ca, ed)), keyPEM(t, ed)...)), "\n", "\r\n")),
	} {
		add(t, s, text)
		c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, RootCAs: ca.pool()})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.Close()
	}
}

func TestAdd_CountsAtOnce(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	s, _ := open(t, Options{})
	addr := serve(t, s)
	old := dial(t, addr, "www.example.com")
	add(t, s, ca.full(t, "www.example.com"))
	if got := served(t, addr, "www.example.com"); got != "www.example.com" {
		t.Errorf("after the addition: %s", got)
	}
	if err := s.Remove("www.example.com", anyone); err != nil {
		t.Fatal(err)
	}
	if got := served(t, addr, "www.example.com"); got != "apps.test" {
		t.Errorf("after the removal: %s", got)
	}
	if _, err := old.Write([]byte("x")); err != nil {
		t.Errorf("a connection from before: %v", err)
	}
	if n, err := old.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("a connection from before: %v", err)
	}
	if err := s.Remove("www.example.com", anyone); !errors.Is(err, ErrNotFound) {
		t.Errorf("a second removal: %v", err)
	}
}

func TestAdd_ReplacesTheSameName(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	s, _ := open(t, Options{})
	add(t, s, ca.full(t, "www.example.com", "other.example.com"))
	add(t, s, ca.full(t, "www.example.com"))
	if list := s.List(); len(list) != 2 || s.Covers("other.example.com") || !s.Covers("www.example.com") {
		t.Errorf("%+v", list)
	}
}

func TestAdd_AsksForAllNames(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	s, _ := open(t, Options{})
	var asked []string
	deny := errors.New("no")
	may := func(names []string) error { asked = names; return deny }
	if _, err := s.Add(ca.full(t, "b.test", "a.test"), may); err != deny || !slices.Equal(asked, []string{"b.test", "a.test"}) || s.Covers("a.test") {
		t.Errorf("%v, asked for %q", err, asked)
	}
	add(t, s, ca.full(t, "b.test", "victim.test"))
	if _, err := s.Add(ca.full(t, "b.test"), may); err != deny || !slices.Contains(asked, "victim.test") || !s.Covers("victim.test") {
		t.Errorf("%v, asked for %q: a certificate was replaced unseen", err, asked)
	}
	if err := s.Remove("b.test", may); err != deny || !slices.Contains(asked, "victim.test") || !s.Covers("victim.test") {
		t.Errorf("%v, asked for %q", err, asked)
	}
}

func TestOpen_ReadsWhatWasAdded(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	dir := filepath.Join(t.TempDir(), "certs")
	s, _ := open(t, Options{Dir: dir})
	added := []Info{add(t, s, ca.full(t, "*.example.com")), add(t, s, ca.full(t, "www.example.com"))}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, _ error) error {
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"damaged.pem": "-----BEGIN CERTIFICATE-----", "wrong.pem": string(ca.full(t, "right")), ".half.pem": "x", "notes.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, "own", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, lines := open(t, Options{Dir: dir})
	list := again.List()
	if len(list) != 3 || list[0].Name != added[0].Name || list[1].Name != added[1].Name || list[1].Issuer != "Test CA" || list[1].Source != SourceOwn || list[2].Source != SourceSelfSigned {
		t.Errorf("%+v", list)
	}
	for _, want := range []string{"damaged.pem", "it is the certificate of right"} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, lines)
		}
	}
	if err := again.Remove("*.example.com", anyone); err != nil {
		t.Fatal(err)
	}
	if last, _ := open(t, Options{Dir: dir}); last.Covers("api.example.com") || !last.Covers("www.example.com") {
		t.Errorf("%+v", last.List())
	}
}

func TestOwn_ThatHasExpiredIsNotServed(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	dir, clock := t.TempDir(), &clock{}
	s, _ := open(t, Options{Dir: dir, Now: clock.now})
	add(t, s, ca.full(t, "www.example.com"))
	clock.ahead.Store(int64(2000 * time.Hour))
	if got := served(t, serve(t, s), "www.example.com"); got != "apps.test" {
		t.Errorf("served %s", got)
	}
	_, lines := open(t, Options{Dir: dir, Now: clock.now})
	if !strings.Contains(lines.String(), "www.example.com expires at") {
		t.Errorf("nobody is told:\n%s", lines)
	}
}

func TestAdd_NothingChangesIfItCannotBeStored(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	full := false
	write := func(path string, b []byte, mode fs.FileMode) error {
		if full {
			return errors.New("disk full")
		}
		return os.WriteFile(path, b, mode)
	}
	s, _ := open(t, Options{WriteFile: write})
	full = true
	if _, err := s.Add(ca.full(t, "www.example.com"), anyone); err == nil || !strings.Contains(err.Error(), "store the certificate: disk full") || s.Covers("www.example.com") {
		t.Errorf("%v", err)
	}
}

func TestSet_UnderLoad(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	s, _ := open(t, Options{})
	addr := serve(t, s)
	text := ca.full(t, "www.example.com")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				c, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "www.example.com", InsecureSkipVerify: true})
				if err != nil {
					t.Error(err)
					return
				}
				c.Close()
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if _, err := s.Add(text, anyone); err != nil {
				t.Error(err)
			}
			s.List()
			if err := s.Remove("www.example.com", anyone); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

func TestSelfSigned_MadeOnce(t *testing.T) {
	dir, clock := t.TempDir(), &clock{}
	serial := func(s *Set) string {
		c, err := s.selfSigned()
		if err != nil {
			t.Fatal(err)
		}
		return c.Leaf.SerialNumber.String()
	}
	s, _ := open(t, Options{Dir: dir, Now: clock.now, Domain: "Apps.Test"})
	first := serial(s)
	again, _ := open(t, Options{Dir: dir, Now: clock.now})
	if serial(again) != first {
		t.Error("a restart made a new certificate")
	}
	clock.ahead.Store(int64(selfSignedFor - renewBefore - time.Hour))
	if serial(again) != first {
		t.Error("made anew too early")
	}
	clock.ahead.Store(int64(selfSignedFor - renewBefore + time.Hour))
	second := serial(again)
	if second == first {
		t.Error("not renewed")
	}
	if renewed, _ := open(t, Options{Dir: dir, Now: clock.now}); serial(renewed) != second {
		t.Error("the renewed one was not stored")
	}
	other, _ := open(t, Options{Dir: dir, Now: clock.now, Domain: "other.test"})
	if info := other.List()[0]; serial(other) == second || !slices.Equal(info.Names, []string{"other.test", "*.other.test"}) {
		t.Errorf("the domain changed, the certificate did not: %+v", info)
	}
}

// TestSelfSigned_CanBeTrusted: who adds it to the known certificates needs no other.
func TestSelfSigned_CanBeTrusted(t *testing.T) {
	s, _ := open(t, Options{})
	pool := x509.NewCertPool()
	pool.AddCert(s.self.Load().cert.Leaf)
	for name, want := range map[string]bool{"apps.test": true, "blog.apps.test": true, "a.blog.apps.test": false, "other.test": false} {
		c, err := tls.Dial("tcp", serve(t, s), &tls.Config{ServerName: name, RootCAs: pool})
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			c.Close()
		}
	}
}

func TestOpen_CannotWrite(t *testing.T) {
	fail := func(string, []byte, fs.FileMode) error { return errors.New("disk full") }
	if _, err := Open(Options{Dir: t.TempDir(), Domain: "apps.test", WriteFile: fail}); err == nil || !strings.Contains(err.Error(), "store the self-signed certificate: disk full") {
		t.Error(err)
	}
}
