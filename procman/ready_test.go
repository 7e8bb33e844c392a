package procman

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// probeOf asks a server of this process.
func probeOf(t *testing.T, h http.HandlerFunc) *probe {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &probe{
		port: s.Listener.Addr().(*net.TCPAddr).Port, pid: os.Getpid(), host: "blog.test",
		health: Health{Timeout: 5 * time.Second}, timeout: time.Minute, done: make(chan struct{}),
		note: func(string) {},
	}
}

func TestProbe_WhatCountsAsReady(t *testing.T) {
	for _, tc := range []struct {
		path   string
		status int
		ready  bool
	}{
		{"", 200, true}, {"", 302, true}, {"", 404, true}, {"", 401, true}, {"", 500, false}, {"", 503, false},
		{"/up", 200, true}, {"/up", 204, true}, {"/up", 302, true}, {"/up", 404, false}, {"/up", 500, false},
	} {
		var asked atomic.Value
		p := probeOf(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Store(r.Host + r.URL.Path)
			w.WriteHeader(tc.status)
		})
		p.health.Path, p.health.Retries = tc.path, 2
		err := p.web(t.Context())
		odd, bad := errors.AsType[*notReady](err)
		if tc.ready && err != nil || !tc.ready && (!bad || odd.reason != Unhealthy || !strings.Contains(err.Error(), fmt.Sprint(tc.status))) {
			t.Errorf("%q answers %d: %v", tc.path, tc.status, err)
		}
		if want := "blog.test" + orElse(tc.path, "/"); asked.Load() != want {
			t.Errorf("asked %v, want %s", asked.Load(), want)
		}
	}
}

func TestProbe_WaitsUntilItIsWell(t *testing.T) {
	var n atomic.Int32
	p := probeOf(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if err := p.web(t.Context()); err != nil || n.Load() != 4 {
		t.Errorf("%v after %d", err, n.Load())
	}
	n.Store(0)
	p.health.Retries = 2
	if err := p.web(t.Context()); err == nil || n.Load() != 2 {
		t.Errorf("%v after %d", err, n.Load())
	}
}

func TestProbe_AnAppThatHangsIsNotWaitedForLonger(t *testing.T) {
	hang := make(chan struct{})
	p := probeOf(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	p.health.Timeout, p.timeout = time.Hour, 300*time.Millisecond
	if _, ok := errors.AsType[*notReady](p.web(t.Context())); !ok {
		t.Error("ready")
	}
}

// TestSwap_APortThatSomebodyElseTook has the test itself answer on the port that the app should listen on.
func TestSwap_APortThatSomebodyElseTook(t *testing.T) {
	if isolation() == IsolationNone {
		t.Skip("processes are not told apart without a sandbox")
	}
	w := newWorld(t)
	s := &http.Server{Handler: http.NotFoundHandler()}
	defer s.Close()
	w.sup.o.Fault = func(at Step) error {
		if at != StepRecorded {
			return nil
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", w.sup.Instances("blog")[0].Port))
		if err == nil {
			go s.Serve(l)
		}
		return err
	}
	r := w.release("web: never")
	r.StartTimeout = time.Second
	_, err := w.sup.Swap(t.Context(), r, SwapOptions{})
	if e, ok := errors.AsType[*StartError](err); !ok || e.Reason != PortTaken {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestProbe_ListeningContentHeadersAndDelay(t *testing.T) {
	var agent atomic.Value
	h := func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.Header.Get("X-Token"))
		w.WriteHeader(http.StatusInternalServerError)
	}
	p := probeOf(t, h)
	p.health.Listening = true
	if err := p.wait(t.Context(), true); err != nil || agent.Load() != nil {
		t.Errorf("a check that only wants a listener: %v, asked %v", err, agent.Load())
	}
	p = probeOf(t, func(w http.ResponseWriter, r *http.Request) {
		agent.Store(r.Header.Get("X-Token"))
		fmt.Fprint(w, "warming up")
	})
	p.health.Path, p.health.Content, p.health.Headers, p.health.Retries = "/up", "all well", map[string]string{"X-Token": "t"}, 1
	err := p.wait(t.Context(), true)
	if err == nil || !strings.Contains(err.Error(), `answers /up without "all well" in it`) || agent.Load() != "t" {
		t.Errorf("%v, header %v", err, agent.Load())
	}
	p.health.Content, p.health.Delay = "warm", 30*time.Millisecond
	begun := time.Now()
	if err := p.wait(t.Context(), true); err != nil || time.Since(begun) < p.health.Delay {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

func TestProbe_CountedLooksAreApart(t *testing.T) {
	var n atomic.Int32
	p := probeOf(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p.health.Retries, p.health.Wait = 3, 60*time.Millisecond
	begun := time.Now()
	if err := p.web(t.Context()); err != nil || time.Since(begun) < 2*p.health.Wait {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}

// TestSwap_ChecksOfEachType has a worker that must listen and one that is asked by a command.
func TestSwap_ChecksOfEachType(t *testing.T) {
	w := newWorld(t)
	r := w.release("web: never", "tcp: web", "asked: worker")
	r.Processes[0].Health = []Health{{Uptime: true, Interval: 50 * time.Millisecond}}
	r.Processes[1].Health = []Health{{Listening: true}, {Path: "/"}}
	r.Processes[2].Health = []Health{{Command: "app note"}}
	w.swap(r, SwapOptions{})
	bad := w.release("web: web", "tcp: never")
	bad.Processes[1].Health, bad.Processes[1].StartTimeout = []Health{{Listening: true}}, 200*time.Millisecond
	_, err := w.sup.Swap(t.Context(), bad, SwapOptions{})
	if e, ok := errors.AsType[*StartError](err); !ok || e.Reason != NeverListen || e.Process != "tcp.1" {
		t.Errorf("%v", err)
	}
	bad = w.release("web: web", "asked: worker")
	bad.Processes[1].Health = []Health{{Command: "app exit 3", Retries: 1}}
	_, err = w.sup.Swap(t.Context(), bad, SwapOptions{})
	if e, ok := errors.AsType[*StartError](err); !ok || e.Reason != Unhealthy || e.Process != "asked.1" || !strings.Contains(err.Error(), "ends with status 3") {
		t.Errorf("%v", err)
	}
}
