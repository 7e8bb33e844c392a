package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkRouter measures the router beside httputil.ReverseProxy, tuned, in one
// run with one client and one app, over keep-alive connections. The ratio is the
// time of the other by that of the router: above 1, the router is faster.
// `make bench-router` measures it beside nginx and others.
func BenchmarkRouter(b *testing.B) {
	for _, size := range []int{100, 64 << 10} {
		app := canned(b, "web.1", fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size)))
		addr := addrOf(b, app)
		f := startFront(b, Options{})
		f.point(b, Route{Backends: []*Backend{app}})
		reverseProxy := startReverseProxy(b, addr)
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			var own, other time.Duration
			for b.Loop() { // in turns, so that a busy machine is busy for both
				other += burst(b, reverseProxy)
				own += burst(b, f.addr)
			}
			b.ReportMetric(float64(other)/float64(own), "reverseproxy/hop3")
			b.ReportMetric(float64(own.Nanoseconds())/float64(b.N)/burstSize, "ns/request")
		})
	}
}

// burstSize requests are sent over burstConns connections at a time.
const burstSize, burstConns = 3200, 32

func burst(b *testing.B, addr string) time.Duration {
	b.Helper()
	done := make(chan error, burstConns)
	start := time.Now()
	for range burstConns {
		go func() { done <- hammer(addr, burstSize/burstConns) }()
	}
	for range burstConns {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start)
}

// hammer sends n requests over one connection and reads the responses, as cheaply as it can.
func hammer(addr string, n int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	br := bufio.NewReaderSize(c, 64<<10)
	for range n {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: blog.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"); err != nil {
			return err
		}
		length := -1
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				break
			}
			if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
				if length, err = strconv.Atoi(string(bytes.TrimSpace(v))); err != nil {
					return err
				}
			}
		}
		if length < 0 {
			return io.ErrUnexpectedEOF
		}
		if _, err := br.Discard(length); err != nil {
			return err
		}
	}
	return nil
}

func startReverseProxy(b *testing.B, app string) string {
	l := listen(b)
	s := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite:   func(pr *httputil.ProxyRequest) { pr.SetURL(&url.URL{Scheme: "http", Host: app}); pr.SetXForwarded() },
		Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	}}
	done := make(chan struct{})
	go func() { s.Serve(l); close(done) }()
	b.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

// BenchmarkSwap replaces the app 100 times under 1,000 requests a second and
// reports how many failed, and by how much the swaps have raised the slowest in a hundred.
func BenchmarkSwap(b *testing.B) {
	const swaps, rate, every = 100, 1000, 100 * time.Millisecond
	for b.Loop() {
		f := startFront(b, Options{})
		old, kill := release(b, 0)
		f.point(b, Route{Backends: []*Backend{old}})
		calm, failed := steady(b, f, rate, swaps*every, func() {})
		if failed > 0 {
			b.Fatalf("%d requests failed without a swap", failed)
		}
		n := 0
		swapped, failed := steady(b, f, rate, swaps*every, func() {
			for pace := time.NewTicker(every); n < swaps; <-pace.C {
				n++
				next, killNext := release(b, n)
				f.point(b, Route{Backends: []*Backend{next}})
				if err := old.Drain(b.Context()); err != nil {
					b.Error(err)
				}
				kill()
				old, kill = next, killNext
			}
		})
		kill()
		b.ReportMetric(float64(failed), "failed")
		b.ReportMetric(float64(n), "swaps")
		b.ReportMetric(p99(calm), "ms-p99-calm")
		b.ReportMetric(p99(swapped), "ms-p99-swaps")
	}
}

// steady sends requests at an even rate for a time while during runs, and
// returns how long each took from when it was due.
func steady(b *testing.B, f *front, rate int, d time.Duration, during func()) (took []time.Duration, failed int) {
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 100, MaxIdleConnsPerHost: 100}} // late requests wait for a connection
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	var mu sync.Mutex
	wg.Go(during)
	start := time.Now()
	for i := range int(d.Seconds() * float64(rate)) {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		<-time.After(time.Until(due))
		wg.Go(func() {
			res, err := client.Do(f.request(b, "GET", "/", nil))
			ok := err == nil && res.StatusCode == http.StatusOK
			if err == nil {
				_, err = io.Copy(io.Discard, res.Body)
				ok = ok && err == nil
				res.Body.Close()
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(due))
			if !ok {
				failed++
			}
		})
	}
	wg.Wait()
	return took, failed
}

func p99(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)*99/100].Microseconds()) / 1000
}
