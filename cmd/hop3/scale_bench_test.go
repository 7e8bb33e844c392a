package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hop3/internal/state"
)

// BenchmarkAdopt kills a server with -9 that has many apps of one process each and starts it again. It reports how long it
// takes until it is ready (ready-ms) and until every app has answered (all-ms), and how much of the processor the server has
// used by then (cpu-ms), which neighbours on the machine change least; what the server holds resident then
// (server-MB) and uses idle (idle-cpu-%), what each instance costs beside its app (MB/shim), and, for comparison, how long the
// start of all from nothing took (boot-ms).
func BenchmarkAdopt(b *testing.B) {
	for _, apps := range []int{1, 100, 500} {
		b.Run(fmt.Sprintf("apps=%d", apps), func(b *testing.B) {
			w := seed(b, apps)
			begun := time.Now()
			w.start(b)
			w.askAll(b)
			boot := time.Since(begun)
			var ready, all time.Duration
			used := 0
			for b.Loop() {
				pids := w.apps(b)
				w.kill(b)
				begun = time.Now()
				w.start(b)
				ready += time.Since(begun)
				w.askAll(b)
				all += time.Since(begun)
				used += ticks(b, w.cmd.Process.Pid)
				if now := w.apps(b); now != pids {
					b.Fatalf("processes were %s and are %s", pids, now)
				}
			}
			b.ReportMetric(float64(boot.Milliseconds()), "boot-ms")
			b.ReportMetric(float64(ready.Milliseconds())/float64(b.N), "ready-ms")
			b.ReportMetric(float64(all.Milliseconds())/float64(b.N), "all-ms")
			b.ReportMetric(10*float64(used)/float64(b.N), "cpu-ms") // a tick is a hundredth of a second
			b.ReportMetric(idle(b, w.cmd.Process.Pid, 5*time.Second), "idle-cpu-%")
			b.ReportMetric(memory(b, w.cmd.Process.Pid, "Rss"), "server-MB")
			b.ReportMetric(w.shims(b), "MB/shim")
		})
	}
}

// A fleet is a server with many small apps.
type fleet struct {
	dir, exe  string
	n         int
	ssh, http string
	cmd       *exec.Cmd
}

// seed lays out the state of a server whose apps are live.
func seed(b *testing.B, n int) *fleet {
	b.Helper()
	dir, err := os.MkdirTemp("", "hop3-fleet-")
	if err != nil {
		b.Fatal(err)
	}
	w := &fleet{dir: dir, exe: filepath.Join(dir, "hop3"), n: n, ssh: "127.0.0.1:0", http: "127.0.0.1:0"}
	store := filepath.Join(dir, "store")
	for _, d := range []string{store, filepath.Join(store, "bin"), filepath.Join(store, "app")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	for _, args := range [][]string{
		{"-o", filepath.Join(store, "bin", "app"), "../../procman/testdata/app"},
		{"-ldflags", "-s -w", "-o", "../../internal/slim/program.bin", "../../internal/slim/program"}, // as make build does it
		{"-tags", "slim", "-ldflags", "-s -w", "-o", w.exe, "."},
	} {
		build := exec.Command("go", append([]string{"build"}, args...)...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("build: %v\n%s", err, out)
		}
	}
	s, err := state.Open(filepath.Join(dir, "data"))
	if err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if err := seedApp(s, fmt.Sprintf("app%d", i), store); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(s.RememberPackages("debian"), s.Close()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err == nil {
			_ = w.cmd.Wait() // its status says nothing about the benchmark
		}
		_ = os.RemoveAll(dir) // in the system's folder for such things
	})
	return w
}

func seedApp(s *state.Store, name, store string) error {
	if _, err := s.Create(name, "ann", time.Now()); err != nil {
		return err
	}
	_, err := s.Update(name, func(a *state.App) error {
		a.Current, a.LastRelease = 1, 1
		a.Releases = []state.Release{{
			Number: 1, Status: state.Live, By: "ann", At: time.Now().Add(-time.Hour), StorePath: store, Closure: []string{store}, Roots: 1,
			Processes: []state.Process{{Type: "web", Command: "app web"}},
		}}
		return nil
	})
	return err
}

// start starts the server and returns when it says that it is ready.
func (w *fleet) start(b *testing.B) {
	b.Helper()
	w.cmd = exec.Command(w.exe, "serve", "--data", filepath.Join(w.dir, "data"), "--ssh", w.ssh, "--http", w.http, "--packages", "debian", "--stop-apps")
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	m := regexp.MustCompile(`ssh=(\S+) http=(\S+)`).FindStringSubmatch(line)
	if m == nil {
		b.Fatalf("the server did not start: %q %v", line, err)
	}
	w.ssh, w.http = m[1], m[2]
}

func (w *fleet) kill(b *testing.B) {
	b.Helper()
	if err := w.cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	_ = w.cmd.Wait() // it was killed
}

// askAll asks every app for its page, fifty at a time, and returns when all have answered.
func (w *fleet) askAll(b *testing.B) {
	b.Helper()
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.http)
		},
		MaxIdleConnsPerHost: -1,
	}}
	var all sync.WaitGroup
	slots := make(chan struct{}, 50)
	for i := range w.n {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			res, err := client.Get(fmt.Sprintf("http://app%d.localhost/", i))
			for tries := 0; err == nil && res.StatusCode == http.StatusServiceUnavailable && tries < 5; tries++ {
				res.Body.Close() // it was held for half a minute: the start of all from nothing takes longer
				res, err = client.Get(fmt.Sprintf("http://app%d.localhost/", i))
			}
			if err != nil {
				b.Error(err)
				return
			}
			defer res.Body.Close()
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
				b.Errorf("app%d: %s %v", i, res.Status, err)
			}
		})
	}
	all.Wait()
}

// apps names the processes of the apps, as a text that can be compared.
func (w *fleet) apps(b *testing.B) string {
	return strings.Join(w.pids(b, "bin/app\x00web"), " ")
}

// pids lists the processes of the fleet whose command line holds text.
func (w *fleet) pids(b *testing.B, text string) []string {
	b.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	var out []string
	for _, name := range lines {
		if line, err := os.ReadFile(name); err == nil && bytes.Contains(line, []byte(text)) {
			out = append(out, strings.Split(name, "/")[2])
		}
	}
	return out
}

// shims is what a shim of the fleet holds for itself, in MB: its share of what many of them map counts with it.
func (w *fleet) shims(b *testing.B) float64 {
	sum, n := 0.0, 0
	for _, text := range w.pids(b, "bin/app\x00web") {
		stat, err := os.ReadFile("/proc/" + text + "/stat") // the app's parent is its shim
		if err != nil {
			b.Fatal(err)
		}
		parent, err := strconv.Atoi(strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[1])
		if err != nil {
			b.Fatal(err)
		}
		sum += memory(b, parent, "Pss")
		n++
	}
	return sum / float64(max(n, 1))
}

// memory reads one line of a process's smaps_rollup, in MB; see proc_pid_smaps(5).
func memory(b *testing.B, pid int, key string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + key + `:\s+(\d+) kB`).FindSubmatch(text)
	if m == nil {
		b.Fatalf("no %s in %s", key, text)
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		b.Fatal(err)
	}
	return float64(kb) / 1024
}

// idle is the share of one core that a process uses while nobody asks it anything, in percent.
func idle(b *testing.B, pid int, during time.Duration) float64 {
	before := ticks(b, pid)
	<-time.After(during)
	return float64(ticks(b, pid)-before) / during.Seconds() // a tick is a hundredth of a second
}

// ticks is the processor time of a process; see proc_pid_stat(5).
func ticks(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err := strconv.Atoi(f[11])
	system, serr := strconv.Atoi(f[12])
	if err := errors.Join(err, serr); err != nil {
		b.Fatal(err)
	}
	return user + system
}
