package sandbox_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"hop3/procman/sandbox"
)

// world is what a sandbox must not touch: a host with secrets, another app,
// and a store with more in it than the release's closure.
type world struct {
	dir, secret, otherData, otherStore string
	spec                               sandbox.Spec
}

func newWorld(t *testing.T, argv ...string) *world {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "hop3-world-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{dir: dir, secret: filepath.Join(dir, "secret"), otherData: filepath.Join(dir, "other"), otherStore: filepath.Join(dir, "store/other")}
	for p, text := range map[string]string{
		"secret": "host secret", "other/db": "other app's row", "store/other/code": "other app's code",
		"store/blog/app/main.txt": "as deployed", "store/blog/app/lib/deep/x": "deep", "store/blog/bin/tool": "tool", "data/row": "mine",
	} {
		f := filepath.Join(dir, p)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(filepath.Join(dir, "data"), testUID, testUID); err != nil {
		t.Fatal(err)
	}
	w.spec = spec(argv...)
	w.spec.Closure = append(w.spec.Closure, filepath.Join(dir, "store/blog"))
	w.spec.AppDir, w.spec.DataDir = filepath.Join(dir, "store/blog/app"), filepath.Join(dir, "data")
	return w
}

func (w *world) run(t *testing.T, argv ...string) string {
	t.Helper()
	s := w.spec
	s.Argv = append([]string{inmate}, argv...)
	out, _ := output(t, s)
	return out
}

func TestEscape_SystemCalls(t *testing.T) {
	needRoot(t)
	out := newWorld(t).run(t, "tries")
	if strings.Contains(out, "ESCAPED") || strings.Count(out, "held") < 50 {
		t.Errorf("attempts:\n%s", out)
	}
}

func TestEscape_Files(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	for _, p := range []string{
		w.secret, filepath.Join(w.otherData, "db"), filepath.Join(w.otherStore, "code"), "/etc/shadow", "/root", "/home", "/srv",
		"/app/../../" + w.secret, "/proc/1/root" + w.secret, "/proc/self/cwd/../.." + w.secret, "/sys/class", "/run/docker.sock",
		"/nix/var", "/boot", "/lib", "/usr/lib", "/proc/" + strconv.Itoa(os.Getpid()) + "/environ",
	} {
		if out := w.run(t, "read", p); !strings.Contains(out, "no such file") && !strings.Contains(out, "permission denied") {
			t.Errorf("read %s: %s", p, out)
		}
	}
	out := w.run(t, "ls", "/", "/dev", w.dir, filepath.Join(w.dir, "store"))
	want := "/: app bin data dev etc proc run tmp usr var\n" +
		"/dev: fd full null ptmx pts random shm stderr stdin stdout tty urandom zero\n" +
		w.dir + ": store\n" + filepath.Join(w.dir, "store") + ": blog\n"
	if out != want {
		t.Errorf("what can be seen:\n%swant\n%s", out, want)
	}
}

func TestEscape_StoreIsReadOnly(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	tool := filepath.Join(w.dir, "store/blog/bin/tool")
	if err := os.Chmod(tool, 0o666); err != nil { // even if its mode allowed it
		t.Fatal(err)
	}
	out := w.run(t, "write", tool, filepath.Join(filepath.Dir(tool), "new"), inmate, "/nix/store/x")
	if strings.Contains(out, "<nil>") || strings.Count(out, "read-only")+strings.Count(out, "no such")+strings.Count(out, "denied") != 4 {
		t.Error(out)
	}
	if b, err := os.ReadFile(tool); string(b) != "tool" {
		t.Errorf("the store has %q, %v", b, err)
	}
}

func TestEscape_AppDirLink(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	w.spec.AppDir = filepath.Join(w.dir, "store/blog/link")
	if err := os.Symlink(w.otherData, w.spec.AppDir); err != nil {
		t.Fatal(err)
	}
	_, err := sandbox.Run(t.Context(), sandbox.Executable(), w.spec, sandbox.Stdio{})
	if err == nil {
		w.spec.Argv = []string{inmate, "true"}
		t.Fatal("a link out of the closure was shown at /app")
	}
	link := filepath.Join(w.dir, "store/hostile")
	if err := os.Symlink(w.otherData, link); err != nil {
		t.Fatal(err)
	}
	w.spec.AppDir = ""
	w.spec.Closure = append(w.spec.Closure, link)
	if out := w.run(t, "read", filepath.Join(link, "db")); !strings.Contains(out, "no such file") {
		t.Errorf("a store path that is a link was followed: %s", out)
	}
}

func TestEscape_SetuidProgram(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	evil := filepath.Join(w.dir, "store/blog/bin/evil")
	b, err := os.ReadFile(inmate)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(evil, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(evil, 0o755|os.ModeSetuid|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%d %d [] <nil>\n", testUID, testUID)
	if out := w.run(t, "spawn", evil, "ids"); !strings.HasPrefix(out, want) {
		t.Errorf("a setuid program ran as %s", out)
	}
}

func TestEscape_Identity(t *testing.T) {
	needRoot(t)
	out, _ := output(t, spec("status"))
	for _, want := range []string{
		"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d", testUID), "Groups:\t \n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
}

// The init keeps what it needs to signal the app, on all of its threads. With
// cgo, as under the race detector, Go cannot reach all threads; hop3 has none.
func TestEscape_Init(t *testing.T) {
	needRoot(t)
	var out bytes.Buffer
	if _, err := sandbox.Run(t.Context(), initExe, spec("pid1"), sandbox.Stdio{Out: &out}); err != nil {
		t.Fatal(err)
	}
	threads := 0
	for line := range strings.Lines(out.String()) {
		if v, ok := strings.CutPrefix(line, "CapEff:\t"); ok {
			threads++
			if v != fmt.Sprintf("%016x\n", 1<<unix.CAP_KILL) {
				t.Errorf("a thread of the init holds %s", v)
			}
		}
	}
	if threads < 2 || strings.Contains(out.String(), "NoNewPrivs:\t0") || strings.Contains(out.String(), "Seccomp:\t0") {
		t.Errorf("%d threads: %s", threads, out.String())
	}
}

func TestEscape_Descriptors(t *testing.T) {
	needRoot(t)
	f, err := os.Open(newWorld(t).secret)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil { // a careless library
		t.Fatal(err)
	}
	out, _ := output(t, spec("fds"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || lines[0] != "0 /dev/null" || !strings.HasPrefix(lines[1], "1 pipe:") || !strings.HasPrefix(lines[2], "2 pipe:") {
		t.Errorf("open files: %q", lines)
	}
}

func TestEscape_Secrets(t *testing.T) {
	needRoot(t)
	s := spec("trap")
	s.Env = append(s.Env, "SECRET=hunter2")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := sandbox.Launch(t.Context(), sandbox.Executable(), s, sandbox.LaunchOptions{Marker: sandbox.Marker, Stdout: w})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := r.Read(make([]byte, 100)); err != nil { // it runs
		t.Fatal(err)
	}
	for _, f := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.Pid, f))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("hunter2")) {
			t.Errorf("the init's %s holds a secret: %q", f, b)
		}
	}
	if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.App)); err != nil || string(b) != inmate+"\x00trap\x00" {
		t.Errorf("the app's pid is not %d: %q, %v", c.App, b, err)
	}
	c.Kill()
	_ = c.Wait() // killed
	if syscall.Kill(c.App, 0) == nil {
		t.Error("the app survived its init")
	}
}

func TestEscape_Network(t *testing.T) {
	needRoot(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := spec("dial", l.Addr().String())
	if out, _ := output(t, s); out != "<nil>\n" {
		t.Errorf("on the host's network: %s", out)
	}
	quiet, err := net.Listen("unix", fmt.Sprintf("@hop3-escape-%d", os.Getpid())) // belongs to a network namespace too
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	s.PrivateNetwork = true
	a := s
	a.Argv = []string{inmate, "ask", "unix", quiet.Addr().String()}
	if out, _ := output(t, a); !strings.Contains(out, "connection refused") {
		t.Errorf("the abstract socket of another: %s", out)
	}
	a.Argv = []string{inmate, "dial", "169.254.169.254:80"}
	if out, _ := output(t, a); !strings.Contains(out, "unreachable") {
		t.Errorf("the metadata address: %s", out)
	}
	if out, _ := output(t, s); !strings.Contains(out, "connection refused") {
		t.Errorf("on a network of its own: %s", out)
	}
}

func TestLimits_Processes(t *testing.T) {
	needRoot(t)
	needLimit(t, sandbox.Support().Pids, "pids")
	s := spec("forks", "200")
	s.Cgroup, s.Limits = cgroupName(t), sandbox.Limits{Pids: 40}
	out, st := output(t, s)
	if !strings.Contains(out, "resource temporarily unavailable") && st.Code == 0 {
		t.Errorf("a fork bomb went off: %s %v", out, st)
	}
	noCgroup(t, s.Cgroup)
}

func TestLimits_Memory(t *testing.T) {
	needRoot(t)
	needLimit(t, sandbox.Support().Memory, "memory")
	s := spec("eat", "300")
	s.Cgroup, s.Limits = cgroupName(t), sandbox.Limits{MemoryBytes: 64 << 20}
	out, st := output(t, s)
	if !st.OOM || st.Signal != "SIGKILL" || st.Code != 137 {
		t.Errorf("a memory bomb ended as %+v: %s", st, out)
	}
	if got := st.String(); got != "out of memory (SIGKILL)" {
		t.Errorf("String = %q", got)
	}
	noCgroup(t, s.Cgroup)
}

func TestLimits_Tmp(t *testing.T) {
	needRoot(t)
	s := spec()
	s.TmpBytes = 8 << 20
	for _, d := range []string{"/tmp", "/app", "/dev/shm"} {
		s.Argv = []string{inmate, "fill", d, "20"}
		if out, _ := output(t, s); !strings.Contains(out, "no space left") {
			t.Errorf("fill %s: %s", d, out)
		}
	}
}

func needLimit(t *testing.T, have bool, what string) {
	t.Helper()
	if !have {
		t.Skipf("this machine has no cgroup limit of %s", what)
	}
}

// cgroupName is one that no other test or run of this test uses.
func cgroupName(t *testing.T) string {
	return fmt.Sprintf("hop3/test-%d/%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
}

// noCgroup checks that nothing of that name is left.
func noCgroup(t *testing.T, name string) {
	t.Helper()
	out, err := exec.Command("find", "/sys/fs/cgroup", "-path", "*/"+name).Output()
	if err != nil || len(out) > 0 {
		t.Errorf("left behind: %s%v", out, err)
	}
}

func TestSpec_Validate(t *testing.T) {
	for name, change := range map[string]func(*sandbox.Spec){
		"no command": func(s *sandbox.Spec) { s.Argv = nil }, "root": func(s *sandbox.Spec) { s.UID = 0 },
		"relative path": func(s *sandbox.Spec) { s.Closure = []string{"nix"} }, "whole root": func(s *sandbox.Spec) { s.Closure = []string{"/"} },
		"dots": func(s *sandbox.Spec) { s.Closure = []string{"/nix/../etc"} }, "etc": func(s *sandbox.Spec) { s.Closure = []string{"/etc/ssl"} },
		"usr": func(s *sandbox.Spec) { s.Closure = []string{"/usr"} }, "cgroup": func(s *sandbox.Spec) { s.Cgroup = "../x" },
		"NUL": func(s *sandbox.Spec) { s.Env = []string{"A=\x00"} }, "data": func(s *sandbox.Spec) { s.DataDir = "data" },
	} {
		s := spec("true")
		change(&s)
		if s.Validate(true) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s := spec("true")
	if err := s.Validate(true); err != nil {
		t.Error(err)
	}
}

func TestSupport(t *testing.T) {
	f := sandbox.Support()
	t.Logf("%s: %+v", runtime.GOARCH, f)
	if os.Geteuid() == 0 && f.Isolation == "" || slices.ContainsFunc(f.Problems, func(p sandbox.Problem) bool { return p.What == "" || p.Fix == "" }) {
		t.Errorf("support: %+v", f)
	}
}
