package nix_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hop3/nixtmpl/nix"
)

// scratch is removed when the tests are over.
var scratch = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "hop3-nix-test-") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := scratch(); err == nil {
		_ = os.RemoveAll(dir) // of the temporary directory
	}
	os.Exit(code)
}

// builderBinary compiles testdata/builder once per test process.
var builderBinary = sync.OnceValues(func() (string, error) {
	if exe := os.Getenv("HOP3_TEST_BUILDER"); exe != "" { // set by a test that runs this one as another user
		return exe, nil
	}
	dir, err := scratch()
	if err != nil {
		return "", err
	}
	exe := filepath.Join(dir, "hop3-test-builder")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -buildid=", "-o", exe, "./testdata/builder")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile builder: %w\n%s", err, out)
	}
	return exe, nil
})

// A world is a nix with a builder in its store.
type world struct {
	*nix.Nix
	t       testing.TB
	builder string // the Nix expression of the builder's derivation
	token   string // makes every derivation of this test new
}

func newWorld(t testing.TB, change ...func(*nix.Options)) *world {
	t.Helper()
	// HOP3_TEST_NIX names the directory of another nix than the one in PATH.
	o := nix.Options{StateDir: t.TempDir(), Offline: true, Bin: os.Getenv("HOP3_TEST_NIX")}
	for _, f := range change {
		f(&o)
	}
	n, err := nix.Open(t.Context(), o)
	if err != nil {
		t.Fatalf("%v (mend: %s)", err, hint(err))
	}
	exe, err := builderBinary()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := n.AddFixed(t.Context(), "sha256", true, exe)
	if err != nil {
		t.Fatal(err)
	}
	infos, err := n.ClosureInfo(t.Context(), paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var salt [6]byte
	_, _ = rand.Read(salt[:]) // never fails
	return &world{Nix: n, t: t, token: hex.EncodeToString(salt[:]), builder: fmt.Sprintf(
		`derivation { name = %q; system = %q; builder = "/bin/false"; outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = %q; }`,
		filepath.Base(exe), n.System(), infos[0].Hash)}
}

// flake writes a flake whose packages are attrs, and returns its directory.
// In attrs, `run NAME [ARGS]` is a derivation that runs the builder.
func (w *world) flake(attrs string) string {
	w.t.Helper()
	return w.raw(fmt.Sprintf(`{
  outputs = { self }: let
    tool = %s;
    more = extra: name: args: derivation ({
      inherit name args; system = %q; builder = tool; token = %q;
    } // extra);
    run = more { };
    fetch = hash: more { outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = hash; impureEnvVars = [ "HOP3_TEST_FETCH" ]; };
  in { packages.%s = rec {
%s
  }; };
}
`, w.builder, w.System(), w.token, w.System(), attrs))
}

func (w *world) raw(text string) string {
	w.t.Helper()
	dir := w.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return dir
}

// build builds with progress and log kept.
func (w *world) build(ctx context.Context, b nix.BuildRequest) (r nix.BuildResult, progress, log string, err error) {
	w.t.Helper()
	var p, l bytes.Buffer
	b.Progress, b.Log = &p, &l
	r, err = w.Build(ctx, b)
	return r, p.String(), l.String(), err
}

func (w *world) mustBuild(b nix.BuildRequest) nix.BuildResult {
	w.t.Helper()
	r, progress, log, err := w.build(w.t.Context(), b)
	if err != nil {
		w.t.Fatalf("%v\nprogress:\n%s\nlog:\n%s", err, progress, log)
	}
	return r
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func hint(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok {
		return h.Hint()
	}
	return ""
}

// lineChan is a progress writer that hands each line to a channel.
type lineChan chan string

func (c lineChan) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		c <- strings.TrimSuffix(line, "\n")
	}
	return len(p), nil
}

var _ io.Writer = lineChan(nil)

const patience = 60 * time.Second
