package sshd

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"
)

// Identity is who makes a call.
type Identity struct {
	// Name is what Options.Lookup said; "" means nobody.
	Name string
	// Fingerprint is that of the proved key, as "SHA256:…".
	Fingerprint string
	// Key is what was proved: a public key, or a *ssh.Certificate of it.
	Key gossh.PublicKey
}

// provedKey is where the key that logged in stands in the Permissions of its
// connection.
type provedKey struct{}

// identify says who holds the key that logged in on sc. The zero Identity
// means nobody, or nobody any more.
func (c *conn) identify(sc *gossh.ServerConn) Identity {
	if sc.Permissions == nil {
		return Identity{}
	}
	key, ok := sc.Permissions.ExtraData[provedKey{}].(gossh.PublicKey)
	if !ok {
		return Identity{}
	}
	name, err := c.srv.opts.Lookup(key, c.RemoteAddr())
	if err != nil || name == "" {
		return Identity{}
	}
	return Identity{Name: name, Fingerprint: gossh.FingerprintSHA256(bare(key)), Key: key}
}

// bare is the key that a certificate is about, or the key itself.
func bare(key gossh.PublicKey) gossh.PublicKey {
	if cert, ok := key.(*gossh.Certificate); ok {
		return cert.Key
	}
	return key
}

// forced returns the command that a certificate allows alone, whatever is asked for; see PROTOCOL.certkeys of OpenSSH.
func (i Identity) forced() (string, bool) {
	if cert, ok := i.Key.(*gossh.Certificate); ok {
		command, ok := cert.CriticalOptions["force-command"]
		return command, ok
	}
	return "", false
}

// mayPty reports whether the holder may have a terminal: who has a certificate, if that says so.
func (i Identity) mayPty() bool {
	if cert, ok := i.Key.(*gossh.Certificate); ok {
		_, ok := cert.Extensions["permit-pty"]
		return ok
	}
	return true
}

// minRSABits is the least that is accepted of an RSA key: NIST SP 800-131A.
const minRSABits = 2048

// The algorithms offered, best first; none rests on SHA-1. aes128-ctr and
// hmac-sha2-256 are there for clients that know nothing newer (paramiko 2).
func algorithms() gossh.Config {
	return gossh.Config{
		KeyExchanges: []string{
			gossh.KeyExchangeMLKEM768X25519, gossh.KeyExchangeCurve25519, gossh.KeyExchangeECDHP256,
		},
		Ciphers: []string{
			gossh.CipherAES128GCM, gossh.CipherAES256GCM, gossh.CipherChaCha20Poly1305,
			gossh.CipherAES256CTR, gossh.CipherAES128CTR,
		},
		MACs: []string{gossh.HMACSHA256ETM, gossh.HMACSHA512ETM, gossh.HMACSHA256},
	}
}

func keyAlgorithms() []string {
	return []string{
		gossh.KeyAlgoED25519, gossh.KeyAlgoSKED25519,
		gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521, gossh.KeyAlgoSKECDSA256,
		gossh.KeyAlgoRSASHA256, gossh.KeyAlgoRSASHA512,
	}
}

// offered decides about a key or certificate that the client has only named.
// Everything is let through to be proved. It must decide nothing and remember
// nothing: the key may be anybody's.
func offered(ctx ssh.Context, _ ssh.PublicKey) bool {
	connOf(ctx).tried.Store(true)
	return true
}

// config is the x/crypto configuration of one connection.
func (s *Server) config(ctx ssh.Context) *gossh.ServerConfig {
	c := connOf(ctx)
	var early gossh.ServerPreAuthConn
	return &gossh.ServerConfig{
		PreAuthConnCallback:     func(p gossh.ServerPreAuthConn) { early = p },
		Config:                  algorithms(),
		PublicKeyAuthAlgorithms: keyAlgorithms(),
		MaxAuthTries:            s.limits.AuthTries,
		// The library overwrites this one with a call of offered. It is set
		// all the same, so that forgetting that would deny, not admit.
		PublicKeyCallback: func(gossh.ConnMetadata, gossh.PublicKey) (*gossh.Permissions, error) {
			return nil, errors.New("no key handler")
		},
		VerifiedPublicKeyCallback: func(_ gossh.ConnMetadata, key gossh.PublicKey, _ *gossh.Permissions, _ string) (*gossh.Permissions, error) {
			return c.proved(key)
		},
		AuthLogCallback: func(_ gossh.ConnMetadata, method string, err error) {
			if err == nil || method == "none" { // "none" asks which methods there are
				return
			}
			c.tried.Store(true)
			if m := weakAlgorithm.FindStringSubmatch(err.Error()); m != nil && early != nil {
				// The client is told or gone.
				_ = early.SendAuthBanner(complaint(fmt.Sprintf("signatures of the type %s are refused: they rest on SHA-1 or short keys", m[1]),
					"use a newer ssh client, or another key: ssh-keygen -t ed25519"))
			}
		},
	}
}

// weakAlgorithm is how the library says that the client uses an algorithm that
// is not among keyAlgorithms.
var weakAlgorithm = regexp.MustCompile(`^ssh: algorithm "([a-z0-9@.-]{1,64})" not accepted$`)

// proved decides about a key that the client has proved to hold. The result
// is a new object for each key: what is said of one never stands for another.
func (c *conn) proved(key gossh.PublicKey) (*gossh.Permissions, error) {
	fp := gossh.FingerprintSHA256(bare(key))
	if bits := rsaBits(bare(key)); bits > 0 && bits < minRSABits {
		return nil, refused(fp, complaint(
			fmt.Sprintf("the RSA key %s has %d bits, %d are the least", fp, bits, minRSABits),
			"make a new one: ssh-keygen -t ed25519"))
	}
	if name, err := c.srv.opts.Lookup(key, c.RemoteAddr()); err != nil || name == "" {
		return nil, c.refuseUnknown(gossh.FingerprintSHA256(key), err)
	}
	for _, other := range c.unknown {
		c.srv.quiet.add(other)
	}
	c.login()
	return &gossh.Permissions{ExtraData: map[any]any{provedKey{}: key}}, nil
}

// refuseUnknown refuses the key and tells its owner, once. Whoever got in with
// another key afterwards is spared the message from then on: a client offers
// its keys in its own order, every time.
func (c *conn) refuseUnknown(fp string, why error) error {
	c.unknown = append(c.unknown, fp)
	if c.srv.quiet.has(fp) {
		return refused(fp, "")
	}
	if why == nil {
		why = fmt.Errorf("the key %s is not known here", fp)
	}
	c.log.Infof("ssh login refused: %v", why)
	return refused(fp, complaint(why.Error(), hint(why)))
}

// hint is what an error says to do.
func hint(err error) string {
	if h, ok := errors.AsType[interface {
		error
		Hint() string
	}](err); ok {
		return h.Hint()
	}
	return ""
}

func refused(fp, message string) error {
	return &gossh.BannerError{Err: fmt.Errorf("refuse key %s", fp), Message: message}
}

func rsaBits(key gossh.PublicKey) int {
	ck, ok := key.(gossh.CryptoPublicKey)
	if !ok {
		return 0
	}
	pub, ok := ck.CryptoPublicKey().(*rsa.PublicKey)
	if !ok {
		return 0
	}
	return pub.N.BitLen()
}

// maxFingerprints bounds the memory of a fingerprints; past it, it starts
// anew, and a few clients read a message once more.
const maxFingerprints = 4096

// fingerprints is a set of keys that were proved and refused.
type fingerprints struct {
	mu  sync.Mutex
	set map[string]struct{}
}

func newFingerprints() *fingerprints { return &fingerprints{set: map[string]struct{}{}} }

func (f *fingerprints) add(fp string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.set) >= maxFingerprints {
		clear(f.set)
	}
	f.set[fp] = struct{}{}
}

func (f *fingerprints) has(fp string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.set[fp]
	return ok
}

// refuseForward answers `ssh -L` and `ssh -W`; the client prints the text.
func refuseForward(_ *ssh.Server, _ *gossh.ServerConn, nc gossh.NewChannel, _ ssh.Context) {
	_ = nc.Reject(gossh.Prohibited, "hop3 forwards no ports") // the client is told or gone
}

func refuseChannel(_ *ssh.Server, _ *gossh.ServerConn, nc gossh.NewChannel, _ ssh.Context) {
	_ = nc.Reject(gossh.UnknownChannelType, "hop3 serves commands only") // the client is told or gone
}
