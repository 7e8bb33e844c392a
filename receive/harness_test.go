package receive_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hop3/receive"
)

// The tests drive the package with the real git client. Its "ssh" is this test binary, which only
// connects git's stdin and stdout with a server in the test's own process.
func TestMain(m *testing.M) {
	if sock := os.Getenv("RECEIVE_TEST_SOCKET"); sock != "" {
		os.Exit(adapter(sock))
	}
	os.Exit(m.Run())
}

type hello struct{ Command, Protocol string }

// adapter opens two connections: one carries the conversation, the other lives as long as this
// process does, as an ssh channel would.
func adapter(sock string) int {
	alive, err1 := net.Dial("unix", sock)
	conn, err2 := net.Dial("unix", sock+".data")
	if err := errors.Join(err1, err2); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 255
	}
	defer alive.Close()
	err := json.NewEncoder(conn).Encode(hello{os.Args[len(os.Args)-1], os.Getenv("GIT_PROTOCOL")})
	if err != nil {
		return 255
	}
	go func() { // ends with the process
		io.Copy(conn, os.Stdin)
		conn.(*net.UnixConn).CloseWrite()
	}()
	if _, err := io.Copy(os.Stdout, conn); err != nil {
		return 255
	}
	return 0
}

// host is a server with one repository.
type host struct {
	t      testing.TB
	repo   *receive.Repo
	server receive.Server
	branch string
	deploy func(ctx context.Context, p *receive.Push) error
	refuse string

	sock    string
	accepts sync.WaitGroup
	mu      sync.Mutex
	idle    *sync.Cond
	calls   int // under way
	served  int // ever begun
	errs    []error
}

func newHost(t testing.TB) *host {
	dir := t.TempDir()
	repo, err := receive.Init(filepath.Join(dir, "app.git"))
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, repo: repo, sock: filepath.Join(dir, "s")}
	h.idle = sync.NewCond(&h.mu)
	alive, err1 := net.Listen("unix", h.sock)
	data, err2 := net.Listen("unix", h.sock+".data")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	h.accepts.Go(func() {
		for {
			a, err := alive.Accept()
			if err != nil {
				return
			}
			d, err := data.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.calls++
			h.mu.Unlock()
			go h.serve(a, d) // wait waits for it
		}
	})
	t.Cleanup(func() {
		alive.Close()
		data.Close()
		h.accepts.Wait()
		h.wait()
	})
	return h
}

func (h *host) serve(alive, conn net.Conn) {
	defer alive.Close()
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends when serve closes the connection
		io.Copy(io.Discard, alive)
		cancel()
	}()
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	var hi hello
	h.mu.Lock() // also shows what the test has set before it called git
	h.served++
	h.mu.Unlock()
	if err = errors.Join(err, json.Unmarshal([]byte(line), &hi)); err == nil {
		err = h.call(ctx, hi, in, conn)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs = append(h.errs, err)
	h.calls--
	h.idle.Broadcast()
}

func (h *host) call(ctx context.Context, hi hello, in io.Reader, out io.Writer) error {
	verb, arg, _ := strings.Cut(hi.Command, " ")
	app, err := receive.ParsePath(strings.Trim(arg, "'"))
	switch {
	case err != nil:
		return receive.WriteError(out, err.Error())
	case app != "app":
		return receive.WriteError(out, "no such app")
	case h.refuse != "":
		return receive.WriteError(out, h.refuse)
	case verb == "git-upload-pack":
		return receive.UploadPack(ctx, h.repo, in, out, io.Discard, hi.Protocol)
	}
	return h.server.ReceivePack(ctx, receive.Request{
		Repo: h.repo, In: in, Out: out, Protocol: hi.Protocol, DeployBranch: h.branch, Deploy: h.deploy,
	})
}

// wait returns when no call is under way.
func (h *host) wait() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.calls > 0 {
		h.idle.Wait()
	}
}

func (h *host) errors() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.errs...)
}

const url = "ssh://hop3@host/app"

// git runs the client and wants a status.
func (h *host) git(dir string, status int, args ...string) string {
	h.t.Helper()
	cmd := h.gitCmd(dir, args...)
	out, err := cmd.CombinedOutput()
	h.wait()
	if code := cmd.ProcessState.ExitCode(); code != status {
		h.t.Fatalf("git %s: exit status %d, want %d (%v)\n%s\nserver: %v", strings.Join(args, " "), code, status, err, out, h.errors())
	}
	return string(out)
}

func (h *host) gitCmd(dir string, args ...string) *exec.Cmd {
	h.t.Helper()
	h.wait()
	exe, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(gitEnv(), "GIT_SSH_COMMAND='"+exe+"'", "GIT_SSH_VARIANT=ssh", "RECEIVE_TEST_SOCKET="+h.sock,
		"GORACE=atexit_sleep_ms=0")
	return cmd
}

func gitEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ann", "GIT_AUTHOR_EMAIL=ann@example.com", "GIT_COMMITTER_NAME=Ann", "GIT_COMMITTER_EMAIL=ann@example.com",
		"GIT_CONFIG_COUNT=3", "GIT_CONFIG_KEY_0=init.defaultBranch", "GIT_CONFIG_VALUE_0=main",
		"GIT_CONFIG_KEY_1=protocol.file.allow", "GIT_CONFIG_VALUE_1=always",
		"GIT_CONFIG_KEY_2=advice.pushUpdateRejected", "GIT_CONFIG_VALUE_2=false",
	}
}

// work makes a client repository with one commit and the remote hop3.
func (h *host) work() string {
	h.t.Helper()
	dir := h.t.TempDir()
	h.git(dir, 0, "init", "-q")
	h.git(dir, 0, "remote", "add", "hop3", url)
	h.commit(dir, "README", "hello\n")
	return dir
}

func (h *host) commit(dir, name, content string) string {
	h.t.Helper()
	write(h.t, filepath.Join(dir, name), content)
	h.git(dir, 0, "add", "-A")
	h.git(dir, 0, "commit", "-q", "-m", "Change "+name)
	return h.rev(dir, "HEAD")
}

func (h *host) rev(dir, name string) string {
	h.t.Helper()
	return strings.TrimSpace(h.git(dir, 0, "rev-parse", name))
}

func (h *host) refs() map[string]string {
	h.t.Helper()
	refs, err := h.repo.Refs()
	if err != nil {
		h.t.Fatal(err)
	}
	return refs
}

func (h *host) wantRef(name, id string) {
	h.t.Helper()
	if got := h.refs()[name]; got != id {
		h.t.Errorf("%s is at %q, want %q", name, got, id)
	}
}

// fsck wants a repository that git finds whole.
func (h *host) fsck() {
	h.t.Helper()
	cmd := exec.Command("git", "-C", h.repo.Dir(), "fsck", "--full", "--strict")
	cmd.Env = gitEnv()
	if out, err := cmd.CombinedOutput(); err != nil || bytes.Contains(out, []byte("missing")) {
		h.t.Errorf("fsck: %v\n%s", err, out)
	}
}

func write(t testing.TB, name, content string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

func wantIn(t testing.TB, out string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(out, p) {
			t.Errorf("%q is missing in\n%s", p, out)
		}
	}
}

// snapshot is a repository byte for byte.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[name] = "folder"
			return err
		}
		b, err := os.ReadFile(name)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
