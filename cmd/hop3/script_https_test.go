package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hop3/internal/acmetest"
)

// scriptCA is a certificate authority of one script.
type scriptCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certificate FILE NAME… writes a certificate for names, by the script's own authority, with its key.
// The authority's own certificate lies in .ca.pem.
func certificateCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if w.ca == nil {
		w.ca = &scriptCA{}
		w.ca.cert, w.ca.key = w.ca.issue(ts, &x509.Certificate{Subject: pkix.Name{CommonName: "Script CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
		ts.Check(os.WriteFile(filepath.Join(w.root, ".ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.ca.cert.Raw}), 0o600))
	}
	cert, key := w.ca.issue(ts, &x509.Certificate{DNSNames: args[1:]})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	var b bytes.Buffer
	ts.Check(pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	ts.Check(pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// issue signs by the authority; its own certificate it signs itself.
func (ca *scriptCA) issue(ts *testscript.TestScript, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := ca.cert, ca.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	return cert, key
}

var servingHTTPS = regexp.MustCompile(`serving https".* addr="(127\.0\.0\.1:\d+)"`)

// https finds out where the server serves HTTPS, for secure and $HTTPS_PORT.
func httpsCmd(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	found := servingHTTPS.FindAllStringSubmatch(w.log(), -1)
	if len(found) == 0 {
		ts.Fatalf("the server does not serve https:\n%s", w.log())
	}
	w.https = found[len(found)-1][1]
	_, port, err := net.SplitHostPort(w.https)
	ts.Check(err)
	ts.Setenv("HTTPS_PORT", port)
}

// secure [-http1] HOST[/PATH] prints a page got over TLS, after a line with the version of HTTP, and
// the certificate's first name and issuer. It trusts everyone, for the script looks.
func secureCmd(ts *testscript.TestScript, _ bool, args []string) {
	client := worldOf(ts).secureClient(args[0] != "-http1")
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + args[len(args)-1])
	ts.Check(err)
	defer res.Body.Close()
	cert := res.TLS.PeerCertificates[0]
	_, err = fmt.Fprintf(ts.Stdout(), "%s %s %q by %s\n", res.Proto, res.Status, cert.DNSNames, cert.Issuer.CommonName)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), res.Body)
	ts.Check(err)
}

func (w *world) secureClient(h2 bool) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(!h2)
	p.SetHTTP2(h2)
	addr, dialer := w.https, &net.Dialer{}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr)
		},
	}}
}

// authority runs an ACME authority that knows the server at the addresses $ACME_HTTP and $ACME_HTTPS; its
// directory is $ACME_URL, which .acme.pem vouches for, and its root is .acme-root.pem.
func authorityCmd(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	var ports []int
	for _, name := range []string{"ACME_HTTP", "ACME_HTTPS"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // the server takes it
		ts.Setenv(name, l.Addr().String())
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	a, err := acmetest.Start(ports[0], ports[1])
	ts.Check(err)
	ts.Defer(a.Close)
	ts.Setenv("ACME_URL", a.URL)
	for name, cert := range map[string]*x509.Certificate{".acme.pem": a.TLS, ".acme-root.pem": a.Root} {
		ts.Check(os.WriteFile(filepath.Join(w.root, name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600))
	}
}
