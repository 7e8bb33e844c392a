// Package screen runs a program in a terminal of its own and reads what a
// person would see there: for tests of what is drawn, and for pictures of it.
package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// A Screen is a program with its terminal. Make one with Start; End ends it.
type Screen struct {
	cmd     *exec.Cmd
	pty     interface{ Write([]byte) (int, error) }
	resize  func(cols, rows int) error
	running sync.WaitGroup
	exited  chan struct{}
	err     error // of cmd, once exited is closed

	mu      sync.Mutex
	term    *vt.Emulator
	changed chan struct{} // closed, and made anew, when the screen has changed
}

// Start runs cmd in a terminal of that size.
func Start(cmd *exec.Cmd, cols, rows int) (*Screen, error) {
	f, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	if err != nil {
		return nil, fmt.Errorf("start in a terminal: %w", err)
	}
	s := &Screen{cmd: cmd, pty: f, term: vt.NewEmulator(cols, rows), changed: make(chan struct{}), exited: make(chan struct{})}
	s.resize = func(cols, rows int) error {
		return pty.Setsize(f, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)})
	}
	s.running.Go(func() { // what the terminal answers when it is asked
		buf := make([]byte, 256)
		for {
			n, err := s.term.Read(buf)
			if err != nil {
				return
			}
			_, _ = f.Write(buf[:n]) // the program has gone
		}
	})
	s.running.Go(func() {
		buf := make([]byte, 32<<10)
		for {
			n, err := f.Read(buf)
			s.mu.Lock()
			_, _ = s.term.Write(buf[:n]) // it takes everything
			close(s.changed)
			s.changed = make(chan struct{})
			s.mu.Unlock()
			if err != nil { // the program has ended
				break
			}
		}
		s.err = cmd.Wait()
		_ = f.Close()                              // nothing is left to be written
		_ = s.term.InputPipe().(io.Closer).Close() // ends the other goroutine; the terminal's own Close is not made for that
		close(s.exited)
	})
	return s, nil
}

// Text is what stands on the screen.
func (s *Screen) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(s.term.String()) {
		b.WriteString(strings.TrimRight(line, " \r\n") + "\n")
	}
	return b.String()
}

// Type types a text.
func (s *Screen) Type(text string) error {
	_, err := s.pty.Write([]byte(text))
	return err
}

// Resize changes the size of the terminal.
func (s *Screen) Resize(cols, rows int) error {
	s.mu.Lock()
	s.term.Resize(cols, rows)
	s.mu.Unlock()
	return s.resize(cols, rows)
}

// Await waits until what stands on the screen fits the pattern.
func (s *Screen) Await(ctx context.Context, pattern *regexp.Regexp) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if pattern.MatchString(s.Text()) {
			return nil
		}
		select {
		case <-changed:
		case <-s.exited:
			if pattern.MatchString(s.Text()) {
				return nil
			}
			return fmt.Errorf("await %q: the program has ended, the screen:\n%s", pattern, s.Text())
		case <-ctx.Done():
			return fmt.Errorf("await %q: %w, the screen:\n%s", pattern, ctx.Err(), s.Text())
		}
	}
}

// Exit waits until the program has ended and returns its exit code, -1 if a
// signal ended it.
func (s *Screen) Exit(ctx context.Context) (int, error) {
	select {
	case <-s.exited:
	case <-ctx.Done():
		return 0, fmt.Errorf("await the end: %w, the screen:\n%s", ctx.Err(), s.Text())
	}
	var exit *exec.ExitError
	if s.err != nil && !errors.As(s.err, &exit) {
		return 0, s.err
	}
	return s.cmd.ProcessState.ExitCode(), nil
}

// End kills the program if it still runs, and frees everything.
func (s *Screen) End() {
	_ = s.cmd.Process.Kill() // it has ended
	s.running.Wait()
}
