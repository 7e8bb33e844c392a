package nix

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// maxLine is how much of one line of nix's output is read; the rest of a longer
// one is dropped.
const maxLine = 256 << 10

// An invocation is one run of nix.
type invocation struct {
	bin    string
	args   []string
	env    []string // beside the driver's own
	dir    string   // "" is the private home
	stdin  io.Reader
	stdout io.Writer
	line   func([]byte) // called for each line of stderr, from one goroutine; nil keeps the last ones for the error
}

// run starts nix in a process group of its own and waits for it. When ctx ends
// the group gets SIGINT, so that nix stops its builders and releases its locks,
// and SIGKILL after the grace; no process of the group outlives run.
// A nix that fails is an *exitError; a cancelled one is the cause of ctx.
func (n *Nix) run(ctx context.Context, inv invocation) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	cmd := exec.CommandContext(ctx, inv.bin, inv.args...)
	cmd.Dir = cmp.Or(inv.dir, n.stateDir("home"))
	cmd.Env = append(slices.Clone(n.env), inv.env...)
	cmd.Stdin = inv.stdin
	cmd.Stdout = inv.stdout
	// A nix without this process would build on for nobody and hold locks of
	// the store. The signal comes when the thread ends that started it, which in
	// Go is when the process does: no goroutine here exits with its thread locked.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	cmd.WaitDelay = n.opt.Grace
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}

	var last tail
	line := inv.line
	if line == nil {
		line = func(b []byte) { last.add(clean(string(b))) }
	}
	stderr := &lineWriter{line: line}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start nix: %w", err)
	}
	err := cmd.Wait()
	// Whatever is left of the group, such as a fetcher, has no parent now.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails when nothing is left, as it should
	stderr.flush()
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("run nix: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &exitError{code: exit.ExitCode(), state: exit.String(), text: last.lines()}
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return fmt.Errorf("run nix: %w", err)
	}
	return nil
}

// exitError is a nix that ended with another status than 0.
type exitError struct {
	code  int    // -1 when a signal ended it
	state string // "exit status 1", "signal: killed"
	text  []string
}

func (e *exitError) Error() string {
	if msg := errorText(e.text); msg != "" {
		return msg
	}
	return e.state
}

// errorText is nix's own last `error:` line with what follows it.
func errorText(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if _, msg, ok := strings.Cut(lines[i], "error: "); ok && strings.HasPrefix(strings.TrimSpace(lines[i]), "error:") {
			return msg
		}
	}
	return strings.Join(lines, "; ")
}

// output runs nix and returns what it wrote to stdout.
func (n *Nix) output(ctx context.Context, bin string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := n.run(ctx, invocation{bin: bin, args: args, stdout: &out})
	return out.Bytes(), err
}

// lines runs nix and returns the lines that it wrote to stdout.
func (n *Nix) lines(ctx context.Context, bin string, args ...string) ([]string, error) {
	out, err := n.output(ctx, bin, args...)
	return strings.Fields(string(out)), err
}

// lineWriter calls line for each complete line that is written to it, without
// its end, and keeps at most maxLine bytes of one.
type lineWriter struct {
	line func([]byte)
	buf  []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	size := len(p)
	for {
		head, rest, found := bytes.Cut(p, []byte{'\n'})
		w.buf = append(w.buf, head[:min(len(head), maxLine-len(w.buf))]...)
		if !found {
			return size, nil
		}
		w.flush()
		p = rest
	}
}

func (w *lineWriter) flush() {
	if len(w.buf) > 0 {
		w.line(bytes.TrimSuffix(w.buf, []byte{'\r'}))
	}
	w.buf = w.buf[:0]
}
