package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/sirupsen/logrus"
)

// firstWait is how long a handshake waits for the first certificate of its
// name: an authority takes a few seconds, and the router ends a handshake
// after ten.
const firstWait = 8 * time.Second

// ACMEOptions say how names are certified by an authority (RFC 8555). The
// zero value is off.
type ACMEOptions struct {
	Email     string          // who the authority writes to
	Directory string          // URL of the authority; "" is Let's Encrypt
	Roots     *x509.CertPool  // who vouches for the directory itself; nil: whom this machine trusts
	Hosts     func() []string // the names at which apps answer now; only they are certified

	noHTTP, noALPN bool // tests prove one challenge at a time
}

// An issuer has certificates made and renewed. What certmagic does stays
// behind it.
type issuer struct {
	opts   ACMEOptions
	covers func(host string) bool // by an own certificate: then none is needed
	log    logrus.FieldLogger

	cache   *certmagic.Cache
	config  *certmagic.Config
	acme    *certmagic.ACMEIssuer
	ctx     context.Context // of what goes on behind; Close ends it
	end     context.CancelFunc
	wg      sync.WaitGroup
	changed chan struct{} // holds a word that hosts may have changed

	mu    sync.Mutex
	hosts map[string]*certified
}

// A certified host is one whose certificate is being made or is there.
type certified struct {
	end     context.CancelFunc
	settled chan struct{} // closed when the first attempt has ended
	once    sync.Once
}

func (c *certified) settle() { c.once.Do(func() { close(c.settled) }) }

// newIssuer returns an issuer whose authority reaches the server at the
// addresses, as ports 80 and 443.
func newIssuer(o Options, covers func(string) bool, httpAddr, httpsAddr string) (*issuer, error) {
	i := &issuer{opts: o.ACME, covers: covers, log: o.Log, changed: make(chan struct{}, 1), hosts: map[string]*certified{}}
	host, httpPort, err := splitAddr(httpAddr)
	if err != nil {
		return nil, err
	}
	_, httpsPort, err := splitAddr(httpsAddr)
	if err != nil {
		return nil, err
	}
	logger := zapLogger(o.Log)
	i.ctx, i.end = context.WithCancel(context.Background())
	i.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return i.config, nil }, Logger: logger,
	})
	i.config = certmagic.New(i.cache, certmagic.Config{
		Storage: &certmagic.FileStorage{Path: filepath.Join(o.Dir, "acme")}, Logger: logger, OnEvent: i.event,
	})
	// The ports are those that the server listens on already, so the library
	// finds them taken and leaves the answers to challenge and certificate.
	i.acme = certmagic.NewACMEIssuer(i.config, certmagic.ACMEIssuer{
		CA: o.ACME.Directory, Email: o.ACME.Email, Agreed: true, Logger: logger, TrustedRoots: o.ACME.Roots,
		ListenHost: host, AltHTTPPort: httpPort, AltTLSALPNPort: httpsPort,
		DisableHTTPChallenge: o.ACME.noHTTP, DisableTLSALPNChallenge: o.ACME.noALPN,
	})
	i.config.Issuers = []certmagic.Issuer{i.acme}
	i.reconcile() // before the first handshake: what is certified already must not be answered with a self-signed certificate
	i.wg.Go(i.follow)
	return i, nil
}

// splitAddr takes a listener's address apart; an unspecified host is "".
func splitAddr(addr string) (string, int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("split address: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return "", 0, fmt.Errorf("split address: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return host, n, nil
}

// close ends all work; a certificate that is being made is made at the next start.
func (i *issuer) close() {
	i.end()
	i.wg.Wait()
	i.cache.Stop()
}

// change says that the hosts may have changed.
func (i *issuer) change() {
	select {
	case i.changed <- struct{}{}:
	default: // that is known already
	}
}

func (i *issuer) follow() {
	for {
		select {
		case <-i.ctx.Done():
			return
		case <-i.changed:
			i.reconcile()
		}
	}
}

// reconcile begins to certify new hosts and ends what is for hosts that have
// gone. Attempts that fail are repeated, less and less often.
func (i *issuer) reconcile() {
	want := map[string]bool{}
	for _, h := range i.opts.Hosts() {
		if certmagic.SubjectQualifiesForPublicCert(h) && !i.covers(h) {
			want[h] = true
		}
	}
	begin, gone := map[string]context.Context{}, []certmagic.SubjectIssuer{}
	i.mu.Lock()
	for h := range want {
		if i.hosts[h] == nil {
			ctx, end := context.WithCancel(i.ctx)
			begin[h], i.hosts[h] = ctx, &certified{end: end, settled: make(chan struct{})}
		}
	}
	for h, c := range i.hosts {
		if !want[h] {
			c.end()
			c.settle()
			delete(i.hosts, h)
			gone = append(gone, certmagic.SubjectIssuer{Subject: h})
		}
	}
	i.mu.Unlock()
	i.cache.RemoveManaged(gone)
	for h, ctx := range begin {
		if err := i.config.ManageAsync(ctx, []string{h}); err != nil {
			i.log.WithError(err).Errorf("no certificate is made for %s", h)
		}
	}
}

func (i *issuer) host(name string) *certified {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hosts[name]
}

// event is called by the library.
func (i *issuer) event(_ context.Context, name string, data map[string]any) error {
	var names []string
	switch name {
	case "cached_managed_cert":
		names, _ = data["sans"].([]string)
	case "cert_failed", "cert_obtained":
		host, _ := data["identifier"].(string)
		if name == "cert_obtained" {
			i.log.Infof("the authority has certified %s", host)
			return nil // it is served when it is cached
		}
		names = []string{host}
	}
	for _, n := range names {
		if c := i.host(n); c != nil {
			c.settle()
		}
	}
	return nil
}

// certificate returns the authority's certificate for the handshake, or the
// answer to its challenge; nil if there is none.
func (i *issuer) certificate(hello *tls.ClientHelloInfo, name string) *tls.Certificate {
	c := i.host(name)
	if c == nil {
		return nil
	}
	if !isChallenge(hello) {
		wait := time.NewTimer(firstWait)
		defer wait.Stop()
		select {
		case <-c.settled:
		case <-wait.C:
		case <-hello.Context().Done():
		}
	}
	cert, err := i.config.GetCertificate(hello)
	if err != nil {
		return nil // there is none; why was logged when it was tried
	}
	return cert
}

// challenge answers the authority's HTTP challenge for hosts that are being certified.
func (i *issuer) challenge(w http.ResponseWriter, req *http.Request) bool {
	host, _, err := net.SplitHostPort(req.Host)
	if err != nil {
		host = req.Host
	}
	return i.host(host) != nil && i.acme.HandleHTTPChallenge(w, req)
}

// list describes the certificates that are there.
func (i *issuer) list() []Info {
	i.mu.Lock()
	var hosts []string
	for h := range i.hosts {
		hosts = append(hosts, h)
	}
	i.mu.Unlock()
	var list []Info
	for _, h := range hosts {
		for _, c := range i.cache.AllMatchingCertificates(h) {
			p := pair{cert: c.Certificate, names: c.Names}
			if c.Leaf != nil && len(c.Names) > 0 {
				list = append(list, p.info(SourceACME))
			}
		}
	}
	return list
}
