package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAdd_BadInput: each thing that can be wrong has a sentence of its own.
func TestAdd_BadInput(t *testing.T) {
	ca := newAuthority(t, "Test CA", nil)
	key := newKey(t)
	good := certPEM(sign(t, leaf("www.example.com"), ca, key))
	with := func(change func(*x509.Certificate)) []byte {
		c := leaf("www.example.com")
		change(c)
		return append(certPEM(sign(t, c, ca, key)), keyPEM(t, key)...)
	}
	by := func(k crypto.Signer, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return append(certPEM(sign(t, leaf("www.example.com"), ca, k)), keyPEM(t, k)...)
	}
	block := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	secret := keyPEM(t, key)
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"empty":             {[]byte(" \n"), "nothing came on stdin"},
		"no PEM":            {[]byte("hello"), "that is not PEM"},
		"DER":               {ca.cert.Raw, "that is not PEM"},
		"too long":          {bytes.Repeat([]byte("x"), MaxPEM+1), "that is more than 256 KiB"},
		"no key":            {good, "there is no private key"},
		"no certificate":    {secret, "there is no certificate"},
		"two keys":          {slices.Concat(good, secret, keyPEM(t, newKey(t))), "there are two private keys"},
		"another's key":     {append(slices.Clone(good), keyPEM(t, newKey(t))...), "the private key does not fit the certificate of leaf"},
		"cut short":         {append(slices.Clone(secret), good[:len(good)-20]...), "damaged or cut short: 2 begin, 1 are whole"},
		"damaged":           {append(slices.Clone(secret), bytes.Replace(good, []byte("\n"), []byte("\n*"), 3)...), "damaged or cut short"},
		"a request":         {append(slices.Clone(secret), block("CERTIFICATE REQUEST", []byte("x"))...), `block 2 is a "CERTIFICATE REQUEST"`},
		"no certificate 2":  {append(slices.Clone(secret), block(blockCertificate, []byte("x"))...), "block 2 is not a certificate"},
		"no key 2":          {append(slices.Clone(good), block(blockKey, []byte("x"))...), "the private key cannot be read"},
		"no key 3":          {append(slices.Clone(good), block("RSA PRIVATE KEY", []byte("x"))...), "the rsa private key cannot be read"},
		"no key 4":          {append(slices.Clone(good), block("EC PRIVATE KEY", []byte("x"))...), "the ec private key cannot be read"},
		"an ssh key":        {append(slices.Clone(good), block("OPENSSH PRIVATE KEY", []byte("x"))...), "the openssh private key cannot be read"},
		"encrypted":         {append(slices.Clone(good), block("ENCRYPTED PRIVATE KEY", []byte("x"))...), "the private key is encrypted"},
		"encrypted, old":    {append(slices.Clone(good), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES"}, Bytes: []byte("x")})...), "the private key is encrypted"},
		"a stranger":        {slices.Concat(good, secret, certPEM(newAuthority(t, "Stranger", nil).cert)), "the certificate of Stranger is not part of the chain of leaf"},
		"too long a chain":  {append(slices.Clone(secret), manyCertificates(t)...), "there are 11 certificates, more than a chain has"},
		"expired":           {with(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "the certificate of www.example.com has expired at"},
		"to come":           {with(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }), "the certificate of www.example.com is not valid before"},
		"no names":          {with(func(c *x509.Certificate) { c.DNSNames = nil }), "the certificate of leaf is for no DNS name"},
		"an address":        {with(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, []net.IP{{127, 0, 0, 1}} }), "is for no DNS name"},
		"a hostile name":    {with(func(c *x509.Certificate) { c.DNSNames = []string{"../../x"} }), `is for "../../x", which is no DNS name`},
		"a star within":     {with(func(c *x509.Certificate) { c.DNSNames = []string{"w*.example.com"} }), "which is no DNS name"},
		"only a star":       {with(func(c *x509.Certificate) { c.DNSNames = []string{"*"} }), "which is no DNS name"},
		"for clients":       {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "is not for servers"},
		"a short RSA key":   {by(rsa.GenerateKey(rand.Reader, 1024)), "the RSA key has only 1024 bits"},
		"a forgotten curve": {by(ecdsa.GenerateKey(elliptic.P224(), rand.Reader)), "TLS does not use the curve P-224"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := open(t, Options{})
			_, err := s.Add(c.text, anyone)
			var bad *InvalidError
			if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) || bad.Hint() == "" {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
			if len(s.List()) != 1 {
				t.Errorf("%+v", s.List())
			}
		})
	}
}

func manyCertificates(t *testing.T) (all []byte) {
	for range maxChain + 1 {
		all = append(all, certPEM(newAuthority(t, "Many", nil).cert)...)
	}
	return all
}

// FuzzParse: what is read can be written and read again; what is not says why,
// without the input.
func FuzzParse(f *testing.F) {
	ca := newAuthority(f, "Test CA", nil)
	f.Add(ca.full(f, "www.example.com", "*.example.com"))
	f.Add(append(ca.full(f, "a"), certPEM(ca.cert)...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse(text)
		var bad *InvalidError
		if err != nil {
			if !errors.As(err, &bad) || err.Error() == "" {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := parse(p.pem())
		if err != nil || !slices.Equal(again.names, p.names) || len(again.cert.Certificate) != len(p.cert.Certificate) {
			t.Errorf("%v: read %q, written, and read as %+v", err, p.names, again)
		}
	})
}
