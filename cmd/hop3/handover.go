package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// readyDescriptor tells a successor where to write a line once it serves.
const readyDescriptor = "HOP3_READY_FD"

// takeoverTime is what a successor gets to open the state and to serve in: it adopts, and builds nothing.
const takeoverTime = 60 * time.Second

// handOver gives the listeners to a new process of the program that is installed now. Calls get drainTime to end in, as at
// a stop; requests go on being served here until the successor serves, so that no connection is refused and none is cut.
// With an error that is errNotYet nothing has changed and this server goes on.
func (s *server) handOver(ctx context.Context, pause func()) error {
	exe, err := s.successor(ctx)
	if err != nil {
		return errors.Join(errNotYet, err)
	}
	names, fds, err := s.listeners.duplicates()
	if err != nil {
		return errors.Join(errNotYet, err)
	}
	defer func() {
		for _, fd := range fds {
			_ = syscall.Close(int(fd)) // a copy
		}
	}()
	s.log.WithField("program", exe).Info("handing over")
	pause()
	_ = s.bounded("ssh", s.ssh.Shutdown) // has been logged
	s.pipeline.Close()
	if err := s.bounded("processes", func(ctx context.Context) error { return s.procs.Close(ctx, false) }); err != nil {
		return err
	}
	if err := s.store.Close(); err != nil {
		return err
	}
	pid, err := s.start(exe, names, fds)
	if err != nil {
		s.log.WithError(err).Error("the new program does not serve; starting the old one again")
		if pid, err = s.start("/proc/self/exe", names, fds); err != nil {
			return fmt.Errorf("hand over: %w", err)
		}
	}
	s.log.WithField("pid", pid).Info("handed over")
	if err := notify(fmt.Sprintf("MAINPID=%d\nREADY=1", pid)); err != nil {
		s.log.WithError(err).Warn("systemd was not told of the new process")
	}
	_ = s.bounded("the router", s.router.Shutdown) // has been logged
	if s.certs != nil {
		s.certs.Close()
	}
	return s.access.Close()
}

var errNotYet = errors.New("not handed over")

// successor finds the program that is installed now, and asks it for its version: one that cannot even tell that must not
// take over.
func (s *server) successor(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, s.program, "version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", s.program, err)
	}
	s.log.WithField("version", strings.TrimSpace(string(out))).Debug("successor found")
	return s.program, nil
}

// start starts exe as the next server and returns its pid once it serves.
func (s *server) start(exe string, names []string, fds []uintptr) (int, error) {
	told, tell, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", exe, err)
	}
	defer told.Close() //nolint:errcheck // read to its end, or not wanted any more
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, inheritedNames+"=") || strings.HasPrefix(kv, readyDescriptor+"=")
	})
	files := append([]uintptr{0, 1, 2}, fds...)
	env = append(env, inheritedNames+"="+strings.Join(names, ":"), readyDescriptor+"="+strconv.Itoa(len(files)))
	files = append(files, tell.Fd())
	// The descriptors are passed as they are: os/exec would make the sockets block, which all their copies share.
	pid, err := syscall.ForkExec(exe, append([]string{s.program, "serve"}, s.args...), &syscall.ProcAttr{Env: env, Files: files})
	if err = errors.Join(err, tell.Close()); err != nil {
		return 0, fmt.Errorf("start %s: %w", exe, err)
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", exe, err)
	}
	if err := told.SetReadDeadline(time.Now().Add(s.takeover)); err != nil {
		return 0, fmt.Errorf("start %s: %w", exe, err)
	}
	if _, err := bufio.NewReader(told).ReadString('\n'); err != nil { // it ended, or hangs
		if errors.Is(err, io.EOF) {
			err = errors.New("it ended at once; its log says why")
		}
		_ = p.Kill() // it may have ended
		state, werr := p.Wait()
		return 0, fmt.Errorf("start %s: %w (%v)", exe, errors.Join(err, werr), state)
	}
	return pid, nil
}

// tellPredecessor says that this server serves, where another one waits to hear it.
func tellPredecessor() error {
	text := os.Getenv(readyDescriptor)
	if text == "" {
		return nil
	}
	fd, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("tell the old server: %s=%q is not a descriptor", readyDescriptor, text)
	}
	f := os.NewFile(uintptr(fd), "ready")
	_, err = f.WriteString("ready\n")
	return errors.Join(err, f.Close(), os.Unsetenv(readyDescriptor))
}
