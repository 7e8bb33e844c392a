package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Names of the server's listeners, as in FileDescriptorName= of systemd's socket units.
const (
	sshListener     = "ssh"
	httpListener    = "http"
	httpsListener   = "https"
	metricsListener = "metrics"
)

// firstInherited is the first descriptor that a process inherits beside its standard ones; see sd_listen_fds(3).
const firstInherited = 3

// inheritedNames tells a successor the names of its listeners, separated by colons. LISTEN_FDNAMES cannot: it counts only
// with the pid of who is to take them, which nobody knows before that process is there.
const inheritedNames = "HOP3_LISTENERS"

// listeners are the server's listening sockets by name: some inherited, the others made when they are asked for.
type listeners struct {
	open      map[string]net.Listener
	inherited map[string]net.Listener
}

// inheritListeners takes over the sockets that a predecessor or systemd hands to this process, and keeps their
// descriptors and names from the programs that this one starts.
func inheritListeners() (*listeners, error) {
	l := &listeners{open: map[string]net.Listener{}, inherited: map[string]net.Listener{}}
	names := strings.Split(os.Getenv(inheritedNames), ":")
	if os.Getenv(inheritedNames) == "" {
		names = activated()
	}
	for _, k := range []string{inheritedNames, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(k); err != nil {
			return nil, fmt.Errorf("take listeners over: %w", err)
		}
	}
	for n, name := range names {
		fd := firstInherited + n
		unix.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), name)
		if f == nil {
			return nil, fmt.Errorf("take listener %s over: descriptor %d is not open", name, fd)
		}
		got, err := net.FileListener(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("take listener %s over: %w", name, err)
		}
		l.inherited[name] = got
	}
	return l, nil
}

// activated are the names of the sockets that systemd passes. Those without a name are ssh and http, in this order.
func activated() []string {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	usual := []string{sshListener, httpListener, httpsListener, metricsListener}
	for i := range n {
		if i >= len(names) {
			names = append(names, "")
		}
		if names[i] == "" || names[i] == "unknown" || strings.HasSuffix(names[i], ".socket") {
			names[i] = usual[min(i, len(usual)-1)]
		}
	}
	return names[:n]
}

// listen returns the listener of that name: the inherited one, else a new one at addr.
func (l *listeners) listen(name, addr string) (net.Listener, error) {
	got, ok := l.inherited[name]
	delete(l.inherited, name)
	if !ok {
		var err error
		if got, err = net.Listen("tcp", addr); err != nil {
			return nil, fmt.Errorf("listen for %s: %w", name, err)
		}
	}
	l.open[name] = got
	return got, nil
}

// closeRest closes what was inherited and nobody wanted.
func (l *listeners) closeRest() error {
	var errs []error
	for _, rest := range l.inherited {
		errs = append(errs, rest.Close())
	}
	clear(l.inherited)
	return errors.Join(errs...)
}

// duplicates returns a descriptor of its own for each open listener, and their names: the sockets stay open, and queue
// connections, when this process closes its own. (os.File is not used: it would make them block.)
func (l *listeners) duplicates() (names []string, fds []uintptr, err error) {
	for _, name := range []string{sshListener, httpListener, httpsListener, metricsListener} {
		got, ok := l.open[name]
		if !ok {
			continue
		}
		raw, err := got.(syscall.Conn).SyscallConn() // each is a *net.TCPListener
		if err != nil {
			return nil, nil, fmt.Errorf("copy listener %s: %w", name, err)
		}
		var fd int
		var dupErr error
		if err := raw.Control(func(own uintptr) { fd, dupErr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, firstInherited) }); err != nil || dupErr != nil {
			return nil, nil, fmt.Errorf("copy listener %s: %w", name, errors.Join(err, dupErr))
		}
		names, fds = append(names, name), append(fds, uintptr(fd))
	}
	return names, fds, nil
}
