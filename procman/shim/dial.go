package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hop3/internal/thread"
)

// PrivateNetwork tells whether the instance has a network of its own.
func (i *Instance) PrivateNetwork() bool { return i.card.PrivateNetwork }

// Dial connects to a port of the instance's own loopback device, which nobody
// outside of the instance can but the server. Where it shares the machine's
// network that is the machine's. The end of ctx ends the attempt.
func (i *Instance) Dial(ctx context.Context, port int) (net.Conn, error) {
	to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
	if !i.card.PrivateNetwork {
		d := net.Dialer{KeepAlive: -1} // the peer is on this machine and its end is seen
		return d.DialContext(ctx, "tcp", to.String())
	}
	conn, err := i.dialInside(ctx, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: to, Err: err}
	}
	return conn, nil
}

func (i *Instance) dialInside(ctx context.Context, to *net.TCPAddr) (net.Conn, error) {
	fd, err := socketOf(i.fd)
	if errors.Is(err, os.ErrClosed) { // by Close: whoever hands over to another server serves on for a while
		var again *os.File
		if again, err = openPid(i.card.Identity); err == nil {
			fd, err = socketOf(again)
			again.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "tcp")
	defer f.Close() // FileConn has a descriptor of its own
	if err := connect(ctx, f, to); err != nil {
		return nil, err
	}
	return net.FileConn(f)
}

func socketOf(pidfd *os.File) (fd int, err error) {
	sc, err := pidfd.SyscallConn()
	if err != nil {
		return 0, err
	}
	if cerr := sc.Control(func(p uintptr) { fd, err = socketInside(int(p)) }); cerr != nil {
		return 0, os.ErrClosed // whatever package poll calls it
	}
	return fd, err
}

// socketInside makes a socket in the network namespace of a process. It stays
// there for good, whoever uses it.
func socketInside(pidfd int) (fd int, err error) {
	home, err := machineNetwork()
	if err != nil {
		return 0, err
	}
	thread.Do(func() (asBefore bool) {
		if err = unix.Setns(pidfd, unix.CLONE_NEWNET); err != nil {
			err = os.NewSyscallError("setns", err)
			return true
		}
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		err = os.NewSyscallError("socket", err)
		return unix.Setns(home, unix.CLONE_NEWNET) == nil
	})
	return fd, err
}

// machineNetwork is the server's own network namespace: that of any thread but
// those of socketInside.
var machineNetwork = sync.OnceValues(func() (int, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open own network: %w", err)
	}
	return fd, nil
})

// connect connects f, which does not block.
func connect(ctx context.Context, f *os.File, to *net.TCPAddr) error {
	sc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) }) // it is closed already, or this ends the wait
	defer stop()
	addr := &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	var cerr error
	begun := false
	err = sc.Write(func(fd uintptr) bool {
		if !begun {
			begun = true
			cerr = unix.Connect(int(fd), addr)
			return cerr != unix.EINPROGRESS
		}
		no, gerr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
		if cerr = gerr; gerr == nil && no != 0 {
			cerr = unix.Errno(no)
		}
		return true
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return os.NewSyscallError("connect", cerr)
}
