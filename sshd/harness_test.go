package sshd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	gossh "golang.org/x/crypto/ssh"
)

// patience is how long a test waits for what must happen before it fails.
const patience = 30 * time.Second

// rig is a server under test with its own keys.
type rig struct {
	t      testing.TB
	srv    *Server
	addr   string
	dir    string
	host   gossh.Signer
	log    *safeBuffer
	served chan error

	mu    sync.Mutex
	known map[string]string // marshalled key → name
}

// start runs a server whose unset options are filled in. At the end of the
// test it is shut down, and must leave no goroutine behind.
func start(t testing.TB, o Options) *rig {
	t.Helper()
	noLeaks(t)
	b := &rig{t: t, dir: t.TempDir(), known: map[string]string{}, log: &safeBuffer{}, served: make(chan error, 1)}
	host, err := LoadHostKey(filepath.Join(b.dir, "host"))
	if err != nil {
		t.Fatal(err)
	}
	b.host = host
	logger := logrus.New()
	logger.SetOutput(b.log)
	logger.SetLevel(logrus.DebugLevel)
	o.HostKey, o.Log = host, logger
	if o.Lookup == nil {
		o.Lookup = func(k gossh.PublicKey, _ net.Addr) (string, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			if name, ok := b.known[string(k.Marshal())]; ok {
				return name, nil
			}
			return "", stranger(gossh.FingerprintSHA256(k))
		}
	}
	if o.Handle == nil {
		o.Handle = commands
	}
	b.srv = New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	go func() { b.served <- b.srv.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-b.served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return b
}

// stranger is the error about a key that the test server does not know.
type stranger string

func (s stranger) Error() string { return "the key " + string(s) + " is not known here" }
func (s stranger) Hint() string  { return "an admin adds it: keys:add NAME" }

// commands is what the test server can do.
func commands(ctx context.Context, c *Call) int {
	if len(c.Args) == 0 {
		fmt.Fprintf(c.Out, "hello %s, args %v\n", c.Who.Name, c.Args == nil)
		return 0
	}
	switch c.Args[0] {
	case "whoami":
		fmt.Fprintf(c.Out, "%s %s\n", c.Who.Name, c.Who.Fingerprint)
	case "args":
		for _, a := range c.Args[1:] {
			fmt.Fprintf(c.Out, "%q\n", a)
		}
	case "env":
		for k, v := range c.Env {
			fmt.Fprintf(c.Out, "%s=%s\n", k, v)
		}
	case "cat":
		n, _ := io.Copy(c.Out, c.In)
		fmt.Fprintf(c.Err, "%d bytes, EOF seen\n", n)
	case "exit":
		n, _ := strconv.Atoi(c.Args[1])
		return n
	case "wait":
		fmt.Fprintln(c.Out, "waiting")
		<-ctx.Done()
		return 130
	case "follow":
		fmt.Fprintln(c.Out, "following")
		select {
		case <-ctx.Done():
		case <-c.Stopping:
		}
	case "panic":
		panic("boom")
	}
	return 0
}

// key makes a client key file; with a name, the server knows it.
func (b *rig) key(file, name string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, file)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.t.Fatal(err)
	}
	block, err := gossh.MarshalPrivateKey(private, file)
	if err != nil {
		b.t.Fatal(err)
	}
	pub, err := gossh.NewPublicKey(public)
	if err != nil {
		b.t.Fatal(err)
	}
	writeFile(b.t, path, pem.EncodeToMemory(block))
	writeFile(b.t, path+".pub", gossh.MarshalAuthorizedKey(pub))
	if name != "" {
		b.know(pub, name)
	}
	return path
}

func (b *rig) know(pub gossh.PublicKey, name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[string(pub.Marshal())] = name
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func signer(t testing.TB, path string) gossh.Signer {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := gossh.ParsePrivateKey(data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fingerprint(t testing.TB, path string) string {
	return gossh.FingerprintSHA256(signer(t, path).PublicKey())
}

// openssh is the command that runs the real client with the given keys.
func (b *rig) openssh(keys []string, args ...string) *exec.Cmd {
	b.t.Helper()
	_, port, _ := net.SplitHostPort(b.addr)
	hosts := filepath.Join(b.dir, "known_hosts")
	writeFile(b.t, hosts, []byte("[127.0.0.1]:"+port+" "+string(gossh.MarshalAuthorizedKey(b.host.PublicKey()))))
	// Those of the case go first: ssh keeps the first value of an option.
	all := []string{"-F", "none", "-p", port}
	for _, k := range keys {
		all = append(all, "-i", k)
	}
	first := slices.Index(args, "127.0.0.1")
	all = append(all, args[:first]...)
	all = append(all,
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile="+hosts, "-o", "GlobalKnownHostsFile=none")
	cmd := exec.Command("ssh", append(all, args[first:]...)...)
	cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK=")
	return cmd
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

func run(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, errw bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errw
	err := cmd.Run()
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return result{out.String(), errw.String(), cmd.ProcessState.ExitCode()}
}

// dial logs in with the library's client.
func (b *rig) dial(s ...gossh.Signer) (*gossh.Client, error) {
	return gossh.Dial("tcp", b.addr, &gossh.ClientConfig{
		User: "anybody", Auth: []gossh.AuthMethod{gossh.PublicKeys(s...)},
		HostKeyCallback: gossh.FixedHostKey(b.host.PublicKey()), Timeout: patience,
	})
}

// client is a logged-in client of somebody that the server knows.
func (b *rig) client() *gossh.Client {
	b.t.Helper()
	c, err := b.dial(signer(b.t, b.key("client"+strconv.Itoa(len(b.known)), "ann")))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	return c
}

func open(t testing.TB, c *gossh.Client) *gossh.Session {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// within fails the test unless ch yields in time.
func within[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s did not happen\n%s", what, buf[:runtime.Stack(buf, true)])
		panic("unreachable")
	}
}

// noLeaks fails the test if, after all its other clean-ups, goroutines of the
// server or the protocol are left.
func noLeaks(t testing.TB) {
	t.Cleanup(func() {
		deadline := time.Now().Add(patience)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ; ; <-tick.C {
			left := protocolGoroutines()
			if len(left) == 0 {
				return
			}
			if time.Now().After(deadline) {
				t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
				return
			}
		}
	})
}

func protocolGoroutines() []string {
	buf := make([]byte, 4<<20)
	var left []string
	for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		ours := strings.Contains(g, "hop3/sshd.") || strings.Contains(g, "crypto/ssh.") || strings.Contains(g, "gliderlabs")
		if ours && !strings.Contains(g, "testing.tRunner") && !strings.Contains(g, "testing.(*") && !strings.Contains(g, "protocolGoroutines") {
			left = append(left, g)
		}
	}
	return left
}

// safeBuffer is a buffer for several writers.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// shortDir is a directory whose path fits a unix socket's name.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hop3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// agent runs an ssh-agent that holds keys and returns its socket.
func agent(t testing.TB, keys ...string) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "agent")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	awaitLine(t, cmd, "SSH_AUTH_SOCK="+socket+"; export SSH_AUTH_SOCK;") // printed once it listens
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	add := exec.Command("ssh-add", append([]string{"-q"}, keys...)...)
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("ssh-add: %s%v", out, err)
	}
	return socket
}

// awaitLine starts cmd and returns when it printed line. The rest is dropped.
func awaitLine(t testing.TB, cmd *exec.Cmd, line string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		s, _ := r.ReadString('\n')
		first <- s
		_, _ = io.Copy(io.Discard, r)
	}()
	if got := within(t, first, "the first line of output"); strings.TrimSpace(got) != line {
		t.Fatalf("first line %q", got)
	}
}
