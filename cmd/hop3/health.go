package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"hop3/internal/metrics"
	"hop3/internal/state"
	"hop3/procman"
	"hop3/procman/proxy"
)

// serveHealth answers /healthz, /readyz and /metrics where --metrics says so,
// and returns what ends it.
func (s *server) serveHealth(ends chan<- error) (stop func() error, err error) {
	if s.c.Metrics == "" {
		return func() error { return nil }, nil
	}
	l, err := s.listeners.listen(metricsListener, s.c.Metrics)
	if err != nil {
		return nil, err
	}
	s.log.WithField("addr", l.Addr()).Info("serving metrics")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.metrics.Handler())
	// The page is small and its readers are machines of the operator.
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second}
	go func() {
		if err := srv.Serve(l); err != http.ErrServerClosed {
			ends <- err
		}
	}()
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return srv.Shutdown(ctx)
	}, nil
}

// newMetrics returns the numbers of this server. It asks the stages when it is asked.
func (s *server) newMetrics() *metrics.Metrics {
	return metrics.New(metrics.Source{
		Version: version, Data: s.c.Data,
		Apps: func() (names []string) {
			for _, a := range s.store.Apps() {
				names = append(names, a.Name)
			}
			return names
		},
		Requests:  func(app string) (proxy.Stats, bool) { return s.router.Stats(app) },
		Instances: func(app string) []procman.Instance { return s.procs.Instances(app) },
		Usage:     func(app string) []procman.Usage { return s.procs.Usage(app) },
		Restarts:  func(app string) uint64 { return s.procs.Restarts(app) },
		Sessions:  s.sessions.Load,
	})
}

// healthz answers 200 while the state can be written, which every change of an
// app needs, and which apps that run do not.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	err := state.WriteFile(filepath.Join(s.c.Data, ".health"), []byte("ok\n"), 0o600)
	answerHealth(w, err)
}

var (
	errStarting = errors.New("starting: not every app has been adopted or started")
	errStopping = errors.New("stopping")
)

// readyz answers 200 from when every app has been adopted or started, as far as
// it can be, until the server stops.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	switch {
	case s.stopping.Load():
		answerHealth(w, errStopping)
	case !s.booted.Load():
		answerHealth(w, errStarting)
	default:
		answerHealth(w, nil)
	}
}

func answerHealth(w http.ResponseWriter, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // a prober that has gone needs no answer
}
