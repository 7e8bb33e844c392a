package shim_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hop3/procman/sandbox"
	"hop3/procman/shim"
)

// inmate is the static binary of sandbox/testdata/inmate.
var inmate string

func TestMain(m *testing.M) {
	if code, ok := shim.Reexec(); ok {
		os.Exit(code)
	}
	if os.Getenv(serverEnv) != "" {
		os.Exit(serverMain())
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hop3-shim-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the app's uid is another
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	inmate = filepath.Join(dir, "bin", "inmate")
	cmd := exec.Command("go", "build", "-o", inmate, "../sandbox/testdata/inmate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build inmate: %v\n%s", err, out)
		return 1
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each init of a race build sleeps a second
	return m.Run()
}

const testUID = 60124

func spec(t testing.TB, argv ...string) shim.Spec {
	t.Helper()
	dir := t.TempDir()
	return shim.Spec{
		Dir: filepath.Join(dir, "run", "web.1-v3"), LogPath: filepath.Join(dir, "logs", "web.1.log"),
		Process: "web.1", Release: 3,
		Sandbox: sandbox.Spec{
			App: "blog", Name: "web.1", Closure: []string{filepath.Dir(inmate)}, UID: testUID, GID: testUID,
			Argv: append([]string{inmate}, argv...), Env: []string{"PATH=/nowhere", "SECRET=hunter2"},
		},
	}
}

func start(t testing.TB, s shim.Spec) *shim.Instance {
	t.Helper()
	i, err := shim.Start(context.Background(), sandbox.Executable(), s)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(func() {
		if err := i.Kill(); err != nil {
			t.Errorf("kill: %v", err)
		}
		<-i.Done()
	})
	return i
}

// records reads the instance's whole log, rotated files first.
func records(t testing.TB, path string) []shim.Record {
	t.Helper()
	var out []shim.Record
	for n := 9; n >= 0; n-- {
		p := path
		if n > 0 {
			p = fmt.Sprintf("%s.%d", path, n)
		}
		b, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			r, err := shim.ParseRecord([]byte(line))
			if err != nil {
				t.Fatalf("%s: %v: %q", p, err, line)
			}
			out = append(out, r)
		}
	}
	return out
}

// text puts the records of a stream together as the app wrote them.
func text(rs []shim.Record, stream byte) string {
	var b strings.Builder
	for _, r := range rs {
		if r.Stream != stream {
			continue
		}
		b.Write(r.Text)
		if !r.Partial {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// await waits until the log has the line; the file system has no better event here.
func await(t testing.TB, path, line string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(2 * time.Millisecond); ; <-tick.C {
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), " "+line+"\n") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the log never had %q: %s", line, b)
		}
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestStart_ExitAndLog(t *testing.T) {
	s := spec(t, "count", "3", "1", "5")
	i := start(t, s)
	<-i.Done()
	if st := i.Exit(); st.Code != 5 || st.Signal != "" || st.At.IsZero() {
		t.Errorf("exit = %+v", st)
	}
	if got := text(records(t, s.LogPath), shim.Stdout); got != "line 0\nline 1\nline 2\n" {
		t.Errorf("log = %q", got)
	}
}
