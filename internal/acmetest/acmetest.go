// Package acmetest runs a certificate authority that speaks ACME (RFC 8555)
// on loopback, for tests: the real Pebble of Let's Encrypt, in this process.
package acmetest

import (
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"
)

// An Authority certifies every name whose owner answers its challenges on
// 127.0.0.1; to it that is the address of all names.
type Authority struct {
	URL  string            // of its directory
	TLS  *x509.Certificate // that its directory is served with, its own issuer
	Root *x509.Certificate // of the certificates that it makes

	http *httptest.Server
	dns  *dns.Server
}

// Start runs an authority that reaches the server under test at the two ports
// of 127.0.0.1. Close ends it.
func Start(httpPort, httpsPort int) (*Authority, error) {
	names, err := startDNS()
	if err != nil {
		return nil, err
	}
	silent := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	signer := ca.New(silent, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "the only one"}})
	prover := va.New(silent, httpPort, httpsPort, true, names.Listener.Addr().String(), store)
	front := wfe.New(silent, store, prover, signer, []string{"acme.test"}, true, false, 1, 1)
	a := &Authority{http: httptest.NewTLSServer(front.Handler()), dns: names}
	a.TLS = a.http.Certificate()
	a.URL = a.http.URL + wfe.DirectoryPath
	a.Root, err = x509.ParseCertificate(signer.GetRootCert(0).DER)
	if err != nil {
		a.Close()
		return nil, fmt.Errorf("parse the root: %w", err)
	}
	return a, nil
}

// Close ends the authority.
func (a *Authority) Close() {
	a.http.Close()
	_ = a.dns.Shutdown() // it runs
}

// startDNS answers that every name is at 127.0.0.1.
func startDNS() (*dns.Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for dns: %w", err)
	}
	ready := make(chan struct{})
	s := &dns.Server{Listener: l, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if len(q.Question) == 1 && q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(127, 0, 0, 1)}}
		}
		_ = w.WriteMsg(m) // who asks asks again
	})}
	go func() { _ = s.ActivateAndServe() }() // until Shutdown
	<-ready
	return s, nil
}
