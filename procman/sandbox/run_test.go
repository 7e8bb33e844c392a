package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
)

func TestRun_ExitStatus(t *testing.T) {
	for _, c := range []struct {
		argv   []string
		code   int
		signal string
	}{
		{[]string{"exit", "0"}, 0, ""}, {[]string{"exit", "42"}, 42, ""}, {[]string{"exit", "255"}, 255, ""},
		{[]string{"raise", "15"}, 143, "SIGTERM"}, {[]string{"raise", "9"}, 137, "SIGKILL"},
	} {
		_, st := output(t, spec(c.argv...))
		if st.Code != c.code || st.Signal != c.signal || st.OOM || st.At.IsZero() {
			t.Errorf("%v: %+v", c.argv, st)
		}
	}
}

func TestRun_Stdio(t *testing.T) {
	in := strings.Repeat("binary \x00\xff\r\n", 100_000)
	var out, errOut bytes.Buffer
	st, err := sandbox.Run(t.Context(), sandbox.Executable(), spec("cat"), sandbox.Stdio{In: strings.NewReader(in), Out: &out, Err: &errOut})
	if err != nil || st.Code != 0 || out.String() != in || errOut.Len() != 0 {
		t.Errorf("cat: %v %v, %d bytes, %q", st, err, out.Len(), errOut.String())
	}
	out.Reset()
	if _, err = sandbox.Run(t.Context(), sandbox.Executable(), spec("stderr", "oops"), sandbox.Stdio{Out: &out, Err: &errOut}); err != nil {
		t.Fatal(err)
	}
	if out.Len() != 0 || errOut.String() != "oops" {
		t.Errorf("stdout %q, stderr %q", out.String(), errOut.String())
	}
}

func TestRun_BlockedInput(t *testing.T) {
	r, w := io.Pipe() // nobody ever writes
	defer w.Close()
	st, err := sandbox.Run(t.Context(), sandbox.Executable(), spec("exit", "4"), sandbox.Stdio{In: r})
	if err != nil || st.Code != 4 {
		t.Errorf("%v %v", st, err)
	}
}

func TestRun_Environment(t *testing.T) {
	s := spec("env")
	s.Env = []string{"A=1", "B=two words", "PATH=/x"}
	if out, _ := output(t, s); out != "A=1\nB=two words\nPATH=/x\n" {
		t.Errorf("env: %q", out)
	}
	s.Argv = []string{inmate, "args", "a b", "$HOME", `"`, ""}
	if out, _ := output(t, s); out != fmt.Sprintf("%q\n", s.Argv) {
		t.Errorf("args: %s", out)
	}
}

func TestRun_AppAndData(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	if out := w.run(t, "pwd"); out != "/app <nil>\n" {
		t.Errorf("pwd: %s", out)
	}
	out := w.run(t, "write", "/app/new", "/app/lib/new", "/app/lib/deep/new", "/data/new", "/tmp/new", "/dev/shm/new")
	if strings.Count(out, "<nil>") != 6 {
		t.Errorf("what should be writable:\n%s", out)
	}
	if out := w.run(t, "read", "main.txt", "/app/lib/deep/x", "/data/row", "/data/new", "/app/new", "/tmp/new"); out !=
		"main.txt: as deployed\n/app/lib/deep/x: deep\n/data/row: mine\n/data/new: written\n"+
			"/app/new: open /app/new: no such file or directory\n/tmp/new: open /tmp/new: no such file or directory\n" {
		t.Errorf("what should be kept:\n%s", out)
	}
	found, err := exec.Command("find", filepath.Join(w.dir, "store"), "-name", "new").CombinedOutput()
	if err != nil || len(found) > 0 {
		t.Errorf("the store was written to: %s%v", found, err)
	}
}

func TestRun_Tools(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	for _, tool := range []string{"sh", "env"} {
		if err := exec.Command("cp", inmate, filepath.Join(w.dir, "store/blog/bin", tool)).Run(); err != nil {
			t.Fatal(err)
		}
	}
	s := w.spec
	for _, argv := range [][]string{{"/bin/sh", "echo", "x"}, {"/usr/bin/env", "echo", "x"}, {"sh", "echo", "x"}} {
		s.Argv, s.Env = argv, []string{"PATH=/none:" + filepath.Join(w.dir, "store/blog/bin")}
		if out, st := output(t, s); out != "x\n" || st.Code != 0 {
			t.Errorf("%v: %q %v", argv, out, st)
		}
	}
}

func TestRun_Etc(t *testing.T) {
	needRoot(t)
	s := spec("read", "/etc/passwd", "/etc/group", "/etc/hostname", "/proc/sys/kernel/hostname")
	s.Hostname = "blog-web-1"
	out, _ := output(t, s)
	for _, want := range []string{"app:x:60123:60123:blog:/app:/bin/sh\n", "app:x:60123:\n", "/etc/hostname: blog-web-1\n", "kernel/hostname: blog-web-1\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("lacks %q:\n%s", want, out)
		}
	}
	if host, err := os.Hostname(); err != nil || host == "blog-web-1" {
		t.Errorf("the host's name became %s, %v", host, err)
	}
}

func TestRun_CannotExec(t *testing.T) {
	needRoot(t)
	w := newWorld(t)
	script := filepath.Join(w.dir, "store/blog/app/run.py")
	if err := os.WriteFile(script, []byte("#!/usr/bin/python3 -u\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := w.spec
	for _, c := range []struct {
		argv []string
		dir  string
		want string
		is   error
	}{
		{[]string{"/app/server"}, "", "exec /app/server: no such file or directory", fs.ErrNotExist},
		{[]string{"./main.txt"}, "", "exec ./main.txt: permission denied", fs.ErrPermission},
		{[]string{"gunicorn"}, "", "exec gunicorn: command not found in PATH", fs.ErrNotExist},
		{[]string{"/app/run.py"}, "", "exec /app/run.py: its interpreter is not in the closure: /usr/bin/python3 -u", fs.ErrNotExist},
		{[]string{inmate, "true"}, "/nope", "enter /nope: no such file or directory", fs.ErrNotExist},
	} {
		s.Argv, s.Dir = c.argv, c.dir
		_, err := sandbox.Run(t.Context(), sandbox.Executable(), s, sandbox.Stdio{})
		if err == nil || err.Error() != c.want || !errors.Is(err, c.is) {
			t.Errorf("%v: %v", c.argv, err)
		}
	}
	s = w.spec
	s.Argv = []string{inmate, "true"}
	s.Closure = append(s.Closure, filepath.Join(w.dir, "store/collected"))
	_, err := sandbox.Run(t.Context(), sandbox.Executable(), s, sandbox.Stdio{})
	if e, ok := errors.AsType[*sandbox.Error](err); !ok || e.Hint() == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a store path that is gone: %v", err)
	}
}

// lines gives what a process prints to a test, line by line.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	c    chan string
}

func newLines() *lines { return &lines{c: make(chan string, 1000)} }

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	for {
		s, rest, ok := strings.Cut(l.text.String(), "\n")
		if !ok {
			return len(b), nil
		}
		l.text.Reset()
		l.text.WriteString(rest)
		l.c <- strings.TrimSuffix(s, "\r")
	}
}

func (l *lines) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-l.c:
			if got != w {
				t.Fatalf("got line %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no line, want %q", w)
		}
	}
}

func TestRun_Terminal(t *testing.T) {
	needRoot(t)
	out, resize, signals := newLines(), make(chan sandbox.Window), make(chan syscall.Signal)
	in, keys := io.Pipe()
	type result struct {
		st  sandbox.ExitStatus
		err error
	}
	done := make(chan result, 1)
	go func() {
		st, err := sandbox.Run(t.Context(), sandbox.Executable(), spec("tty"), sandbox.Stdio{
			In: in, Out: out, Signals: signals, Pty: &sandbox.Pty{Window: sandbox.Window{Cols: 101, Rows: 33}, Resize: resize},
		})
		done <- result{st, err}
	}()
	out.expect(t, "terminal /dev/pts/0 <nil>", "size 101 33")
	resize <- sandbox.Window{Cols: 77, Rows: 11}
	out.expect(t, "signal window changed 77 11")
	io.WriteString(keys, "hello\r")
	out.expect(t, "hello", "read hello")
	io.WriteString(keys, "\x03") // Ctrl-C reaches the process by its terminal
	out.expect(t, "^Csignal interrupt 77 11")
	signals <- syscall.SIGINT // and by the channel
	out.expect(t, "signal interrupt 77 11")
	io.WriteString(keys, "quit\r")
	if r := <-done; r.err != nil || r.st.Code != 3 {
		t.Errorf("%+v", r)
	}
	keys.Close()
}

func TestRun_Cancel(t *testing.T) {
	for _, c := range []struct {
		argv []string
		line string
		code int
	}{{[]string{"trap"}, "ready", 7}, {[]string{"sleep"}, "asleep", 143}} {
		ctx, cancel := context.WithCancelCause(t.Context())
		out := newLines()
		go func() {
			<-out.c
			cancel(errors.New("client went away"))
		}()
		st, err := sandbox.Run(ctx, sandbox.Executable(), spec(c.argv...), sandbox.Stdio{Out: out})
		if st.Code != c.code || err == nil || err.Error() != "client went away" {
			t.Errorf("%v: %+v, %v", c.argv, st, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sandbox.Run(ctx, sandbox.Executable(), spec("true"), sandbox.Stdio{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestRun_CancelDeaf(t *testing.T) {
	t.Parallel() // it takes the whole grace
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newLines()
	go func() {
		<-out.c
		cancel()
	}()
	st, err := sandbox.Run(ctx, sandbox.Executable(), spec("deaf"), sandbox.Stdio{Out: out})
	if st.Signal != "SIGKILL" || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestRun_OrphansEnd(t *testing.T) {
	needRoot(t)
	mark := fmt.Sprintf("orphan-of-%d", os.Getpid())
	out, st := output(t, spec("orphan", "leave", mark))
	if out != "orphaned\n" || st.Code != 0 {
		t.Errorf("%q %v", out, st)
	}
	if found, err := exec.Command("pgrep", "-f", "sleep "+mark).Output(); err == nil {
		t.Errorf("still alive: %s", found)
	}
}

func TestRun_Many(t *testing.T) {
	var wg sync.WaitGroup
	for n := range 20 {
		wg.Go(func() {
			out, st := output(t, spec("exit", fmt.Sprint(n)))
			if out != "" || st.Code != n {
				t.Errorf("%d: %q %v", n, out, st)
			}
		})
	}
	wg.Wait()
}

// Unprivileged, hop3 makes a user namespace; this starts the tests again as nobody.
func TestRun_Unprivileged(t *testing.T) {
	if os.Geteuid() != 0 { // then every test here is that
		return
	}
	if _, err := os.Stat("/proc/self/ns/user"); err != nil {
		t.Skip("this kernel has no user namespaces")
	}
	self := filepath.Join(filepath.Dir(inmate), "self.test")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", exe, self).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(self, "-test.run=^TestUser_", "-test.v")
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0", "HOP3_INMATE=" + inmate, "TMPDIR=/tmp", "HOME=/"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUID, Gid: testUID}}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestUser_Isolation")) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUser_Isolation(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("run again by TestRun_Unprivileged")
	}
	if f := sandbox.Support(); f.Isolation != "userns" {
		t.Skipf("this machine lets users make no namespaces: %+v", f.Problems)
	}
	s := spec("tries")
	out, st := output(t, s)
	// The init has the same uid here, but the kernel keeps signals of its own namespace from it.
	if out = strings.ReplaceAll(out, "ESCAPED signal pid1", ""); strings.Contains(out, "ESCAPED") || st.Code != 0 {
		t.Errorf("attempts: %v\n%s", st, out)
	}
	s.Argv = []string{inmate, "status"}
	s.UID, s.GID = 0, 0 // the caller's own
	out, _ = output(t, s)
	for _, want := range []string{"CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t60123"} {
		if !strings.Contains(out, want) {
			t.Errorf("status lacks %q:\n%s", want, out)
		}
	}
	s.Argv = []string{inmate, "ls", "/"}
	if out, _ := output(t, s); out != "/: app bin dev etc proc run tmp usr\n" {
		t.Errorf("ls / = %s", out)
	}
	s.AppDir = filepath.Dir(inmate)
	s.Argv = []string{inmate, "write", "/app/new"}
	if out, _ := output(t, s); out != "/app/new: <nil>\n" {
		t.Errorf("the overlay: %s", out)
	}
}
