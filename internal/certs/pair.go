package certs

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A pair is a certificate with its chain and key. It never changes.
type pair struct {
	cert  tls.Certificate // with Leaf
	names []string        // in lower case, at least one
}

func (p *pair) name() string { return p.names[0] }

func (p *pair) info(source string) Info {
	issuer := p.cert.Leaf.Issuer
	return Info{
		Name: p.name(), Names: slices.Clone(p.names), Expires: p.cert.Leaf.NotAfter, Source: source,
		Issuer: cmp.Or(issuer.CommonName, strings.Join(issuer.Organization, " "), issuer.String()),
	}
}

// pem writes the pair as parse reads it, the chain in its order, then the key.
func (p *pair) pem() []byte {
	var b bytes.Buffer
	for _, der := range p.cert.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: blockCertificate, Bytes: der}) // a Buffer takes everything
	}
	der, err := x509.MarshalPKCS8PrivateKey(p.cert.PrivateKey)
	if err != nil {
		return nil // cannot be: parse and generate make only keys of known kinds
	}
	_ = pem.Encode(&b, &pem.Block{Type: blockKey, Bytes: der}) // a Buffer takes everything
	return b.Bytes()
}

// newPair puts a chain, whose order does not matter, and a key together.
func newPair(chain []*x509.Certificate, key crypto.Signer) (*pair, error) {
	i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return samePublic(c.PublicKey, key.Public()) })
	if i < 0 {
		return nil, invalid(wanted, "the private key does not fit the certificate of %s", subject(chain[0]))
	}
	leaf := chain[i]
	sorted, err := sortChain(leaf, slices.Delete(slices.Clone(chain), i, i+1))
	if err != nil {
		return nil, err
	}
	p := &pair{cert: tls.Certificate{PrivateKey: key, Leaf: leaf}}
	for _, c := range sorted {
		p.cert.Certificate = append(p.cert.Certificate, c.Raw)
	}
	p.names, err = names(leaf)
	return p, err
}

func samePublic(a, b any) bool {
	eq, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && eq.Equal(b)
}

// sortChain puts each certificate behind the one that it has signed.
func sortChain(leaf *x509.Certificate, rest []*x509.Certificate) ([]*x509.Certificate, error) {
	chain := []*x509.Certificate{leaf}
	for len(rest) > 0 {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return last.CheckSignatureFrom(c) == nil })
		if i < 0 {
			return nil, invalid("leave it out, or add what links it", "the certificate of %s is not part of the chain of %s", subject(rest[0]), subject(leaf))
		}
		chain = append(chain, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return chain, nil
}

// hostName is a DNS name; only its first label may be a *.
var hostName = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// names are the DNS names that the certificate is for.
func names(leaf *x509.Certificate) ([]string, error) {
	var list []string
	for _, n := range leaf.DNSNames {
		n = strings.ToLower(n)
		if len(n) > 253 || !hostName.MatchString(n) {
			return nil, invalid("a host name like www.example.com or *.example.com", "the certificate of %s is for %q, which is no DNS name", subject(leaf), n)
		}
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, invalid("clients look only at the subject's alternative names; openssl adds one by -addext subjectAltName=DNS:www.example.com", "the certificate of %s is for no DNS name", subject(leaf))
	}
	return list, nil
}

// subject names a certificate in errors.
func subject(c *x509.Certificate) string {
	return cmp.Or(c.Subject.CommonName, strings.Join(c.DNSNames, " "), "serial "+c.SerialNumber.String())
}

// minRSA is the least size of an RSA key that browsers accept.
const minRSA = 2048

const goodKeys = "make a key with ECDSA P-256, or RSA with 2048 bits or more"

// check says why clients would not accept the certificate now.
func (p *pair) check(now time.Time) error {
	leaf := p.cert.Leaf
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return invalid(goodKeys, "the RSA key has only %d bits", key.N.BitLen())
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P224() {
			return invalid(goodKeys, "TLS does not use the curve P-224")
		}
	case ed25519.PublicKey:
	default:
		return invalid(goodKeys, "the key is of a kind that TLS does not use")
	}
	uses := leaf.ExtKeyUsage
	switch {
	case !now.Before(leaf.NotAfter):
		return invalid("renew it first", "the certificate of %s has expired at %s", p.name(), leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return invalid("add it then; or set this server's clock right", "the certificate of %s is not valid before %s", p.name(), leaf.NotBefore.UTC().Format(time.RFC3339))
	case len(uses)+len(leaf.UnknownExtKeyUsage) > 0 && !slices.Contains(uses, x509.ExtKeyUsageServerAuth) && !slices.Contains(uses, x509.ExtKeyUsageAny):
		return invalid("ask your authority for one with the usage serverAuth", "the certificate of %s is not for servers", p.name())
	}
	return nil
}
