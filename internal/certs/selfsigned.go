package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"slices"
	"time"
)

const (
	// selfSignedFor is how long a self-signed certificate lasts: no longer than browsers accept from anyone.
	selfSignedFor = 397 * 24 * time.Hour
	// renewBefore its end a self-signed certificate is replaced.
	renewBefore = 30 * 24 * time.Hour
	// clockSkew is how far a client's clock may be behind.
	clockSkew = time.Hour
)

// selfSigned returns the certificate for names without another one. It is
// made anew at the first handshake shortly before its end, and when the
// server's domain has changed.
func (s *Set) selfSigned() (*tls.Certificate, error) {
	if p := s.self.Load(); s.lasts(p) {
		return &p.cert, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.self.Load(); s.lasts(p) { // made meanwhile
		return &p.cert, nil
	}
	p, err := generate(s.domains(), s.opts.Now())
	if err != nil {
		return nil, fmt.Errorf("make a self-signed certificate: %w", err)
	}
	first := s.self.Swap(p) == nil
	if err := s.opts.WriteFile(s.selfPath(), p.pem(), 0o600); err != nil {
		if first {
			return nil, fmt.Errorf("store the self-signed certificate: %w", err)
		}
		s.opts.Log.WithError(err).Error("the new self-signed certificate was not stored")
	}
	return &p.cert, nil
}

func (s *Set) domains() []string { return []string{s.opts.Domain, "*." + s.opts.Domain} }

func (s *Set) lasts(p *pair) bool {
	return p != nil && slices.Equal(p.names, s.domains()) && s.opts.Now().Before(p.cert.Leaf.NotAfter.Add(-renewBefore))
}

// generate makes a self-signed certificate with ECDSA P-256, which every
// client knows (browsers do not take Ed25519).
func generate(names []string, now time.Time) (*pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{ // the serial number is made by the library
		Subject:  pkix.Name{CommonName: names[0], Organization: []string{"hop3 self-signed"}},
		DNSNames: names, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(selfSignedFor),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return newPair([]*x509.Certificate{leaf}, key)
}
