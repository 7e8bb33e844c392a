package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// transfer sftp|scp ARG… is that program with the user's key. hop3@: in an argument gets the server's address.
func transferCmd(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	host, port, err := net.SplitHostPort(w.ssh)
	ts.Check(err)
	words := append(w.sshOptions(ts), "-P", port)
	for _, a := range args[1:] {
		words = append(words, strings.Replace(a, "hop3@:", "hop3@"+host+":", 1))
	}
	w.command(ts, neg, nil, args[0], words)
}

// A background is a command that runs beside the script.
type background struct {
	cmd   *exec.Cmd
	done  chan struct{} // closed when it has ended
	spool *spool
	read  int // what await has matched already
}

// maxAwait ends a script that waits for what does not come.
const maxAwait = 90 * time.Second

// background NAME ssh|git ARG… starts a command. Await, signal and join speak of it by its name.
func backgroundCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if len(args) < 2 || w.behind[args[0]] != nil {
		ts.Fatalf("usage: background NEWNAME ssh|git ARG…")
	}
	words, stdin := args[2:], io.Reader(nil)
	if args[1] == "ssh" {
		words, stdin = w.sshArgs(ts, words)
	}
	b := &background{cmd: w.prepare(ts, context.Background(), args[1], words), done: make(chan struct{}), spool: newSpool()}
	b.cmd.Stdin, b.cmd.Stdout, b.cmd.Stderr = stdin, b.spool, b.spool
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	b.cmd.WaitDelay = 10 * time.Second // an ssh that survived its git holds the output open
	ts.Check(b.cmd.Start())
	go func() {
		_ = b.cmd.Wait() // join tells how it ended
		close(b.done)
	}()
	w.behind[args[0]] = b
}

func (w *world) job(ts *testscript.TestScript, name string) *background {
	b := w.behind[name]
	if b == nil {
		ts.Fatalf("no command runs under the name %s", name)
	}
	return b
}

// await NAME REGEXP waits until the command has written something that fits, after what was awaited before.
func awaitCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	b := w.job(ts, args[0])
	re, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	late := time.After(maxAwait)
	for {
		text, more := b.spool.text()
		if at := re.FindStringIndex(text[b.read:]); at != nil {
			b.read += at[1]
			return
		}
		why := ""
		select {
		case <-more:
			continue
		case <-b.done:
			if text, _ := b.spool.text(); re.MatchString(text[b.read:]) {
				continue
			}
			why = "it has ended"
		case <-late:
			why = "it has not come"
		}
		ts.Fatalf("await %s: %s; its output:\n%s\nthe server's log:\n%s", args[1], why, text, w.log())
	}
}

// upgrade has a new server take over from the one that runs, and waits until the old one has ended. ! upgrade waits until the
// old one says that it goes on.
func upgradeCmd(ts *testscript.TestScript, neg bool, _ []string) {
	w := worldOf(ts)
	ts.Check(w.server.Process.Signal(syscall.SIGUSR2))
	if neg {
		w.await(ts, func() bool { return strings.Contains(w.log(), "this server goes on") })
		return
	}
	ts.Check(<-w.exited)
	m := regexp.MustCompile(`msg="handed over" pid=(\d+)`).FindAllStringSubmatch(w.log(), -1)
	if len(m) == 0 {
		ts.Fatalf("the server ended and handed nothing over:\n%s", w.log())
	}
	pid, err := strconv.Atoi(m[len(m)-1][1])
	ts.Check(err)
	fd, err := unix.PidfdOpen(pid, 0)
	ts.Check(err)
	p, err := os.FindProcess(pid)
	ts.Check(err)
	exited := make(chan error, 1)
	w.server, w.exited = &exec.Cmd{Process: p}, exited
	go func() { // it is no child of ours
		for {
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); !errors.Is(err, unix.EINTR) {
				exited <- errors.Join(err, unix.Close(fd))
				return
			}
		}
	}()
}

// signal NAME -2|-9|… [alone] signals the command and all that it started, as a terminal does, or it alone.
func signalCmd(ts *testscript.TestScript, _ bool, args []string) {
	b := worldOf(ts).job(ts, args[0])
	n, err := strconv.Atoi(strings.TrimPrefix(args[1], "-"))
	ts.Check(err)
	pid := -b.cmd.Process.Pid
	if len(args) == 3 && args[2] == "alone" {
		pid = -pid
	}
	ts.Check(syscall.Kill(pid, syscall.Signal(n)))
}

// join NAME [CODE] waits for the command's end, prints its output, and wants that exit status, any if none is given.
func joinCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	b := w.job(ts, args[0])
	select {
	case <-b.done:
	case <-time.After(maxAwait):
		text, _ := b.spool.text()
		ts.Fatalf("%s does not end; its output:\n%s\nthe server's log:\n%s", args[0], text, w.log())
	}
	delete(w.behind, args[0])
	text, _ := b.spool.text()
	_, err := io.WriteString(ts.Stdout(), text)
	ts.Check(err)
	if got := strconv.Itoa(b.cmd.ProcessState.ExitCode()); len(args) > 1 && got != args[1] {
		ts.Fatalf("%s: exit status %s, want %s; its output:\n%s\nthe server's log:\n%s", args[0], got, args[1], text, w.log())
	}
}

// until REGEXP ARG… repeats an ssh command until its output fits, and prints that.
func untilCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	words, _ := w.sshArgs(ts, args[1:])
	text := ""
	if !eventually(func() bool {
		out, err := w.prepare(ts, context.Background(), "ssh", words).CombinedOutput()
		text = string(out)
		return err == nil && re.MatchString(text)
	}) {
		ts.Fatalf("%s does not come; the last answer:\n%s\nthe server's log:\n%s", args[0], text, w.log())
	}
	_, err = io.WriteString(ts.Stdout(), text)
	ts.Check(err)
}

// gone process TEXT, gone file PATTERN and gone follower wait until no process has the text in its command line, no
// file fits, and the server follows no file.
func goneCmd(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	left := func() []string { return nil }
	switch args[0] {
	case "process":
		left = func() []string { return processes(args[1]) }
	case "file":
		left = func() []string { found, _ := filepath.Glob(ts.MkAbs(args[1])); return found } // a pattern of ours
	case "follower":
		left = func() []string { return w.watches() }
	default:
		ts.Fatalf("usage: gone process|file|follower …")
	}
	if !eventually(func() bool { return len(left()) == 0 }) {
		ts.Fatalf("still there: %v\nthe server's log:\n%s", left(), w.log())
	}
}

// eventually asks again and again. Nothing tells one process when another one's child ends.
func eventually(done func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.Now().Add(maxAwait); time.Now().Before(late); <-tick.C {
		if done() {
			return true
		}
	}
	return false
}

// running TEXT waits until there is a process with the text in its command line.
func runningCmd(ts *testscript.TestScript, _ bool, args []string) {
	if !eventually(func() bool { return len(processes(args[0])) > 0 }) {
		ts.Fatalf("no process has %s\nthe server's log:\n%s", args[0], worldOf(ts).log())
	}
}

// processes are the pids and command lines that hold text, but for this process's own.
func processes(text string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is legal
	for _, f := range files {
		b, err := os.ReadFile(f)
		line := strings.TrimSpace(strings.ReplaceAll(string(b), "\x00", " "))
		if err == nil && strings.Contains(line, text) && !strings.Contains(f, fmt.Sprintf("/%d/", os.Getpid())) {
			found = append(found, f+" "+line)
		}
	}
	return found
}

// watches are the server's file watchers: one for each logs -t.
func (w *world) watches() []string {
	var found []string
	if w.server == nil {
		return nil
	}
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", w.server.Process.Pid)) // the pattern is legal
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.Contains(to, "inotify") {
			found = append(found, fd)
		}
	}
	return found
}

// log is what the server has logged.
func (w *world) log() string {
	b, err := os.ReadFile(filepath.Join(w.root, ".server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// A spool keeps what is written and tells of it.
type spool struct {
	mu   sync.Mutex
	buf  []byte
	more chan struct{} // closed and replaced at each write
}

func newSpool() *spool { return &spool{more: make(chan struct{})} }

func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.buf = append(s.buf, p...)
	close(s.more)
	s.more = make(chan struct{})
	return len(p), nil
}

func (s *spool) text() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.buf), s.more
}
