package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"hop3/procman/sandbox"
)

// inmate is the static binary of testdata/inmate, initExe that of testdata/init.
var inmate, initExe string

func TestMain(m *testing.M) {
	if os.Args[0] == sandbox.Marker {
		os.Exit(sandbox.Main())
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if inmate = os.Getenv("HOP3_INMATE"); inmate != "" { // of the privileged run
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "hop3-sandbox-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // the app's uid is another
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	inmate, initExe = filepath.Join(dir, "inmate"), filepath.Join(dir, "init")
	for _, out := range []string{inmate, initExe} {
		cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./testdata/"+filepath.Base(out))
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", cmd.Args[5], err, out)
			return 1
		}
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each init of a race build sleeps a second
	return m.Run()
}

// testUID is an app's; no user of the machine has it.
const testUID = 60123

func spec(argv ...string) sandbox.Spec {
	return sandbox.Spec{
		App: "blog", Name: "run.1", Closure: []string{filepath.Dir(inmate)},
		Argv: append([]string{inmate}, argv...), Env: []string{"PATH=/nowhere"}, UID: testUID, GID: testUID,
	}
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: isolation by uid and cgroups is tested")
	}
}

// output runs s and returns what it wrote.
func output(t testing.TB, s sandbox.Spec) (string, sandbox.ExitStatus) {
	t.Helper()
	var out bytes.Buffer
	st, err := sandbox.Run(context.Background(), sandbox.Executable(), s, sandbox.Stdio{Out: &out, Err: &out})
	if err != nil {
		t.Fatalf("run %q: %v", s.Argv[1:], err)
	}
	return out.String(), st
}

func TestRun_Output(t *testing.T) {
	out, st := output(t, spec("echo", "hello"))
	if out != "hello\n" || st.Code != 0 {
		t.Fatalf("got %q, %v", out, st)
	}
}
