package procman

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/procman/proxy"
	"hop3/procman/sandbox"
)

// testApp is the path of the application that the tests run, testInit that of the program that is its shim; TestMain
// builds them.
var testApp, testInit string

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hop3-procman-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the app's uid reads it
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	testApp, testInit = filepath.Join(dir, "app"), filepath.Join(dir, "program")
	build := exec.Command("go", "build", "-o", dir, "./testdata/app", "hop3/internal/slim/program")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in a closure without a C library
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build test app: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// world is a supervisor with a router, and the folders of one app.
type world struct {
	t    testing.TB
	dir  string
	sup  *Supervisor
	rt   *proxy.Router
	url  string
	last int // release number
}

const appUID = 23456

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: worldDir(t)}
	w.start()
	return w
}

// worldDir makes a folder whose path is short: sockets lie in it.
func worldDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "hp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := layStore(filepath.Join(dir, "store")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// layStore makes a release's output that holds the test app and nothing else.
func layStore(store string) error {
	for _, d := range []string{"bin", "app/public"} {
		if err := os.MkdirAll(filepath.Join(store, d), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(store, "app/public/index.html"), []byte("static page"), 0o644); err != nil {
		return err
	}
	b, err := os.ReadFile(testApp)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(store, "bin/app"), b, 0o755)
}

// start gives the world a supervisor and a router that serves.
func (w *world) start() {
	w.t.Helper()
	w.rt = proxy.New(proxy.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.url = "http://" + l.Addr().String()
	served := make(chan error, 1)
	rt := w.rt
	go func() { served <- rt.Serve(l) }()
	w.sup = newSupervisor(w.t, rt)
	sup := w.sup
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sup.Close(ctx, true); err != nil {
			w.t.Errorf("close: %v", err)
		}
		if err := rt.Shutdown(ctx); err != nil {
			w.t.Errorf("shut router down: %v", err)
		}
		<-served
	})
}

func newSupervisor(t testing.TB, rt *proxy.Router) *Supervisor {
	log := logrus.New()
	log.SetOutput(io.Discard)
	if testing.Verbose() {
		log.SetOutput(os.Stderr)
		log.SetLevel(logrus.DebugLevel)
	}
	return New(Options{Exe: testInit, Router: rt, Log: log, Isolation: isolation(), Ports: testPorts})
}

// isolation is what this machine can give.
func isolation() string {
	if f := sandbox.Support(); f.Isolation == "none" {
		return IsolationNone
	}
	return IsolationRequire
}

// release returns the next release of the app, with these processes: "web: web".
func (w *world) release(processes ...string) Release {
	w.last++
	return testRelease(w.dir, w.last, processes...)
}

func testRelease(dir string, number int, processes ...string) Release {
	store := filepath.Join(dir, "store")
	r := Release{
		App: "blog", Number: number, Commit: "c0ffee", StorePath: store, Closure: []string{store},
		AppEnv: map[string]string{"N": fmt.Sprint(number)}, Formation: map[string]int{}, Hosts: []string{"blog.test"},
		Health:       Health{Interval: 400 * time.Millisecond, Timeout: 5 * time.Second},
		StartTimeout: 20 * time.Second, DrainTimeout: 20 * time.Second,
		UID: appUID, DataDir: filepath.Join(dir, "data"), LogDir: filepath.Join(dir, "logs"), RunDir: filepath.Join(dir, "run"),
	}
	for _, p := range processes {
		name, command, _ := strings.Cut(p, ": ")
		r.Processes = append(r.Processes, Process{Type: name, Command: "app " + command, StopTimeout: 20 * time.Second})
		r.Formation[name] = 1
	}
	return r
}

// output is a Progress that may be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (w *world) swap(r Release, o SwapOptions) SwapResult {
	w.t.Helper()
	res, err := w.sup.Swap(w.t.Context(), r, o)
	if err != nil {
		w.t.Fatalf("swap v%d: %v", r.Number, err)
	}
	return res
}

// pids returns the pids of what is live, by name.
func (w *world) pids() map[string]int {
	out := map[string]int{}
	for _, i := range w.sup.Instances("blog") {
		if i.State == Ready || i.State == Starting {
			out[i.Name] = i.Pid
		}
	}
	return out
}

// until waits for something that the supervisor brings about by itself, with the test's deadline as the limit.
func (w *world) until(what string, ok func([]Instance) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for t := time.NewTicker(5 * time.Millisecond); ; {
		if ok(w.sup.Instances("blog")) {
			t.Stop()
			return
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			w.t.Fatalf("waited for %s in vain: %+v", what, w.sup.Instances("blog"))
		}
	}
}

// get asks the router for a page of the app.
func (w *world) get(path string) (int, string) {
	w.t.Helper()
	code, body, err := fetch(w.t.Context(), w.url+path)
	if err != nil {
		w.t.Fatal(err)
	}
	return code, body
}

func fetch(ctx context.Context, url string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = "blog.test"
	req.Close = true // the router waits for connections that are kept
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}

// testPorts are below those of the end-to-end scripts, which may run at the same time.
var testPorts = PortRange{From: 21000, To: 23999}
