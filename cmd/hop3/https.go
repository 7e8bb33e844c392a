package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"hop3/internal/certs"
	"hop3/internal/state"
	"hop3/procman/proxy"
)

// openCerts opens the certificates, if HTTPS is wanted, and tells the router.
func (s *server) openCerts(o *proxy.Options) (err error) {
	if s.c.HTTPS == "" {
		return nil
	}
	var roots *x509.CertPool
	if s.c.ACMECA != "" {
		text, err := os.ReadFile(s.c.ACMECA)
		if err != nil {
			return fmt.Errorf("read acme_ca: %w", err)
		}
		if roots = x509.NewCertPool(); !roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("read acme_ca: %s holds no certificate in PEM", s.c.ACMECA)
		}
	}
	s.certs, err = certs.Open(certs.Options{
		Dir: filepath.Join(s.c.Data, "certs"), Domain: s.c.Domain, WriteFile: state.WriteFile, Log: s.log,
		ACME: certs.ACMEOptions{Email: s.c.ACMEEmail, Directory: s.c.ACMEDirectory, Roots: roots, Hosts: func() []string { return s.router.Hosts() }},
	})
	if err != nil {
		return err
	}
	o.Challenge, o.Changed = s.certs.Challenge, s.certs.Changed
	o.TLS, o.HSTS = s.certs.TLSConfig(), time.Duration(s.c.HSTS)
	return nil
}

// serveHTTPS serves where --https says so; from its return on plain requests
// are sent there, and URLs name it.
func (s *server) serveHTTPS(ends chan<- error) error {
	if s.c.HTTPS == "" {
		return nil
	}
	l, err := s.listeners.listen(httpsListener, s.c.HTTPS)
	if err != nil {
		return err
	}
	s.pipeline.HTTPSAddr = l.Addr().String()
	_, port, err := net.SplitHostPort(s.pipeline.HTTPSAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for https: %w", err), l.Close())
	}
	if err := s.certs.Start(s.pipeline.HTTPAddr, s.pipeline.HTTPSAddr); err != nil {
		return errors.Join(err, l.Close())
	}
	s.router.RedirectHTTPS(port)
	s.log.WithField("addr", s.pipeline.HTTPSAddr).Info("serving https")
	go func() { ends <- s.router.ServeTLS(l) }()
	return nil
}
