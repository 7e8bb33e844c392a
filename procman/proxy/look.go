package proxy

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// A looker looks at what a socket has to read, without waiting or reading. The
// zero value sees nothing. It belongs to one goroutine at a time.
type looker struct {
	raw syscall.RawConn
	fn  func(fd uintptr)
	n   int
	err error
}

// lookAt prepares to look at c, if it is a socket.
func (l *looker) lookAt(c net.Conn) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	l.raw = raw
	l.fn = func(fd uintptr) {
		var one [1]byte
		l.n, _, l.err = unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	}
}

// quiet reports whether the socket is open and has nothing to read.
func (l *looker) quiet() bool {
	return l.raw == nil || l.raw.Control(l.fn) == nil && errors.Is(l.err, unix.EAGAIN)
}

// ended reports whether the peer has closed its side, with nothing before that
// to be read.
func (l *looker) ended() bool {
	if l.raw == nil {
		return false
	}
	return l.raw.Control(l.fn) != nil || l.err == nil && l.n == 0 || l.err != nil && !errors.Is(l.err, unix.EAGAIN)
}
