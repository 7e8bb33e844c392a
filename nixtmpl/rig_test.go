package nixtmpl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hop3/detect"
	"hop3/nixtmpl/nix"
	"hop3/nixtmpl/packages"
)

// A rig builds for real: nix, its sandbox and build users, the offline package set.
type rig struct {
	*Builder
	ctx context.Context
}

var openSet = sync.OnceValues(func() (*rig, error) {
	dir, err := os.MkdirTemp("", "hop3-nixtmpl-test-")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	log := logrus.New()
	log.SetOutput(io.Discard)
	n, err := nix.Open(ctx, nix.Options{StateDir: filepath.Join(dir, "nix"), Offline: true, Log: log})
	if err != nil {
		return nil, err
	}
	set, err := packages.Open(filepath.Join(dir, "packages"), n, packages.Options{})
	if err != nil {
		return nil, err
	}
	env := FetchEnv(ctx, os.Environ())
	return &rig{Builder: &Builder{Nix: n.WithShell(set.Shell()), Set: set, Env: func() []string { return env }}, ctx: ctx}, nil
})

func newRig(t *testing.T) *rig {
	t.Helper()
	needNix(t)
	shared, err := openSet()
	if err != nil {
		t.Fatal(err)
	}
	b := *shared.Builder
	b.Hashes = NewHashStore(filepath.Join(t.TempDir(), "hashes.json"))
	return &rig{Builder: &b, ctx: t.Context()}
}

// An app is a tree that a test builds and changes.
type app struct {
	rig  *rig
	name string
	dir  string
	work string
}

func (r *rig) example(t *testing.T, name string) *app {
	t.Helper()
	a := &app{rig: r, name: name, dir: t.TempDir(), work: t.TempDir()}
	if err := os.CopyFS(a.dir, os.DirFS(filepath.Join("../examples", name))); err != nil {
		t.Fatal(err)
	}
	return a
}

// tree is an app of the given files.
func (r *rig) tree(t *testing.T, name string, files map[string]string) *app {
	t.Helper()
	a := &app{rig: r, name: name, dir: t.TempDir(), work: t.TempDir()}
	for f, text := range files {
		a.write(t, f, text)
	}
	return a
}

func (a *app) write(t *testing.T, file, text string) {
	t.Helper()
	p := filepath.Join(a.dir, file)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (a *app) replace(t *testing.T, file, old, repl string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(a.dir, file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s does not hold %q", file, old)
	}
	a.write(t, file, strings.Replace(string(b), old, repl, 1))
}

// source is the tree as a push exports it, each time anew: without what an earlier build wrote.
func (a *app) source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(a.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (a *app) tryBuild(t *testing.T, change func(*Request)) (Build, detect.Plan, error) {
	t.Helper()
	src := a.source(t)
	plan, err := detect.Detect(os.DirFS(src))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r := Request{Plan: plan, Name: a.name, Source: src, Work: a.work, Log: &log, Progress: &log}
	if change != nil {
		change(&r)
	}
	b, err := a.rig.Build(a.rig.ctx, r)
	if err != nil {
		t.Logf("log of %s:\n%s", a.name, tail(log.String()))
	}
	return b, plan, err
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

func (a *app) build(t *testing.T) (Build, detect.Plan) {
	t.Helper()
	b, plan, err := a.tryBuild(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, plan
}

type launchFile struct {
	Processes       map[string]string
	Release, Static string
}

// contract checks what every build promises.
func contract(t *testing.T, b Build, p detect.Plan) launchFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(b.Out, "share/hop3/launch.json"))
	if err != nil {
		t.Fatal(err)
	}
	var l launchFile
	if err := json.Unmarshal(data, &l); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"app", "bin"} {
		if info, err := os.Stat(filepath.Join(b.Out, d)); err != nil || !info.IsDir() {
			t.Errorf("%s is not a folder of the output: %v", d, err)
		}
	}
	if l.Processes["web"] != p.Processes.Command("web") || l.Static != p.Static || l.Release != p.Release {
		t.Errorf("launch.json says %+v", l)
	}
	if !slices.Contains(b.Closure, b.Out) || b.Size == 0 {
		t.Errorf("closure %q, size %d", b.Closure, b.Size)
	}
	return l
}

// serve runs the web process of a build as a server would, with nothing of the machine in its PATH, and returns what / answers.
func serve(t *testing.T, b Build, command string) string {
	t.Helper()
	port := freePort(t)
	env := []string{"PATH=" + filepath.Join(b.Out, "bin"), "HOST=127.0.0.1", "PORT=" + port, "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	var cmd *exec.Cmd
	if detect.NeedsShell(command) {
		cmd = exec.Command(filepath.Join(b.Out, "bin/sh"), "-c", "exec "+command)
	} else {
		argv := strings.Fields(strings.ReplaceAll(command, "$PORT", port))
		cmd = exec.Command(filepath.Join(b.Out, "bin", argv[0]), argv[1:]...)
	}
	cmd.Dir, cmd.Env = filepath.Join(b.Out, "app"), env
	return answer(t, cmd, port)
}

// nobody is the user who runs what was built.
const nobody = 65534

// answer starts a server, returns what it answers at / and ends it.
func answer(t *testing.T, cmd *exec.Cmd, port string) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second // for what left the group, and holds the pipe
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 && filepath.Base(cmd.Path) != "nix" { // root could change the store: python writes beside its modules
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		for _, kv := range cmd.Env {
			if name, dir, _ := strings.Cut(kv, "="); name == "HOME" || name == "TMPDIR" {
				if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chmod(filepath.Dir(dir), 0o711)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	body := fetch(t, "http://127.0.0.1:"+port+"/", exited, &out)
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); err != nil { // the group, as the server does
		t.Error(err)
	}
	select {
	case <-exited:
	case <-time.After(20 * time.Second):
		t.Error("SIGTERM did not end it")
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		<-exited
	}
	return body
}

// fetch asks until something answers, or the process has exited.
func fetch(t *testing.T, url string, exited chan error, out *bytes.Buffer) string {
	t.Helper()
	deadline := time.After(2 * time.Minute) // a virtual machine starts slowly on a loaded machine
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		resp, err := http.Get(url)
		if err == nil {
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("exited before it answered: %v\n%s", err, out)
		case <-deadline:
			t.Fatal("nothing answers")
		case <-tick.C:
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
