package deploy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"hop3/procman"
)

// newSite starts a site with v1 live.
func newSite(b *testing.B, n int) *site {
	b.Helper()
	pl := newPlot(b, n)
	pl.ports = procman.PortRange{From: 27000, To: 31999} // one with connections that are just ending rests
	s, booted, err := pl.open(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	booted()
	b.Cleanup(func() {
		if err := s.close(); err != nil {
			b.Error(err)
		}
	})
	if err := s.create(); err != nil {
		b.Fatal(err)
	}
	if err := s.push(context.WithoutCancel(b.Context()), 1); err != nil {
		b.Fatal(err)
	}
	return s
}

const (
	// perSecond is the load of BenchmarkSwaps.
	perSecond = 1000
	// maxWaiting bounds the requests under way: on a machine that cannot keep up the rate is lower, which requests tells.
	maxWaiting = 100
)

// BenchmarkSwaps asks a thousand times a second, come what may, while the web processes are swapped a hundred times, and as
// long without any swap before it. It reports how many requests failed, and the 99th percentiles of both.
func BenchmarkSwaps(b *testing.B) {
	s := newSite(b, 100)
	r := Request{App: s.app, By: "ann", Talk: NewTalk(io.Discard)}
	for b.Loop() {
		l := s.load(b)
		begun := time.Now()
		for range 100 {
			if err := s.p.Restart(b.Context(), r, []string{"web"}); err != nil {
				b.Fatal(err)
			}
		}
		took := time.Since(begun)
		swaps := l.stop()
		l = s.load(b)
		<-time.After(min(took, 20*time.Second))
		quiet := l.stop()
		b.ReportMetric(float64(len(swaps.took)), "requests")
		b.ReportMetric(float64(swaps.failed), "failed")
		b.ReportMetric(float64(took.Milliseconds())/100, "ms/swap")
		for name, p := range map[string]float64{"p50": 0.5, "p99": 0.99} {
			b.ReportMetric(swaps.percentile(p), name+"-ms")
			b.ReportMetric(quiet.percentile(p), name+"-quiet-ms")
		}
	}
}

// A load is requests at a fixed rate; each begins at its time, whether or not those before it have ended.
type load struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu     sync.Mutex
	took   []time.Duration
	failed int
}

func (s *site) load(b *testing.B) *load {
	ctx, cancel := context.WithCancel(b.Context())
	l := &load{cancel: cancel}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	l.wg.Go(func() {
		defer client.CloseIdleConnections()
		var asked sync.WaitGroup
		slots := make(chan struct{}, maxWaiting)
		defer asked.Wait()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		begun := time.Now()
		for n := 0; ; {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				for due := int(now.Sub(begun) * perSecond / time.Second); n < due; n++ {
					slots <- struct{}{}
					asked.Go(func() { l.ask(client, s); <-slots })
				}
			}
		}
	})
	return l
}

func (l *load) ask(client *http.Client, s *site) {
	begun := time.Now()
	err := func() error {
		req, err := http.NewRequest(http.MethodGet, s.url, nil)
		if err != nil {
			return err
		}
		req.Host = s.app + ".test"
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err = io.Copy(io.Discard, res.Body); err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", res.StatusCode)
		}
		return err
	}()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, time.Since(begun))
	if err != nil {
		l.failed++
	}
}

func (l *load) stop() *load {
	l.cancel()
	l.wg.Wait()
	slices.Sort(l.took)
	return l
}

// percentile is in milliseconds.
func (l *load) percentile(p float64) float64 {
	return float64(l.took[int(p*float64(len(l.took)-1))].Microseconds()) / 1000
}

// BenchmarkRollback rolls back and forth between two releases, and reports what of it is not the app's own start: own-ms
// (PRODUCT.md section 12: below 300). It does so without the clock, which takes 100 ms to stop, and then starts: that is the
// app's own time too, and comes after the other starts.
func BenchmarkRollback(b *testing.B) {
	s := newSite(b, 101)
	if err := s.push(b.Context(), 2); err != nil {
		b.Fatal(err)
	}
	r := Request{App: s.app, By: "ann", Talk: NewTalk(io.Discard)}
	noClock := func(map[string]int) (map[string]int, error) {
		return map[string]int{"web": 1, "worker": 1, "clock": 0}, nil
	}
	if _, err := s.p.Scale(b.Context(), r, noClock); err != nil {
		b.Fatal(err)
	}
	var whole, boot time.Duration
	for b.Loop() {
		begun := time.Now()
		if _, err := s.p.Rollback(b.Context(), r, 0); err != nil {
			b.Fatal(err)
		}
		whole += time.Since(begun)
		res, err := s.p.Supervisor.Swap(b.Context(), s.running(b), procman.SwapOptions{Restart: []string{procman.Web}, Wait: true})
		if err != nil {
			b.Fatal(err)
		}
		boot += res.Boot // of the same process, right after
	}
	n := float64(b.N)
	b.ReportMetric(float64(whole.Milliseconds())/n, "whole-ms")
	b.ReportMetric(float64((whole-boot).Milliseconds())/n, "own-ms")
}

func (s *site) running(b *testing.B) procman.Release {
	b.Helper()
	r, err := s.p.Current(s.app)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// BenchmarkAcrossASwap swaps the app below a download of nearly thirty seconds, and reports how many bytes are missing at its
// end. (Websockets across a swap: TestWebsocket_LivesThroughASwapUntilTheDrainEnds of procman/proxy.)
func BenchmarkAcrossASwap(b *testing.B) {
	const long = 30 * time.Second
	s := newSite(b, 102)
	r := Request{App: s.app, By: "ann", Talk: NewTalk(io.Discard)}
	for b.Loop() {
		missing := make(chan int, 1)
		begun := make(chan struct{})
		go func() { missing <- s.download(b, begun, long-2*time.Second) }() // the drain timeout counts from the swap on
		<-begun
		if err := s.p.Restart(b.Context(), r, []string{"web"}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(<-missing), "missing-bytes")
	}
}

// download asks for a page whose end comes after that time, and returns how many bytes of it are missing.
func (s *site) download(b *testing.B, begun chan<- struct{}, lasts time.Duration) int {
	conn, err := net.Dial("tcp", s.url[len("http://"):])
	if err != nil {
		b.Error(err)
		close(begun)
		return -1
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /slow?for=%s HTTP/1.0\r\nHost: %s.test\r\n\r\n", lasts, s.app) //nolint:errcheck // seen below
	one := make([]byte, 1)
	_, err = io.ReadFull(conn, one) // the head has come: it is under way
	close(begun)
	rest, rerr := io.ReadAll(conn)
	if err != nil || rerr != nil || len(rest) < 4 || string(rest[len(rest)-4:]) != "slow" {
		b.Errorf("the download ends with %q: %v %v", rest, err, rerr)
		return 4
	}
	return 0
}
