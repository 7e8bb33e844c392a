package sshd

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestOpenSSH_Commands(t *testing.T) {
	b := start(t, Options{})
	keys := []string{b.key("id", "ann")}
	for _, tc := range []struct {
		name   string
		args   []string
		stdin  string
		out    string
		err    string
		status int
	}{
		{name: "no command", args: []string{"-T", "127.0.0.1"}, out: "hello ann, args true\n"},
		{name: "identity", args: []string{"127.0.0.1", "whoami"}, out: "ann " + fingerprint(t, keys[0]) + "\n"},
		{name: "status 0", args: []string{"127.0.0.1", "exit 0"}},
		{name: "status 42", args: []string{"127.0.0.1", "exit 42"}, status: 42},
		{name: "status 254", args: []string{"127.0.0.1", "exit 254"}, status: 254},
		{name: "status 255 would look like a failure of ssh", args: []string{"127.0.0.1", "exit 255"}, status: 254},
		{name: "status 256 would look like success", args: []string{"127.0.0.1", "exit 256"}, status: 254},
		{name: "status -1", args: []string{"127.0.0.1", "exit -1"}, status: 254},
		{name: "panic", args: []string{"127.0.0.1", "panic"}, status: 7,
			err: " !     the server failed at this command\n       its log has the details\n"},
		{name: "stdin and stderr", args: []string{"127.0.0.1", "cat"}, stdin: "a\nb", out: "a\nb", err: "3 bytes, EOF seen\n"},
		{name: "words", args: []string{"127.0.0.1", `args 'a b' "" c\ d $HOME '*' ;`}, out: "\"a b\"\n\"\"\n\"c d\"\n\"$HOME\"\n\"*\"\n\";\"\n"},
		{name: "open quote", args: []string{"127.0.0.1", "echo it's"}, status: 2,
			err: " !     the command line has a ' that is never closed at character 8\n" +
				"       write \\' for the character itself; your own shell takes one level of quotes away\n"},
		{name: "sftp", args: []string{"-s", "127.0.0.1", "sftp"}, status: 1,
			err: " !     \"sftp\" is refused: hop3 serves git and commands, not files\n" +
				"       push code with git; move data with backup and restore\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := b.openssh(keys, tc.args...)
			cmd.Stdin = strings.NewReader(tc.stdin)
			got := run(t, cmd)
			if want := (result{tc.out, tc.err, tc.status}); got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
	if !strings.Contains(b.log.String(), "boom") || !strings.Contains(b.log.String(), "harness_test.go") {
		t.Errorf("the panic and its stack are not in the log:\n%s", b.log)
	}
}

func TestOpenSSH_BinaryBothWays(t *testing.T) {
	b := start(t, Options{})
	data := bytes.Repeat([]byte("\x00\r\n\n\xff\x03hop"), 1<<18)
	cmd := b.openssh([]string{b.key("id", "ann")}, "127.0.0.1", "cat")
	cmd.Stdin = bytes.NewReader(data)
	got := run(t, cmd)
	if got.code != 0 || got.out != string(data) {
		t.Errorf("status %d, %d of %d bytes came back right", got.code, len(got.out), len(data))
	}
}

func TestOpenSSH_EnvironmentOnlyWhatIsNamed(t *testing.T) {
	b := start(t, Options{})
	cmd := b.openssh([]string{b.key("id", "ann")},
		"-o", "SetEnv=GIT_PROTOCOL=version=2 LANG=de_DE LC_ALL=C HOP3_APP=blog LD_PRELOAD=x PATH=y HOP3=z", "127.0.0.1", "env")
	got := run(t, cmd)
	want := map[string]bool{"GIT_PROTOCOL=version=2": true, "LANG=de_DE": true, "LC_ALL=C": true, "HOP3_APP=blog": true}
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	for _, l := range lines {
		if !want[l] {
			t.Errorf("unexpected %q", l)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("got %q", lines)
	}
}

func TestOpenSSH_RefusesForwarding(t *testing.T) {
	b := start(t, Options{})
	keys := []string{b.key("id", "ann")}
	t.Run("local", func(t *testing.T) {
		got := run(t, b.openssh(keys, "-W", "localhost:80", "127.0.0.1"))
		if got.code == 0 || !strings.Contains(got.err, "administratively prohibited: hop3 forwards no ports") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("remote", func(t *testing.T) {
		got := run(t, b.openssh(keys, "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:80", "127.0.0.1", "whoami"))
		if got.code == 0 || !strings.Contains(got.err, "remote port forwarding failed") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("agent of openssh", func(t *testing.T) {
		got := run(t, b.openssh(keys, "-A", "-o", "IdentityAgent="+agent(t, keys...), "127.0.0.1", "whoami"))
		if got.code != 0 || !strings.HasPrefix(got.err, " !     agent forwarding is refused") {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("agent", func(t *testing.T) {
		c := b.client()
		s := open(t, c)
		var errw bytes.Buffer
		s.Stderr = &errw
		if ok, err := s.SendRequest("auth-agent-req@openssh.com", true, nil); ok || err != nil {
			t.Errorf("agent forwarding accepted: %v %v", ok, err)
		}
		if err := s.Run("exit 0"); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(errw.String(), " !     agent forwarding is refused") {
			t.Errorf("stderr %q", errw.String())
		}
	})
}

// Ctrl-C in one of several sessions of a shared connection closes its channel
// only. With a context per connection, a cancelled push went on and deployed.
func TestOpenSSH_ControlMasterCancelsOneCall(t *testing.T) {
	ended := make(chan error, 2)
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		if len(c.Args) == 2 && c.Args[0] == "wait" {
			c.Out.Write([]byte("waiting\n"))
			if c.Args[1] == "killed" {
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return 130
			}
			select {
			case <-ctx.Done():
				ended <- ctx.Err()
				return 1
			case <-readAll(c):
				return 0
			}
		}
		return commands(ctx, c)
	}})
	keys := []string{b.key("id", "ann")}
	socket := filepath.Join(shortDir(t), "s")
	mux := []string{"-o", "ControlPath=" + socket, "127.0.0.1"}

	master := b.openssh(keys, append([]string{"-M", "-N", "-f"}, mux...)...)
	if err := master.Run(); err != nil { // -f: returns when the socket serves
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.openssh(nil, append([]string{"-O", "exit"}, mux...)...).Run() })

	survivor := b.openssh(keys, append(mux, "wait input")...)
	stdin, _ := survivor.StdinPipe()
	awaitLine(t, survivor, "waiting")
	victim := b.openssh(keys, append(mux, "wait killed")...)
	awaitLine(t, victim, "waiting")

	interrupt(t, victim)
	if cause := within(t, ended, "the call's cancellation"); cause != ErrClientGone {
		t.Errorf("cause %v", cause)
	}
	stdin.Close()
	if err := survivor.Wait(); err != nil {
		t.Errorf("the other call did not survive: %v", err)
	}
}

// interrupt presses Ctrl-C until cmd has ended: a client that shares a
// connection loses a signal between looking for one and its next read.
func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	give := time.After(patience)
	for {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended just now
		select {
		case <-ended:
			return
		case <-again.C:
		case <-give:
			t.Fatal("the client does not end")
		}
	}
}

func TestOpenSSH_KilledClientCancels(t *testing.T) {
	ended := make(chan error, 1)
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		c.Out.Write([]byte("waiting\n"))
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 0
	}})
	cmd := b.openssh([]string{b.key("id", "ann")}, "127.0.0.1", "wait")
	awaitLine(t, cmd, "waiting")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if cause := within(t, ended, "the call's cancellation"); cause != ErrClientGone {
		t.Errorf("cause %v", cause)
	}
}

func TestOpenSSH_AlgorithmsWithoutSHA1(t *testing.T) {
	b := start(t, Options{})
	keys := []string{b.key("id", "ann")}
	got := run(t, b.openssh(keys, "-vv", "127.0.0.1", "whoami"))
	for _, want := range []string{
		"kex-strict-s-v00@openssh.com", "remote software version hop3",
		"KEX algorithms: mlkem768x25519-sha256,curve25519-sha256",
	} {
		if !strings.Contains(got.err, want) {
			t.Errorf("%q is not in the client's debug output", want)
		}
	}
	_, server, _ := strings.Cut(got.err, "peer server KEXINIT proposal")
	server, _, _ = strings.Cut(server, "first_kex_follows")
	for _, bad := range []string{"sha1", "cbc", "group14", "ssh-rsa", "3des"} {
		if strings.Contains(server, bad) {
			t.Errorf("the server offers %s:\n%s", bad, server)
		}
	}
	for _, option := range []string{"Ciphers=aes128-ctr -oMACs=hmac-sha1", "KexAlgorithms=diffie-hellman-group14-sha1", "Ciphers=aes128-cbc"} {
		if got := run(t, b.openssh(keys, append(strings.Fields("-o "+option), "127.0.0.1", "whoami")...)); got.code != 255 {
			t.Errorf("%s: status %d", option, got.code)
		}
	}
	for _, option := range []string{"MACs=hmac-sha2-256", "KexAlgorithms=curve25519-sha256", "Ciphers=aes128-ctr", "RekeyLimit=1M"} {
		if got := run(t, b.openssh(keys, "-o", option, "127.0.0.1", "whoami")); got.code != 0 {
			t.Errorf("%s: %+v", option, got)
		}
	}
}

func TestOpenSSH_Pty(t *testing.T) {
	b := start(t, Options{Handle: func(_ context.Context, c *Call) int {
		c.Out.Write([]byte("a\r"))
		c.Out.Write([]byte("\nb\n" + c.Pty.Term + " " + strconv.Itoa(int(c.Pty.Window.Cols))))
		return 3
	}})
	cmd := b.openssh([]string{b.key("id", "ann")}, "-tt", "127.0.0.1", "x")
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	got := run(t, cmd)
	if got.code != 3 || got.out != "a\r\nb\nxterm-256color 0" {
		t.Errorf("got %+v", got)
	}
}

// readAll is closed when the client has no more input.
func readAll(c *Call) <-chan struct{} {
	ch := make(chan struct{})
	go func() {
		defer close(ch)
		_, _ = bufio.NewReader(c.In).WriteTo(new(bytes.Buffer))
	}()
	return ch
}
