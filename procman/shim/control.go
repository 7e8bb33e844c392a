package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Orders that the control socket takes.
const (
	opHello  = "hello" // prove the identity; the connection is then told the exit
	opSignal = "signal"
	opStop   = "stop"
	opKill   = "kill"
)

// order is a request on the control socket: one line of JSON.
type order struct {
	Op     string        `json:"op"`
	Signal int           `json:"signal,omitempty"`
	Grace  time.Duration `json:"grace,omitempty"` // nanoseconds

	done chan error
}

// answer is the reply: one line. After hello a second one follows at the end.
type answer struct {
	Token string      `json:"token,omitempty"`
	Error string      `json:"error,omitempty"`
	Errno int         `json:"errno,omitempty"`
	Exit  *ExitStatus `json:"exit,omitempty"`
}

// controller serves the control socket inside of the shim.
type controller struct {
	orders chan order
	token  string
	owner  uint32 // the only uid that may give orders
	l      net.Listener
	conns  sync.WaitGroup
	ended  chan struct{} // closed when exit is set
	exit   ExitStatus
}

func listen(f *os.File, token string) (*controller, error) {
	// Who listens is the peer that clients see: they check that it is this process.
	if err := unix.Listen(int(f.Fd()), 128); err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	c := &controller{orders: make(chan order), token: token, owner: uint32(os.Geteuid()), l: l, ended: make(chan struct{})}
	go c.accept()
	return c, nil
}

func (c *controller) accept() {
	for {
		conn, err := c.l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // out of descriptors: the next one may fare better
			select {
			case <-c.ended:
				return
			case <-time.After(50 * time.Millisecond):
			}
			continue
		}
		if peer, err := peerOf(conn); err != nil || peer.Uid != c.owner {
			conn.Close()
			continue
		}
		c.conns.Go(func() {
			defer conn.Close()
			c.serve(conn)
		})
	}
}

// serve answers one connection until it or the instance ends.
func (c *controller) serve(conn net.Conn) {
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var o order
		if err := in.Decode(&o); err != nil {
			return
		}
		a := c.obey(o)
		if err := out.Encode(a); err != nil {
			return
		}
		if o.Op == opHello {
			c.hold(conn, out)
			return
		}
	}
}

func (c *controller) obey(o order) answer {
	switch o.Op {
	case opHello:
		return answer{Token: c.token}
	case opSignal, opStop, opKill:
		o.done = make(chan error, 1)
		select {
		case c.orders <- o:
			return answerOf(<-o.done)
		case <-c.ended:
			return answerOf(syscall.ESRCH)
		}
	}
	return answer{Error: "unknown order " + o.Op}
}

func answerOf(err error) answer {
	if err == nil {
		return answer{}
	}
	a := answer{Error: err.Error()}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		a.Errno = int(no)
	}
	return a
}

// hold keeps a client until the end, which it is then told.
func (c *controller) hold(conn net.Conn, out *json.Encoder) {
	left := make(chan struct{})
	c.conns.Go(func() { // the client going away ends the connection's goroutines
		defer close(left)
		_, _ = conn.Read(make([]byte, 1)) // whatever it is, it is the end
	})
	select {
	case <-left:
	case <-c.ended:
		_ = out.Encode(answer{Exit: &c.exit}) // exit.json says it too
		conn.Close()                          // which ends the Read
	}
}

// lastWords bounds the wait for clients that do not read.
const lastWords = 2 * time.Second

// end tells everybody who holds a connection.
func (c *controller) end(st ExitStatus) {
	c.exit = st
	close(c.ended)
	c.l.Close()
	told := make(chan struct{})
	go func() { c.conns.Wait(); close(told) }()
	select {
	case <-told:
	case <-time.After(lastWords): // a client that only sends orders holds nothing up
	}
}

func peerOf(conn net.Conn) (*unix.Ucred, error) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("read peer: not a unix socket")
	}
	sc, err := uc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("read peer: %w", err)
	}
	var cred *unix.Ucred
	cerr := sc.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(cerr, err); err != nil {
		return nil, fmt.Errorf("read peer: %w", err)
	}
	return cred, nil
}
