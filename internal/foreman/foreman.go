// Package foreman runs several programs side by side for a developer: their
// output in one stream with the name of each before its lines, all of them
// ended together.
package foreman

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Grace is what a program gets between TERM and KILL.
const Grace = 10 * time.Second

// maxLine bounds what is held of a line that does not end.
const maxLine = 64 << 10

// A Process is one program.
type Process struct {
	Name string // "web.1"
	Argv []string
	Env  []string // the whole environment
	Dir  string
}

// An ExitError says which program ended first, and how.
type ExitError struct {
	Name string
	Code int // 128+n for signal n
}

func (e *ExitError) Error() string {
	if e.Code > 128 {
		return fmt.Sprintf("%s was ended by signal %d", e.Name, e.Code-128)
	}
	return fmt.Sprintf("%s ended with exit status %d", e.Name, e.Code)
}

// colours of the names, as SGR codes; none is red, which errors have.
var colours = []int{36, 33, 32, 35, 34, 96, 93, 92}

// Run starts the processes and writes what they print to w, a line at a time. When one ends, or ctx does, all others get
// TERM and after Grace KILL, with all that they have started. It returns when all have ended: nil where ctx ended them, an
// *ExitError for the first that ended by itself, also with 0.
func Run(ctx context.Context, list []Process, w io.Writer, colour bool) error {
	out := &printer{w: w, colour: colour}
	for _, p := range list {
		out.width = max(out.width, len(p.Name))
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for n, p := range list {
		cmd, err := start(p, out, n)
		if err != nil {
			stop(fmt.Errorf("start %s: %w", p.Name, err))
			break
		}
		ended := make(chan struct{})
		all.Go(func() {
			defer close(ended)
			code := cmd.wait()
			out.line(n, p.Name, fmt.Sprintf("ended with exit status %d", code))
			stop(&ExitError{Name: p.Name, Code: code})
		})
		all.Go(func() { cmd.endWith(ctx, ended) })
	}
	all.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// A command is a running process with the pumps of its output.
type command struct {
	*exec.Cmd
	pumps sync.WaitGroup
	pipes []*os.File
}

func start(p Process, out *printer, n int) (*command, error) {
	if len(p.Argv) == 0 {
		return nil, errors.New("the command is empty")
	}
	c := &command{Cmd: exec.Command(p.Argv[0], p.Argv[1:]...)}
	c.Env, c.Dir = p.Env, p.Dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C comes through us alone
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close() //nolint:errcheck // the child has its own
	c.Stdout, c.Stderr = w, w
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	c.pipes = append(c.pipes, r)
	c.pumps.Go(func() { pump(r, func(text string) { out.line(n, p.Name, text) }) })
	return c, nil
}

// pump hands on each line of r until its end.
func pump(r io.Reader, emit func(string)) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		b, err := lines.ReadSlice('\n') // a part of a longer line is a line
		if len(b) > 0 {
			emit(strings.TrimRight(string(b), "\r\n"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// wait waits for the program and its output, and returns its exit code.
func (c *command) wait() int {
	state, err := c.Process.Wait()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what it left behind would hold its output open; most have left nothing
	c.pumps.Wait()
	for _, p := range c.pipes {
		_ = p.Close() // read to its end
	}
	if err != nil {
		return 1
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// endWith ends the program's process group when ctx does.
func (c *command) endWith(ctx context.Context, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM) // it may just have ended
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case <-ended:
	case <-grace.C:
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // it may just have ended
	}
}

// A printer writes whole lines of many.
type printer struct {
	mu     sync.Mutex
	w      io.Writer
	width  int
	colour bool
}

func (p *printer) line(n int, name, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := fmt.Sprintf("%-*s | ", p.width, name)
	if p.colour {
		prefix = fmt.Sprintf("\x1b[%dm%s\x1b[0m", colours[n%len(colours)], prefix)
	}
	_, _ = io.WriteString(p.w, prefix+text+"\n") // a developer who has gone needs no lines
}
