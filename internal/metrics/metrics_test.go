package metrics

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"hop3/procman"
	"hop3/procman/proxy"
	"hop3/procman/sandbox"
)

// sample is the metrics of a server with one app, of which one instance is being replaced.
func sample(t *testing.T) *Metrics {
	web := procman.Instance{Name: "web.1", Type: "web", Index: 1, State: procman.Ready}
	old := web
	old.State = procman.Draining
	m := New(Source{
		Version: "1.0.0", Data: t.TempDir(),
		Apps: func() []string { return []string{"blog", "new"} },
		Requests: func(app string) (proxy.Stats, bool) {
			return proxy.Stats{
				Requests: 3, InFlight: 1, Classes: [6]uint64{2: 2, 5: 1}, Total: time.Second,
				Latency: []proxy.Bucket{{Max: time.Millisecond, Count: 2}, {Max: time.Second, Count: 0}, {Count: 1}},
			}, app == "blog"
		},
		Instances: func(string) []procman.Instance { return []procman.Instance{web, old} },
		Usage: func(string) []procman.Usage {
			return []procman.Usage{{Instance: web, Usage: sandbox.Usage{MemoryBytes: 1 << 20, CPUNanos: 2e9, Pids: 3}}, {Instance: old}}
		},
		Restarts: func(string) uint64 { return 4 },
		Sessions: func() int64 { return 1 },
	})
	m.Deployed("blog", map[string]time.Duration{"build": time.Second, "swap": time.Millisecond}, nil)
	m.Deployed("blog", nil, errors.New("build failed"))
	return m
}

func TestMetrics_FollowPrometheusConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(sample(t).registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetrics_Values(t *testing.T) {
	w := httptest.NewRecorder()
	sample(t).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`hop3_build_info{version="1.0.0"} 1`,
		`hop3_requests_total{app="blog",code="2xx"} 2`,
		`hop3_requests_total{app="blog",code="5xx"} 1`,
		`hop3_request_duration_seconds_bucket{app="blog",le="0.001"} 2`,
		`hop3_request_duration_seconds_bucket{app="blog",le="1"} 2`,
		`hop3_request_duration_seconds_bucket{app="blog",le="+Inf"} 3`,
		`hop3_request_duration_seconds_sum{app="blog"} 1`,
		`hop3_requests_in_flight{app="blog"} 1`,
		`hop3_instances{app="blog",state="ready"} 1`,
		`hop3_instances{app="blog",state="draining"} 1`,
		`hop3_process_restarts_total{app="new"} 4`,
		`hop3_process_cpu_seconds_total{app="blog",process="web.1"} 2`,
		`hop3_process_memory_bytes{app="blog",process="web.1"} 1.048576e+06`,
		`hop3_deploys_total{app="blog",result="failed"} 1`,
		`hop3_deploys_total{app="blog",result="live"} 1`,
		`hop3_deploy_phase_duration_seconds_count{phase="build"} 1`,
		`hop3_ssh_sessions 1`,
		`go_goroutines `,
		`process_resident_memory_bytes `,
	} {
		if !strings.Contains(w.Body.String(), "\n"+want) {
			t.Errorf("no %s", want)
		}
	}
	if w.Code != 200 || strings.Contains(w.Body.String(), "error") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// TestMetrics_AreDocumented wants one row per metric in docs/metrics.md, and no other.
func TestMetrics_AreDocumented(t *testing.T) {
	const file = "../../docs/metrics.md"
	doc, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	families, err := sample(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "hop3_") {
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
		if !strings.Contains(string(doc), row) {
			t.Errorf("%s lacks the row:\n%s", file, row)
		}
		rows++
	}
	if n := strings.Count(string(doc), "\n| `hop3_"); n != rows {
		t.Errorf("%s has %d rows of metrics, want %d", file, n, rows)
	}
}
