package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hop3/procman/sandbox"
)

// Instance is the server's hold on a running instance. Its methods may be
// called from several goroutines.
type Instance struct {
	dir  string
	card card
	conn net.Conn // held open: its end is the news
	fd   *os.File // pidfd of the shim

	done chan struct{}
	exit ExitStatus // valid once done is closed
	rest error      // what could not be cleaned up; likewise

	release  func()        // closes released
	released chan struct{} // closed by Close: the instance is no longer of interest
	watcher  sync.WaitGroup
}

// answerTime bounds the wait for a shim's answer, which takes no disk.
const answerTime = 5 * time.Second

// hold connects to the instance of c in dir, proves that it is that one, and
// watches for its end. reap waits for the shim where it is a child.
func hold(dir string, c card, reap func() error) (*Instance, error) {
	fd, err := openPid(c.Identity)
	if err != nil {
		return nil, err
	}
	conn, err := hello(dir, c.Identity)
	if err != nil {
		fd.Close()
		return nil, err
	}
	i := &Instance{dir: dir, card: c, conn: conn, fd: fd, done: make(chan struct{}), released: make(chan struct{})}
	i.release = sync.OnceFunc(func() { close(i.released) })
	i.watcher.Go(func() { i.watch(reap) })
	return i, nil
}

// openPid opens the process of id, and makes sure that it is that one.
func openPid(id Identity) (*os.File, error) {
	fd, err := unix.PidfdOpen(id.Pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("find instance: %w", errors.Join(ErrGone, err))
	}
	f := os.NewFile(uintptr(fd), "pidfd")
	start, err := startTime(id.Pid) // that of f's process, as long as it lives
	if err != nil || start != id.Start {
		f.Close()
		return nil, fmt.Errorf("find instance: %w", errors.Join(ErrGone, err))
	}
	return f, nil
}

// hello opens the connection that is held, with the proof that the other side
// is the shim of id: the socket's peer and the token.
func hello(dir string, id Identity) (net.Conn, error) {
	conn, err := dial(dir)
	if err != nil {
		return nil, errors.Join(ErrGone, err)
	}
	a, err := ask(conn, order{Op: opHello})
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		err = errors.Join(ErrGone, err) // it has just ended
	}
	if err == nil && a.Token != id.Token {
		err = ErrOther
	}
	if err == nil {
		var peer *unix.Ucred
		if peer, err = peerOf(conn); err == nil && int(peer.Pid) != id.Pid {
			err = ErrOther
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet instance: %w", err)
	}
	return conn, nil
}

// ask sends one order and reads one answer.
func ask(conn net.Conn, o order) (answer, error) {
	var a answer
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return a, fmt.Errorf("ask instance: %w", err)
	}
	if err := json.NewEncoder(conn).Encode(o); err != nil {
		return a, fmt.Errorf("ask instance: %w", err)
	}
	if err := readAnswer(conn, &a); err != nil {
		return a, fmt.Errorf("ask instance: %w", err)
	}
	if a.Errno != 0 {
		return a, syscall.Errno(a.Errno)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, conn.SetDeadline(time.Time{})
}

// readAnswer reads one line and not a byte more: the next may come much later.
func readAnswer(conn net.Conn, a *answer) error {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 4096 {
		if _, err := conn.Read(b); err != nil {
			return err
		}
		if b[0] == '\n' {
			return json.Unmarshal(line, a)
		}
		line = append(line, b[0])
	}
	return errors.New("answer too long")
}

// watch waits for the end of the instance, or of interest in it.
func (i *Instance) watch(reap func() error) {
	var a answer
	_ = readAnswer(i.conn, &a) // an error is the end of a shim that could not say more
	i.waitPid(reap)
	select {
	case <-i.released:
		return
	default:
	}
	i.exit, i.rest = i.settle(a.Exit), finish(i.dir, i.card)
	i.conn.Close()
	i.fd.Close()
	close(i.done)
}

// settle finds out how the instance ended.
func (i *Instance) settle(told *ExitStatus) ExitStatus {
	if told != nil {
		return *told
	}
	if st, err := readExit(filepath.Join(i.dir, exitFile)); err == nil {
		return st
	}
	// The shim itself was killed, and with it everything.
	return ExitStatus{Code: 128 + int(syscall.SIGKILL), Signal: "SIGKILL", OOM: i.card.Cgroup.OOM(), At: time.Now().UTC()}
}

// finish removes the cgroup and the socket of an instance that has ended.
func finish(dir string, c card) error {
	_ = c.Cgroup.Kill() // there is nothing left to kill, unless it ran without namespaces
	err := c.Cgroup.Remove()
	if rerr := os.Remove(filepath.Join(dir, socketFile)); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

// waitPid returns when the shim's process has ended, which is after the end of
// every other process of its namespace, or when i.fd was closed.
func (i *Instance) waitPid(reap func() error) {
	sc, err := i.fd.SyscallConn()
	if err != nil {
		return
	}
	err = sc.Read(func(fd uintptr) bool { return readable(fd, 0) })
	if reap != nil && err == nil {
		_ = reap() // the shim's own status says nothing about the app's
	}
}

// readable tells whether the process of a pidfd has ended, waiting so many milliseconds for it.
func readable(pidfd uintptr, wait int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, wait)
	return n > 0 && err == nil
}

// Pid is the app's main process as the host sees it.
func (i *Instance) Pid() int { return i.card.App }

// Identity is what Adopt wants to be told about this instance.
func (i *Instance) Identity() Identity { return i.card.Identity }

// Done is closed when no process of the instance is left.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Exit says how the instance ended. It is valid once Done is closed.
func (i *Instance) Exit() ExitStatus {
	select {
	case <-i.done:
		return i.exit
	default:
		return ExitStatus{}
	}
}

// Usage is what the instance uses now, as far as its cgroup counts it.
func (i *Instance) Usage() sandbox.Usage { return i.card.Cgroup.Usage() }

// Enter runs a command inside of the instance: s gives the command, its
// environment and the app's uid; the rest is the instance's own. The command
// ends with the instance, and counts against its limits.
func (i *Instance) Enter(ctx context.Context, exe string, s sandbox.Spec, stdio sandbox.Stdio) (ExitStatus, error) {
	s.Join, s.Within = i.card.Identity.Pid, i.card.Cgroup
	return sandbox.Run(ctx, exe, s, stdio)
}

// Signal sends sig to the app's main process. An instance that has ended
// gives syscall.ESRCH.
func (i *Instance) Signal(sig syscall.Signal) error {
	return i.command(order{Op: opSignal, Signal: int(sig)})
}

// Kill ends everything of the instance at once; Done tells when it has happened.
func (i *Instance) Kill() error {
	err := i.command(order{Op: opKill})
	switch {
	case errors.Is(err, syscall.ESRCH):
		return nil
	case err != nil:
		return i.force()
	}
	// A shim may take the order and then be stopped. Once it is gone this does nothing.
	time.AfterFunc(answerTime, func() { _ = i.force() })
	return nil
}

// force ends the instance from outside, for a shim that does not answer.
func (i *Instance) force() error {
	_ = i.card.Cgroup.Kill() // the pid namespace ends with its init in any case
	return killPid(i.fd)
}

func killPid(pidfd *os.File) error {
	sc, err := pidfd.SyscallConn()
	if err != nil {
		return fmt.Errorf("kill instance: %w", err)
	}
	var kerr error
	err = sc.Control(func(fd uintptr) { kerr = unix.PidfdSendSignal(int(fd), unix.SIGKILL, nil, 0) })
	if errors.Is(err, os.ErrClosed) || errors.Is(kerr, unix.ESRCH) { // it has ended
		return nil
	}
	if err = errors.Join(err, kerr); err != nil {
		return fmt.Errorf("kill instance: %w", err)
	}
	return nil
}

// Stop sends sig to the main process and, when grace is over or ctx ends,
// kills everything. It returns when nothing of the instance is left. The grace
// runs in the shim: it goes on if the server dies meanwhile.
func (i *Instance) Stop(ctx context.Context, sig syscall.Signal, grace time.Duration) error {
	err := i.command(order{Op: opStop, Signal: int(sig), Grace: grace})
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		if err := i.force(); err != nil {
			return err
		}
	}
	late := time.NewTimer(grace + answerTime)
	defer late.Stop()
	select {
	case <-i.done:
		return i.rest
	case <-ctx.Done():
		err = i.Kill()
	case <-late.C: // the shim should have done it
		err = i.force()
	}
	if err != nil {
		return err
	}
	<-i.done
	return i.rest
}

func (i *Instance) command(o order) error {
	select {
	case <-i.done:
		return syscall.ESRCH
	default:
	}
	conn, err := dial(i.dir)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
			return syscall.ESRCH // it is just ending
		}
		return err
	}
	defer conn.Close()
	_, err = ask(conn, o)
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return syscall.ESRCH
	}
	return err
}

// Close lets go of the instance without ending it. Done is then not closed any
// more, unless it is already. It says what could not be cleared away.
func (i *Instance) Close() error {
	i.release()
	select {
	case <-i.done:
		return i.rest
	default:
	}
	i.conn.Close()
	i.fd.Close()
	i.watcher.Wait()
	select {
	case <-i.done:
		return i.rest
	default:
		return nil
	}
}
