package sandbox

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main is the init of a one-off sandbox: the entry of the re-executed binary
// when its argv[0] is Marker. It returns the process's exit code.
func Main() int {
	in, err := Open()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hop3:", err)
		return 125
	}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	Deafen()
	pid, err := in.Start([3]*os.File{os.Stdin, os.Stdout, os.Stderr})
	if err != nil {
		return 125
	}
	if in.Spec.Join == 0 { // end of output is then the app's end of it
		closeAll(os.Stdin, os.Stdout, os.Stderr)
	}
	orders := make(chan message)
	go in.listen(orders)
	st := in.serve(pid, children, orders)
	_ = in.ctl.send(message{Ended: &st}, nil) // nobody is left to hear it: fine
	return 0
}

// Deafen keeps the Go runtime from dying of a signal that somebody outside
// sends to this init; the app has its own. Ignoring them would be inherited.
func Deafen() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGTSTP)
}

// listen passes the outer half's orders on and closes the channel when it is gone.
func (in *Inside) listen(orders chan<- message) {
	defer close(orders)
	for {
		m, _, err := in.ctl.recv()
		if err != nil {
			return
		}
		orders <- m
	}
}

// serve reaps until the app has ended and everything it left behind too.
func (in *Inside) serve(pid int, children <-chan os.Signal, orders <-chan message) ExitStatus {
	for {
		select {
		case <-children:
			if ws, ok := Reap(pid); ok {
				st := in.Status(ws)
				st.At = time.Now()
				in.KillRest(pid)
				return st
			}
		case m, ok := <-orders:
			if !ok { // the server is gone: so is whoever wanted this
				_ = syscall.Kill(-pid, syscall.SIGKILL) // ended already is as good
				orders = nil
			} else if m.Signal != 0 {
				_ = syscall.Kill(-pid, syscall.Signal(m.Signal)) // ended already is as good
			}
		}
	}
}

// KillNow kills everything in the sandbox, the app included.
func (in *Inside) KillNow(pid int) error {
	if os.Getpid() != 1 {
		return syscall.Kill(-pid, syscall.SIGKILL)
	}
	return syscall.Kill(-1, syscall.SIGKILL)
}

// KillRest ends what the app left and returns when it has ended. Who joined a
// running instance must not touch the others there.
func (in *Inside) KillRest(pid int) {
	if in.Spec.Join != 0 || os.Getpid() != 1 {
		_ = syscall.Kill(-pid, syscall.SIGKILL) // an empty group is as good
		return
	}
	killAll()
}

// Reap collects every child that has ended and tells whether pid was among them.
func Reap(pid int) (status syscall.WaitStatus, ended bool) {
	for {
		var ws syscall.WaitStatus
		p, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if p <= 0 || err != nil {
			return status, ended
		}
		if p == pid {
			status, ended = ws, true
		}
	}
}

// killAll ends every other process of this pid namespace and returns when none
// is left. It does nothing in a process that is no init: there it would end
// the machine's.
func killAll() {
	if os.Getpid() != 1 {
		return
	}
	_ = syscall.Kill(-1, syscall.SIGKILL) // nobody there is as good
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err == syscall.ECHILD {
			return
		}
		if err == nil { // one that was forked meanwhile
			_ = syscall.Kill(-1, syscall.SIGKILL)
		}
	}
}
