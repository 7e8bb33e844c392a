package sshd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/creack/pty"
	gossh "golang.org/x/crypto/ssh"
)

// Each of these once stalled, flooded or killed the library that we use.

func TestSession_ResizeBeforeCommandStallsNothing(t *testing.T) {
	windows := make(chan Window, 1)
	b := start(t, Options{Handle: func(_ context.Context, c *Call) int {
		windows <- c.Pty.Window
		return 0
	}})
	s := open(t, b.client())
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := s.WindowChange(24, 100+i); err != nil {
			t.Fatal(err)
		}
	}
	ran := make(chan error, 1)
	go func() { ran <- s.Run("x") }()
	if err := within(t, ran, "the command's end"); err != nil {
		t.Fatal(err)
	}
	if w := <-windows; w != (Window{Cols: 149, Rows: 24}) {
		t.Errorf("window %+v", w)
	}
}

func TestSession_ResizesThatNobodyReadsStallNothing(t *testing.T) {
	last := make(chan Window, 1)
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		if c.Raw == "busy" {
			_, _ = io.Copy(io.Discard, c.In) // ends when nearly all sizes have come
			sizes := 0
			for w := range c.Pty.Resize {
				if sizes++; w.Cols == 599 {
					last <- w
				}
			}
			if sizes > 100 {
				t.Errorf("%d sizes: they were not coalesced", sizes)
			}
			return 0
		}
		return commands(ctx, c)
	}})
	c := b.client()
	s := open(t, c)
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	stdin, _ := s.StdinPipe()
	if err := s.Start("busy"); err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		if err := s.WindowChange(24, 100+i); err != nil {
			t.Fatal(err)
		}
	}
	other := make(chan error, 1)
	go func() { other <- open(t, c).Run("exit 0") }()
	if err := within(t, other, "another session's command"); err != nil {
		t.Error(err)
	}
	stdin.Close()
	if w := within(t, last, "the last size"); w != (Window{Cols: 599, Rows: 24}) {
		t.Errorf("window %+v", w)
	}
	s.Close()
}

func TestSession_PtyOfARealClient(t *testing.T) {
	sizes := make(chan Window, 1)
	b := start(t, Options{Handle: func(_ context.Context, c *Call) int {
		fmt.Fprint(c.Out, "ready\n")
		sizes <- c.Pty.Window
		sizes <- <-c.Pty.Resize
		buf := make([]byte, 1)
		_, _ = io.ReadFull(c.In, buf)
		return int(buf[0])
	}})
	cmd := b.openssh([]string{b.key("id", "ann")}, "-t", "127.0.0.1", "x")
	cmd.Env = append(os.Environ(), "TERM=xterm")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 81})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if w := within(t, sizes, "the first size"); w != (Window{Cols: 81, Rows: 24}) {
		t.Errorf("first window %+v", w)
	}
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 50, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	if w := within(t, sizes, "the second size"); w != (Window{Cols: 132, Rows: 50}) {
		t.Errorf("second window %+v", w)
	}
	if _, err := tty.Write([]byte{3}); err != nil { // Ctrl-C is a byte like any other
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, tty) // ends with the client, EIO on Linux
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("status %d", code)
	}
}

func TestSession_InterruptibleEndsAtCtrlC(t *testing.T) {
	causes := make(chan error, 1)
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		ctx, stop := c.Interruptible(ctx)
		defer stop()
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return 130
	}})
	s := open(t, b.client())
	if err := s.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	s.Stdin = io.MultiReader(strings.NewReader("ab\x03"))
	err := s.Run("logs -t")
	if ee, ok := err.(*gossh.ExitError); !ok || ee.ExitStatus() != 130 {
		t.Errorf("got %v", err)
	}
	if cause := within(t, causes, "the interruption"); cause != ErrInterrupted {
		t.Errorf("cause %v", cause)
	}
}

func TestSession_EnvironmentIsBounded(t *testing.T) {
	b := start(t, Options{})
	s := open(t, b.client())
	accepted := 0
	for i := range 100 {
		if s.Setenv(fmt.Sprintf("HOP3_V%d", i), "x") == nil {
			accepted++
		}
	}
	if accepted != 16 {
		t.Errorf("%d variables were accepted", accepted)
	}
	s = open(t, b.client())
	for name, value := range map[string]string{
		"HOP3_LONG": strings.Repeat("x", 5000), "HOP3_NUL": "a\x00b", "LD_PRELOAD": "x", "HOP3_": "x", "PATH": "/", "LANG\n": "x",
	} {
		if s.Setenv(name, value) == nil {
			t.Errorf("%q was accepted", name)
		}
	}
	if out, err := s.Output("env"); err != nil || len(out) != 0 {
		t.Errorf("environment %q, %v", out, err)
	}
}

// The length of the terminal's name overflows in the library's own parser.
func TestSession_MalformedRequestsHarmNothing(t *testing.T) {
	b := start(t, Options{})
	c := b.client()
	overflow := []byte{0xff, 0xff, 0xff, 0xff, 'x', 't', 'e', 'r', 'm'}
	for _, kind := range []string{"pty-req", "env", "exec", "subsystem", "window-change", "signal", "break", "auth-agent-req@openssh.com", "x11-req", "nonsense"} {
		s := open(t, c)
		for _, payload := range [][]byte{overflow, nil, {0, 0, 0, 9, 1}} {
			if ok, err := s.SendRequest(kind, true, payload); ok || err != nil {
				t.Errorf("%s with %x: %v %v", kind, payload, ok, err)
			}
		}
		if err := s.Run("exit 0"); err != nil {
			t.Errorf("after %s: %v", kind, err)
		}
	}
	for _, kind := range []string{"tcpip-forward", "streamlocal-forward@openssh.com", "nonsense"} {
		if ok, _, err := c.SendRequest(kind, true, overflow); ok || err != nil {
			t.Errorf("global %s: %v %v", kind, ok, err)
		}
	}
	for _, kind := range []string{"direct-tcpip", "direct-streamlocal@openssh.com", "x11", "nonsense"} {
		if ch, _, err := c.OpenChannel(kind, overflow); err == nil {
			ch.Close()
			t.Errorf("channel %s was accepted", kind)
		}
	}
	if err := open(t, c).Run("exit 0"); err != nil {
		t.Error(err)
	}
}

func TestSession_CountIsBounded(t *testing.T) {
	b := start(t, Options{Limits: Limits{Sessions: 2}})
	c := b.client()
	if err := open(t, c).Start("wait"); err != nil {
		t.Fatal(err)
	}
	for range 50 { // the place is free as soon as the client knows the status
		if err := open(t, c).Run("exit 0"); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(t, c).Start("wait"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.NewSession(); err == nil || !strings.Contains(err.Error(), "too many sessions") {
		t.Errorf("third session: %v", err)
	}
}

func TestSession_AbandonedCommandsKeepTheirPlace(t *testing.T) {
	stubborn := make(chan struct{})
	begun := make(chan struct{}, 2)
	b := start(t, Options{Limits: Limits{Sessions: 2}, Handle: func(context.Context, *Call) int {
		begun <- struct{}{}
		<-stubborn
		return 0
	}})
	t.Cleanup(func() { close(stubborn) }) // before the server's own
	c := b.client()
	for range 2 {
		s := open(t, c)
		if err := s.Start("x"); err != nil {
			t.Fatal(err)
		}
		within(t, begun, "the command")
		s.Close()
	}
	if _, err := c.NewSession(); err == nil || !strings.Contains(err.Error(), "too many sessions") {
		t.Errorf("third session: %v", err)
	}
}

func TestSession_CommandLengthIsBounded(t *testing.T) {
	b := start(t, Options{Limits: Limits{CommandBytes: 100}})
	c := b.client()
	if err := open(t, c).Run(fmt.Sprintf("%-100s", "exit 0")); err != nil {
		t.Error(err)
	}
	s := open(t, c)
	var errw bytes.Buffer
	s.Stderr = &errw
	err := s.Run(fmt.Sprintf("%-101s", "exit 0"))
	if ee, ok := err.(*gossh.ExitError); !ok || ee.ExitStatus() != 2 || errw.String() != " !     the command has 101 bytes, 100 are the most\n" {
		t.Errorf("got %v, %q", err, errw.String())
	}
}

// FuzzRequests: whatever a client asks for before its command, the answer is
// at once, and only well-formed requests reach the library.
func FuzzRequests(f *testing.F) {
	f.Add("pty-req", gossh.Marshal(struct {
		Term       string
		C, R, W, H uint32
		Modes      string
	}{"xterm", 80, 24, 0, 0, ""}))
	f.Add("pty-req", []byte("\xff\xff\xff\xffxterm"))
	f.Add("env", gossh.Marshal(struct{ K, V string }{"LANG", "C"}))
	f.Add("window-change", make([]byte, 16))
	f.Add("signal", gossh.Marshal(struct{ S string }{"TERM"}))
	f.Add("exec", gossh.Marshal(struct{ V string }{"apps"}))
	srv := &Server{limits: Limits{}.withDefaults()}
	f.Fuzz(func(t *testing.T, kind string, payload []byte) {
		ses := &session{
			conn: &conn{srv: srv}, env: map[string]string{},
			resize: make(chan Window, 1), signals: make(chan string, signalBuffer),
		}
		for range 20 {
			ok, forward := ses.judge(&gossh.Request{Type: kind, Payload: payload})
			if forward && !ok {
				t.Fatalf("%s %x is forwarded and refused", kind, payload)
			}
			if forward && len(payload) > 0 && (len(payload) < 4 || int(payload[0])<<24 > len(payload)) {
				t.Fatalf("%s %x reaches the library", kind, payload)
			}
		}
		if len(ses.env) > srv.limits.EnvVars || (ses.pty && !terms.MatchString(ses.term)) {
			t.Fatalf("env %v, term %q", ses.env, ses.term)
		}
		if ses.started {
			srv.calls.Done()
		}
	})
}

func TestSession_OneCommandOnly(t *testing.T) {
	b := start(t, Options{})
	s := open(t, b.client())
	stdin, _ := s.StdinPipe()
	if err := s.Start("cat"); err != nil {
		t.Fatal(err)
	}
	command := gossh.Marshal(struct{ V string }{"whoami"})
	for _, kind := range []string{"exec", "shell", "subsystem", "pty-req", "env"} {
		if ok, err := s.SendRequest(kind, true, command); ok || err != nil {
			t.Errorf("%s: %v %v", kind, ok, err)
		}
	}
	stdin.Close()
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
}

func TestSession_Signals(t *testing.T) {
	got := make(chan string, 3)
	b := start(t, Options{Handle: func(_ context.Context, c *Call) int {
		fmt.Fprintln(c.Out, "ready")
		for s := range c.Signals {
			got <- s
			if s == "TERM" {
				return 143
			}
		}
		return 0
	}})
	s := open(t, b.client())
	if err := s.Start("x"); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []gossh.Signal{"INT", "BOGUS", "TERM"} {
		if err := s.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := within(t, got, "a signal"), within(t, got, "another"); a != "INT" || b != "TERM" {
		t.Errorf("got %s, %s", a, b)
	}
	if ee, ok := s.Wait().(*gossh.ExitError); !ok || ee.ExitStatus() != 143 {
		t.Error("the status is not 143")
	}
}

// A client that opens no window holds its own call, and nothing else.
func TestSession_SlowReaderHoldsItselfOnly(t *testing.T) {
	b := start(t, Options{Handle: func(ctx context.Context, c *Call) int {
		if c.Raw != "flood" {
			return commands(ctx, c)
		}
		chunk := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := c.Out.Write(chunk); err != nil {
				return 1
			}
		}
	}})
	c := b.client()
	ch, reqs, err := c.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go gossh.DiscardRequests(reqs)
	if ok, err := ch.SendRequest("exec", true, gossh.Marshal(struct{ V string }{"flood"})); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for range 3 {
		if err := open(t, c).Run("exit 0"); err != nil {
			t.Fatal(err)
		}
	}
	ch.Close()
}

func TestCall_LinesEndInCRLFOnATerminal(t *testing.T) {
	var out bytes.Buffer
	c := &Call{Pty: &Pty{}}
	w := c.Lines(&out)
	for _, part := range []string{"a\n", "b\r", "\nc\r\n", "\n", "d"} {
		if n, err := io.WriteString(w, part); n != len(part) || err != nil {
			t.Errorf("write %q: %d %v", part, n, err)
		}
	}
	if want := "a\r\nb\r\nc\r\n\r\nd"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
