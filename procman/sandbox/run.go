package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// runGrace is what a one-off gets between SIGTERM and SIGKILL when its context ends.
const runGrace = 5 * time.Second

// Run runs a one-off process to its end. exe is this program (Executable).
// When ctx ends the process gets SIGTERM, and all of the sandbox is killed
// runGrace later; the status then tells how it went and err is the context's
// cause. An error without a status means that the process never ran.
//
// The process dies with the caller, whatever way that goes.
func Run(ctx context.Context, exe string, s Spec, stdio Stdio) (ExitStatus, error) {
	p, err := newPipes(stdio)
	if err != nil {
		return ExitStatus{}, err
	}
	defer p.closeOuter()
	c, err := Launch(ctx, exe, s, LaunchOptions{
		Marker: Marker, Stdin: p.inner[0], Stdout: p.inner[1], Stderr: p.inner[2], Pty: p.window(),
	})
	p.closeInner()
	if err != nil {
		return ExitStatus{}, err
	}
	r := &run{child: c, ended: make(chan struct{})}
	p.connect(r, c.Pty)
	st, err := r.finish(ctx, stdio.Signals)
	p.lastWords()
	r.outputs.Wait()
	_ = c.Wait() // its status is in st
	if c.Cgroup != nil {
		st.OOM = st.OOM || oomKills(c.oom) > 0
	}
	c.Close()
	_ = c.Cgroup.Kill() // without namespaces somebody may be left; else there is nothing to kill
	return st, errors.Join(err, c.Cgroup.Remove())
}

// run is a one-off in progress.
type run struct {
	child   *Child
	outputs sync.WaitGroup // copies from the process
	ended   chan struct{}  // closed when the process has ended
}

// finish waits for the end and meanwhile passes signals on.
func (r *run) finish(ctx context.Context, signals <-chan syscall.Signal) (ExitStatus, error) {
	var helpers sync.WaitGroup
	helpers.Go(func() { r.passSignals(signals) })
	helpers.Go(func() { r.endWith(ctx) })
	defer helpers.Wait()
	defer close(r.ended)
	for {
		m, _, err := r.child.ctl.recv()
		switch {
		case err != nil: // the init itself was killed
			_ = r.child.Wait() // so that nothing of it is left
			st := ExitStatus{Code: 128 + int(syscall.SIGKILL), Signal: "SIGKILL", At: time.Now()}
			return st, context.Cause(ctx)
		case m.Failed != nil: // after the app was started; its init has ended it
			_ = r.child.Wait() // so that nothing of it is left
			return ExitStatus{}, m.Failed
		case m.Ended != nil:
			return *m.Ended, context.Cause(ctx)
		}
	}
}

func (r *run) passSignals(signals <-chan syscall.Signal) {
	for {
		select {
		case sig, ok := <-signals:
			if !ok {
				return
			}
			_ = r.child.Signal(sig) // it has just ended
		case <-r.ended:
			return
		}
	}
}

func (r *run) endWith(ctx context.Context) {
	select {
	case <-r.ended:
		return
	case <-ctx.Done():
	}
	_ = r.child.Signal(syscall.SIGTERM) // it has just ended
	grace := time.NewTimer(runGrace)
	defer grace.Stop()
	select {
	case <-r.ended:
	case <-grace.C:
		_ = r.child.Signal(syscall.SIGKILL) // what joined an instance is no child of a namespace's init
		r.child.Kill()
	}
}

// pipes are the ends of what connects the process.
type pipes struct {
	stdio Stdio
	inner [3]*os.File
	outer [3]*os.File
	late  atomic.Bool // the process has ended
}

func newPipes(stdio Stdio) (*pipes, error) {
	p := &pipes{stdio: stdio}
	if stdio.Pty != nil {
		return p, nil
	}
	for i, want := range []bool{stdio.In != nil, stdio.Out != nil, stdio.Err != nil} {
		if !want {
			continue
		}
		if i == 2 && same(stdio.Out, stdio.Err) { // one pipe keeps the order
			p.inner[2] = p.inner[1]
			continue
		}
		r, w, err := os.Pipe()
		if err != nil {
			p.closeInner()
			p.closeOuter()
			return nil, fmt.Errorf("make pipe: %w", err)
		}
		if i == 0 {
			p.inner[i], p.outer[i] = r, w
		} else {
			p.inner[i], p.outer[i] = w, r
		}
	}
	return p, nil
}

// lastWordsTime is how long an output is read on after its process has ended.
const lastWordsTime = time.Second

// lastWords bounds the reading of what the process wrote, now that it has
// ended: others, outside of the sandbox, may hold the pipe open for ever.
func (p *pipes) lastWords() {
	p.late.Store(true)
	for _, f := range p.outer[1:] {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(lastWordsTime)) // read to its end and closed is as good
		}
	}
}

// same tells whether two writers are one; those of a type that cannot be
// compared are not.
func same(a, b io.Writer) (equal bool) {
	defer func() {
		if recover() != nil {
			equal = false
		}
	}()
	return a == b
}

func (p *pipes) closeInner() { closeAll(p.inner[:]...) }
func (p *pipes) closeOuter() { closeAll(p.outer[:]...) }

// window is the first size of the terminal, if there is one.
func (p *pipes) window() *Window {
	if p.stdio.Pty == nil {
		return nil
	}
	w := p.stdio.Pty.Window
	if w == (Window{}) {
		w = Window{Cols: 80, Rows: 24}
	}
	return &w
}

// connect starts the copying. Nobody waits for input: a Read of it may block
// for ever, and ends when its owner closes it.
func (p *pipes) connect(r *run, master *os.File) {
	if master != nil {
		p.connectPty(r, master)
		return
	}
	if p.outer[0] != nil {
		in := p.outer[0]
		go func() {
			_, _ = io.Copy(in, p.stdio.In) // a process that does not read is no error
			in.Close()
		}()
	}
	for i, w := range []io.Writer{1: p.stdio.Out, 2: p.stdio.Err} {
		if i > 0 && p.outer[i] != nil {
			from := p.outer[i]
			r.outputs.Go(func() { p.drainPipe(w, from) })
		}
	}
}

// drain copies until the process closes its end. When the reader has gone the
// process must not block on it.
func drain(w io.Writer, from io.Reader) {
	if _, err := io.Copy(w, from); err != nil {
		_, _ = io.Copy(io.Discard, from) // EIO is how a terminal ends
	}
}

// drainPipe is drain with an end that lastWords sets. A slow reader loses
// nothing by that: what is in the pipe then is copied still.
func (p *pipes) drainPipe(w io.Writer, from *os.File) {
	_, err := io.Copy(w, from)
	if err == nil {
		return
	}
	if p.late.Load() && from.SetReadDeadline(time.Time{}) == nil {
		if sc, err := from.SyscallConn(); err == nil {
			copyPresent(w, sc)
		}
		return
	}
	_, _ = io.Copy(io.Discard, from) // until lastWords ends that
}

// maxPipe is what the kernel lets a pipe hold by default (pipe(7)).
const maxPipe = 1 << 20

// copyPresent copies what a pipe holds, without waiting for more.
func copyPresent(w io.Writer, from syscall.RawConn) {
	b := make([]byte, 64<<10)
	for left := maxPipe; left > 0; {
		var n int
		var rerr error
		if err := from.Read(func(fd uintptr) bool { n, rerr = syscall.Read(int(fd), b); return true }); err != nil {
			return
		}
		if errors.Is(rerr, syscall.EINTR) {
			continue
		}
		if rerr != nil || n <= 0 {
			return
		}
		if _, err := w.Write(b[:n]); err != nil {
			return
		}
		left -= n
	}
}

func (p *pipes) connectPty(r *run, master *os.File) {
	if p.stdio.In != nil {
		go func() {
			_, _ = io.Copy(master, p.stdio.In) // a process that does not read is no error
		}()
	}
	if p.stdio.Out != nil {
		r.outputs.Go(func() { drain(p.stdio.Out, master) })
	}
	r.outputs.Go(func() {
		for {
			select {
			case w, ok := <-p.stdio.Pty.Resize:
				if !ok {
					return
				}
				_ = pty.Setsize(master, &pty.Winsize{Cols: w.Cols, Rows: w.Rows}) // it has just ended
			case <-r.ended:
				return
			}
		}
	})
}
