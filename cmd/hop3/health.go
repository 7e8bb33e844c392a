package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
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
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") } // a prober that has gone needs no answer
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	mux.HandleFunc("GET /metrics", s.metrics)
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

// metrics writes Prometheus' text format, version 0.0.4.
func (s *server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	p := func(format string, a ...any) { _, _ = fmt.Fprintf(w, format, a...) } // a reader that has gone needs no answer
	p("# HELP hop3_build_info The program that runs.\n# TYPE hop3_build_info gauge\nhop3_build_info{version=%q} 1\n", version)
	p("# HELP hop3_process_restarts Crashes in a row of a process.\n# TYPE hop3_process_restarts gauge\n")
	apps := s.store.Apps()
	for _, a := range apps {
		for _, i := range s.procs.Instances(a.Name) {
			p("hop3_process_restarts{app=%q,process=%q} %d\n", a.Name, i.Name, i.Restarts)
		}
	}
	p("# HELP hop3_requests_total Requests that the router has answered.\n# TYPE hop3_requests_total counter\n")
	for _, a := range apps {
		if stats, ok := s.router.Stats(a.Name); ok {
			p("hop3_requests_total{app=%q} %d\n", a.Name, stats.Requests)
		}
	}
}
