// Package certs holds the TLS certificates of a server and finds the one for
// each connection, by the name that the client asks for (SNI).
//
// There are three sources, in this order: certificates that people have added
// ("own"), those that an ACME authority issues for names at which apps answer
// ("acme"), and a self-signed one for everything else. What people have added
// is one immutable table behind an atomic pointer, so that a certificate counts
// from the next handshake on; connections that exist keep theirs.
//
// A private key is only ever in files of mode 0600 and in memory: no error,
// log line or list holds a part of one.
package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Sources of certificates, as they are listed.
const (
	SourceOwn        = "own"
	SourceACME       = "acme"
	SourceSelfSigned = "self-signed"
)

// alpnChallenge is the protocol by which an authority asks for its proof (RFC 8737).
const alpnChallenge = "acme-tls/1"

// soon is how long before its end an own certificate is warned of.
const soon = 14 * 24 * time.Hour

// Options are what a Set is made from.
type Options struct {
	Dir    string // made 0700; holds own/NAME.pem, self-signed.pem and acme/
	Domain string // the self-signed certificate is for it and *.it
	// WriteFile replaces a file, durably and as a whole.
	WriteFile func(path string, data []byte, mode fs.FileMode) error
	Log       logrus.FieldLogger
	Now       func() time.Time // nil: the clock
	ACME      ACMEOptions
}

// An Info describes a certificate.
type Info struct {
	Name    string // the first of Names, by which it is removed
	Names   []string
	Issuer  string
	Expires time.Time
	Source  string
}

// Covers reports whether the certificate is for host.
func (i Info) Covers(host string) bool {
	_, parent, _ := strings.Cut(host, ".")
	return slices.Contains(i.Names, host) || slices.Contains(i.Names, "*."+parent)
}

// A Set is the certificates of a server. It is safe for concurrent use.
type Set struct {
	opts   Options
	issuer *issuer // nil without ACME, and before Start
	own    atomic.Pointer[table]
	self   atomic.Pointer[pair]

	mu sync.Mutex // one change at a time, of what is in memory and on disk
}

// Open reads the certificates in o.Dir and makes the self-signed one if there
// is none. Files that cannot be used are logged and left alone.
func Open(o Options) (*Set, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Domain = strings.ToLower(o.Domain)
	s := &Set{opts: o}
	if err := os.MkdirAll(s.ownDir(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of certificates: %w", err)
	}
	pairs, err := s.readOwn()
	if err != nil {
		return nil, err
	}
	s.own.Store(newTable(pairs))
	if b, err := os.ReadFile(s.selfPath()); err == nil {
		if p, err := parse(b); err == nil {
			s.self.Store(p)
		}
	}
	if _, err := s.selfSigned(); err != nil {
		return nil, err
	}
	return s, nil
}

// Start begins to have names certified, if Options.ACME says so, by an
// authority that reaches this server's listeners at the two addresses. It is
// called once, before the first handshake; Close ends it.
func (s *Set) Start(httpAddr, httpsAddr string) (err error) {
	if s.opts.ACME.Email != "" {
		s.issuer, err = newIssuer(s.opts, s.Covers, httpAddr, httpsAddr)
	}
	return err
}

// Close ends what Start began.
func (s *Set) Close() {
	if s.issuer != nil {
		s.issuer.close()
	}
}

// Changed says that ACMEOptions.Hosts may return other names now. It does not block.
func (s *Set) Changed() {
	if s.issuer != nil {
		s.issuer.change()
	}
}

// Challenge answers a request of an authority for its proof (RFC 8555, 8.3);
// it returns false, having written nothing, if the request is none.
func (s *Set) Challenge(w http.ResponseWriter, req *http.Request) bool {
	return s.issuer != nil && s.issuer.challenge(w, req)
}

func (s *Set) ownDir() string   { return filepath.Join(s.opts.Dir, "own") }
func (s *Set) selfPath() string { return filepath.Join(s.opts.Dir, "self-signed.pem") }

// ownPath is where a certificate lies; no name has a _ of its own.
func (s *Set) ownPath(name string) string {
	return filepath.Join(s.ownDir(), strings.Replace(name, "*", "_", 1)+".pem")
}

func (s *Set) readOwn() ([]*pair, error) {
	files, err := os.ReadDir(s.ownDir())
	if err != nil {
		return nil, fmt.Errorf("read the folder of certificates: %w", err)
	}
	var pairs []*pair
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".pem") || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		log := s.opts.Log.WithField("file", filepath.Join(s.ownDir(), f.Name()))
		b, err := os.ReadFile(filepath.Join(s.ownDir(), f.Name()))
		if err != nil {
			return nil, fmt.Errorf("read a certificate: %w", err)
		}
		p, err := parse(b)
		if err == nil && s.ownPath(p.name()) != filepath.Join(s.ownDir(), f.Name()) {
			err = fmt.Errorf("it is the certificate of %s", p.name())
		}
		if err != nil {
			log.WithError(err).Error("a certificate is not used")
			continue
		}
		if end := p.cert.Leaf.NotAfter; end.Before(s.opts.Now().Add(soon)) {
			log.Warnf("the certificate of %s expires at %s", p.name(), end.UTC().Format(time.RFC3339))
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// TLSConfig is the configuration of an HTTP server with these certificates:
// TLS 1.2 and later, HTTP/2 and HTTP/1.1.
func (s *Set) TLSConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate, NextProtos: []string{"h2", "http/1.1"}}
	if s.opts.ACME.Email != "" {
		c.NextProtos = append(c.NextProtos, alpnChallenge)
	}
	return c
}

// certificate finds the certificate for a handshake.
func (s *Set) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	if p := s.own.Load().find(name, s.opts.Now()); p != nil && !isChallenge(hello) {
		return &p.cert, nil
	}
	if s.issuer != nil {
		if c := s.issuer.certificate(hello, name); c != nil {
			return c, nil
		}
	}
	return s.selfSigned()
}

// isChallenge reports whether it is an authority that asks for its proof.
func isChallenge(hello *tls.ClientHelloInfo) bool {
	return slices.Equal(hello.SupportedProtos, []string{alpnChallenge})
}

// Covers reports whether an own certificate that has not expired is for name.
func (s *Set) Covers(name string) bool { return s.own.Load().find(name, s.opts.Now()) != nil }

// Add stores a certificate, its chain and its key, all in PEM, in any order.
// It replaces the one of the same first name. may is asked about the names of
// the new one and of the replaced one; its error is returned. What cannot be
// served is an [*InvalidError].
func (s *Set) Add(text []byte, may func(names []string) error) (Info, error) {
	p, err := parse(text)
	if err != nil {
		return Info{}, err
	}
	if err := p.check(s.opts.Now()); err != nil {
		return Info{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	others := slices.Clone(s.own.Load().pairs)
	asked := p.names
	if i := indexOf(others, p.name()); i >= 0 {
		asked = append(slices.Clone(asked), others[i].names...)
		others = slices.Delete(others, i, i+1)
	}
	if err := may(asked); err != nil {
		return Info{}, err
	}
	if err := s.opts.WriteFile(s.ownPath(p.name()), p.pem(), 0o600); err != nil {
		return Info{}, fmt.Errorf("store the certificate: %w", err)
	}
	s.own.Store(newTable(append(others, p)))
	s.Changed()
	return p.info(SourceOwn), nil
}

// ErrNotFound is returned for a name under which no certificate was added.
var ErrNotFound = errors.New("no such certificate")

// Remove forgets the own certificate whose first name is name. may is asked
// about all its names; its error is returned.
func (s *Set) Remove(name string, may func(names []string) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	others := slices.Clone(s.own.Load().pairs)
	i := indexOf(others, name)
	if i < 0 {
		return fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err := may(others[i].names); err != nil {
		return err
	}
	if err := os.Remove(s.ownPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the certificate: %w", err)
	}
	s.own.Store(newTable(slices.Delete(others, i, i+1)))
	s.Changed()
	return nil
}

func indexOf(pairs []*pair, name string) int {
	return slices.IndexFunc(pairs, func(p *pair) bool { return p.name() == name })
}

// List describes all certificates: the own ones by name, then the
// authority's, then the self-signed one.
func (s *Set) List() []Info {
	var list []Info
	for _, p := range s.own.Load().pairs {
		list = append(list, p.info(SourceOwn))
	}
	if s.issuer != nil {
		list = append(list, s.issuer.list()...)
	}
	if p := s.self.Load(); p != nil {
		list = append(list, p.info(SourceSelfSigned))
	}
	return list
}
