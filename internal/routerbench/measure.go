package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A scenario is one kind of load.
type scenario struct {
	name string
	path string
	tls  bool
	h2   bool
	body int // of each request, in bytes
}

var scenarios = []scenario{
	{name: "100 B", path: "/"},
	{name: "64 KB", path: "/64k"},
	{name: "100 B, chunked", path: "/chunked"},
	{name: "64 KB upload", path: "/", body: 64 << 10},
	{name: "100 B, TLS, HTTP/1.1", path: "/", tls: true},
	{name: "100 B, TLS, HTTP/2", path: "/", tls: true, h2: true},
}

// url is where the scenario asks the proxy; "" for one that does not serve it.
func (s scenario) url(p *proxyUnderTest) string {
	switch {
	case !s.tls:
		return "http://" + p.http + s.path
	case p.https == "":
		return ""
	}
	return "https://" + p.https + s.path
}

// A sample is what one measurement has found.
type sample struct {
	proxy    string
	rate     float64 // requests per second
	cpu      float64 // microseconds of the proxy per request
	p50, p99 float64 // milliseconds; 0 where the tool does not tell
}

// measure puts load on a proxy for a while.
func (b *bench) measure(ctx context.Context, p *proxyUnderTest, s scenario, d time.Duration) (sample, error) {
	seconds := strconv.Itoa(max(1, int(d.Seconds())))
	argv := []string{"-c", loadCore, "wrk", "-t1", "-c64", "-d" + seconds + "s", "--latency", s.url(p)}
	if s.body > 0 {
		script := filepath.Join(b.dir, "upload.lua")
		text := fmt.Sprintf("wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", %d)\n", s.body)
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			return sample{}, fmt.Errorf("write script: %w", err)
		}
		argv = append(argv, "-s", script)
	}
	if s.h2 {
		argv = []string{"-c", loadCore, "h2load", "-t1", "-c16", "-m8", "-D" + seconds, s.url(p)}
	}
	before, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	out, err := exec.CommandContext(ctx, "taskset", argv...).CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return sample{}, fmt.Errorf("run %s: %w: %s", argv[2], err, out)
	}
	after, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		return sample{}, err
	}
	got, err := parse(string(out))
	got.proxy = p.name
	got.cpu = (after - before).Seconds() * 1e6 / (got.rate * took.Seconds())
	return got, err
}

var (
	wrkRate   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkFailed = regexp.MustCompile(`(?m)Non-2xx.*|Socket errors:.*$`)
	h2Rate    = regexp.MustCompile(`finished in [^,]+, ([0-9.]+) req/s`)
	h2Status  = regexp.MustCompile(`status codes: .* ([0-9]+) 4xx, ([0-9]+) 5xx`)
)

// parse reads what wrk or h2load has printed.
func parse(out string) (s sample, err error) {
	m := wrkRate.FindStringSubmatch(out)
	if m == nil {
		m = h2Rate.FindStringSubmatch(out)
	}
	if m == nil {
		return s, fmt.Errorf("no rate in %q", out)
	}
	if bad := wrkFailed.FindString(out); bad != "" {
		return s, fmt.Errorf("requests failed: %s", bad)
	}
	if c := h2Status.FindStringSubmatch(out); c != nil && (c[1] != "0" || c[2] != "0") {
		return s, fmt.Errorf("requests failed: %s", c[0])
	}
	s.p50, s.p99 = percentile(out, "50%"), percentile(out, "99%")
	s.rate, err = strconv.ParseFloat(m[1], 64)
	return s, err
}

// percentile returns wrk's latency in milliseconds, 0 if there is none.
func percentile(out, which string) float64 {
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == which {
			d, err := time.ParseDuration(f[1])
			if err == nil {
				return float64(d.Microseconds()) / 1000
			}
		}
	}
	return 0
}

// cpuTime is what the process and its children have used of the processor.
func cpuTime(pid int) (time.Duration, error) {
	total, err := ownTime(pid)
	if err != nil {
		return 0, err
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return 0, err
	}
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(text)) {
			n, err := strconv.Atoi(child)
			if err != nil {
				return 0, fmt.Errorf("read children of %d: %w", pid, err)
			}
			more, err := cpuTime(n)
			if err != nil {
				return 0, err
			}
			total += more
		}
	}
	return total, nil
}

// tick is the unit of times in /proc/PID/stat, which is the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func ownTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read processor time: %w", err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick, cmp.Or(err1, err2)
}

// report prints a scenario's medians, and its ratios to nginx of the same round.
func report(w io.Writer, s scenario, proxies []*proxyUnderTest, samples []sample) {
	fmt.Fprintf(w, "\n%s\n%-12s %10s %9s %9s %9s %9s %9s %12s\n", s.name, "", "req/s", "to nginx", "us cpu", "of nginx", "p50 ms", "p99 ms", "p99 to nginx")
	of := func(name string) (out []sample) {
		for _, s := range samples {
			if s.proxy == name {
				out = append(out, s)
			}
		}
		return out
	}
	ref := of("nginx")
	for _, p := range proxies {
		own := of(p.name)
		if len(own) == 0 {
			continue
		}
		mid := func(value func(i int) float64) float64 {
			var v []float64
			for i := range own {
				v = append(v, value(i))
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		fmt.Fprintf(w, "%-12s %10.0f %9.2f %9.1f %9.2f %9.2f %9.2f %12.2f\n", p.name,
			mid(func(i int) float64 { return own[i].rate }), mid(func(i int) float64 { return own[i].rate / ref[i].rate }),
			mid(func(i int) float64 { return own[i].cpu }), mid(func(i int) float64 { return own[i].cpu / ref[i].cpu }),
			mid(func(i int) float64 { return own[i].p50 }), mid(func(i int) float64 { return own[i].p99 }),
			mid(func(i int) float64 { return own[i].p99 / max(ref[i].p99, 0.001) }))
	}
}
