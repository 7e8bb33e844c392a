package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A bench is a server with one app of an example, without testscript.
type bench struct {
	b    testing.TB
	dir  string
	ssh  string
	http string
}

// newBench starts a server with those further flags.
func newBench(b testing.TB, flags ...string) *bench {
	b.Helper()
	w := &bench{b: b, dir: b.TempDir()}
	w.must(exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(w.dir, "key")))
	exe, err := exec.LookPath("hop3")
	if err != nil { // outside of testscript the program is built
		exe = filepath.Join(w.dir, "hop3")
		build := exec.Command("go", "build", "-o", exe, ".")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		w.must(build)
	}
	cmd := exec.Command(exe, append([]string{"serve", "--data", filepath.Join(w.dir, "data"), "--ssh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admin-key", filepath.Join(w.dir, "key.pub"), "--packages", "debian", "--stop-apps"}, flags...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err == nil {
			_ = cmd.Wait() // its status says nothing about the benchmark
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal("the server did not start: ", err)
	}
	for _, f := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(f, "ssh="); ok {
			w.ssh = v
		}
		if v, ok := strings.CutPrefix(f, "http="); ok {
			w.http = v
		}
	}
	return w
}

func (w *bench) must(cmd *exec.Cmd) []byte {
	w.b.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.b.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return out
}

func (w *bench) git(args ...string) []byte {
	w.b.Helper()
	cmd := exec.Command("git", append([]string{"-C", filepath.Join(w.dir, "hello")}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b",
		"GIT_SSH_COMMAND=ssh "+strings.Join(w.sshOptions(), " "))
	return w.must(cmd)
}

func (w *bench) sshOptions() []string {
	return []string{"-F", "none", "-i", filepath.Join(w.dir, "key"), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new", "-o", "UserKnownHostsFile=" + filepath.Join(w.dir, "hosts")}
}

// example makes the repository and pushes it once.
func (w *bench) example(name string) {
	w.b.Helper()
	dir := filepath.Join(w.dir, "hello")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("../../examples", name))); err != nil {
		w.b.Fatal(err)
	}
	w.git("init", "-q", "-b", "main")
	w.git("remote", "add", "hop3", "ssh://hop3@"+w.ssh+"/hello")
	w.git("add", "-A")
	w.git("commit", "-q", "-m", "one")
	w.git("push", "hop3", "main")
}

// change replaces the example's version by a number and commits.
func (w *bench) change(file string, n int) {
	w.b.Helper()
	path := filepath.Join(w.dir, "hello", file)
	text, err := os.ReadFile(path)
	if err != nil {
		w.b.Fatal(err)
	}
	changed := regexp.MustCompile(`version \d+`).ReplaceAll(text, fmt.Appendf(nil, "version %d", n))
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		w.b.Fatal(err)
	}
	w.git("commit", "-q", "-a", "-m", fmt.Sprint("version ", n))
}

var took = regexp.MustCompile(`took: detect (\d+) ms, build (\d+) ms, release command (\d+) ms, start (\d+) ms, swap (\d+) ms`)

// examples are what BenchmarkPush pushes: the example and the file that is changed.
var examples = []struct{ name, file string }{
	{"static", "public/index.html"}, {"procfile", "www/index.html"}, {"python-flask", "app.py"}, {"node", "server.js"}, {"go", "main.go"}, {"go-deps", "internal/greet/greet.go"}, {"nix", "src/hello.py"},
}

// BenchmarkPush measures git push of a one-line change until the release is
// live, by a real client over ssh, split by stage; git-ms is what is left:
// the client, ssh, receiving and moving the branch.
func BenchmarkPush(b *testing.B) {
	for _, e := range examples {
		b.Run(e.name, func(b *testing.B) {
			w := newBench(b)
			w.example(e.name)
			var parts [5]float64
			var whole time.Duration
			n := 2
			for b.Loop() {
				b.StopTimer()
				w.change(e.file, n)
				n++
				b.StartTimer()
				began := time.Now()
				out := w.git("push", "-o", "verbose", "hop3", "main")
				whole += time.Since(began)
				m := took.FindSubmatch(out)
				if m == nil {
					b.Fatalf("no timings in:\n%s", out)
				}
				for i := range parts {
					ms, err := strconv.Atoi(string(m[i+1]))
					if err != nil {
						b.Fatal(err)
					}
					parts[i] += float64(ms)
				}
			}
			count := float64(b.N)
			rest := float64(whole.Milliseconds())
			for i, name := range []string{"detect-ms", "build-ms", "release-ms", "start-ms", "swap-ms"} {
				b.ReportMetric(parts[i]/count, name)
				rest -= parts[i]
			}
			b.ReportMetric(rest/count, "git-ms")
		})
	}
}

// BenchmarkSwaps swaps an app fifty times by ps:restart under 200 requests a
// second and reports how many requests failed.
func BenchmarkSwaps(b *testing.B) {
	w := newBench(b)
	w.example("go")
	host, port, err := net.SplitHostPort(w.ssh)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		load := startScriptLoad(&http.Client{Timeout: time.Minute}, "http://"+w.http, "hello.localhost")
		for range 50 {
			w.must(exec.Command("ssh", append(w.sshOptions(), "-p", port, "hop3@"+host, "ps:restart", "hello")...))
		}
		done, failed := load.stop()
		b.ReportMetric(float64(done), "requests")
		b.ReportMetric(float64(load.failures.Load()), "failed")
		if failed != "" {
			b.Log("a failure: ", failed)
		}
	}
}

// BenchmarkSSHCommand measures `ssh host version` as a whole, against `ssh -V`,
// which is what the client costs without a connection.
func BenchmarkSSHCommand(b *testing.B) {
	w := newBench(b)
	host, port, err := net.SplitHostPort(w.ssh)
	if err != nil {
		b.Fatal(err)
	}
	call := func(args ...string) time.Duration {
		began := time.Now()
		w.must(exec.Command("ssh", args...))
		return time.Since(began)
	}
	var with, without time.Duration
	for b.Loop() {
		with += call(append(w.sshOptions(), "-p", port, "hop3@"+host, "version")...)
		without += call("-V")
	}
	b.ReportMetric(float64(with.Microseconds())/1000/float64(b.N), "ms/command")
	b.ReportMetric(float64(without.Microseconds())/1000/float64(b.N), "ms/client")
}
