package nix_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hop3/nixtmpl/nix"
)

// As an ordinary user, with a daemon: this test starts one with a socket of its
// own, and runs its inside again as nobody.
func TestDaemon_BuildsForAnOrdinaryUser(t *testing.T) {
	if os.Getenv("HOP3_TEST_BUILDER") != "" {
		ordinaryUser(t)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("a daemon of its own needs root, and the tests run as another user")
	}
	exe, err := builderBinary()
	if err != nil {
		t.Fatal(err)
	}
	// t.TempDir is for its owner only; and a socket's path may have 107 bytes.
	dir, err := os.MkdirTemp("", "hop3-daemon-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := startDaemon(t, dir)
	for name, mode := range map[string]os.FileMode{"": 0o755, "home": 0o777, "tool": 0o755} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{exe: "tool/hop3-test-builder", os.Args[0]: "tool/test"} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "tool/test"), "-test.v", "-test.run=^TestDaemon_BuildsForAnOrdinaryUser$")
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(dir, "home"), "HOP3_TEST_NIX=" + os.Getenv("HOP3_TEST_NIX"),
		"NIX_DAEMON_SOCKET_PATH=" + socket, "HOP3_TEST_BUILDER=" + filepath.Join(dir, "tool/hop3-test-builder")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: TestDaemon_BuildsForAnOrdinaryUser") {
		t.Errorf("as nobody: %v", err)
	}
}

// startDaemon runs nix-daemon as the machine's administrator would have set it
// up, until the test ends, and returns its socket.
func startDaemon(t *testing.T, dir string) string {
	t.Helper()
	conf := "build-users-group = nixbld\nsandbox = true\nsandbox-fallback = false\nsandbox-paths =\nsubstituters =\nexperimental-features = nix-command flakes\n"
	if err := os.WriteFile(filepath.Join(dir, "nix.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	bin := "nix-daemon"
	if d := os.Getenv("HOP3_TEST_NIX"); d != "" {
		bin = filepath.Join(d, bin)
	}
	// Socket activation: connections wait in the queue until the daemon is up.
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	listener.SetUnlinkOnClose(false)
	passed, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	defer passed.Close()
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command("/bin/sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0"`, bin)
	daemon.ExtraFiles = []*os.File{passed}
	daemon.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "NIX_CONF_DIR=" + dir, "NIX_DAEMON_SOCKET_PATH=" + socket}
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := daemon.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(stderr) // until it ends, below
		said <- string(data)
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-daemon.Process.Pid, syscall.SIGTERM) // of our own child
		text := <-said
		_ = daemon.Wait() // ended by the signal
		if t.Failed() {
			t.Logf("the daemon said:\n%s", text)
		}
	})
	return socket
}

func ordinaryUser(t *testing.T) {
	w := newWorld(t)
	if w.Mode() != nix.Daemon {
		t.Fatalf("mode %s", w.Mode())
	}
	root := t.TempDir()
	r, progress, log, err := w.build(t.Context(), nix.BuildRequest{RootDir: root, Verbose: true, Layers: []string{"deps"},
		Flake: w.flake(`
      deps = run "blog-deps" [ "phase" "npm ci" "say" "hello" "write" "deps" ];
      default = more { inherit deps; } "blog" [ "append" "deps" ];`)})
	if err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	if !strings.Contains(progress, "blog-deps> hello\n") || !strings.Contains(progress, "[1/2] blog-deps: npm ci\n") || strings.Contains(progress, "restricted") {
		t.Errorf("progress:\n%s", progress)
	}
	if got, err := filepath.EvalSymlinks(filepath.Join(root, "layer-deps")); err != nil || got != r.Layers["deps"] {
		t.Errorf("root %s, %v", got, err)
	}
	f, err := w.Probe(t.Context(), os.Getenv("HOP3_TEST_BUILDER"), "look", "around")
	if err != nil || len(f.Sandbox.Problems()) > 0 {
		t.Errorf("probe %+v, %v", f, err)
	}
}
