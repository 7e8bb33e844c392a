// Package metrics tells Prometheus what the server does: /metrics, with names
// by its conventions, which a test has its own linter check. Every label is
// bounded: apps, the instances of a formation, states, classes of status codes,
// phases of a deploy. docs/metrics.md lists all of it, which a test checks too.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sys/unix"

	"hop3/procman"
	"hop3/procman/proxy"
)

// A Source is where the numbers come from; all fields are required. Its
// functions are called at each scrape, by several goroutines at once.
type Source struct {
	Version  string
	Data     string // the folder whose disk is measured
	Apps     func() []string
	Requests func(app string) (proxy.Stats, bool)
	// Instances are all of an app, Usage those that run.
	Instances func(app string) []procman.Instance
	Usage     func(app string) []procman.Usage
	Restarts  func(app string) uint64
	Sessions  func() int64
}

// Metrics are the server's numbers. New makes them.
type Metrics struct {
	source   Source
	registry *prometheus.Registry
	deploys  *prometheus.CounterVec
	phases   *prometheus.HistogramVec
}

// phaseBounds reach from a carried-over process to a compiler's first build, in seconds.
var phaseBounds = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}

// New returns the metrics of a server.
func New(s Source) *Metrics {
	m := &Metrics{
		source: s, registry: prometheus.NewRegistry(),
		deploys: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hop3_deploys_total", Help: "Deploys that have ended: live or failed."}, []string{"app", "result"}),
		phases:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "hop3_deploy_phase_duration_seconds", Help: "Time that a phase of a deploy took: detect, build, release, start, swap.", Buckets: phaseBounds}, []string{"phase"}),
	}
	m.registry.MustRegister(m.deploys, m.phases, m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Deployed counts a deploy and the phases that it has come through.
func (m *Metrics) Deployed(app string, phases map[string]time.Duration, err error) {
	result := "live"
	if err != nil {
		result = "failed"
	}
	m.deploys.WithLabelValues(app, result).Inc()
	for phase, took := range phases {
		m.phases.WithLabelValues(phase).Observe(took.Seconds())
	}
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hop3_"+name, help, labels, nil)
}

var (
	buildInfo = describe("build_info", "The program that runs; always 1.", "version")
	requests  = describe("requests_total", "Requests that the router has answered, by class of status code; 499 is a client that left.", "app", "code")
	durations = describe("request_duration_seconds", "Time from a request's head to the end of its response.", "app")
	inFlight  = describe("requests_in_flight", "Requests that are being answered or held, websockets and streams included.", "app")
	instances = describe("instances", "Instances by state.", "app", "state")
	restarts  = describe("process_restarts_total", "Times that a process was started again after it had ended by itself.", "app")
	cpu       = describe("process_cpu_seconds_total", "Processor time of an instance's cgroup since it started.", "app", "process")
	memory    = describe("process_memory_bytes", "Memory of an instance's cgroup.", "app", "process")
	pids      = describe("process_pids", "Processes and threads of an instance's cgroup.", "app", "process")
	sessions  = describe("ssh_sessions", "Calls by ssh that are under way, pushes included.")
	diskFree  = describe("disk_free_bytes", "Room on the disk of the data folder.")
	diskSize  = describe("disk_size_bytes", "Size of the disk of the data folder.")
)

// Describe is for the registry.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, requests, durations, inFlight, instances, restarts, cpu, memory, pids, sessions, diskFree, diskSize} {
		to <- d
	}
}

// Collect is for the registry: it asks the source.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(buildInfo, 1, m.source.Version)
	gauge(sessions, float64(m.source.Sessions()))
	var disk unix.Statfs_t
	if unix.Statfs(m.source.Data, &disk) == nil { // else unknown, which is no number
		gauge(diskFree, float64(disk.Bavail)*float64(disk.Bsize))
		gauge(diskSize, float64(disk.Blocks)*float64(disk.Bsize))
	}
	for _, app := range m.source.Apps() {
		m.collectRequests(to, app)
		m.collectProcesses(to, app)
	}
}

// classes are the values of the label code, by the first digit of the status.
var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

func (m *Metrics) collectRequests(to chan<- prometheus.Metric, app string) {
	s, ok := m.source.Requests(app)
	if !ok {
		return
	}
	for i, n := range s.Classes {
		if n > 0 {
			to <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(n), app, classes[i])
		}
	}
	buckets, sum := map[float64]uint64{}, uint64(0)
	for _, b := range s.Latency {
		sum += b.Count
		if b.Max > 0 {
			buckets[b.Max.Seconds()] = sum
		}
	}
	to <- prometheus.MustNewConstHistogram(durations, sum, s.Total.Seconds(), buckets, app)
	to <- prometheus.MustNewConstMetric(inFlight, prometheus.GaugeValue, float64(s.InFlight), app)
}

func (m *Metrics) collectProcesses(to chan<- prometheus.Metric, app string) {
	to <- prometheus.MustNewConstMetric(restarts, prometheus.CounterValue, float64(m.source.Restarts(app)), app)
	states := map[procman.State]int{}
	for _, i := range m.source.Instances(app) {
		states[i.State]++
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(instances, prometheus.GaugeValue, float64(n), app, string(state))
	}
	seen := map[string]bool{} // while one is replaced there are two of a name: the first is the one that stays
	for _, u := range m.source.Usage(app) {
		if seen[u.Name] {
			continue
		}
		seen[u.Name] = true
		to <- prometheus.MustNewConstMetric(cpu, prometheus.CounterValue, float64(u.CPUNanos)/1e9, app, u.Name)
		to <- prometheus.MustNewConstMetric(memory, prometheus.GaugeValue, float64(u.MemoryBytes), app, u.Name)
		to <- prometheus.MustNewConstMetric(pids, prometheus.GaugeValue, float64(u.Pids), app, u.Name)
	}
}
