package sandbox_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hop3/procman/sandbox"
)

// inmate is the static binary of testdata/inmate.
var inmate string

func TestMain(m *testing.M) {
	if os.Args[0] == sandbox.Marker {
		os.Exit(sandbox.Main())
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
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
	inmate = filepath.Join(dir, "inmate")
	cmd := exec.Command("go", "build", "-o", inmate, "./testdata/inmate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build inmate: %v\n%s", err, out)
		return 1
	}
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

func TestRun_Attempts(t *testing.T) {
	needRoot(t)
	out, _ := output(t, spec("tries"))
	t.Log(out)
	if strings.Contains(out, "ESCAPED") {
		t.Fail()
	}
}
