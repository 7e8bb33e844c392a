package certs

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
)

// Types of PEM blocks (RFC 7468).
const (
	blockCertificate = "CERTIFICATE"
	blockKey         = "PRIVATE KEY"
)

const (
	// MaxPEM bounds a certificate with chain and key; the longest real ones have 20 kB.
	MaxPEM = 256 << 10
	// maxChain bounds the signatures that are checked.
	maxChain = 10
)

// parse reads a certificate, its chain and its key in any order. Its errors
// are *InvalidError and never hold a part of the text.
func parse(text []byte) (*pair, error) {
	if len(text) > MaxPEM {
		return nil, invalid(wanted, "that is more than %d KiB", MaxPEM>>10)
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, invalid(wanted, "nothing came on stdin")
	}
	var chain []*x509.Certificate
	var key crypto.Signer
	blocks, err := decode(text)
	if err != nil {
		return nil, err
	}
	for i, b := range blocks {
		switch {
		case b.Type == blockCertificate:
			c, err := x509.ParseCertificate(b.Bytes)
			if err != nil {
				return nil, invalid(wanted, "block %d is not a certificate: %v", i+1, err)
			}
			if !slices.ContainsFunc(chain, c.Equal) {
				chain = append(chain, c)
			}
		case strings.HasSuffix(b.Type, blockKey):
			if key != nil {
				return nil, invalid("give the one that fits the certificate", "there are two private keys")
			}
			if key, err = parseKey(b); err != nil {
				return nil, err
			}
		case b.Type == "EC PARAMETERS" || b.Type == "DH PARAMETERS": // openssl writes them beside keys
		default:
			return nil, invalid(wanted, "block %d is a %q, neither a certificate nor a private key", i+1, b.Type)
		}
	}
	switch {
	case len(chain) == 0:
		return nil, invalid(wanted, "there is no certificate")
	case key == nil:
		return nil, invalid(wanted, "there is no private key")
	case len(chain) > maxChain:
		return nil, invalid("give only the certificate and its intermediates", "there are %d certificates, more than a chain has", len(chain))
	}
	return newPair(chain, key)
}

// decode splits the text into its blocks. The standard library passes over
// blocks that are damaged; here they are errors.
func decode(text []byte) ([]*pem.Block, error) {
	var blocks []*pem.Block
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		blocks = append(blocks, b)
	}
	begins := bytes.Count(append([]byte("\n"), text...), []byte("\n-----BEGIN "))
	switch {
	case begins == 0:
		return nil, invalid(wanted, "that is not PEM")
	case begins != len(blocks):
		return nil, invalid("copy it again, with each line from -----BEGIN to -----END", "a block of the PEM is damaged or cut short: %d begin, %d are whole", begins, len(blocks))
	}
	return blocks, nil
}

func parseKey(b *pem.Block) (crypto.Signer, error) {
	if strings.HasPrefix(b.Type, "ENCRYPTED") || b.Headers["DEK-Info"] != "" {
		return nil, invalid("decrypt it first: openssl pkey -in privkey.pem", "the private key is encrypted")
	}
	var key any
	var err error
	switch b.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok { // the cause is left out: it might quote the key
		return nil, invalid("a key in PKCS #8, PKCS #1 or SEC 1, as openssl writes it", "the %s cannot be read", strings.ToLower(b.Type))
	}
	return signer, nil
}
