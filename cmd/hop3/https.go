package main

import (
	"errors"
	"fmt"
	"net"
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
	s.certs, err = certs.Open(certs.Options{
		Dir: filepath.Join(s.c.Data, "certs"), Domain: s.c.Domain, WriteFile: state.WriteFile, Log: s.log,
	})
	if err != nil {
		return err
	}
	o.TLS, o.HSTS = s.certs.TLSConfig(), time.Duration(s.c.HSTS)
	return nil
}

// serveHTTPS serves where --https says so; from its return on plain requests
// are sent there, and URLs name it.
func (s *server) serveHTTPS(ends chan<- error) error {
	if s.c.HTTPS == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.c.HTTPS)
	if err != nil {
		return fmt.Errorf("listen for https: %w", err)
	}
	s.pipeline.HTTPSAddr = l.Addr().String()
	_, port, err := net.SplitHostPort(s.pipeline.HTTPSAddr)
	if err != nil {
		return errors.Join(fmt.Errorf("listen for https: %w", err), l.Close())
	}
	s.router.RedirectHTTPS(port)
	s.log.WithField("addr", s.pipeline.HTTPSAddr).Info("serving https")
	go func() { ends <- s.router.ServeTLS(l) }()
	return nil
}
